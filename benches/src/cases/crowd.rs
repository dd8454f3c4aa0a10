//! Many clients at once, one thread and one kept connection each.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use strongroom_tests::clock::Stopwatch;

use crate::wire::Connection;

/// A client's thread holds a head and a few calls; its body is elsewhere.
const STACK_BYTES: usize = 256 << 10;

/// The results of a crowd.
#[derive(Debug)]
pub(crate) struct Done {
    /// From the first start to the last end.
    pub(crate) secs: f64,
    /// Duration of each piece of work, in no order.
    pub(crate) times: Vec<Duration>,
}

/// The cost of moving large bodies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) bytes_per_sec: f64,
    /// Processor time of the server.
    pub(crate) cpu_secs_per_gb: f64,
}

/// Divides `work` among `clients`; `one` does a piece of it on the client's own connection, which is open before the
/// clock starts.
pub(crate) fn work<T: Sync>(
    addr: SocketAddr,
    clients: usize,
    work: &[T],
    one: impl Fn(&mut Connection, &T) + Sync,
) -> Done {
    let next = AtomicUsize::new(0);
    let connections: Vec<_> = (0..clients).map(|_| Connection::open(addr)).collect();
    let watch = Stopwatch::start();
    let times = thread::scope(|scope| {
        let (next, one) = (&next, &one);
        let client = |mut connection: Connection| {
            move || {
                let mut times = Vec::with_capacity(work.len() / clients + 1);
                while let Some(piece) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let watch = Stopwatch::start();
                    one(&mut connection, piece);
                    times.push(watch.elapsed());
                }
                times
            }
        };
        let threads: Vec<_> = connections
            .into_iter()
            .map(|connection| {
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, client(connection))
                    .expect("a thread starts")
            })
            .collect();
        let times = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("every answer is 200"));
        times.collect::<Vec<_>>()
    });
    Done {
        secs: watch.elapsed().as_secs_f64(),
        times,
    }
}
