//! The wire: frames, control messages in bincode's byte format, raw bodies for points (SPEC §5.2).
//!
//! Bytes from a peer stay raw until a decoder here has refused what is bad. Nothing is allocated from a count that was only declared.

pub mod control;
pub mod frame;
pub mod raw;

pub use control::{Acknowledge, Complete, DisclosureMessage, Hello, Ping, Pong, ReceiptMessage, RefusalMessage, SetRequest, Welcome};
pub use frame::{Frame, FrameType};
pub use raw::{Batch, DisclosedTags, Evaluated, SetChunk};

/// Why bytes are not the message they should be. It names a rule, never the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A frame of a type that is not due in this state, or of no known type (SPEC FRM-1).
    #[error("a frame of type {got:#04x} came where {due} was due")]
    UnexpectedType {
        /// The type received.
        got: u8,
        /// What was due.
        due: &'static str,
    },
    /// A frame longer than its type may be (SPEC FRM-1).
    #[error("a frame of type {kind:#04x} declares {length} bytes, at most {max} are allowed")]
    TooLong {
        /// The type.
        kind: u8,
        /// The length declared.
        length: u64,
        /// The limit.
        max: u32,
    },
    /// A body that its decoder refuses (SPEC FRM-2, FRM-3).
    #[error("the body of {0} is malformed")]
    Malformed(&'static str),
    /// A field outside its bounds (SPEC FRM-4).
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
}
