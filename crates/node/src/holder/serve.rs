//! `oblink-holder serve`: answers verifiers until it is told to stop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use oblink_quic::{Connection, Error as QuicError, Fingerprint, HandshakeRefusal, Listener, Options, Pins};
use oblink_session::holder::HolderContext;
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_store::ledger::SqliteLedger;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::epochs::{self, OpenEpochs};
use super::seats::Seats;
use super::sessions;
use crate::blame::as_line;
use crate::cli::ServeArgs;
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::pipeline::cores;
use crate::report::Reporter;

/// Connections that one verifier may have at a time: a session and its successors, and `doctor`.
const CONNECTIONS_PER_VERIFIER: usize = 4;
/// Batches and deliveries at work at a time for each core, in all sessions together.
const WORK_PER_CORE: usize = 8;

/// How long running sessions get to hear of the end.
const GOODBYE: Duration = Duration::from_secs(2);

/// What all sessions of a holder share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) home: Home,
    pub(super) context: Arc<HolderContext>,
    pub(super) epochs: OpenEpochs,
    pub(super) seats: Seats,
    /// Batches and deliveries at work in all sessions together.
    pub(super) work: Semaphore,
    ledger: Mutex<SqliteLedger>,
    pub(super) reporter: Reporter,
}

impl Shared {
    /// The ledger, for one transaction. A thread that panicked within one left it rolled back.
    pub(super) fn ledger(&self) -> MutexGuard<'_, SqliteLedger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The label of a verifier, as this home has it.
    pub(super) fn label(&self, verifier: &Fingerprint) -> Option<String> {
        self.home.peers().ok()?.label_of(verifier).map(str::to_owned)
    }
}

/// The clock, in milliseconds since 1970.
pub(super) fn now() -> u64 {
    unix_ms(SystemTime::now())
}

/// Listens and answers until SIGINT or SIGTERM. Prints `{"listen":…}` once it does, then one object a session.
///
/// # Errors
/// Exit 3: the port cannot be had, another `serve` has this home, the home's files are not in order.
pub fn serve(args: &ServeArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let identity = home.identity().to_identity()?;
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let _serving = ledger.serve_lock(now())?;
    let context = Arc::new(HolderContext {
        fingerprint: *home.fingerprint().as_bytes(),
        statement_key: home.statement_key(),
        pilot_pairs_max: home.config().pilot.pairs_max,
        epoch_evaluations_max: EPOCH_EVALUATIONS_MAX,
    });
    let shared = Arc::new(Shared {
        home,
        context,
        epochs: OpenEpochs::default(),
        seats: Seats::default(),
        work: Semaphore::new(cores() * WORK_PER_CORE),
        ledger: Mutex::new(ledger),
        reporter: reporter.clone(),
    });
    epochs::sweep(&shared.home, &shared.ledger(), None)?;
    warn_at_start(&shared)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::input("runtime", format!("threads could not be started: {error}")))?;
    let outcome = runtime.block_on(listen(Arc::clone(&shared), identity, args.listen));
    // Work on a batch that is under way is not waited for: it is charged, and unanswered.
    runtime.shutdown_timeout(GOODBYE);
    outcome
}

fn warn_at_start(shared: &Shared) -> Result<(), Failure> {
    let current: Vec<_> = shared.ledger().epochs()?.into_iter().filter(|row| row.ended.is_none()).collect();
    if current.is_empty() {
        shared
            .reporter
            .warn("nothing is sealed yet: verifiers are refused until `oblink-holder seal` has run (serve need not be restarted)");
    }
    for row in &current {
        // Damage shows now, not when a verifier asks.
        shared.epochs.open(&shared.home, row)?;
    }
    if shared.home.peers()?.is_empty() {
        shared.reporter.warn("nobody is trusted yet: run `oblink-holder trust` (serve need not be restarted)");
    }
    shared.reporter.warn(&format!(
        "pilot mode: no policy is applied, so trusted verifiers may ask unsigned, up to {} pairs a session; ledger and receipts say so",
        shared.context.pilot_pairs_max
    ));
    Ok(())
}

async fn listen(shared: Arc<Shared>, identity: oblink_quic::Identity, address: std::net::SocketAddr) -> Result<(), Failure> {
    let no_signals = |error: std::io::Error| Failure::input("signals", format!("signals cannot be waited for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let trusted = Arc::clone(&shared);
    let pins = Pins::new(move |seen: &Fingerprint| trusted.label(seen).is_some());
    let mut listener = Listener::bind(address, &identity, pins, Options::default())?;
    shared.reporter.json(&json!({ "listen": listener.local_addr().to_string() }));
    shared.reporter.note(&format!("listening on {} as {}", listener.local_addr(), identity.fingerprint()));
    let (stop, stopping) = watch::channel(false);
    let mut running = JoinSet::new();
    // As many entries as identities are pinned.
    let mut connections: HashMap<Fingerprint, Arc<Semaphore>> = HashMap::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(_) = running.join_next(), if !running.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Some(Ok(connection)) => {
                    let peer = connection.peer();
                    let places = connections.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(CONNECTIONS_PER_VERIFIER)));
                    match Arc::clone(places).try_acquire_owned() {
                        Ok(place) => {
                            let session = sessions::run(Arc::clone(&shared), connection, stopping.clone());
                            running.spawn(async move {
                                session.await;
                                drop(place);
                            });
                        }
                        Err(_) => {
                            shared.reporter.warn(&format!("{peer}: turned away, it has {CONNECTIONS_PER_VERIFIER} connections already"));
                            connection.close(0, "too many connections of this identity");
                        }
                    }
                }
                Some(Err(refusal)) => note_refused_handshake(&shared, &refusal),
                None => return Err(Failure::input("socket", "the UDP socket failed").with_hint("start serve again; sessions can be run again")),
            },
        }
    }
    shared.reporter.note("stopping");
    let _ = stop.send(true);
    let _ = tokio::time::timeout(GOODBYE, async { while running.join_next().await.is_some() {} }).await;
    listener.close(GOODBYE).await;
    Ok(())
}

fn note_refused_handshake(shared: &Shared, refusal: &HandshakeRefusal) {
    match &refusal.error {
        error @ (QuicError::NotPinned { .. } | QuicError::NoCertificate) => {
            shared.reporter.warn(&format!("{}: {error}", refusal.remote));
            if let Some(hint) = error.hint() {
                shared.reporter.help(&as_line(&hint));
            }
        }
        error => tracing::info!(remote = %refusal.remote, %error, "a handshake failed"),
    }
}

/// Tells a verifier that this holder stops.
pub(super) fn say_goodbye(connection: &Connection) {
    connection.close(0, "the holder is shutting down");
}
