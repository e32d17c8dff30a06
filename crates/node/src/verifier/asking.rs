//! One run of `check` over as many connections as it takes (SPEC RES-5).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oblink_quic::{Connection, Fingerprint, Options, dial};
use oblink_session::error::RefusalCode;
use oblink_session::question::Question;
use oblink_session::verifier::{Finished, VerifierContext, VerifierHandshake};
use tokio::runtime::Runtime;

use super::heads::KnownHead;
use super::line::{self, Answer, Farewell, Work};
use super::retry::Backoff;
use crate::cli::CheckArgs;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::report::Reporter;

/// How long the transport gets to tell the holder that this side is done.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);

/// Refusals after which a session that was admitted is never answered again.
const OVER: [RefusalCode; 3] = [RefusalCode::EpochEnded, RefusalCode::RequestConflict, RefusalCode::TranscriptDiffers];

/// A run that is being asked.
pub(super) struct Asking<'a> {
    pub(super) home: &'a Home,
    pub(super) args: &'a CheckArgs,
    pub(super) label: &'a str,
    pub(super) pin: Fingerprint,
    pub(super) context: Arc<VerifierContext>,
    pub(super) question: Arc<Question>,
    /// The handshake as it saves itself: the same Hello over every connection.
    pub(super) hello: Vec<u8>,
    pub(super) known: KnownHead,
    pub(super) work: Arc<Work>,
    pub(super) runtime: Runtime,
    pub(super) reporter: &'a Reporter,
}

/// The line to the holder while results are written; the runtime's threads keep it alive.
pub(super) struct OpenLine {
    connection: Connection,
    farewell: Farewell,
}

/// The threads that keep connections alive.
///
/// # Errors
/// Exit 3: the system gives none.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::input("runtime", format!("threads could not be started: {error}")))
}

