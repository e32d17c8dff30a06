//! RFC 9497's vectors, oblink's own, the protocol's tests and `voprf` beside them, all on one engine: portable.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unsafe_code)]

mod choice;
#[path = "differential.rs"]
mod differential;
#[path = "protocol.rs"]
mod protocol;
#[path = "rfc9497.rs"]
mod rfc9497;
#[path = "session_vectors.rs"]
mod session_vectors;

choice::before_all_tests!(oblink_oprf::Engine::Portable);
