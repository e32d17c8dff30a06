//! A holder that serves two verifiers: one of them is hostile and pinned, or nobody at all; the other is honest.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use oblink_session::error::RefusalCode;
use oblink_session::wire::{Batch, Evaluated, Welcome};
use oblink_tests::asking::{Asked, Draft, day, people};
use oblink_tests::peer::{Admitted, Peer};
use oblink_tests::raw::{self, Ways};
use oblink_tests::{Agencies, Ended, Party, Program, Results, Serving, Started};
use quinn::{Connection, RecvStream, SendStream};
use tokio::runtime::Runtime;

use super::stage::exact;

/// What the holder's process may come to have in memory beyond what it had, in all attacks of one pinned verifier or of nobody.
pub(crate) const MEMORY_MB_MAX: f64 = 64.0;

/// The house, its guests, and a runtime for the hostile one.
pub(crate) struct Inn {
    pub(crate) agencies: Agencies,
    pub(crate) honest: Party,
    pub(crate) pairs: PathBuf,
    pub(crate) records: PathBuf,
    pub(crate) serving: Serving,
    pub(crate) peer: Peer,
    pub(crate) runtime: Runtime,
    before: f64,
}

/// A megabyte figure of `/proc/PID/status`, in kilobytes there.
fn status_mb(process: u32, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1_024.0 / 1e6
}

impl Inn {
    pub(crate) fn new() -> Self {
        Self::with(60, 60)
    }

    /// With so many people asked about, of whom as many as half the records are there.
    pub(crate) fn with(pairs: usize, records: usize) -> Self {
        let agencies = Agencies::new();
        let pairs = agencies.file("pairs.csv", people(records / 2, pairs, &day(-10)));
        let records = agencies.file("records.csv", people(0, records, &day(-10)));
        let honest = Party::init(Program::Verifier, &agencies.at("honest"));
        agencies.holder.trust("honest", &honest);
        honest.trust("tax", &agencies.holder);
        agencies.seal(&records);
        let serving = agencies.serve();
        let peer = Peer::new(&agencies.verifier, &agencies.holder);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let before = status_mb(serving.id(), "VmHWM");
        Self { agencies, honest, pairs, records, serving, peer, runtime, before }
    }

    pub(crate) fn address(&self) -> String {
        self.serving.address().to_owned()
    }

    /// What a hostile verifier asks: a request of its own making, in batches of this size.
    pub(crate) fn asked(&self, batch_tokens: u32) -> Asked {
        Draft::new(&self.agencies.holder, &self.agencies.verifier, &self.pairs, batch_tokens).with_signatures(Vec::new())
    }

    pub(crate) fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A bare connection with the pinned identity.
    pub(crate) async fn dial(&self, ways: &Ways) -> Connection {
        let config = raw::dialing(Some(&self.agencies.verifier.home), ways);
        raw::dial(&raw::dialer_at([127, 0, 0, 1].into()), self.serving.address(), config).await.unwrap()
    }

    /// A bare connection on which a session was admitted.
    pub(crate) async fn admitted(&self, asked: &Asked, ways: &Ways) -> Bare {
        let connection = self.dial(ways).await;
        let (mut to, mut from) = connection.open_bi().await.unwrap();
        let hello = self.peer.hello(asked);
        raw::write(&mut to, &raw::bytes_of(&hello.to_frame().unwrap())).await.unwrap();
        let welcome = Welcome::from_frame(&raw::read_frame(&mut from).await.unwrap()).unwrap();
        let admitted = self.peer.admitted(&hello, welcome);
        Bare { connection, to, from, admitted }
    }

    /// The honest verifier asks, from now on.
    pub(crate) fn honest_check(&self) -> Started {
        let output = self.agencies.at("honest.csv");
        let call = self.honest.call("check --json --holder").arg(self.serving.address());
        call.path("--input", &self.pairs).path("--output", &output).start()
    }

    pub(crate) fn is_exact(&self, ended: &Ended) {
        assert_eq!(ended.code(), 0, "{ended}\n{}", self.serving.stderr());
        exact(&Results::read(&self.agencies.at("honest.csv"), ended.object()), &self.pairs, &self.records);
    }

    /// Megabytes that the holder has come to have in memory, at most, beyond what it had.
    pub(crate) fn grown_mb(&self) -> f64 {
        status_mb(self.serving.id(), "VmHWM") - self.before
    }

    /// What is refused on a stream: the code that goes out, which the ledger has too.
    pub(crate) async fn refuses(&self, from: &mut RecvStream, due: RefusalCode) {
        assert_eq!(raw::read_refusal(from).await, Ok(due));
    }

    /// Lines that the holder has said to people.
    pub(crate) fn lines(&self) -> usize {
        self.serving.stderr().lines().count()
    }

    /// At the end of an attack: the honest verifier is served, memory has stayed under its cap, and the ledger is whole.
    pub(crate) fn stands(self) {
        self.is_exact(&self.honest_check().end());
        let grown = self.grown_mb();
        assert!(grown <= MEMORY_MB_MAX, "the holder grew by {grown} MB");
        drop(self.serving.stop());
        self.agencies.ledger_holds();
    }
}

/// A session on a bare connection.
pub(crate) struct Bare {
    pub(crate) connection: Connection,
    pub(crate) to: SendStream,
    pub(crate) from: RecvStream,
    pub(crate) admitted: Admitted,
}

impl Bare {
    /// Sends these bytes on a stream beside control, and ends it.
    pub(crate) async fn beside(&self, bytes: &[u8]) -> RecvStream {
        let (mut to, from) = self.connection.open_bi().await.unwrap();
        // A holder that has seen enough may stop it first.
        let _ = raw::write(&mut to, bytes).await;
        let _ = to.finish();
        from
    }

    /// Asks a batch.
    pub(crate) async fn ask(&self, batch: &Batch) -> Result<Evaluated, String> {
        let mut from = self.beside(&raw::bytes_of(&batch.to_frame())).await;
        let frame = raw::read_frame(&mut from).await?;
        Evaluated::from_frame(&frame).map_err(|error| error.to_string())
    }
}

/// Waits for the end of a connection, and gives QUIC's words.
pub(crate) async fn end_of(connection: &Connection) -> String {
    tokio::time::timeout(oblink_tests::LIMIT, connection.closed()).await.expect("an end").to_string()
}

/// Opens streams without end until the limit of the other side, or what it does, stops it: how many it came to.
pub(crate) async fn opened(connection: &Connection, most: usize) -> Vec<(SendStream, RecvStream)> {
    let mut streams = Vec::new();
    while streams.len() < most {
        match tokio::time::timeout(BRIEF, connection.open_bi()).await {
            Ok(Ok(stream)) => streams.push(stream),
            _ => break,
        }
    }
    streams
}

/// A pause between two things that happen to somebody else.
pub(crate) const BRIEF: Duration = Duration::from_millis(300);
