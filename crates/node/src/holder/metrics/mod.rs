//! What `serve` counts for its operator's monitoring, in Prometheus's text format (0.0.4). Off unless `--metrics` says where.
//!
//! Labels are this holder's own words for its verifiers, refusal codes and outcomes: no session, no request, nobody's record.

mod books;
mod listener;
mod page;
mod process;

use std::sync::atomic::AtomicU64;

use oblink_quic::Error as QuicError;
use oblink_session::error::RefusalCode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

pub(super) use listener::{Endpoint, bind};

/// Names and values of a series' labels.
type Labels = Vec<(&'static str, String)>;

/// A counter whose name is written as it is: the text format has no suffix of its own for counters, OpenMetrics has.
#[derive(Clone, Debug, Default)]
struct Total(Counter<u64, AtomicU64>);

impl TypedMetric for Total {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// How a connection that asked for something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// A session, with its receipt signed by both.
    Completed,
    /// A disclosure was taken.
    Disclosed,
    /// Refused, at Hello or later.
    Refused,
    /// The line broke, the verifier left, or this program stopped.
    Interrupted,
    /// Something failed here.
    Failed,
}

impl Ended {
    const ALL: [Self; 5] = [Self::Completed, Self::Disclosed, Self::Refused, Self::Interrupted, Self::Failed];

    /// The word in `--json` and in the label.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Disclosed => "disclosed",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// Why a dialer did not get as far as a session.
const TURNED_AWAY: [&str; 7] =
    ["not_pinned", "no_certificate", "no_common_protocol", "timeout", "too_many_connections", "line", "handshake"];

/// The word for a handshake that failed.
fn cause(error: &QuicError) -> &'static str {
    match error {
        QuicError::NotPinned { .. } => "not_pinned",
        QuicError::NoCertificate => "no_certificate",
        QuicError::NoCommonProtocol { .. } => "no_common_protocol",
        QuicError::HandshakeTimeout { .. } => "timeout",
        QuicError::Lost { .. } | QuicError::Restarted { .. } | QuicError::Closed { .. } | QuicError::Abandoned { .. } => "line",
        _ => "handshake",
    }
}

/// All counts since `serve` began.
#[derive(Debug)]
pub(super) struct Metrics {
    sessions: Family<Labels, Total>,
    refusals: Family<Labels, Total>,
    pings: Family<Labels, Total>,
    turned_away: Family<Labels, Total>,
    connections_open: Family<Labels, Gauge>,
    sessions_open: Family<Labels, Gauge>,
    batches: Family<Labels, Total>,
    tokens: Family<Labels, Total>,
    set_bytes: Family<Labels, Total>,
    charge: Histogram,
    evaluation: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            sessions: Family::default(),
            refusals: Family::default(),
            pings: Family::default(),
            turned_away: Family::default(),
            connections_open: Family::default(),
            sessions_open: Family::default(),
            batches: Family::default(),
            tokens: Family::default(),
            set_bytes: Family::default(),
            charge: Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]),
            evaluation: Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
        };
        // Series that are there from the beginning: what grows from nothing is else no increase to those who watch.
        TURNED_AWAY.iter().for_each(|cause| drop(metrics.turned_away.get_or_create(&vec![("cause", (*cause).to_owned())])));
        metrics
    }
}

impl Metrics {
    /// The counts of one verifier, by this holder's label for it.
    pub(super) fn of(&self, label: &str) -> Counts {
        let verifier = || ("verifier", label.to_owned());
        let by = vec![verifier()];
        for ended in Ended::ALL {
            drop(self.sessions.get_or_create(&vec![verifier(), ("outcome", ended.word().to_owned())]));
        }
        Counts {
            verifier: label.to_owned(),
            sessions: self.sessions.clone(),
            refusals: self.refusals.clone(),
            pings: self.pings.get_or_create_owned(&by),
            connections_open: self.connections_open.get_or_create_owned(&by),
            sessions_open: self.sessions_open.get_or_create_owned(&by),
            batches: self.batches.get_or_create_owned(&by),
            tokens: self.tokens.get_or_create_owned(&by),
            set_bytes: self.set_bytes.get_or_create_owned(&by),
            charge: self.charge.clone(),
            evaluation: self.evaluation.clone(),
        }
    }

