//! Writes the fuzzers' seeds: `cargo run -p oblink-tests --bin fuzz_seeds -- DIR` makes `DIR/TARGET/DIGEST` of each.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use oblink_tests::fuzz;
use sha2::{Digest, Sha256};

fn main() -> std::io::Result<()> {
    let dir = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "fuzz/corpus".into()));
    for (target, bytes) in fuzz::seeds() {
        let folder = dir.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(hex::encode(&Sha256::digest(&bytes)[..10])), bytes)?;
    }
    Ok(())
}
