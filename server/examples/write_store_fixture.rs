//! Writes the fixture store of `tests/store_fixture.rs` into the empty directory named by the first argument.
//!
//! A new FormatVersion gets a new folder beside the old one; what stands is never written again. RocksDB's own `LOG`,
//! which names the machine's paths, and the lock files are then removed by hand.

#[path = "../tests/store_fixture/content.rs"]
mod content;

#[tokio::main]
async fn main() {
    let dir = std::env::args_os()
        .nth(1)
        .expect("usage: write_store_fixture EMPTY_DIRECTORY");
    content::write(std::path::Path::new(&dir)).await;
}
