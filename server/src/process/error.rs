//! Errors that end the process, each with its exit code and the next command to type.

use std::io;
use std::net::SocketAddr;

use crate::config::ConfigError;
use crate::objects::ObjectsError;
use crate::process::Exit;
use crate::store::{ErrorClass, StoreError};

/// A failure that ends the process.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is incomplete or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system cannot provide threads, timers or signals.
    #[error("{what}: {source}")]
    System {
        /// What failed.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The server cannot listen on an address.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory is MinIO's.
    #[error(
        "{data_dir} is a data directory of MinIO (it holds .minio.sys): its objects cannot be served from there, and nothing \
         was changed. Start Strongroom on an empty directory, then copy the objects from a running MinIO"
    )]
    MinioDirectory {
        /// The data directory.
        data_dir: String,
    },
    /// The data directory is neither empty nor a store.
    #[error(
        "{data_dir} is neither empty nor a store of Strongroom (it holds {found}); nothing was changed. Name an empty \
         directory, or one that does not exist yet"
    )]
    ForeignDirectory {
        /// The data directory.
        data_dir: String,
        /// Some of what it holds.
        found: String,
    },
    /// The store cannot be opened.
    #[error("the store in {data_dir} cannot be opened: {source}")]
    Store {
        /// The data directory.
        data_dir: String,
        /// Why.
        source: StoreError,
    },
    /// The store did not close cleanly. Acknowledged data is safe nevertheless.
    #[error("the store did not close cleanly: {source}")]
    Close {
        /// Why.
        source: StoreError,
    },
    /// What a crash left cannot be repaired: an open pack, a half-deleted bucket.
    #[error("what the last process left cannot be repaired: {source}")]
    Repair {
        /// The data directory.
        data_dir: String,
        /// Why.
        source: ObjectsError,
    },
    /// A bucket of the configuration cannot be created.
    #[error("the bucket {bucket} of the configuration cannot be created: {source}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// Why.
        source: ObjectsError,
    },
}

impl StartError {
    /// The exit code for scripts.
    pub fn exit(&self) -> Exit {
        match self {
            StartError::Config(_) => Exit::Usage,
            StartError::Bind { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => Exit::Permission,
                io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => Exit::Precondition,
                _ => Exit::Failed,
            },
            StartError::Store { source, .. }
            | StartError::Close { source }
            | StartError::Repair {
                source: ObjectsError::Store(source),
                ..
            }
            | StartError::Bucket {
                source: ObjectsError::Store(source),
                ..
            } => of_store(source),
            StartError::MinioDirectory { .. } | StartError::ForeignDirectory { .. } => {
                Exit::Precondition
            }
            StartError::System { .. } | StartError::Bucket { .. } | StartError::Repair { .. } => {
                Exit::Failed
            }
        }
    }

    /// The next command to type.
    pub fn next_command(&self) -> String {
        match self {
            StartError::Config(error) => error.next_command(),
            StartError::Bind { address, source } => match source.kind() {
                io::ErrorKind::AddrInUse => format!("ss -ltnp 'sport = :{}'", address.port()),
                io::ErrorKind::AddrNotAvailable => "ip -brief address".to_owned(),
                _ => format!("strongroom-server serve --listen {}:9000", address.ip()),
            },
            StartError::Store { data_dir, source }
            | StartError::Repair {
                data_dir,
                source: ObjectsError::Store(source),
            } => of_store_next(data_dir, source),
            StartError::MinioDirectory { data_dir } => {
                let beside = data_dir.trim_end_matches('/');
                format!("strongroom-server serve --data-dir {beside}-strongroom")
            }
            StartError::ForeignDirectory { data_dir, .. } => format!("ls -la {data_dir}"),
            StartError::System { .. } => "ulimit -a".to_owned(),
            StartError::Close { .. } | StartError::Bucket { .. } | StartError::Repair { .. } => {
                "start the server again; it repairs what a crash leaves by itself".to_owned()
            }
        }
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error.class() {
        ErrorClass::Held | ErrorClass::Full | ErrorClass::Latched | ErrorClass::Newer => {
            Exit::Precondition
        }
        ErrorClass::Damaged | ErrorClass::Misplaced => Exit::Integrity,
        ErrorClass::Absent => Exit::NotFound,
        ErrorClass::Retry | ErrorClass::Closing | ErrorClass::Bug => {
            match error.io().map(|(_, source)| source.kind()) {
                Some(io::ErrorKind::PermissionDenied) => Exit::Permission,
                Some(io::ErrorKind::NotFound) => Exit::NotFound,
                Some(
                    io::ErrorKind::StorageFull
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::NotADirectory,
                ) => Exit::Precondition,
                _ => Exit::Failed,
            }
        }
    }
}

fn of_store_next(data_dir: &str, error: &StoreError) -> String {
    match error.class() {
        ErrorClass::Held => format!("cat {data_dir}/LOCK; fuser -v {data_dir}/LOCK"),
        ErrorClass::Full => format!("df -h {data_dir}"),
        ErrorClass::Newer => "strongroom-server --version".to_owned(),
        ErrorClass::Damaged => format!("strongroom-server doctor --data-dir {data_dir}"),
        ErrorClass::Misplaced
        | ErrorClass::Absent
        | ErrorClass::Latched
        | ErrorClass::Retry
        | ErrorClass::Closing
        | ErrorClass::Bug => match error.io() {
            Some((path, _)) => format!("ls -ld {} {data_dir}", path.display()),
            None => format!("ls -l {data_dir}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    fn store(source: StoreError) -> StartError {
        StartError::Store {
            data_dir: "/d".to_owned(),
            source,
        }
    }

    #[test]
    fn exit_codes_tell_scripts_what_to_do() {
        let io = |kind| StoreError::Io {
            op: "open",
            path: PathBuf::from("/d/x"),
            source: io::Error::from(kind),
        };
        let held = || StoreError::Held {
            dir: PathBuf::from("/d"),
        };
        let bind = |kind| {
            let address = "127.0.0.1:80".parse().expect("an address");
            StartError::Bind {
                address,
                source: io::Error::from(kind),
            }
        };
        for (error, exit) in [
            (StartError::Config(ConfigError::NoCredentials), Exit::Usage),
            (store(held()), Exit::Precondition),
            (
                store(StoreError::Shared(Arc::new(held()))),
                Exit::Precondition,
            ),
            (store(io(io::ErrorKind::PermissionDenied)), Exit::Permission),
            (store(io(io::ErrorKind::StorageFull)), Exit::Precondition),
            (
                store(StoreError::DamagedRow {
                    key: vec![1],
                    what: "x",
                }),
                Exit::Integrity,
            ),
            (bind(io::ErrorKind::AddrInUse), Exit::Precondition),
            (bind(io::ErrorKind::PermissionDenied), Exit::Permission),
        ] {
            assert_eq!(error.exit(), exit, "{error}");
            assert!(!error.next_command().is_empty(), "{error}");
        }
    }
}
