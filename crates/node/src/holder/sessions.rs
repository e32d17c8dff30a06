//! One connection of a verifier: control, batches and the set, side by side (SPEC TRN-3). What may happen is the session's to say; here it is
//! only done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oblink_quic::{Blame, Connection, Error as QuicError, Fingerprint, FrameReceiver, FrameSender};
use oblink_session::clock;
use oblink_session::error::{Error, NOT_AUTHORISED, Refusal, RefusalCode};
use oblink_session::holder::{HolderHandshake, HolderSession, House};
use oblink_session::request::to_hex;
use oblink_session::transcript::Authority;
use oblink_session::wire::{Frame, FrameType};
use oblink_store::Error as StoreError;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::disclosures::{self, Disclosed};
use super::epochs::{self, OpenEpoch};
use super::guests::Guest;
use super::metrics::{Counts, Ended, Open};
use super::seats::Seat;
use super::serve::{Shared, now, say_goodbye};
use super::standing::Standing;
use super::work::side_stream;
use crate::blame::LEDGER_HINT;
use crate::failure::Failure;
use crate::frames::{Traffic, receive, receive_end, send};
use crate::ruleset::HomeRulesets;
use crate::usage::Usage;

/// How long a verifier may take to say Hello.
const HELLO_WAIT: Duration = Duration::from_secs(30);
/// How long a session may be silent on all its streams before it is suspended.
const SILENCE_MAX: Duration = Duration::from_secs(600);
/// How long a verifier that comes back waits for its lost line to be cleared away.
const SEAT_WAIT: Duration = Duration::from_secs(30);
/// How long a verifier gets to take its last frame and leave.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);
/// How long until a session that the ledger would not suspend is suspended again.
const SUSPEND_AGAIN: Duration = Duration::from_secs(2);

/// A session under way.
pub(super) struct Running {
    pub(super) shared: Arc<Shared>,
    verifier: Fingerprint,
    pub(super) epoch: Arc<OpenEpoch>,
    session: Mutex<HolderSession>,
    /// Left when the last of this session's work is done.
    seat: Seat,
    pub(super) traffic: Arc<Traffic>,
    pub(super) counts: Counts,
    _counted: Open,
    pub(super) guest: Arc<Guest>,
    /// One delivery of the set at a time.
    pub(super) delivering: Semaphore,
}

