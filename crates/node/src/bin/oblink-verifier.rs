//! The `oblink-verifier` program.
fn main() {}
