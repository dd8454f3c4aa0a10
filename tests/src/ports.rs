//! Free ports on loopback.
//!
//! Programs like etcd must be told their port (and their peers') before they start, so port 0 does not do. Ports are taken
//! below the range from which the kernel serves outgoing connections (32768 and up on Linux), tried by binding, and never
//! handed out twice by one process; each process begins at another place.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// First port handed out, and how many follow: between the registered services people run and the kernel's outgoing range.
const FIRST: u16 = 18_000;
const COUNT: u16 = 14_000;

/// Tried before giving up: more than any suite uses.
const TRIES_MAX: u16 = 2_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nobody listens on.
pub fn free() -> SocketAddr {
    // A prime step per process id spreads test binaries that run at the same time.
    let start = u16::try_from(std::process::id().wrapping_mul(211) % u32::from(COUNT))
        .expect("below COUNT");
    for _ in 0..TRIES_MAX {
        let offset =
            (u32::from(start) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("below COUNT");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(addr).is_ok() {
            return addr;
        }
    }
    panic!("no free port among {TRIES_MAX} tried from {FIRST}+{start}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_use_are_passed_over_and_none_is_given_twice() {
        let held: Vec<_> = (0..20)
            .map(|_| TcpListener::bind(free()).expect("free means bindable"))
            .collect();
        let mut seen: Vec<_> = held
            .iter()
            .map(|l| l.local_addr().expect("bound").port())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), held.len());
    }
}
