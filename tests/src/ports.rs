//! Free ports on loopback.
//!
//! Programs like etcd must know their port (and their peers') before they start, so port 0 does not work. Ports are
//! taken below the kernel's range for outgoing connections (32768 and up on Linux). A port is ours while we hold the
//! lock on its file, until this process ends, and if nobody listens on it: so concurrent suites never use the same
//! port.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use parking_lot::Mutex;

use crate::programs;

/// The first port, and the number of ports: between the well-known services and the kernel's outgoing range.
const FIRST: u16 = 18_000;
const COUNT: u16 = 14_000;

/// The reservations of this process: the locks, and where to search next.
struct Reserved {
    locks: Vec<File>,
    next: u16,
}

static RESERVED: Mutex<Option<Reserved>> = Mutex::new(None);

/// An address on loopback that nobody listens on and that no other suite takes.
pub fn free() -> SocketAddr {
    let dir = programs::port_reservations();
    std::fs::create_dir_all(&dir).expect("the cache is writable");
    let mut guard = RESERVED.lock();
    // A step per process id spreads concurrent test binaries, so that they seldom compete for a lock.
    let start = u16::try_from(std::process::id().wrapping_mul(211) % u32::from(COUNT))
        .expect("below COUNT");
    let reserved = guard.get_or_insert_with(|| Reserved {
        locks: Vec::new(),
        next: start,
    });
    for _ in 0..COUNT {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + reserved.next));
        reserved.next = (reserved.next + 1) % COUNT;
        if let Some(lock) = reserve(&dir, addr) {
            reserved.locks.push(lock);
            return addr;
        }
    }
    panic!("all {COUNT} ports from {FIRST} on are taken")
}

/// The lock on a port's file, if no other process holds it and nobody listens on the port.
fn reserve(dir: &Path, addr: SocketAddr) -> Option<File> {
    let file = File::create(dir.join(addr.port().to_string())).expect("the cache is writable");
    file.try_lock().ok()?;
    TcpListener::bind(addr).is_ok().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let mut seen: Vec<_> = (0..20).map(|_| free().port()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn a_port_that_is_reserved_or_listened_on_is_passed_over() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let addr = free();
        let lock = reserve(dir.path(), addr).expect("nobody holds it");
        assert!(reserve(dir.path(), addr).is_none(), "it is reserved");
        drop(lock);
        let _listener = TcpListener::bind(addr).expect("free means bindable");
        assert!(reserve(dir.path(), addr).is_none(), "somebody listens");
    }
}
