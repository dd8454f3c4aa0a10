//! PEM files of the command line and the environment. A fault in one names the file.

use std::fmt;

use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::exit::ExitCode;

/// The contents of a PEM file and its name for messages.
#[derive(Clone)]
pub struct PemFile {
    name: String,
    bytes: Vec<u8>,
}

/// Why TLS cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// A file is not PEM.
    #[error("{file} is no PEM file: {reason}")]
    NotPem {
        /// The file.
        file: String,
        /// The parser's message.
        reason: String,
    },
    /// A file has no certificate.
    #[error("{file} holds no PEM certificate")]
    NoCertificate {
        /// The file.
        file: String,
    },
    /// A certificate cannot be used.
    #[error("certificate {number} in {file} cannot be used: {reason}")]
    Certificate {
        /// The file.
        file: String,
        /// Its position in the file, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// A file has no private key.
    #[error("{file} holds no private key in PEM form without a password")]
    NoKey {
        /// The file.
        file: String,
    },
    /// A private key cannot be used.
    #[error("the private key in {file} cannot be used: {reason}")]
    Key {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Key and certificate are not a pair.
    #[error("the private key in {key} does not belong to the certificate in {certificate}")]
    NoPair {
        /// The file with the certificate.
        certificate: String,
        /// The file with the key.
        key: String,
    },
    /// This machine has no trusted certificates.
    #[error("this system has no trusted certificates: install ca-certificates or name a file")]
    NoRoots,
}

impl PemError {
    /// The program's exit code for this error.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::Auth
    }
}

impl PemFile {
    /// The contents of the file `name`.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificates; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| self.not_pem(&error))?;
        if found.is_empty() {
            return Err(PemError::NoCertificate {
                file: self.name.clone(),
            });
        }
        Ok(found)
    }

    /// Its first private key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => PemError::NoKey {
                file: self.name.clone(),
            },
            error => self.not_pem(&error),
        })
    }

    fn not_pem(&self, error: &pem::Error) -> PemError {
        PemError::NotPem {
            file: self.name.clone(),
            reason: error.to_string(),
        }
    }
}

/// Prints the name only: the bytes may be a key.
impl fmt::Debug for PemFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PemFile({})", self.name)
    }
}
