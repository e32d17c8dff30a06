//! How far two clocks may be apart (SPEC HSK-2), and the answer to Ping.

use crate::error::{Error, Incompatibility};
use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::wire::{Frame, Ping, Pong};

/// Refuses a clock that differs by more than five minutes.
pub(crate) fn check_clock(theirs: u64, ours: u64) -> Result<(), Error> {
    let skew_ms = theirs.abs_diff(ours);
    if skew_ms > CLOCK_SKEW_MS_MAX { Err(Incompatibility::Clock { skew_ms }.into()) } else { Ok(()) }
}

/// The Ping of `doctor`.
///
/// # Errors
/// None in practice: the frame is within its bounds.
pub fn ping(clock_unix_ms: u64) -> Result<Frame, Error> {
    Ok(Ping { clock_unix_ms }.to_frame()?)
}

/// Answers a Ping.
///
/// # Errors
/// [`Error::PeerMisbehaved`] for anything but a Ping.
pub fn answer_ping(frame: &Frame, clock_unix_ms: u64) -> Result<Frame, Error> {
    Ping::from_frame(frame)?;
    Ok(Pong { clock_unix_ms }.to_frame()?)
}

/// The holder's clock minus the verifier's, in milliseconds, from a Pong.
///
/// # Errors
/// [`Error::PeerMisbehaved`] for anything but a Pong.
pub fn receive_pong(frame: &Frame, clock_unix_ms: u64) -> Result<i64, Error> {
    let theirs = i128::from(Pong::from_frame(frame)?.clock_unix_ms);
    Ok((theirs - i128::from(clock_unix_ms)).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}
