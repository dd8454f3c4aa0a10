//! Writes the fixture store of `tests/store_fixture.rs` into the empty directory given as the first argument.
//!
//! A new FormatVersion gets a new folder next to the old ones; existing fixtures are never rewritten. Afterwards,
//! remove RocksDB's own `LOG`, which contains paths of the machine, and the lock files by hand.

#[path = "../tests/store_fixture/content.rs"]
mod content;

#[tokio::main]
async fn main() {
    let dir = std::env::args_os()
        .nth(1)
        .expect("usage: write_store_fixture EMPTY_DIRECTORY");
    content::write(std::path::Path::new(&dir)).await;
}
