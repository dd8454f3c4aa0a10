//! Binds listening sockets to the configured addresses.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::config::AdminListen;
use crate::process::StartError;
use crate::process::limits::BACKLOG;

/// A socket that listens on `address`; for port 0 the system chooses a free one.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Bind { address, source })
}

/// The admin listener's socket: on the configured address, else on the default address, or on a free port of its host
/// if the default is taken.
pub(crate) fn bind_admin(wanted: AdminListen) -> Result<TcpListener, StartError> {
    match wanted {
        AdminListen::Exactly(address) => bind(address),
        AdminListen::Preferred(address) => match listen(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let socket = bind(SocketAddr::new(address.ip(), 0))?;
                tracing::warn!(taken = %address, "the default admin address is taken; a free port is used instead");
                Ok(socket)
            }
            other => other.map_err(|source| StartError::Bind { address, source }),
        },
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Without this option a restart fails for a minute, until the kernel has dropped the old process's connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(socket: &TcpListener) -> SocketAddr {
        socket.local_addr().expect("a bound socket has an address")
    }

    #[tokio::test]
    async fn a_taken_default_admin_address_gives_way_and_an_explicit_one_does_not() {
        let first =
            bind("127.0.0.1:0".parse().expect("an address")).expect("loopback has a free port");
        let taken = address(&first);
        let second = bind_admin(AdminListen::Preferred(taken)).expect("another port is taken");
        assert_eq!(address(&second).ip(), taken.ip());
        assert_ne!(address(&second).port(), taken.port());
        let error = bind_admin(AdminListen::Exactly(taken)).expect_err("the address is taken");
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }
}
