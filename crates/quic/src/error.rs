//! What can go wrong, by whose doing, and what the operator does next.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use quinn::{ConnectionError, ReadError, TransportErrorCode, WriteError};

use crate::Fingerprint;
use crate::tls::Seen;

/// Whose doing an [`Error`] is; the commands' exit codes follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Input or configuration at this end.
    Here,
    /// The other side turned us away, or ended the connection in order.
    Refused,
    /// The line, or nobody at its other end. May be tried again.
    Line,
    /// The other side broke the protocol or is not the pinned one.
    Peer,
    /// This program used the transport wrongly.
    Bug,
}

/// Every failure of this crate. No message holds a frame's contents or key material.
///
/// `Display` says what happened; [`Error::hint`] what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fingerprint's text has the wrong number of hex digits.
    #[error("a fingerprint has 64 hex digits, this one has {digits}")]
    FingerprintLength {
        /// Hex digits found.
        digits: usize,
    },
    /// A fingerprint's text has a character that is neither a hex digit nor a separator.
    #[error("a fingerprint holds hex digits alone: character {position} is {found:?}")]
    FingerprintCharacter {
        /// The character.
        found: char,
        /// Its place, from 1, counted in characters.
        position: usize,
    },
    /// The identity's key is not one this build takes.
    #[error("the identity key is not an Ed25519 private key in PKCS#8 form")]
    Identity,
    /// TLS or QUIC would not take this end's settings.
    #[error("the secure transport cannot be set up: {detail}")]
    Setup {
        /// What was wrong.
        detail: String,
    },
    /// Another program has the port.
    #[error("{address} is in use by another program")]
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system does not allow this user that port.
    #[error("the system does not permit listening on {address}")]
    AddressDenied {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address is not one of this machine's, or not one that can be dialed.
    #[error("{address} is not an address that can be used here")]
    AddressUnavailable {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A socket failed otherwise.
    #[error("the UDP socket on {address} failed: {source}")]
    Socket {
        /// The local address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },

    /// The host answered that no program listens on the port.
    #[error("the host answered, but nothing listens on {address} (UDP)")]
    NothingListens {
        /// The address dialed.
        address: SocketAddr,
    },
    /// This machine knows no way to the host, or the network reported that there is none.
    #[error("there is no route to {address}: {source}")]
    NoRoute {
        /// The address dialed.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No answer, and no word why.
    #[error("no answer from {address} within {} s", waited.as_secs())]
    NoAnswer {
        /// The address dialed.
        address: SocketAddr,
        /// How long was waited.
        waited: Duration,
    },
    /// A dialer that came as far as the door, and no further.
    #[error("the handshake was not finished within {} s", waited.as_secs())]
    HandshakeTimeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The connection was up and fell silent.
    #[error("the connection to {address} was lost: nothing arrived for too long")]
    Lost {
        /// The other end's address.
        address: SocketAddr,
    },
    /// The other end no longer knows the connection.
    #[error("{address} no longer knows this connection: its program was restarted")]
    Restarted {
        /// The other end's address.
        address: SocketAddr,
    },
    /// The other end takes no more connections for now.
    #[error("{address} is busy or shutting down and takes no connections")]
    Busy {
        /// The other end's address.
        address: SocketAddr,
    },

    /// At the listener: there is no place for one more connection.
    #[error("turned a dialer away: {most} connections are open, and no more may be")]
    Full {
        /// Connections that may be open.
        most: usize,
    },

    /// At the dialer: the listener showed another identity than the pinned one.
    #[error("{address} is not the pinned peer: it showed the identity {seen}, pinned is {pinned}")]
    NotThePinnedPeer {
        /// The other end's address.
        address: SocketAddr,
        /// The identity shown, whose key nobody has proved to have.
        seen: Fingerprint,
        /// The identity expected.
        pinned: Fingerprint,
    },
    /// At the listener: the dialer's identity is on no list here.
    #[error("refused an identity that is not pinned here: {seen}")]
    NotPinned {
        /// The identity shown, whose key nobody has proved to have.
        seen: Fingerprint,
    },
    /// At the listener: the dialer showed no identity.
    #[error("refused a dialer that showed no certificate")]
    NoCertificate,
    /// At the dialer: the listener does not have this identity pinned (alert 49).
    #[error("{address} does not trust this identity, {ours}")]
    NotTrusted {
        /// The other end's address.
        address: SocketAddr,
        /// This end's own identity.
        ours: Fingerprint,
    },
    /// At the dialer: the listener saw no certificate of ours (alert 116).
    #[error("{address} demands a certificate and got none")]
    CertificateRequired {
        /// The other end's address.
        address: SocketAddr,
    },
    /// The two ends have no QUIC or TLS version, key exchange or application protocol in common.
    #[error("no common transport: {detail}")]
    NoCommonProtocol {
        /// Which part.
        detail: String,
    },
    /// The handshake failed otherwise: a certificate that cannot be read, a signature that is wrong.
    #[error("the handshake failed: {detail}")]
    Handshake {
        /// TLS's or QUIC's own words.
        detail: String,
    },

    /// The peer sent a frame of a type that is not due.
    #[error("a frame of type {kind:#04x} arrived where it is not due")]
    FrameType {
        /// The type's number.
        kind: u8,
    },
    /// The peer announced a frame longer than its type may be.
    #[error("a frame of type {kind:#04x} announced {length} bytes; at most {limit} are allowed")]
    FrameLength {
        /// The type's number.
        kind: u8,
        /// Bytes announced.
        length: u32,
        /// Bytes allowed.
        limit: u32,
    },
    /// The stream ended within a frame.
    #[error("the stream ended within a frame, after {received} bytes of it")]
    Truncated {
        /// Bytes of the frame received, header included.
        received: usize,
    },
    /// The stream ended where a frame was due.
    #[error("the stream ended where a frame was due")]
    Ended,
    /// The stream went on after its last frame.
    #[error("bytes arrived after the last frame of a stream")]
    Trailing,
    /// The peer took too long over bytes it had begun to send, or took none of ours.
    #[error("the other side made no headway on a stream for {} s", waited.as_secs())]
    Stalled {
        /// How long was waited.
        waited: Duration,
    },
    /// The other end broke QUIC's rules, or says that this one did.
    #[error("the connection broke off: {detail}")]
    Protocol {
        /// QUIC's own words.
        detail: String,
    },

    /// The peer gave up one stream, in either direction.
    #[error("the other side gave up the stream (code {code})")]
    Abandoned {
        /// The peer's code.
        code: u64,
    },
    /// The peer closed the connection.
    #[error("the other side closed the connection (code {code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    Closed {
        /// The peer's code.
        code: u64,
        /// The peer's words: printable ASCII, at most 200 characters.
        reason: String,
    },
    /// This end closed the connection.
    #[error("the connection was closed at this end")]
    ClosedHere,
    /// A frame too long to announce, or sent on a stream that is already finished.
    #[error("the transport was used wrongly: {detail}")]
    Misuse {
        /// What was done.
        detail: &'static str,
    },
}

impl Error {
    /// Whose doing it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::FingerprintLength { .. } | Self::FingerprintCharacter { .. } | Self::Identity | Self::Setup { .. } => Blame::Here,
            Self::AddressInUse { .. } | Self::AddressDenied { .. } | Self::AddressUnavailable { .. } | Self::Socket { .. } => Blame::Here,
            Self::NoCommonProtocol { .. } => Blame::Here,
            Self::NothingListens { .. } | Self::NoRoute { .. } | Self::NoAnswer { .. } | Self::HandshakeTimeout { .. } => Blame::Line,
            Self::Lost { .. } | Self::Restarted { .. } | Self::Busy { .. } | Self::Full { .. } | Self::Stalled { .. } => Blame::Line,
            Self::NotTrusted { .. } | Self::CertificateRequired { .. } | Self::Abandoned { .. } | Self::Closed { .. } => Blame::Refused,
            Self::NotThePinnedPeer { .. } | Self::NotPinned { .. } | Self::NoCertificate | Self::Handshake { .. } => Blame::Peer,
            Self::FrameType { .. } | Self::FrameLength { .. } | Self::Truncated { .. } => Blame::Peer,
            Self::Ended | Self::Trailing | Self::Protocol { .. } => Blame::Peer,
            Self::ClosedHere | Self::Misuse { .. } => Blame::Bug,
        }
    }

    /// What the operator can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::FingerprintLength { .. } | Self::FingerprintCharacter { .. } => {
                "Copy the whole fingerprint as the other agency's init printed it: sixteen groups of four, 0-9 and a-f.".into()
            }
            Self::Identity => {
                "Restore the key file from its backup; a new key means a new fingerprint, which the other agency must pin.".into()
            }
            Self::AddressInUse { .. } => "Stop the other program (perhaps this one, still running), or listen on another port.".into(),
            Self::AddressDenied { .. } => "Use a port above 1023, or give this program the right to listen on that one.".into(),
            Self::AddressUnavailable { .. } => {
                "Use an address of this machine to listen on (0.0.0.0 or [::] for all), and a host and port other than 0 to dial.".into()
            }
            Self::NothingListens { address } => {
                format!(
                    "Ask the holder whether serve is running and on which port; {} is reached, port {} is not open.",
                    address.ip(),
                    address.port()
                )
            }
            Self::NoRoute { .. } => "Check this machine's network, VPN and firewall, and the holder's address.".into(),
            Self::NoAnswer { address, .. } => format!(
                "Either UDP to port {} is blocked on the way (ask both network teams to let it through), or the host is down or the address is wrong.",
                address.port()
            ),
            Self::Lost { .. } | Self::Restarted { .. } | Self::Busy { .. } | Self::Stalled { .. } => "Run it again.".into(),
            Self::NotThePinnedPeer { pinned, .. } => format!(
                "Do not go on. Call the other agency on a number you know, and have them read out their fingerprint: if it is not {pinned}, pin the new one only \
                 after they confirm that they changed their key; if it is, something on the way poses as them."
            ),
            Self::NotPinned { .. } => {
                "If a partner says they cannot connect, have them read out their fingerprint by telephone; pin it only if it is this one."
                    .into()
            }
            Self::NotTrusted { ours, .. } => format!("Read {ours} out to the other agency by telephone and have them pin it."),
            Self::CertificateRequired { .. } | Self::NoCommonProtocol { .. } => {
                "Both sides must run compatible versions of oblink; compare the versions.".into()
            }
            Self::FrameType { .. }
            | Self::FrameLength { .. }
            | Self::Truncated { .. }
            | Self::Ended
            | Self::Trailing
            | Self::Protocol { .. } => "The other side does not keep to the protocol: compare versions, and tell them this message.".into(),
            _ => return None,
        };
        Some(hint)
    }
}

