//! The server that a case sends its requests to: Strongroom, or a peer with the same API.

use std::net::SocketAddr;

use strongroom_tests::s3::S3;
use strongroom_tests::server::{ACCESS_KEY, SECRET_KEY, Server};

use crate::meter::cpu_secs;

/// A running S3 server with the suites' credentials and bucket.
#[derive(Debug, Clone)]
pub struct Target {
    /// Signs requests for it.
    pub s3: S3,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its process.
    pub process: u32,
}

impl Target {
    /// A server with the suites' credentials.
    pub fn at(addr: SocketAddr, process: u32) -> Self {
        Self {
            s3: S3::at(addr, ACCESS_KEY, SECRET_KEY),
            addr,
            process,
        }
    }

    /// Our server.
    pub fn of(server: &mut Server) -> Self {
        let process = server.process().id();
        Self::at(server.s3_addr(), process)
    }

    /// Its processor time so far.
    pub fn cpu_secs(&self) -> f64 {
        cpu_secs(self.process)
    }
}
