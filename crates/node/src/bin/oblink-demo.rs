//! The `oblink-demo` program.
fn main() {}
