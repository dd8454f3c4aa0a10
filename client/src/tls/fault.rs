//! What went wrong in a TLS handshake, in words that name the certificate file and the fault.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// Why TLS failed. A retry fails as well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// No trusted certificate signed the server's.
    #[error("the server's certificate is signed by none of {trusted}")]
    UnknownIssuer {
        /// The trusted certificates: a file or the system's.
        trusted: String,
    },
    /// The certificate has other names.
    #[error("the server's certificate is for {presented}, not for {expected}")]
    WrongName {
        /// The name in the address.
        expected: String,
        /// The names in the certificate.
        presented: String,
    },
    /// The certificate is not valid now.
    #[error("the server's certificate {problem} (or this machine's clock is wrong)")]
    Dates {
        /// The problem.
        problem: &'static str,
    },
    /// The certificate cannot be accepted for another reason.
    #[error("the server's certificate cannot be accepted: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
    /// The server demands a client certificate, and none was given.
    #[error("the server demands a client certificate, and none was given")]
    NoClientCertificate,
    /// The server does not accept the client certificate.
    #[error("the server does not accept the client certificate in {file}: it answered {alert}")]
    ClientCertificate {
        /// The certificate's file.
        file: String,
        /// The server's alert.
        alert: String,
    },
    /// The server does not speak TLS.
    #[error("no TLS is spoken on this port: write http:// instead of https://")]
    PlainServer,
    /// The server speaks TLS, and the address says http.
    #[error("TLS is spoken on this port: write https:// instead of http://")]
    TlsServer,
    /// Anything else.
    #[error("{reason}")]
    Other {
        /// rustls' message.
        reason: String,
    },
}

/// `DnsName("etcd.example")`, as rustls writes it, is etcd.example.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

/// The certificate files of a connection, for messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Files<'a> {
    /// The trusted certificates; `None` for the system's.
    pub(crate) trusted: Option<&'a str>,
    /// The client's certificate.
    pub(crate) client: Option<&'a str>,
}

impl TlsFault {
    pub(crate) fn of(error: &Error, files: Files<'_>) -> Self {
        match error {
            Error::InvalidCertificate(fault) => Self::of_certificate(fault, files),
            Error::AlertReceived(alert) => Self::of_alert(*alert, files),
            // The first bytes of a plain answer are taken for the head of a record.
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::PlainServer,
            other => Self::Other {
                reason: other.to_string(),
            },
        }
    }

    fn of_certificate(fault: &CertificateError, files: Files<'_>) -> Self {
        match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                let trusted = files.trusted.unwrap_or("this system's certificates");
                Self::UnknownIssuer {
                    trusted: trusted.to_owned(),
                }
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: if presented.is_empty() {
                    "no name at all (it has no subjectAltName)".to_owned()
                } else {
                    presented
                        .iter()
                        .map(|name| bare(name))
                        .collect::<Vec<_>>()
                        .join(", ")
                },
            },
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Dates {
                problem: "has expired",
            },
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::Dates {
                    problem: "is not valid yet",
                }
            }
            other => Self::Certificate {
                reason: other.to_string(),
            },
        }
    }

    /// With TLS 1.2 a server tells a missing certificate by the same alert as a bad one.
    fn of_alert(alert: AlertDescription, files: Files<'_>) -> Self {
        let about_client = matches!(
            alert,
            AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError
        );
        match files.client {
            Some(file) if about_client => Self::ClientCertificate {
                file: file.to_owned(),
                alert: format!("{alert:?}"),
            },
            None if about_client => Self::NoClientCertificate,
            _ => Self::Other {
                reason: format!("the server refuses with the alert {alert:?}"),
            },
        }
    }
}