/// What one end of one connection knows, to say what an error of QUIC's means there.
#[derive(Debug)]
pub(crate) struct Ends {
    /// This end's own identity.
    pub(crate) ours: Fingerprint,
    /// At the dialer, whom it wanted.
    pub(crate) pinned: Option<Fingerprint>,
    /// Whom the other end claimed to be.
    pub(crate) seen: Seen,
    /// The other end's address.
    pub(crate) address: SocketAddr,
}

/// TLS alerts (RFC 8446 §6.2) that have a meaning of their own here.
mod alert {
    pub(super) const HANDSHAKE_FAILURE: u8 = 40;
    pub(super) const ACCESS_DENIED: u8 = 49;
    pub(super) const PROTOCOL_VERSION: u8 = 70;
    pub(super) const CERTIFICATE_REQUIRED: u8 = 116;
    pub(super) const NO_APPLICATION_PROTOCOL: u8 = 120;
}

/// QUIC carries a TLS alert as 0x100 + its number (RFC 9001 §4.8).
fn alert_of(code: TransportErrorCode) -> Option<u8> {
    u64::from(code).checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok())
}

/// A peer's words, made fit for a terminal and a log.
fn printable(words: &[u8]) -> String {
    words.iter().take(200).map(|&b| if (0x20..0x7f).contains(&b) { char::from(b) } else { '?' }).collect()
}

