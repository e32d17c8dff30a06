//! QUIC transport for oblink sessions: pinned mutual TLS 1.3, limits, streams (SPEC TRN-1 to TRN-3, FRM-1).
//!
//! The end that opens a connection is the *dialer*, the end that waits for one the *listener*. The dialer opens every stream. This crate
//! moves frames and says who the other end is; what a frame means, and which one is due, is the session's business.
//!
//! - [`Identity`]: an Ed25519 key and the self-signed certificate made from it; [`Fingerprint`]: what people compare by telephone;
//!   [`Pins`]: whom a listener lets in.
//! - [`Listener::bind`] and [`Listener::accept`]; [`dial`]: both give a [`Connection`] to an authenticated peer.
//! - [`Connection::open_stream`] and [`Connection::accept_stream`] give a [`FrameSender`] and a [`FrameReceiver`].
//! - [`Error`] sorts by [`Blame`] and carries a hint for the operator. No variant holds what a frame said.
//!
//! ```no_run
//! # async fn example(key: &[u8], theirs: oblink_quic::Fingerprint, limit_of: fn(u8) -> Option<u32>) -> Result<(), Box<dyn std::error::Error>> {
//! use oblink_quic::{Identity, Options, dial};
//!
//! let identity = Identity::from_pkcs8_der(key)?;
//! let connection = dial("192.0.2.1:4433".parse()?, &identity, theirs, &Options::default()).await?;
//! let (mut sender, mut receiver) = connection.open_stream().await?;
//! sender.send(0x0b, &[b"a body", b" in parts"]).await?;
//! let (kind, body) = receiver.receive(limit_of).await?;
//! sender.finish()?;
//! receiver.expect_end().await?;
//! connection.close(0, "done");
//! connection.drained(std::time::Duration::from_secs(3)).await;
//! # let _ = (kind, body);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod connection;
mod dial;
mod door;
mod error;
mod fingerprint;
mod frame;
mod identity;
mod listener;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

pub use connection::Connection;
pub use dial::dial;
pub use error::{Blame, Error};
pub use fingerprint::{Fingerprint, Pins};
pub use frame::{FrameReceiver, FrameSender};
pub use identity::Identity;
pub use listener::{HandshakeRefusal, Listener};
pub use transport::Options;

/// The application protocol offered and demanded in the TLS handshake (SPEC TRN-1).
pub const ALPN: &[u8] = b"oblink/1";

/// Bytes before a frame's body: `length:u32 ‖ type:u8` (SPEC FRM-1).
pub const FRAME_HEADER_BYTES: usize = 5;
