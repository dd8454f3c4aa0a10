//! Checks whether an operation takes the parameters and headers of a request.

use super::{Operation, Verb, all};
use crate::s3::addressing::Level;
use crate::s3::arguments::version;
use crate::s3::error::S3Error;
use crate::s3::head::Headers;
use crate::s3::query::Query;

/// Parameters without meaning: `x-id` repeats the operation's name (AWS' JavaScript SDK).
const NOISE: &[&str] = &["x-id"];

/// Headers that request a feature. An operation refuses them unless its row names them: ignoring them would break a
/// promise.
pub(super) const DEMANDS: &[&str] = &[
    "x-amz-bucket-object-lock-enabled",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-minio-force-delete",
];

/// Conditions of a delete. A delete that ignored them could delete objects that the client wants to keep.
pub(super) const DELETE_CONDITIONS: &[&str] = &[
    "if-match",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
];

/// ACLs that describe this server's only behaviour: the owner has all rights, others have none.
const PRIVATE_ACLS: &[&str] = &["private", "bucket-owner-full-control", "bucket-owner-read"];

/// Refuses parameters that the operation does not know.
///
/// # Errors
/// `NotImplemented` with the parameter's name; `InvalidArgument` for an invalid version.
pub(super) fn parameters(operation: &Operation, query: &Query) -> Result<(), S3Error> {
    // Requests without a bucket ignore unknown parameters.
    if operation.level == Level::Service {
        return Ok(());
    }
    let reads = matches!(operation.verb, Verb::Get | Verb::Head);
    for name in query.names() {
        let harmless = NOISE.contains(&name)
            || name
                .get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
            || served_at_level(operation).any(|row| row.takes(name))
            || (reads && query.nonempty(name).is_some() && !selects_another(operation, name));
        if !harmless {
            return Err(S3Error::not_implemented(format!(
                "The query parameter `{name}`"
            )));
        }
    }
    if operation.level == Level::Object {
        version(query)?;
    }
    Ok(())
}

/// Refuses headers that the operation does not support, and supported ones that cannot be read.
///
/// # Errors
/// `NotImplemented` with the header's name, or `InvalidArgument`.
pub(super) fn headers(operation: &Operation, headers: Headers<'_>) -> Result<(), S3Error> {
    let taken = || operation.headers.iter().copied().flatten();
    let refused = |name: &&&str| headers.has(name) && !taken().any(|taken| taken == *name);
    if let Some(name) = DEMANDS.iter().find(refused) {
        return Err(S3Error::not_implemented(format!("The header {name}")));
    }
    if operation.verb == Verb::Delete
        && let Some(name) = DELETE_CONDITIONS.iter().find(refused)
    {
        return Err(S3Error::not_implemented(format!(
            "A conditional delete (the header {name})"
        )));
    }
    for name in taken() {
        headers.utf8(name)?;
    }
    match headers.text("x-amz-acl")? {
        Some(acl) if !PRIVATE_ACLS.contains(&acl) => {
            Err(S3Error::not_implemented(format!("The canned ACL `{acl}`")))
        }
        _ => Ok(()),
    }
}

impl Operation {
    fn takes(&self, parameter: &str) -> bool {
        self.parameters.contains(&parameter) || self.selector.names(parameter)
    }
}

/// The served operations of the same level: each ignores the parameters of the others.
fn served_at_level(operation: &Operation) -> impl Iterator<Item = &'static Operation> {
    let level = operation.level;
    all().filter(move |row| row.level == level && row.is_served())
}

/// Whether a parameter asks for another operation of the same level.
fn selects_another(operation: &Operation, parameter: &str) -> bool {
    all().any(|row| row.level == operation.level && row.selector.names(parameter))
}
