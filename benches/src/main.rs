//! The benchmark programs.
fn main() {}
