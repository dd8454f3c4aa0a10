//! Many clients, slow clients, misbehaving clients: memory stays bounded, nobody waits for another client's slow body,
//! and nothing is left when they are gone.

mod crowd;
mod descriptors;
mod latency;
mod parts;
mod rude;
mod rush;

use strongroom_tests::garbage;
use strongroom_tests::server::Server;

/// Garbage collection without grace, but with pauses: tokio ends a blocking thread after ten idle seconds. Runs every
/// second would keep all threads alive in turn, and they would look like a leak.
fn at_leisure(command: &mut std::process::Command) {
    command
        .env("STRONGROOM_GC_INTERVAL_SECS", "25")
        .env("STRONGROOM_GC_GRACE_SECS", "0")
        .env("STRONGROOM_GC_QUARANTINE_SECS", "0")
        .env("STRONGROOM_LOG", "warn");
}

/// Panics if unreachable data is left after a life of frequent collection.
fn assert_no_garbage(server: &mut Server) {
    assert_eq!(server.stop(), Some(0));
    let mut command = server.command();
    garbage::eager(&mut command);
    server.boot_as(command);
    garbage::settle(server);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(garbage::complaints(server), [""; 0]);
}
