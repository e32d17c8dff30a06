//! A modified holder: the keys, the set and the ledger of a real home, and changes to what it says and how.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use oblink_session::authority::{BuiltInRulesets, Policy};
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::holder::{HolderContext, HolderHandshake, HolderSession, House};
use oblink_session::statement::StatementKey;
use oblink_session::wire::{Frame, FrameType, Hello, ReceiptMessage, SetChunk, SetRequest, Welcome};
use oblink_store::ledger::SqliteLedger;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::Party;
use crate::asking::{fingerprint_bytes, now_unix_ms};
use crate::keys::Keys;
use crate::raw::{self, Ways};

/// A change to a message by somebody who has the statement key.
pub type Change<M> = Box<dyn FnMut(&mut M, &StatementKey) + Send>;

/// What is due on a stream of a modified holder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The answer to Hello.
    Welcome,
    /// The answer to the batch of this index.
    Answer(u64),
    /// The set, from this offset on.
    Set(u64),
    /// The answer to Complete.
    Receipt,
    /// The answer to Acknowledge.
    Closed,
}

/// What it does there, one after the other. Then it ends the stream, control apart.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Sends these bytes, a byte after each pause.
    Drip(Vec<u8>, Duration),
    /// Does nothing for so long.
    Pause(Duration),
    /// Sends these bytes again and again until the other side has had enough.
    Forever(Vec<u8>),
    /// Sends nothing more on this stream, and does not end it.
    Hang,
    /// Takes the stream back.
    Reset(u32),
    /// Closes the connection with this code.
    Close(u32),
}

/// Of what is due, and the frames that an honest holder would send, makes what this one does.
pub type Script = Box<dyn FnMut(Due, Vec<Frame>) -> Vec<Act> + Send>;

/// These frames, in order and as they are.
#[must_use]
pub fn as_due(frames: &[Frame]) -> Vec<Act> {
    frames.iter().map(|frame| Act::Bytes(raw::bytes_of(frame))).collect()
}

/// How a modified holder departs from the protocol.
pub struct Modified {
    /// Whether it passes over the head that the verifier knows.
    pub deaf: bool,
    /// What it does to Welcome.
    pub welcome: Change<Welcome>,
    /// What it does to the receipt.
    pub receipt: Change<ReceiptMessage>,
    /// A set in place of its own.
    pub set: Option<Vec<u8>>,
    /// From this batch on it evaluates under another key.
    pub other_key_from: u64,
    /// What it does with what it should send.
    pub script: Script,
}

impl Default for Modified {
    fn default() -> Self {
        Self {
            deaf: false,
            welcome: Box::new(|_, _| ()),
            receipt: Box::new(|_, _| ()),
            set: None,
            other_key_from: u64::MAX,
            script: Box::new(|_, honest| as_due(&honest)),
        }
    }
}

/// A modified holder that answers one session.
pub struct FakeHolder {
    address: SocketAddr,
    /// Evaluated batches that it sent.
    served: JoinHandle<u64>,
}

/// Its side of the session. What computes is done under the lock, what waits is not.
struct Serving {
    session: HolderSession,
    ledger: SqliteLedger,
    keys: EpochKeys,
    other_keys: EpochKeys,
    set: Vec<u8>,
    rng: StdRng,
    batches: u64,
    modified: Modified,
    statement: Arc<HolderContext>,
}

impl FakeHolder {
    /// Listens with the keys of `holder`, over the ledger in the file `ledger`, for one session.
    ///
    /// # Panics
    /// Where the home is not one that serves.
    #[must_use]
    pub fn start(holder: &Party, verifier: &Party, ledger: &Path, modified: Modified) -> Self {
        let keys = Keys::of(&holder.home);
        let verifier = fingerprint_bytes(&verifier.fingerprint);
        let (home, ledger) = (holder.home.clone(), ledger.to_owned());
        let (tell, told) = std::sync::mpsc::channel();
        let served = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let endpoint = raw::listener(&home, &Ways::default());
                tell.send(endpoint.local_addr()).unwrap();
                let connection = endpoint.accept().await.unwrap().await.unwrap();
                let batches = converse(&connection, keys, verifier, &home, &ledger, modified).await;
                let _ = tokio::time::timeout(Duration::from_secs(5), connection.closed()).await;
                // What it said last, its hanging up included, needs somebody to deliver it.
                drop(connection);
                let _ = tokio::time::timeout(Duration::from_secs(5), endpoint.wait_idle()).await;
                batches
            })
        });
        Self { address: told.recv().unwrap().unwrap(), served }
    }

    /// `IP:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits for its end: the evaluated batches that it sent.
    ///
    /// # Panics
    /// Where it did.
    #[must_use]
    pub fn ended(self) -> u64 {
        self.served.join().unwrap()
    }
}

