//! The server's own paths on the S3 port: the health checks of MinIO's probes.
//!
//! They need no credentials. The bucket name `minio` is reserved for them.

use hyper::{Method, StatusCode};

use crate::s3::call::Answer;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::reply;
use crate::telemetry::{NotReady, Readiness};

/// A path of the server itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnPath {
    /// Liveness: the process answers.
    Live,
    /// Readiness: the process can serve. It is the cluster of one that MinIO's load balancers ask for, too.
    Ready,
    /// The process can serve reads, even while it cannot write.
    Readable,
    /// Reserved, but not served.
    Unknown,
}

/// Whether the path is one of the server's own.
pub(crate) fn own_path(raw_path: &str) -> Option<OwnPath> {
    let rest = raw_path.strip_prefix("/minio")?;
    match rest {
        "/health/live" => Some(OwnPath::Live),
        "/health/ready" | "/health/cluster" => Some(OwnPath::Ready),
        "/health/cluster/read" => Some(OwnPath::Readable),
        "" => Some(OwnPath::Unknown),
        rest if rest.starts_with('/') => Some(OwnPath::Unknown),
        _ => None,
    }
}

/// Answers without credentials and without a body.
pub(crate) fn answer(path: OwnPath, method: &Method, readiness: &Readiness) -> Answer {
    match (path, method) {
        (OwnPath::Live, &(Method::GET | Method::HEAD)) => Ok(reply::empty(StatusCode::OK)),
        (OwnPath::Ready, &(Method::GET | Method::HEAD)) => match readiness.check() {
            Ok(()) => Ok(reply::empty(StatusCode::OK)),
            Err(_) => Ok(reply::empty(StatusCode::SERVICE_UNAVAILABLE)),
        },
        (OwnPath::Readable, &(Method::GET | Method::HEAD)) => match readiness.check() {
            Err(NotReady::Starting | NotReady::Stopping) => {
                Ok(reply::empty(StatusCode::SERVICE_UNAVAILABLE))
            }
            Ok(()) | Err(_) => Ok(reply::empty(StatusCode::OK)),
        },
        (OwnPath::Live | OwnPath::Ready | OwnPath::Readable, _) => Err(S3Error::new(
            S3ErrorCode::MethodNotAllowed,
            "Health is asked for by GET or HEAD.",
        )),
        (OwnPath::Unknown, _) => Err(S3Error::not_implemented(
            "The MinIO interface under /minio, other than /minio/health/live, /ready, /cluster and /cluster/read,",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_paths_are_told_from_buckets() {
        assert_eq!(own_path("/minio/health/live"), Some(OwnPath::Live));
        assert_eq!(own_path("/minio/health/ready"), Some(OwnPath::Ready));
        assert_eq!(own_path("/minio/health/cluster"), Some(OwnPath::Ready));
        let read = own_path("/minio/health/cluster/read");
        assert_eq!(read, Some(OwnPath::Readable));
        assert_eq!(
            own_path("/minio/v2/metrics/cluster"),
            Some(OwnPath::Unknown)
        );
        assert_eq!(own_path("/minio"), Some(OwnPath::Unknown));
        assert_eq!(own_path("/minio-backup/key"), None);
    }
}
