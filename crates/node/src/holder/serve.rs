//! `oblink-holder serve`: answers verifiers until it is told to stop.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use oblink_quic::{Connection, Error as QuicError, Fingerprint, HandshakeRefusal, Listener, Options, Pins};
use oblink_session::holder::HolderContext;
use oblink_session::limits::{CLOCK_SKEW_MS_MAX, EPOCH_EVALUATIONS_MAX};
use oblink_session::request::to_hex;
use oblink_store::ledger::{Scope, SqliteLedger};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::epochs::{self, OpenEpochs};
use super::guests::Guests;
use super::keeper;
use super::knocks::Knocks;
use super::ledger::{label, time, verified};
use super::metrics::{self, Metrics};
use super::places::{CONNECTIONS_PER_VERIFIER, Places};
use super::policy::{self, InForcePolicy};
use super::receipts::Owed;
use super::seats::Seats;
use super::sessions;
use super::standing::Standing;
use crate::blame::as_line;
use crate::cli::ServeArgs;
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::pipeline::cores;
use crate::report::Reporter;
use crate::ruleset::{HomeRulesets, warn_of_class};

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
    pub(super) guests: Guests,
    /// Receipts that still have to be copied into the home.
    pub(super) receipts: Owed,
    /// Batches and deliveries at work in all sessions together.
    pub(super) work: Semaphore,
    ledger: Mutex<SqliteLedger>,
    /// The policy that was in force when it was last looked at; what is in force, the ledger says each time.
    known_policy: Mutex<Option<Arc<InForcePolicy>>>,
    /// What stops running sessions.
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) reporter: Reporter,
}

impl Shared {
    /// The ledger, for one transaction. A thread that panicked within one left it rolled back.
    pub(super) fn ledger(&self) -> MutexGuard<'_, SqliteLedger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy in force now; `None` in pilot mode.
    ///
    /// # Errors
    /// As [`policy::in_force`]: also where a copy of it was edited.
    pub(super) fn policy(&self) -> Result<Option<Arc<InForcePolicy>>, Failure> {
        let mut known = self.known_policy.lock().unwrap_or_else(PoisonError::into_inner);
        *known = policy::in_force(&self.home, &self.ledger(), known.as_ref())?;
        Ok(known.clone())
    }

    /// The later of the clock and the ledger's time (SPEC LED-5).
    pub(super) fn house_time(&self) -> Result<u64, Failure> {
        Ok(now().max(self.ledger().time_unix_ms()?))
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

/// Listens and answers until SIGINT or SIGTERM. Prints `{"listen":…}` once it does (with `--metrics` also where that is), then one object a
/// session.
///
/// # Errors
/// Exit 3: a port cannot be had, another `serve` has this home, the home's files are not in order.
pub fn serve(args: &ServeArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let identity = home.identity().to_identity()?;
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    // Before anything is written to it: what was tampered with stays as it was found.
    let report = verified(&home, &ledger, &[])?;
    let in_force = policy::in_force(&home, &ledger, None)?;
    let _serving = ledger.serve_lock(now())?;
    let (standing_in, standing) = watch::channel(Standing::read(&ledger)?);
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
        guests: Guests::new(cores() * WORK_PER_CORE),
        receipts: Owed::default(),
        work: Semaphore::new(cores() * WORK_PER_CORE),
        ledger: Mutex::new(ledger),
        known_policy: Mutex::new(in_force),
        standing,
        metrics: Arc::default(),
        reporter: reporter.clone(),
    });
    epochs::sweep(&shared.home, &shared.ledger(), None)?;
    shared.receipts.find(&shared.home, &shared.ledger())?;
    warn_at_start(&shared)?;
    reporter.note(&format!("the ledger is in order: {} entries, {} signed heads", report.head.size, report.heads));
    let metrics = args.metrics.map(metrics::bind).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::input("runtime", format!("threads could not be started: {error}")))?;
    let outcome = runtime.block_on(listen(Arc::clone(&shared), identity, args.listen, metrics, standing_in));
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
    warn_of_clock(shared)?;
    match shared.policy()? {
        None => {
            shared.reporter.warn(&format!(
                "pilot mode: no policy is applied, so trusted verifiers may ask unsigned, up to {} pairs a session; ledger and receipts say so",
                shared.context.pilot_pairs_max
            ));
            let digests: BTreeSet<[u8; 32]> = current.iter().map(|row| row.offer.descriptor.ruleset_digest).collect();
            let rulesets = HomeRulesets::read(&shared.home)?;
            rulesets
                .all()
                .filter(|ruleset| digests.contains(&ruleset.digest()))
                .for_each(|ruleset| warn_of_class(ruleset, &shared.reporter));
        }
        Some(in_force) => {
            shared.reporter.note(&format!("policy {} is in force", &to_hex(&in_force.record.digest)[..16]));
            let peers = shared.home.peers()?;
            for (label, fingerprint) in peers.iter().filter(|(_, fingerprint)| in_force.policy.verifier(fingerprint.as_bytes()).is_none()) {
                shared.reporter.warn(&format!("{label} ({fingerprint}) is trusted, and the policy allows it nothing"));
            }
        }
    }
    for row in shared.ledger().suspensions()?.iter().filter(|row| row.resumed_unix_ms.is_none()) {
        let whom = match row.scope {
            Scope::All => "all verifiers".to_owned(),
            Scope::Verifier(fingerprint) => label(&shared.home.peers()?, &fingerprint),
        };
        shared.reporter.warn(&format!("{whom}: suspended since {}", time(row.suspended_unix_ms)));
    }
    Ok(())
}