impl Asking<'_> {
    /// The answer of a run that broke off after its receipt: the holder need not be there any more (SPEC RES-6).
    pub(super) fn earlier_answer(&self) -> Option<Answer> {
        let answered = self.work.progress.answered(&self.context, self.pin.as_bytes(), self.question.request(), &self.work.sets)?;
        self.known.was_shown(answered.awaiting_head);
        self.reporter.note("the receipt of the run that broke off is here: its results are written now");
        Some(Answer { finished: answered.finished, set: answered.set })
    }

    /// Asks until there is an answer, or until it is no use.
    ///
    /// # Errors
    /// The contract's exit codes.
    pub(super) fn ask(&self) -> Result<(Answer, OpenLine), Failure> {
        let progress = &self.work.progress;
        progress.start();
        let mut backoff = Backoff::new(self.args.retry_for);
        let mut verified = progress.verified();
        loop {
            let failure = match self.once() {
                Err(failure) => failure,
                answered => return answered,
            };
            if verified != progress.verified() {
                verified = progress.verified();
                backoff.reset();
            }
            // What was never admitted is not waited for: it may be the first time, and the address wrong.
            let wait = if failure.exit() == Exit::Unreachable && progress.is_admitted() { backoff.wait(progress.idle()) } else { None };
            let Some(wait) = wait else { return Err(failure) };
            self.reporter.warn(&format!(
                "{}: {}; {verified} of {} batches are answered; trying again in {:.0} s",
                self.label,
                failure.what(),
                self.question.request().batches(),
                wait.as_secs_f64().ceil(),
            ));
            std::thread::sleep(wait);
        }
    }

    /// One connection.
    fn once(&self) -> Result<(Answer, OpenLine), Failure> {
        let identity = self.home.identity().to_identity()?;
        let transport = Options { handshake_timeout: self.args.timeout, ..Options::default() };
        let (holder, question) = (*self.pin.as_bytes(), Arc::clone(&self.question));
        let known = self.known.present()?;
        let handshake = VerifierHandshake::restore(Arc::clone(&self.context), holder, question, known, &self.hello)?;
        self.runtime.block_on(async {
            let address = resolve(&self.args.holder).await?;
            let connection = dial(address, &identity, self.pin, &transport).await?;
            match line::run(&connection, handshake, &self.known, &self.work).await {
                Err(failure) => {
                    let failure = line::reason(&connection, failure).await;
                    connection.close(0, "done");
                    connection.drained(GOODBYE).await;
                    Err(failure)
                }
                Ok((answer, farewell)) => Ok((answer, OpenLine { connection, farewell })),
            }
        })
    }

    /// Sends this side's signature on the receipt, and hangs up. Where the receipt is an earlier run's, over a connection of its own, if the holder is
    /// there.
    pub(super) fn say_goodbye(&self, line: Option<OpenLine>, finished: Option<&Finished>) {
        let line = line.or_else(|| {
            self.once()
                .map(|(_, line)| line)
                .inspect_err(|failure| {
                    tracing::warn!(what = failure.what(), "the holder was not given this side's signature; the receipt holds all the same");
                })
                .ok()
        });
        let Some(OpenLine { connection, farewell }) = line else { return };
        self.runtime.block_on(async {
            if let Some(finished) = finished {
                farewell.say(finished).await;
            }
            connection.close(0, "done");
            connection.drained(GOODBYE).await;
        });
    }

    /// The run is over: nothing stays of it. Work of a broken line may still have a hand on it for a moment.
    ///
    /// # Errors
    /// Exit 3: it cannot be removed.
    pub(super) fn close(self) -> Result<(), Failure> {
        let Self { work, runtime, args, .. } = self;
        drop(runtime);
        let work = Arc::into_inner(work).ok_or_else(|| Failure::bug("a batch is still under way"))?;
        work.progress.finish(args.request.is_some())
    }

    /// Why there is no answer, and what the operator can do with what there is of one.
    pub(super) fn give_up(self, failure: Failure) -> Failure {
        let progress = &self.work.progress;
        progress.hide_bar();
        let (verified, batches, label) = (progress.verified(), self.question.request().batches(), self.label);
        let of_request = self.args.request.is_some();
        if !progress.is_admitted() {
            return match self.close() {
                // What was being said is worth more than that it left a file.
                Err(left) => {
                    tracing::warn!(what = left.what(), "what is kept of the run could not be removed");
                    failure
                }
                Ok(()) => failure,
            }
            .with_context(label);
        }
        let again = format!("run the same command again: {verified} of {batches} batches need not be asked again");
        let is = |code: RefusalCode| code.name() == failure.code();
        // Under another policy a signed session goes on; one that nobody authorised does not.
        let over = failure.exit() == Exit::Refused && (OVER.into_iter().any(is) || is(RefusalCode::PolicyChanged) && !of_request);
        let hint = match (failure.exit(), failure.hint()) {
            (Exit::Refused, _) if over && of_request => {
                "a session ends with the set that it was opened under: make a new request, and have it signed".to_owned()
            }
            (Exit::Refused, _) if over => {
                "this run cannot be finished: begin anew with --restart; what it was charged stays charged".to_owned()
            }
            // What was verified is verified, whatever came after it. But a session whose first Welcome lied goes no further.
            (Exit::PeerAtFault, Some(hint)) if !of_request => {
                format!("{hint}; what was verified before is kept, and the same command goes on from there: --restart begins anew")
            }
            (Exit::PeerAtFault | Exit::Bug | Exit::Usage | Exit::Done, _) => return failure.with_context(label),
            (Exit::Refused, _) if is(RefusalCode::PolicyChanged) => {
                format!(
                    "{again}, and the request is judged by the policy that is in force now; where it is refused likewise, make a new request"
                )
            }
            // A limit that the session has come to, or a holder that restarted at the wrong moment: from here they look the same.
            (Exit::Refused, _) if is(RefusalCode::OutOfTurn) => {
                let anew = if of_request { "make a new request, and have it signed" } else { "begin anew with --restart" };
                format!("{again}; where it is refused likewise, {anew}: what was charged stays charged")
            }
            (_, Some(hint)) if !["try again", "run it again"].iter().any(|plain| hint.starts_with(plain)) => {
                format!("{hint}; then {again}")
            }
            _ => again,
        };
        failure.with_hint(hint).with_context(label)
    }
}

/// The address of `HOST:PORT`.
///
/// # Errors
/// Exit 5 where the name does not resolve.
pub(crate) async fn resolve(holder: &str) -> Result<SocketAddr, Failure> {
    let cannot = || {
        Failure::unreachable("no_address", "the holder's host name does not resolve to an address")
            .with_hint("check the name in --holder, and this machine's name service (DNS)")
    };
    let mut addresses = tokio::net::lookup_host(holder).await.map_err(|error| {
        tracing::info!(%error, "the name service");
        cannot()
    })?;
    addresses.next().ok_or_else(cannot)
}
