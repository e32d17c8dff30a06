//! What the holder is told of a result, where request and policy agree on it (SPEC DIS-1, DIS-2): after the results are written, on a
//! connection of its own.
//!
//! It is kept in the request's directory until the holder has it (`disclosure.pending`, 0600): the same `check` sends it again, and asks nothing.
//! Where the holder refuses it for good it is not sent again, and kept as `disclosure.refused`.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use oblink_quic::{Fingerprint, Options, dial};
use oblink_session::disclosure::disclosure_frames;
use oblink_session::error::RefusalCode;
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::request::Disclosure;
use oblink_session::statement::StatementKey;
use oblink_session::transcript::Authority;
use oblink_session::verifier::Finished;
use oblink_session::wire::{Frame, FrameType};

use super::asking::{GOODBYE, resolve};
use super::request::directory::{RequestDirectory, read_bounded};
use crate::cli::CheckArgs;
use crate::failure::{Exit, Failure, io_cause};
use crate::files::{mode_within, sync_directory, write_atomically};
use crate::frames::{Traffic, send};
use crate::home::Home;

/// The most bytes that are kept: all tags that one epoch allows, of 16 bytes, and their frames'.
const PENDING_BYTES_MAX: usize = (EPOCH_EVALUATIONS_MAX as usize) * 17;

/// With these the holder decides on what it was told itself: it says the same whenever it is told so again. The others, such as a suspension, pass.
const FINAL: [RefusalCode; 6] = [
    RefusalCode::OutOfTurn,
    RefusalCode::RequestMalformed,
    RefusalCode::RequestConflict,
    RefusalCode::SignatureInvalid,
    RefusalCode::NotAuthorised,
    RefusalCode::Unknown,
];

fn place(directory: &RequestDirectory) -> PathBuf {
    directory.path().join("disclosure.pending")
}

fn refused_place(directory: &RequestDirectory) -> PathBuf {
    directory.path().join("disclosure.refused")
}

/// Whether the holder refused for good what an earlier check of this request had to tell it.
pub(super) fn was_refused(directory: &RequestDirectory) -> bool {
    refused_place(directory).exists()
}

/// What a failure to tell the holder comes to: after a refusal for good nothing is owed any more, and what was is put aside.
///
/// # Errors
/// The failure, with what to do; exit 3: it cannot be put aside.
fn untold(directory: &RequestDirectory, failure: Failure) -> Failure {
    if failure.exit() != Exit::Refused || FINAL.iter().all(|code| code.name() != failure.code()) {
        return failure.with_hint("the results are written; what the holder is to be told is kept: run the same check again");
    }
    let (from, to) = (place(directory), refused_place(directory));
    if let Err(error) = fs::rename(&from, &to).and_then(|()| sync_directory(directory.path())) {
        return Failure::input("disclosure_write", format!("cannot rename {}: {}", from.display(), io_cause(&error)));
    }
    let what = failure.what().to_owned();
    Failure::refused(
        failure.code(),
        format!("{what}; that was about what it is to be told of the result, and is final: it is not told again"),
    )
    .with_hint(format!(
        "the results are written and hold; what it was told is kept in {}: talk to the holder's operator, whose ledger has the reason",
        to.display()
    ))
}

/// Keeps what is to be disclosed of a finished session; gives whether anything is.
///
/// # Errors
/// Exit 3: it cannot be written.
pub(super) fn keep(
    directory: &RequestDirectory,
    key: &StatementKey,
    finished: &Finished,
    matched: u64,
    tags: Vec<u128>,
) -> Result<bool, Failure> {
    let kind = directory.manifest()?.disclosure;
    // In pilot mode there is no policy that agrees to it.
    if kind == Disclosure::None || finished.facts().authority == Authority::Unsigned || was_refused(directory) {
        return Ok(false);
    }
    let frames = disclosure_frames(key, finished.facts().session_id(), finished.receipt().digest(), kind, matched, tags)?;
    let mut bytes = Vec::new();
    for frame in frames {
        // A frame's body is bounded far below 2^32.
        bytes.push(frame.kind as u8);
        bytes.extend_from_slice(&(frame.body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&frame.body);
    }
    let place = place(directory);
    write_atomically(&place, &bytes)
        .map_err(|error| Failure::input("disclosure_write", format!("cannot write {}: {}", place.display(), io_cause(&error))))?;
    Ok(true)
}

/// What an earlier check of this request still owes the holder.
///
/// # Errors
/// Exit 3: it is damaged, or open to others.
pub(super) fn pending(directory: &RequestDirectory) -> Result<Option<Vec<Frame>>, Failure> {
    let place = place(directory);
    let damaged = |what: String| Failure::input("disclosure_damaged", format!("{}: {what}", place.display()));
    // It has the tags of what matched.
    if mode_within(&place, 0o077).map_err(|error| damaged(io_cause(&error)))?.is_some() {
        return Err(damaged("it is open to other users".to_owned()).with_hint(format!("chmod 600 {}", place.display())));
    }
    let bytes = match read_bounded(&place, PENDING_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(io_cause(&error))),
    };
    let mut frames = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((kind, after)) = rest.split_first() {
        let body = after.split_first_chunk::<4>().and_then(|(length, after)| after.split_at_checked(u32::from_be_bytes(*length) as usize));
        let (body, after) = body.ok_or_else(|| damaged("it is cut off".to_owned()))?;
        frames.push(Frame::from_parts(*kind, body.to_vec()).map_err(|_| damaged("it holds something else".to_owned()))?);
        rest = after;
    }
    Ok(Some(frames))
}