fn locked(serving: &Mutex<Serving>) -> MutexGuard<'_, Serving> {
    serving.lock().unwrap()
}

/// Does what the script says. False where the stream is not to be ended.
async fn play(connection: &Connection, to: &mut SendStream, acts: Vec<Act>) -> Result<bool, String> {
    for act in acts {
        match act {
            Act::Bytes(bytes) => raw::write(to, &bytes).await?,
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    raw::write(to, &[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Act::Pause(pause) => tokio::time::sleep(pause).await,
            Act::Forever(bytes) => loop {
                raw::write(to, &bytes).await?;
            },
            Act::Hang => {
                connection.closed().await;
                return Ok(false);
            }
            Act::Reset(code) => {
                let _ = to.reset(VarInt::from_u32(code));
                return Ok(false);
            }
            Act::Close(code) => {
                connection.close(VarInt::from_u32(code), b"because");
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn converse(connection: &Connection, keys: Keys, verifier: [u8; 32], home: &Path, ledger: &Path, mut modified: Modified) -> u64 {
    let (mut to, mut from) = connection.accept_bi().await.unwrap();
    let mut hello = raw::read_frame(&mut from).await.unwrap();
    if modified.deaf {
        let mut said = Hello::from_frame(&hello).unwrap();
        (said.head_size, said.head_root) = (0, [0; 32]);
        hello = said.to_frame().unwrap();
    }
    let mut ledger = SqliteLedger::open(ledger).unwrap();
    let context = Arc::new(HolderContext {
        fingerprint: *keys.fingerprint.as_bytes(),
        statement_key: keys.statement,
        pilot_pairs_max: 10_000_000,
        epoch_evaluations_max: 1 << 30,
    });
    let epoch = ledger.current_epoch(&verifier).unwrap().unwrap();
    let epoch_id = epoch.offer.descriptor.epoch_id;
    let seed: [u8; 32] = std::fs::read(home.join("epochs").join(format!("{}.seed", hex::encode(epoch_id)))).unwrap().try_into().unwrap();
    let set = std::fs::read(home.join("sets").join(format!("{}.oblset", hex::encode(epoch.offer.set_id)))).unwrap();
    let record = ledger.policy_in_force().unwrap();
    let policy = record.map(|record| Policy::parse(record.policy.as_bytes(), record.allowed_signers.as_bytes()).unwrap());
    let mut rng = StdRng::from_seed(rand::random());
    let received = HolderHandshake::new(Arc::clone(&context), verifier).receive_hello(&hello, now_unix_ms()).unwrap();
    let signed = ledger.countersignatures(&received.request().digest()).unwrap();
    let house = House {
        policy: policy.as_ref(),
        countersignatures: signed.into_iter().map(|row| row.signature).collect(),
        rulesets: &BuiltInRulesets,
        offer: Some(epoch.offer.clone()),
        now_unix_ms: now_unix_ms(),
    };
    let pending = received.decide(house, &mut rng).unwrap();
    let (session, welcome) = pending.commit(&mut ledger, now_unix_ms()).unwrap();
    let mut welcome = Welcome::from_frame(&welcome).unwrap();
    (modified.welcome)(&mut welcome, &context.statement_key);
    let acts = (modified.script)(Due::Welcome, vec![welcome.to_frame().unwrap()]);
    if !play(connection, &mut to, acts).await.unwrap_or(false) {
        return 0;
    }
    let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(seed)), epoch_id).unwrap();
    let other_keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([0x5e; 32])), epoch_id).unwrap();
    let set = modified.set.take().unwrap_or(set);
    let serving = Serving { session, ledger, keys, other_keys, set, rng, batches: 0, modified, statement: context };
    let serving = Arc::new(Mutex::new(serving));
    // Whatever the verifier does on finding out ends it.
    let _ = control(connection, &serving, &mut to, &mut from).await;
    locked(&serving).batches
}

async fn control(connection: &Connection, serving: &Arc<Mutex<Serving>>, to: &mut SendStream, from: &mut RecvStream) -> Result<(), String> {
    // A task of its own, for reading a frame must not be broken off.
    let beside = {
        let (connection, serving) = (connection.clone(), Arc::clone(serving));
        tokio::spawn(async move {
            while let Ok((to, from)) = connection.accept_bi().await {
                tokio::spawn(side(connection.clone(), Arc::clone(&serving), to, from));
            }
        })
    };
    let spoken = async {
        loop {
            let frame = raw::await_frame(from).await?;
            let last = frame.kind != FrameType::Complete;
            let acts = locked(serving).control(&frame);
            if !play(connection, to, acts).await? || last {
                return Ok(());
            }
        }
    };
    let ended = tokio::select! {
        spoken = spoken => spoken,
        error = connection.closed() => Err(error.to_string()),
    };
    if ended.is_ok() {
        // The last frame is still under way.
        let _ = tokio::time::timeout(Duration::from_secs(5), connection.closed()).await;
    }
    beside.abort();
    ended
}

async fn side(connection: Connection, serving: Arc<Mutex<Serving>>, mut to: SendStream, mut from: RecvStream) -> Result<(), String> {
    let frame = raw::read_frame(&mut from).await?;
    let acts = locked(&serving).side(&frame);
    if play(&connection, &mut to, acts).await? {
        let _ = to.finish();
    }
    Ok(())
}

impl Serving {
    fn control(&mut self, frame: &Frame) -> Vec<Act> {
        if frame.kind == FrameType::Complete {
            let pending = self.session.receive_complete(frame, &mut self.ledger, now_unix_ms()).unwrap();
            let completed = pending.commit(&mut self.ledger).unwrap();
            let mut receipt = ReceiptMessage::from_frame(&self.session.completed(completed).unwrap()).unwrap();
            (self.modified.receipt)(&mut receipt, &self.statement.statement_key);
            return (self.modified.script)(Due::Receipt, vec![receipt.to_frame().unwrap()]);
        }
        // A verifier that was shown another receipt has signed that one, if it signs at all.
        let Ok(pending) = self.session.receive_acknowledge(frame) else { return vec![Act::Close(9)] };
        let (_, closed) = pending.commit(&mut self.ledger).unwrap();
        (self.modified.script)(Due::Closed, vec![closed])
    }

    fn side(&mut self, frame: &Frame) -> Vec<Act> {
        if frame.kind == FrameType::SetRequest {
            // Not the session's to check: the set may be another than its own.
            let offset = SetRequest::from_frame(frame).unwrap().offset;
            let chunk = |(i, bytes): (usize, &[u8])| SetChunk { offset: offset + i as u64 * 200_000, bytes: bytes.to_vec() }.to_frame();
            let chunks = self.set.get(offset as usize..).unwrap_or_default().chunks(200_000).enumerate().map(chunk).collect();
            return (self.modified.script)(Due::Set(offset), chunks);
        }
        // A batch of a session that was told of another set is signed for that: no answer.
        let Ok(pending) = self.session.receive_batch(frame, now_unix_ms()) else { return vec![Act::Hang] };
        let index = pending.entry().index;
        let charged = pending.commit(&mut self.ledger).unwrap();
        let keys = if index >= self.modified.other_key_from { &self.other_keys } else { &self.keys };
        let slice = charged.evaluate_slice(keys, 0..charged.len()).unwrap();
        let proved = charged.prove(keys, vec![slice], &mut self.rng).unwrap();
        let answer = self.session.answer(proved).unwrap();
        self.batches += 1;
        (self.modified.script)(Due::Answer(index), vec![answer])
    }
}
