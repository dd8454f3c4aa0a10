//! Permissions: one check between authentication and an operation.
//!
//! Pure. Invariant: a request is refused unless a rule allows it.

use crate::s3::addressing::Resource;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::identity::Identity;

/// An action, by its name in policies, such as `s3:PutObject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action(pub(crate) &'static str);

/// Checks that a sender may perform an action on a resource.
///
/// # Errors
/// `AccessDenied`.
pub(crate) fn authorize(
    identity: &Identity,
    action: Action,
    resource: &Resource,
) -> Result<(), S3Error> {
    match identity {
        Identity::Root(_) => Ok(()),
        Identity::Anonymous => {
            let bucket = resource.bucket().map(ToString::to_string);
            tracing::debug!(action = action.0, bucket, "a request without a signature");
            Err(access_denied())
        }
    }
}

/// The answer to a request that matches no operation, such as one with an unknown method.
pub(crate) fn refusal(identity: &Identity, wrong: S3Error) -> S3Error {
    match identity {
        Identity::Root(_) => wrong,
        // An anonymous sender learns nothing about the request.
        Identity::Anonymous => access_denied(),
    }
}

/// The refusal of a request without a signature.
pub(crate) fn access_denied() -> S3Error {
    S3Error::new(
        S3ErrorCode::AccessDenied,
        "Access Denied. Sign the request; there is no anonymous access.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BucketName, Owner};
    use crate::s3::operations;

    #[test]
    fn root_may_do_everything_and_a_stranger_nothing() {
        let root = Identity::Root(Owner("root".to_owned()));
        let resource = Resource::Bucket(BucketName::parse("bkt").expect("a name"));
        for operation in operations::all() {
            let action = operation.action;
            authorize(&root, action, &resource).expect(operation.name);
            let refused = authorize(&Identity::Anonymous, action, &resource);
            assert_eq!(
                refused.expect_err(operation.name).code(),
                S3ErrorCode::AccessDenied
            );
        }
        let wrong = || S3Error::new(S3ErrorCode::MethodNotAllowed, "no");
        assert_eq!(
            refusal(&root, wrong()).code(),
            S3ErrorCode::MethodNotAllowed
        );
        assert_eq!(
            refusal(&Identity::Anonymous, wrong()).code(),
            S3ErrorCode::AccessDenied
        );
    }
}