/// A clock that is behind the ledger's: sessions are refused while it is so by more than five minutes.
fn warn_of_clock(shared: &Shared) -> Result<(), Failure> {
    let behind_ms = shared.ledger().time_unix_ms()?.saturating_sub(now());
    if behind_ms > CLOCK_SKEW_MS_MAX {
        shared.reporter.warn(&format!(
            "this machine's clock is {} s behind the ledger: every session is refused until it has caught up",
            behind_ms / 1_000
        ));
        shared.reporter.help("set the clock (NTP); where the ledger's time is what is wrong, its entries show when it went ahead");
    }
    Ok(())
}

async fn listen(
    shared: Arc<Shared>,
    identity: oblink_quic::Identity,
    address: std::net::SocketAddr,
    metrics: Option<(std::net::TcpListener, std::net::SocketAddr)>,
    standing: watch::Sender<Standing>,
) -> Result<(), Failure> {
    let no_signals = |error: std::io::Error| Failure::input("signals", format!("signals cannot be waited for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let trusted = Arc::clone(&shared);
    let pins = Pins::new(move |seen: &Fingerprint| trusted.label(seen).is_some());
    let mut listener = Listener::bind(address, &identity, pins, Options::default())?;
    let mut said = json!({ "listen": listener.local_addr().to_string() });
    let mut endpoint = None;
    if let Some((socket, address)) = metrics {
        endpoint = Some(metrics::Endpoint::start(socket, &shared)?);
        said["metrics"] = json!(address.to_string());
        shared.reporter.note(&format!("metrics at http://{address}/metrics, for all users of this machine"));
    }
    shared.reporter.json(&said);
    shared.reporter.note(&format!("listening on {} as {}", listener.local_addr(), identity.fingerprint()));
    let keeping = tokio::spawn(keeper::keep(Arc::clone(&shared), standing));
    let (stop, stopping) = watch::channel(false);
    let mut running = JoinSet::new();
    let mut places = Places::default();
    let mut knocks = Knocks::new(Instant::now());
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = sleep_until(knocks.due()) => note_knocks(&shared, &mut knocks),
            accepted = listener.accept() => match accepted {
                Some(Ok(connection)) => {
                    let peer = connection.peer();
                    match places.take(peer) {
                        Some(place) => {
                            let session = sessions::run(Arc::clone(&shared), connection, stopping.clone());
                            running.spawn(async move {
                                session.await;
                                drop(place);
                            });
                        }
                        None => {
                            shared.metrics.too_many_connections();
                            if knocks.one(Instant::now()) {
                                shared.reporter.warn(&format!("{peer}: turned away, it has {CONNECTIONS_PER_VERIFIER} connections already"));
                            }
                            connection.close(0, "too many connections of this identity");
                        }
                    }
                }
                Some(Err(refusal)) => note_refused_handshake(&shared, &refusal, &mut knocks),
                None => return Err(Failure::input("socket", "the UDP socket failed").with_hint("start serve again; sessions can be run again")),
            },
        }
    }
    note_knocks(&shared, &mut knocks);
    shared.reporter.note("stopping");
    keeping.abort();
    drop(endpoint);
    let _ = stop.send(true);
    let _ = tokio::time::timeout(GOODBYE, async { while running.join_next().await.is_some() {} }).await;
    listener.close(GOODBYE).await;
    Ok(())
}

/// For good, where nothing is due.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn note_knocks(shared: &Shared, knocks: &mut Knocks) {
    let unsaid = knocks.sum(Instant::now());
    if unsaid > 0 {
        shared.reporter.warn(&format!("{unsaid} more dialers were turned away"));
    }
}

fn note_refused_handshake(shared: &Shared, refusal: &HandshakeRefusal, knocks: &mut Knocks) {
    shared.metrics.handshake_failed(&refusal.error);
    match &refusal.error {
        error @ (QuicError::NotPinned { .. } | QuicError::NoCertificate | QuicError::Full { .. }) => {
            if !knocks.one(Instant::now()) {
                return;
            }
            shared.reporter.warn(&format!("{}: {error}", refusal.remote));
            if let Some(hint) = error.hint() {
                shared.reporter.help(&as_line(&hint));
            }
        }
        // At the pace at which handshakes may fail, and not among what operators see.
        error => tracing::debug!(remote = %refusal.remote, %error, "a handshake failed"),
    }
}

/// Tells a verifier that this holder stops.
pub(super) fn say_goodbye(connection: &Connection) {
    connection.close(0, "the holder is shutting down");
}