fn no_common(alert: u8) -> Option<Error> {
    let detail = match alert {
        alert::HANDSHAKE_FAILURE => "the other side does not offer this one's key exchange (X25519MLKEM768) or ciphers",
        alert::PROTOCOL_VERSION => "the other side does not speak TLS 1.3",
        alert::NO_APPLICATION_PROTOCOL => "the other side does not speak oblink/1",
        _ => return None,
    };
    Some(Error::NoCommonProtocol { detail: detail.into() })
}

impl Ends {
    /// What the end of a connection means at this end. A listener refuses an identity only after the dialer has done its part of the
    /// handshake, so that at the dialer these errors may first appear on a stream.
    pub(crate) fn classify(&self, error: ConnectionError) -> Error {
        let address = self.address;
        match error {
            ConnectionError::VersionMismatch => Error::NoCommonProtocol { detail: "the other side does not speak QUIC version 1".into() },
            ConnectionError::TransportError(error) => match alert_of(error.code) {
                Some(alert::ACCESS_DENIED) => match (self.seen.get(), self.pinned) {
                    (Some(&seen), Some(pinned)) => Error::NotThePinnedPeer { address, seen, pinned },
                    (Some(&seen), None) => Error::NotPinned { seen },
                    (None, _) => Error::Handshake { detail: printable(error.reason.as_bytes()) },
                },
                Some(alert::CERTIFICATE_REQUIRED) => Error::NoCertificate,
                Some(other) => no_common(other).unwrap_or_else(|| Error::Handshake { detail: printable(error.reason.as_bytes()) }),
                None => Error::Protocol { detail: printable(error.to_string().as_bytes()) },
            },
            ConnectionError::ConnectionClosed(close) => match alert_of(close.error_code) {
                Some(alert::ACCESS_DENIED) => Error::NotTrusted { address, ours: self.ours },
                Some(alert::CERTIFICATE_REQUIRED) => Error::CertificateRequired { address },
                Some(other) => no_common(other).unwrap_or_else(|| Error::Handshake {
                    detail: format!("the other side sent the TLS alert {other} ({})", printable(&close.reason)),
                }),
                None if close.error_code == TransportErrorCode::NO_ERROR => Error::Closed { code: 0, reason: printable(&close.reason) },
                // QUIC replaces a program's own close by APPLICATION_ERROR while the handshake is going on (RFC 9000 §10.2.3).
                None if close.error_code == TransportErrorCode::CONNECTION_REFUSED
                    || close.error_code == TransportErrorCode::APPLICATION_ERROR =>
                {
                    Error::Busy { address }
                }
                None => Error::Protocol { detail: printable(close.to_string().as_bytes()) },
            },
            ConnectionError::ApplicationClosed(close) => {
                Error::Closed { code: close.error_code.into_inner(), reason: printable(&close.reason) }
            }
            ConnectionError::Reset => Error::Restarted { address },
            ConnectionError::TimedOut => Error::Lost { address },
            ConnectionError::LocallyClosed => Error::ClosedHere,
            ConnectionError::CidsExhausted => Error::Misuse { detail: "too many connections on one socket" },
        }
    }

    pub(crate) fn reading(&self, error: ReadError) -> Error {
        match error {
            ReadError::Reset(code) => Error::Abandoned { code: code.into_inner() },
            ReadError::ConnectionLost(error) => self.classify(error),
            ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => {
                Error::Misuse { detail: "a read after the end of a stream" }
            }
        }
    }

    pub(crate) fn writing(&self, error: WriteError) -> Error {
        match error {
            WriteError::Stopped(code) => Error::Abandoned { code: code.into_inner() },
            WriteError::ConnectionLost(error) => self.classify(error),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Error::Misuse { detail: "a write after the end of a stream" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_words_are_made_printable_and_short() {
        assert_eq!(printable(b"a\x1b[2Jb\r\n\xff"), "a?[2Jb???");
        assert_eq!(printable(&[b'x'; 5000]).len(), 200);
    }

    #[test]
    fn errors_stay_small() {
        assert!(size_of::<Error>() <= 128, "{}", size_of::<Error>());
    }
}