/// Sends what is owed, and removes it once the holder has it.
///
/// # Errors
/// Exit 4 where the holder refuses it: it stays, to be sent again, unless that is final. Exit 5 where it cannot be reached: it stays.
pub(super) fn settle(
    directory: &RequestDirectory,
    frames: &[Frame],
    home: &Home,
    args: &CheckArgs,
    holder: Fingerprint,
) -> Result<(), Failure> {
    let identity = home.identity().to_identity()?;
    let options = Options { handshake_timeout: args.timeout, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::input("runtime", format!("threads could not be started: {error}")))?;
    runtime
        .block_on(async {
            let connection = dial(resolve(&args.holder).await?, &identity, holder, &options).await?;
            let traffic = Traffic::default();
            let told = async {
                let (mut to, mut from) = super::line::stream_in_time(&connection).await?;
                for frame in frames {
                    send(&mut to, frame, &traffic).await?;
                }
                to.finish()?;
                let closed = super::line::answer_in_time(&mut from, FrameType::Closed, &traffic).await?;
                if closed.kind == FrameType::Refusal {
                    return Err(super::line::refused(&closed));
                }
                Ok(())
            };
            let told = match told.await {
                Err(failure) => Err(super::line::reason(&connection, failure).await),
                told => told,
            };
            connection.close(0, "done");
            connection.drained(GOODBYE).await;
            told
        })
        .map_err(|failure| untold(directory, failure))?;
    let place = place(directory);
    fs::remove_file(&place)
        .map_err(|error| Failure::input("disclosure_write", format!("cannot remove {}: {}", place.display(), io_cause(&error))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use oblink_session::Error;
    use oblink_session::error::Refusal;

    use crate::request_view::tests::manifest;
    use oblink_session::request::Request;

    fn directory(folder: &std::path::Path) -> RequestDirectory {
        let request = Request::authorised(manifest()).unwrap();
        fs::write(folder.join("request.json"), request.bytes()).unwrap();
        RequestDirectory::open(folder).unwrap()
    }

    fn refusal(code: RefusalCode) -> Failure {
        Error::Refused(Refusal::new(code, "no")).into()
    }

    /// DIS-2: told once, and not for ever.
    #[test]
    fn what_is_refused_for_good_is_not_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let directory = directory(folder.path());
        write_atomically(&place(&directory), &[]).unwrap();
        let line = || Failure::unreachable("no_answer", "nobody answers");
        let passing = [RefusalCode::Busy, RefusalCode::Suspended, RefusalCode::ClockSkew, RefusalCode::PolicyChanged];
        for failure in passing.map(refusal).into_iter().chain([line(), refusal(RefusalCode::LedgerDiverged)]) {
            let (exit, code) = (failure.exit(), failure.code());
            let after = untold(&directory, failure);
            assert_eq!((after.exit(), after.code()), (exit, code));
            assert!(pending(&directory).unwrap().is_some() && !was_refused(&directory), "{code}");
        }
        for code in FINAL {
            write_atomically(&place(&directory), &[]).unwrap();
            let after = untold(&directory, refusal(code));
            assert_eq!((after.exit(), after.code()), (Exit::Refused, code.name()));
            assert!(after.what().contains("it is not told again") && after.hint().unwrap().contains("results are written"));
            assert!(pending(&directory).unwrap().is_none() && was_refused(&directory), "{}", code.name());
            assert_eq!(fs::metadata(refused_place(&directory)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