impl Running {
    pub(super) fn session(&self) -> MutexGuard<'_, HolderSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a connection came for, as far as it got.
#[derive(Default)]
struct Served {
    session: Option<Arc<Running>>,
    disclosed: Option<Disclosed>,
}

/// Why a connection ended before its session was complete.
pub(super) enum End {
    /// This side refused, or found the other at fault: the refusal has been sent.
    Refused(Refusal),
    /// The line broke, or the verifier left.
    Line(QuicError),
    /// Something failed here.
    Here(Failure),
    /// The program stops.
    Stopping,
    /// The verifier is back on another connection.
    Replaced,
}

impl From<QuicError> for End {
    fn from(error: QuicError) -> Self {
        // What breaks the rules of frames is a refusal like any other: told to the verifier, and in the ledger (SPEC FRM-1).
        match error.blame() {
            Blame::Peer => Self::Refused(Refusal::new(RefusalCode::OutOfTurn, error.to_string())),
            _ => Self::Line(error),
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error.to_refusal() {
            Some(refusal) => {
                if matches!(refusal.code, RefusalCode::Internal) {
                    tracing::error!(%error, "a session failed at this side");
                }
                Self::Refused(refusal)
            }
            None => Self::Here(error.into()),
        }
    }
}

impl End {
    /// What the ledger will not write is a refusal; what it cannot is a fault here.
    pub(super) fn of_ledger(error: StoreError) -> Self {
        match error {
            StoreError::Ledger(error) => Error::Ledger(error).into(),
            other => Self::Here(other.into()),
        }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

/// Serves one connection to its end, reports and accounts for it.
pub(super) async fn run(shared: Arc<Shared>, connection: Connection, mut stopping: watch::Receiver<bool>) {
    let verifier = connection.peer();
    let began = (Instant::now(), Usage::of_this_process().cpu_s);
    // One that is trusted no longer since its handshake has no word.
    let counts = shared.metrics.of(&shared.label(&verifier).unwrap_or_default());
    let counted = counts.connection();
    let mut served = Served::default();
    let ended = tokio::select! {
        ended = async {
            shared.guests.get(verifier).pace().await;
            converse(&shared, &connection, &counts, &mut served).await
        } => ended,
        // Before the streams are dropped: their ends would arrive first, and look like misconduct.
        () = async { drop(stopping.wait_for(|stop| *stop).await); say_goodbye(&connection) } => Err(End::Stopping),
    };
    let (outcome, accounted) = settle(&shared, &connection, verifier, ended, &served).await;
    count(&counts, &outcome);
    report(&shared, verifier, outcome, served.session.as_deref(), began);
    drop((connection, counted));
    // Among its verifier's connections it goes on to count: there are never more of these than places.
    if let Some(session) = served.session.as_ref().filter(|_| !accounted) {
        suspend_later(session, &mut stopping).await;
    }
    drop(served);
    // Keys of an epoch that ended while this session ran are wiped with its last session.
    // Not on a thread that lines live on: another session may be reading a whole set there.
    let _ = tokio::task::spawn_blocking(move || shared.epochs.forget_ended(&shared.home)).await;
}

/// Control stream first (Hello or Ping); then everything at once.
async fn converse(shared: &Arc<Shared>, connection: &Connection, counts: &Counts, served: &mut Served) -> Result<(), End> {
    let traffic = Arc::new(Traffic::default());
    let (mut to, from) = match tokio::time::timeout(HELLO_WAIT, connection.accept_stream()).await {
        Ok(stream) => stream?,
        Err(_) => return Err(refuse(RefusalCode::Busy, "no Hello came in time")),
    };
    let ended = control_stream(shared, connection, &mut to, from, (&traffic, counts), served).await;
    match &ended {
        Err(end) => send_refusal(&mut to, end, &traffic).await,
        // A verifier that has what it wants may be gone already.
        Ok(()) => drop(to.finish()),
    }
    ended
}

/// From the first frame of the control stream to its last.
async fn control_stream(
    shared: &Arc<Shared>,
    connection: &Connection,
    to: &mut FrameSender,
    mut from: FrameReceiver,
    (traffic, counts): (&Arc<Traffic>, &Counts),
    served: &mut Served,
) -> Result<(), End> {
    let first =
        match tokio::time::timeout(HELLO_WAIT, receive(&mut from, &[FrameType::Hello, FrameType::Ping, FrameType::Disclosure], traffic))
            .await
        {
            Ok(frame) => frame?,
            Err(_) => return Err(refuse(RefusalCode::Busy, "no Hello came in time")),
        };
    if first.kind == FrameType::Ping {
        send(to, &clock::answer_ping(&first, now())?, traffic).await?;
        return nothing_more(from).await;
    }
    if first.kind == FrameType::Disclosure {
        served.disclosed = Some(disclosures::receive_all(shared, connection.peer(), first, to, &mut from, traffic).await?);
        return nothing_more(from).await;
    }
    let (session, welcome) = admit(shared, connection.peer(), first, Arc::clone(traffic), counts.clone()).await?;
    served.session = Some(Arc::clone(&session));
    // Not before: until it is admitted to something, a verifier has one stream.
    connection.widen();
    send(to, &welcome, traffic).await?;
    session_phase(connection, &session, to, &mut from).await?;
    nothing_more(from).await
}

/// The verifier ends the control stream after its last frame (SPEC TRN-3). One that only leaves has all the same been served.
async fn nothing_more(from: FrameReceiver) -> Result<(), End> {
    match tokio::time::timeout(REFUSAL_WAIT, receive_end(from)).await {
        Ok(Err(error)) if error.blame() == Blame::Peer => Err(error.into()),
        _ => Ok(()),
    }
}

pub(super) fn refuse(code: RefusalCode, detail: &str) -> End {
    End::Refused(Refusal::new(code, detail))
}

/// Tells the verifier on this stream why. [`settle`] then waits for it to leave, since closing at once could overtake the frame.
pub(super) async fn send_refusal(to: &mut FrameSender, end: &End, traffic: &Traffic) {
    let refusal = match end {
        End::Refused(refusal) => refusal.clone(),
        End::Here(_) => Refusal::new(RefusalCode::Internal, "a fault at the holder"),
        End::Stopping => Refusal::new(RefusalCode::ShuttingDown, "the holder is shutting down"),
        End::Line(_) | End::Replaced => return,
    };
    if let Err(error) = send(to, &refusal.to_frame(), traffic).await {
        tracing::debug!(%error, "a refusal could not be sent");
    }
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, End> + Send + 'static) -> Result<T, End> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(End::Here(Failure::bug("a task of this session broke off"))))
}

/// The epoch and the set of a verifier. A seal may have put another in its place, and removed it, between a look at the ledger and one at the
/// files: then the ledger says so.
fn current_epoch(shared: &Shared, verifier: Fingerprint) -> Result<Option<Arc<OpenEpoch>>, Failure> {
    let look = || shared.ledger().current_epoch(verifier.as_bytes()).map_err(Failure::from);
    let mut row = look()?;
    loop {
        let opened = row.as_ref().map(|row| shared.epochs.open(&shared.home, row)).transpose();
        let Err(failure) = opened else { return opened };
        let again = look()?;
        if again.as_ref().map(|row| row.offer.set_id) == row.as_ref().map(|row| row.offer.set_id) {
            return Err(failure);
        }
        row = again;
    }
}

/// Hello → Welcome: the set that is sealed for this verifier, and the ledger's reservation.
async fn admit(
    shared: &Arc<Shared>,
    verifier: Fingerprint,
    hello: Frame,
    traffic: Arc<Traffic>,
    counts: Counts,
) -> Result<(Arc<Running>, Frame), End> {
    let looking = Arc::clone(shared);
    let (pending, epoch) = blocking(move || {
        let epoch = current_epoch(&looking, verifier)?;
        let offer = epoch.as_ref().map(|epoch| epoch.set.offer().clone());
        let handshake = HolderHandshake::new(Arc::clone(&looking.context), *verifier.as_bytes());
        let hello = handshake.receive_hello(&hello, now())?;
        let policy = looking.policy().map_err(|failure| cannot_judge(&looking, &failure))?;
        let countersignatures = looking.ledger().countersignatures(&hello.request().digest()).map_err(Failure::from)?;
        let rulesets = HomeRulesets::read(&looking.home).map_err(|failure| cannot_judge(&looking, &failure))?;
        let house = House {
            policy: policy.as_ref().map(|in_force| &in_force.policy),
            countersignatures: countersignatures.into_iter().map(|row| row.signature).collect(),
            rulesets: &rulesets,
            offer,
            now_unix_ms: looking.house_time()?,
        };
        let pending = hello.decide(house, &mut UnwrapErr(SysRng))?;
        let Some(epoch) = epoch else { return Err(refuse(RefusalCode::NotSealed, "")) };
        Ok((pending, epoch))
    })
    .await?;
    let seat = tokio::time::timeout(SEAT_WAIT, shared.seats.take((*verifier.as_bytes(), *pending.request_id()))).await;
    let seat = seat.map_err(|_| refuse(RefusalCode::Busy, "the session is still at work on another connection"))?;
    let shared = Arc::clone(shared);
    blocking(move || {
        let (session, welcome) = pending.commit(&mut *shared.ledger(), now())?;
        let _counted = counts.session();
        let (guest, delivering) = (shared.guests.get(verifier), Semaphore::new(1));
        let session = Mutex::new(session);
        Ok((Arc::new(Running { shared, verifier, epoch, session, seat, traffic, counts, _counted, guest, delivering }), welcome))
    })
    .await
}

/// Without a policy that is what the ledger says it is, nobody is answered: coarse for the verifier, in full for the ledger and the operator.
fn cannot_judge(shared: &Shared, failure: &Failure) -> End {
    shared.reporter.warn(&format!("a request is refused: {}", failure.what()));
    if let Some(hint) = failure.hint() {
        shared.reporter.help(hint);
    }
    End::Refused(Refusal::new(RefusalCode::NotAuthorised, NOT_AUTHORISED).because(format!("{}: {}", failure.code(), failure.what())))
}

/// Waits until the session may not go on: its verifier suspended, its request refused, another policy in force, its epoch over.
async fn stopped(session: &Running) -> Refusal {
    let mut standing = session.shared.standing.clone();
    let (policy, epoch_id, request) = {
        let session = session.session();
        (policy_of(&session), session.offer().descriptor.epoch_id, session.request().digest())
    };
    loop {
        let seen = standing.borrow_and_update().stops(session.verifier.as_bytes(), policy, &epoch_id, &request);
        if let Some(refusal) = seen {
            // It may have been seen before the session was admitted, under another policy since: what counts is the ledger as it is now.
            let shared = Arc::clone(&session.shared);
            match blocking(move || Ok(Standing::read(&shared.ledger())?)).await {
                Ok(now) => {
                    if let Some(refusal) = now.stops(session.verifier.as_bytes(), policy, &epoch_id, &request) {
                        return refusal;
                    }
                }
                Err(_) => return refusal,
            }
        }
        if standing.changed().await.is_err() {
            // Nobody looks any more: the program stops.
            std::future::pending::<()>().await;
        }
    }
}

/// Digest of the policy that a session goes by.
fn policy_of(session: &HolderSession) -> Option<[u8; 32]> {
    match session.authority() {
        Authority::Unsigned => None,
        Authority::Signed(policy) => Some(*policy),
    }
}

/// From Welcome to Closed.
async fn session_phase(connection: &Connection, session: &Arc<Running>, to: &mut FrameSender, from: &mut FrameReceiver) -> Result<(), End> {
    let mut streams: JoinSet<Result<(), End>> = JoinSet::new();
    let ended = all_streams(connection, session, to, from, &mut streams).await;
    if matches!(ended, Err(End::Line(_) | End::Replaced)) {
        // A verifier that was refused on a stream beside may leave, or come back, before that shows here: the ledger hears of it all the same.
        // Not for long: where control alone is gone, its streams may last as long as it likes.
        let refused = async {
            while let Some(joined) = streams.join_next().await {
                if let Ok(Err(refused @ End::Refused(_))) = joined {
                    return Some(refused);
                }
            }
            None
        };
        if let Ok(Some(refused)) = tokio::time::timeout(REFUSAL_WAIT, refused).await {
            return Err(refused);
        }
    }
    ended
}

async fn all_streams(
    connection: &Connection,
    session: &Arc<Running>,
    to: &mut FrameSender,
    from: &mut FrameReceiver,
    streams: &mut JoinSet<Result<(), End>>,
) -> Result<(), End> {
    let mut before = session.traffic.totals();
    loop {
        tokio::select! {
            frame = receive(from, &[FrameType::Complete, FrameType::Acknowledge], &session.traffic) => {
                let frame = frame?;
                let last = frame.kind == FrameType::Acknowledge;
                let answer = control(session, frame).await?;
                send(to, &answer, &session.traffic).await?;
                if last {
                    return Ok(());
                }
            }
            () = session.seat.wanted() => {
                // Now, and not when its streams have ended: on a line that is dead they would wait for it, and the newcomer for them.
                connection.close(4, "the session goes on on another connection");
                return Err(End::Replaced);
            }
            refusal = stopped(session) => return Err(End::Refused(refusal)),
            () = tokio::time::sleep(SILENCE_MAX) => {
                let now = session.traffic.totals();
                if now == before {
                    return Err(refuse(RefusalCode::Busy, "the session was silent for too long"));
                }
                before = now;
            }
            stream = connection.accept_stream() => {
                let (to, from) = stream?;
                streams.spawn(side_stream(Arc::clone(session), to, from));
            }
            Some(ended) = streams.join_next(), if !streams.is_empty() => {
                ended.unwrap_or_else(|_| Err(End::Here(Failure::bug("a task of this session broke off"))))?;
            }
        }
    }
}

async fn control(session: &Arc<Running>, frame: Frame) -> Result<Frame, End> {
    let session = Arc::clone(session);
    blocking(move || {
        if frame.kind == FrameType::Complete {
            // Ledger time, which the clock may have been set back behind: a receipt that is older than its session would never be taken.
            let at = session.shared.house_time()?;
            let pending = session.session().receive_complete(&frame, &mut *session.shared.ledger(), at)?;
            let completed = pending.commit(&mut *session.shared.ledger())?;
            return Ok(session.session().completed(completed)?);
        }
        let pending = session.session().receive_acknowledge(&frame)?;
        let (receipt, closed) = pending.commit(&mut *session.shared.ledger())?;
        let session_id = *session.session().session_id();
        let shared = &session.shared;
        if let Err(failure) = shared.receipts.write(&shared.home, &session_id, &receipt) {
            // The ledger has it, which is what the verifier is told.
            shared.reporter.warn(&format!("the ledger has a receipt whose copy is written later: {}", failure.what()));
            shared.reporter.help(epochs::HOME_HINT);
        }
        Ok(closed)
    })
    .await
}

/// What a connection came to.
enum Outcome {
    Pinged,
    Disclosed(Disclosed),
    Completed,
    Refused(Refusal),
    Interrupted(String),
    Failed(Failure),
}

/// Suspends a session that the ledger would not suspend at its end (a full disk): until then its reservation keeps others out.
async fn suspend_later(session: &Arc<Running>, stopping: &mut watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SUSPEND_AGAIN) => {}
            // Whoever takes it up ends it in turn; what is open at a start is suspended then.
            () = session.seat.wanted() => return,
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        let running = Arc::clone(session);
        if blocking(move || Ok(running.session().suspend(&mut *running.shared.ledger(), now())?)).await.is_ok() {
            return;
        }
    }
}

/// Accounts for the end: an unfinished session suspended, refusals into the ledger, the connection closed. Gives also whether the session is no longer
/// open in the ledger.
async fn settle(
    shared: &Arc<Shared>,
    connection: &Connection,
    verifier: Fingerprint,
    ended: Result<(), End>,
    served: &Served,
) -> (Outcome, bool) {
    let mut accounted = true;
    let refusal = match &ended {
        Err(End::Refused(refusal)) => Some(refusal.clone()),
        _ => None,
    };
    if let Err(end) = &ended {
        let (shared, unfinished) = (Arc::clone(shared), served.session.clone());
        let replaced = matches!(end, End::Replaced);
        let booked = blocking(move || {
            // What fails here keeps the refusal from nothing.
            let suspended = unfinished.map_or(Ok(()), |running| running.session().suspend(&mut *shared.ledger(), now()));
            let recorded = refusal.map_or(Ok(()), |refusal| {
                let code = refusal.code as u16;
                shared.ledger().record_refusal(Some(verifier.as_bytes()), code, &refusal.detail, refusal.reason.as_deref(), now())
            });
            Ok((suspended.is_ok(), recorded.is_ok()))
        });
        let (suspended, recorded) = booked.await.unwrap_or((false, false));
        if !(suspended && recorded) {
            tracing::error!(replaced, suspended, recorded, "the end of a session could not be written to the ledger");
        }
        accounted = suspended;
    }
    let outcome = match ended {
        Ok(()) => {
            // The verifier closes; its Closed or Pong has arrived.
            let _ = tokio::time::timeout(REFUSAL_WAIT, connection.closed()).await;
            match (&served.session, served.disclosed) {
                (Some(_), _) => Outcome::Completed,
                (None, Some(disclosed)) => Outcome::Disclosed(disclosed),
                (None, None) => Outcome::Pinged,
            }
        }
        Err(End::Refused(refusal)) => {
            let _ = tokio::time::timeout(REFUSAL_WAIT, connection.closed()).await;
            connection.close(1, "refused");
            Outcome::Refused(refusal)
        }
        Err(End::Line(error)) => {
            connection.close(2, "the session broke off");
            Outcome::Interrupted(error.to_string())
        }
        Err(End::Here(failure)) => {
            let _ = tokio::time::timeout(REFUSAL_WAIT, connection.closed()).await;
            connection.close(3, "a fault at the holder");
            Outcome::Failed(failure)
        }
        // Closed already.
        Err(End::Replaced) => Outcome::Interrupted("the verifier came back on another connection".to_owned()),
        Err(End::Stopping) => {
            say_goodbye(connection);
            Outcome::Interrupted("the holder stopped".to_owned())
        }
    };
    (outcome, accounted)
}

/// For the operator's monitoring.
fn count(counts: &Counts, outcome: &Outcome) {
    match outcome {
        Outcome::Pinged => counts.pinged(),
        Outcome::Disclosed(_) => counts.ended(Ended::Disclosed),
        Outcome::Completed => counts.ended(Ended::Completed),
        Outcome::Refused(refusal) => counts.refused(refusal.code),
        Outcome::Interrupted(_) => counts.ended(Ended::Interrupted),
        Outcome::Failed(_) => counts.ended(Ended::Failed),
    }
}

fn report(shared: &Shared, verifier: Fingerprint, outcome: Outcome, running: Option<&Running>, began: (Instant, f64)) {
    if matches!(outcome, Outcome::Pinged) {
        // `doctor` is no session.
        tracing::info!(%verifier, "answered a ping");
        return;
    }
    let label = shared.label(&verifier).unwrap_or_else(|| verifier.to_string());
    if let Outcome::Disclosed(Disclosed { session_id, kind, matched }) = &outcome {
        shared.reporter.note(&format!(
            "{label}: says that {matched} pairs matched ({}), of session {}",
            kind.as_str(),
            &to_hex(session_id)[..16]
        ));
        return shared.reporter.json(&json!({
            "outcome": "disclosed", "verifier": label, "session": to_hex(session_id), "disclosure": kind.as_str(), "matched": matched,
        }));
    }
    let (word, why) = match &outcome {
        Outcome::Pinged | Outcome::Disclosed(_) => ("pinged", None),
        Outcome::Completed => ("completed", None),
        // In full: it is this side's own.
        Outcome::Refused(refusal) => (
            "refused",
            Some(refusal.reason.as_ref().map_or_else(|| refusal.to_string(), |reason| format!("{}: {reason}", refusal.code.name()))),
        ),
        Outcome::Interrupted(why) => ("interrupted", Some(why.clone())),
        Outcome::Failed(failure) => ("failed", Some(failure.what().to_owned())),
    };
    let session = running.map(|running| {
        let session = running.session();
        let request = session.request();
        let authority = (session.authority().as_str(), policy_of(&session).map(|digest| to_hex(&digest)));
        (to_hex(session.session_id()), request.pairs(), request.tokens(), session.answered(), running.traffic.totals(), authority)
    });
    let asked = session.as_ref().map_or_else(String::new, |(_, pairs, .., (authority, _))| format!(", {pairs} pairs, {authority}"));
    let line = match &why {
        Some(why) => format!("{label}: {word}{asked}: {why}"),
        None => format!("{label}: {word}{asked}"),
    };
    match &outcome {
        Outcome::Completed => shared.reporter.note(&line),
        Outcome::Failed(failure) => {
            shared.reporter.warn(&line);
            failure.hint().into_iter().for_each(|hint| shared.reporter.help(hint));
        }
        Outcome::Refused(refusal) if refusal.code == RefusalCode::Internal => {
            shared.reporter.warn(&line);
            shared.reporter.help(LEDGER_HINT);
        }
        _ => shared.reporter.warn(&line),
    }
    let (wall, cpu) = (began.0.elapsed().as_secs_f64(), Usage::of_this_process().cpu_s - began.1);
    shared.reporter.json(&json!({
        "outcome": word,
        "verifier": label,
        "session": session.as_ref().map(|session| &session.0),
        "code": match &outcome { Outcome::Refused(refusal) => Some(refusal.code.name()), _ => None },
        "why": why,
        "authority": session.as_ref().map(|session| session.5.0),
        "policy": session.as_ref().and_then(|session| session.5.1.as_ref()),
        "pairs": session.as_ref().map(|session| session.1),
        "tokens": session.as_ref().map(|session| session.2),
        "batches": session.as_ref().map(|session| session.3),
        "bytes_in": session.as_ref().map(|session| session.4.received),
        "bytes_out": session.as_ref().map(|session| session.4.sent),
        "set_bytes": session.as_ref().map(|session| session.4.set),
        "session_s": wall,
        "cpu_s": cpu,
        "peak_rss_mb": Usage::of_this_process().peak_rss_mb,
    }));
}
