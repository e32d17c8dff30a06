//! The `oblink-holder` program.
fn main() {}
