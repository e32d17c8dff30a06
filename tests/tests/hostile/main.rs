//! Hostile peers: one that speaks the protocol over real QUIC and misbehaves on command, against the real programs. Each attack ends with the
//! right blame, exit code and refusal, within its limit; nothing of it is believed afterwards, and nothing of it harms an honest session beside.
//!
//! What takes minutes (waits of the programs' own) and what is measured is ignored: `cargo test -p oblink-tests --test hostile -- --ignored
//! --nocapture --test-threads 1`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod answers;
mod ends;
mod floods;
mod guests;
mod measured;
mod sets;
mod stage;
mod verifiers;
mod welcomes;