    /// A handshake failed.
    pub(super) fn handshake_failed(&self, error: &QuicError) {
        self.turn_away(cause(error));
    }

    /// A verifier had as many connections as it may have.
    pub(super) fn too_many_connections(&self) {
        self.turn_away("too_many_connections");
    }

    fn turn_away(&self, cause: &'static str) {
        self.turned_away.get_or_create(&vec![("cause", cause.to_owned())]).0.inc();
    }

    /// Names them all.
    fn register(&self, registry: &mut Registry) {
        let mut counter = |name, help: &str, family: &Family<Labels, Total>| registry.register(name, help, family.clone());
        counter("oblink_sessions_total", "Connections that asked for something, by how they ended", &self.sessions);
        counter("oblink_refusals_total", "Refusals sent, by code", &self.refusals);
        counter("oblink_pings_total", "Connections that only pinged (oblink-verifier doctor)", &self.pings);
        counter("oblink_connections_refused_total", "Dialers that did not get as far as a session, by cause", &self.turned_away);
        counter("oblink_batches_evaluated_total", "Batches evaluated, repeats included", &self.batches);
        counter("oblink_tokens_evaluated_total", "Tokens evaluated, repeats included", &self.tokens);
        counter("oblink_set_bytes_delivered_total", "Bytes of sealed sets sent", &self.set_bytes);
        registry.register("oblink_connections_open", "Connections open now", self.connections_open.clone());
        registry.register("oblink_sessions_open", "Sessions under way now", self.sessions_open.clone());
        registry.register("oblink_batch_charge_seconds", "Time that the ledger took for a batch", self.charge.clone());
        registry.register(
            "oblink_batch_evaluation_seconds",
            "Time that the evaluation and the proofs of a batch took",
            self.evaluation.clone(),
        );
    }
}

/// The counts of one verifier.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    verifier: String,
    sessions: Family<Labels, Total>,
    refusals: Family<Labels, Total>,
    pings: Total,
    connections_open: Gauge,
    sessions_open: Gauge,
    batches: Total,
    tokens: Total,
    set_bytes: Total,
    charge: Histogram,
    evaluation: Histogram,
}

impl Counts {
    /// A connection, for as long as the value lives.
    pub(super) fn connection(&self) -> Open {
        Open::new(&self.connections_open)
    }

    /// A session, for as long as the value lives.
    pub(super) fn session(&self) -> Open {
        Open::new(&self.sessions_open)
    }

    /// A connection ended.
    pub(super) fn ended(&self, ended: Ended) {
        self.sessions.get_or_create(&vec![("verifier", self.verifier.clone()), ("outcome", ended.word().to_owned())]).0.inc();
    }

    /// It ended by a refusal.
    pub(super) fn refused(&self, code: RefusalCode) {
        self.ended(Ended::Refused);
        self.refusals.get_or_create(&vec![("verifier", self.verifier.clone()), ("code", code.name().to_owned())]).0.inc();
    }

    /// It was a ping.
    pub(super) fn pinged(&self) {
        self.pings.0.inc();
    }

    /// A batch of so many tokens was charged and evaluated; both times in seconds.
    pub(super) fn evaluated(&self, tokens: u64, charge_s: f64, evaluation_s: f64) {
        self.batches.0.inc();
        self.tokens.0.inc_by(tokens);
        self.charge.observe(charge_s);
        self.evaluation.observe(evaluation_s);
    }

    /// So many bytes of a set were sent.
    pub(super) fn delivered(&self, bytes: u64) {
        self.set_bytes.0.inc_by(bytes);
    }
}

/// Counted in a gauge while it lives.
#[derive(Debug)]
pub(super) struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
