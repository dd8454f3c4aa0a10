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
    crate::s3::ops::force::HEADER,
];

/// Values by which such a header asks for what is the case anyway. rclone sends the first with every bucket it creates.
const DEMANDS_NOTHING: &[(&str, &str)] = &[
    ("x-amz-bucket-object-lock-enabled", "false"),
    ("x-amz-object-lock-legal-hold", "OFF"),
    ("x-minio-force-delete", "false"),
];

/// Conditions of a delete. A delete that ignored them could delete objects that the client wants to keep.
pub(super) const DELETE_CONDITIONS: &[&str] = &[
    "if-match",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
];

/// ACLs that describe this server's only behaviour: the owner has all rights, others have none.
const PRIVATE_ACLS: &[&str] = &["private", "bucket-owner-full-control", "bucket-owner-read"];

/// Refuses parameters that the operation does not take. Ignoring one would answer another question than the client's: a bucket's
/// listing asked by host name would be the list of buckets, and `DELETE /bucket?versioning` would delete the bucket.
///
/// # Errors
/// `NotImplemented` with the parameter's name; `InvalidArgument` for an invalid version.
pub(super) fn parameters(operation: &Operation, query: &Query) -> Result<(), S3Error> {
    for name in query.names() {
        let neutral = NOISE.contains(&name)
            || name
                .get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        if neutral || operation.takes(name) || ignored(operation, query, name) {
            continue;
        }
        return Err(S3Error::not_implemented(match operation.level {
            Level::Service => format!(
                "The query parameter `{name}` in a request without a bucket in its path (a client that puts the bucket \
                 into the host name needs path-style addressing)"
            ),
            Level::Bucket | Level::Object => format!("The query parameter `{name}`"),
        }));
    }
    if operation.level == Level::Object {
        version(query)?;
    }
    Ok(())
}

/// Whether the operation ignores a parameter that it does not take, as S3 does: a read ignores one with a value, unless it
/// selects an operation. A bare name is more likely a subresource that is new to this server.
fn ignored(operation: &Operation, query: &Query, name: &str) -> bool {
    if operation.level == Level::Service {
        return !all().any(|row| row.takes(name));
    }
    let reads = matches!(operation.verb, Verb::Get | Verb::Head);
    let selects = || all().any(|row| row.selector.names(name));
    reads && query.nonempty(name).is_some() && !selects()
}

/// Refuses headers that the operation does not support, and supported ones that cannot be read.
///
/// # Errors
/// `NotImplemented` with the header's name, or `InvalidArgument`.
pub(super) fn headers(operation: &Operation, headers: Headers<'_>) -> Result<(), S3Error> {
    let taken = || operation.headers.iter().copied().flatten();
    let refused = |name: &&&str| headers.has(name) && !taken().any(|taken| taken == *name);
    for name in DEMANDS.iter().filter(refused) {
        let value = headers.text(name)?.unwrap_or_default();
        let nothing = |(of, same): &(&str, &str)| of == name && same.eq_ignore_ascii_case(value);
        if !DEMANDS_NOTHING.iter().any(nothing) {
            return Err(S3Error::not_implemented(format!("The header {name}")));
        }
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
