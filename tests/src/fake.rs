//! A modified holder: the keys, the set and the ledger of a real home, and changes to what it says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use oblink_quic::{Connection, Error as QuicError, Fingerprint, FrameReceiver, FrameSender, Listener, Options, Pins};
use oblink_session::authority::Policy;
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::holder::{HolderContext, HolderHandshake, HolderSession, House};
use oblink_session::statement::StatementKey;
use oblink_session::wire::{Frame, FrameType, Hello, ReceiptMessage, SetChunk, Welcome};
use oblink_store::ledger::SqliteLedger;
use rand::SeedableRng;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::Party;
use crate::asking::{fingerprint_bytes, now_unix_ms};
use crate::keys::Keys;

/// A change to a message by somebody who has the statement key.
pub type Change<M> = Box<dyn FnMut(&mut M, &StatementKey) + Send>;

/// How a modified holder departs from the protocol.
pub struct Modified {
    /// Whether it passes over the head that the verifier knows.
    pub deaf: bool,
    /// What it does to Welcome.
    pub welcome: Change<Welcome>,
    /// What it does to the receipt.
    pub receipt: Change<ReceiptMessage>,
}

impl Default for Modified {
    fn default() -> Self {
        Self { deaf: false, welcome: Box::new(|_, _| ()), receipt: Box::new(|_, _| ()) }
    }
}

/// A modified holder that answers one session.
pub struct FakeHolder {
    address: SocketAddr,
    /// Evaluated batches that it sent.
    served: JoinHandle<u64>,
}

struct Serving {
    session: HolderSession,
    ledger: SqliteLedger,
    keys: EpochKeys,
    set: Vec<u8>,
    rng: StdRng,
    batches: u64,
}

fn limit(byte: u8) -> Option<u32> {
    FrameType::limit_of_byte(byte)
}

async fn receive(from: &mut FrameReceiver) -> Result<Frame, QuicError> {
    let (kind, body) = from.receive(limit).await?;
    Ok(Frame::from_parts(kind, body).unwrap())
}

async fn send(to: &mut FrameSender, frame: &Frame) -> Result<(), QuicError> {
    to.send(frame.kind as u8, &[&frame.body]).await
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
                let pins = Pins::only([Fingerprint::from_bytes(verifier)]);
                let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &keys.identity, pins, Options::default()).unwrap();
                tell.send(listener.local_addr()).unwrap();
                let connection = listener.accept().await.unwrap().unwrap();
                let batches = converse(&connection, keys, verifier, &home, &ledger, modified).await;
                let _ = tokio::time::timeout(std::time::Duration::from_secs(5), connection.closed()).await;
                batches
            })
        });
        Self { address: told.recv().unwrap(), served }
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

async fn converse(connection: &Connection, keys: Keys, verifier: [u8; 32], home: &Path, ledger: &Path, mut modified: Modified) -> u64 {
    let (mut to, mut from) = connection.accept_stream().await.unwrap();
    let mut hello = receive(&mut from).await.unwrap();
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
        offer: Some(epoch.offer.clone()),
        now_unix_ms: now_unix_ms(),
    };
    let pending = received.decide(house, &mut rng).unwrap();
    let (session, welcome) = pending.commit(&mut ledger, now_unix_ms()).unwrap();
    let mut welcome = Welcome::from_frame(&welcome).unwrap();
    (modified.welcome)(&mut welcome, &context.statement_key);
    if send(&mut to, &welcome.to_frame().unwrap()).await.is_err() {
        return 0;
    }
    let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(seed)), epoch_id).unwrap();
    let mut serving = Serving { session, ledger, keys, set, rng, batches: 0 };
    // Whatever the verifier does on finding out ends it.
    let _ = serving.run(connection, &mut to, &mut from, &mut modified, &context.statement_key).await;
    serving.batches
}

impl Serving {
    async fn run(
        &mut self,
        connection: &Connection,
        to: &mut FrameSender,
        from: &mut FrameReceiver,
        modified: &mut Modified,
        key: &StatementKey,
    ) -> Result<(), QuicError> {
        loop {
            tokio::select! {
                frame = receive(from) => {
                    let frame = frame?;
                    if frame.kind == FrameType::Complete {
                        let pending = self.session.receive_complete(&frame, &mut self.ledger, now_unix_ms()).unwrap();
                        let completed = pending.commit(&mut self.ledger).unwrap();
                        let mut receipt = ReceiptMessage::from_frame(&self.session.completed(completed).unwrap()).unwrap();
                        (modified.receipt)(&mut receipt, key);
                        send(to, &receipt.to_frame().unwrap()).await?;
                    } else {
                        let pending = self.session.receive_acknowledge(&frame).unwrap();
                        let (_, closed) = pending.commit(&mut self.ledger).unwrap();
                        return send(to, &closed).await;
                    }
                }
                stream = connection.accept_stream() => {
                    let (to, from) = stream?;
                    self.side(to, from).await?;
                }
            }
        }
    }

    async fn side(&mut self, mut to: FrameSender, mut from: FrameReceiver) -> Result<(), QuicError> {
        let frame = receive(&mut from).await?;
        if frame.kind == FrameType::SetRequest {
            let offset = self.session.receive_set_request(&frame).unwrap() as usize;
            for (i, chunk) in self.set[offset..].chunks(200_000).enumerate() {
                send(&mut to, &SetChunk { offset: (offset + i * 200_000) as u64, bytes: chunk.to_vec() }.to_frame()).await?;
            }
        } else {
            let charged = self.session.receive_batch(&frame, now_unix_ms()).unwrap().commit(&mut self.ledger).unwrap();
            let slice = charged.evaluate_slice(&self.keys, 0..charged.len()).unwrap();
            let proved = charged.prove(&self.keys, vec![slice], &mut self.rng).unwrap();
            let answer = self.session.answer(proved).unwrap();
            send(&mut to, &answer).await?;
            self.batches += 1;
        }
        to.finish()
    }
}
