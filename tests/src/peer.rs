//! A modified verifier: the identity and the statement key of a real home, and nothing that keeps it from sending what it likes.

use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oblink_quic::{Connection, Fingerprint, FrameReceiver, FrameSender, Identity, Options, dial};
use oblink_session::error::{Refusal, RefusalCode};
use oblink_session::limits::VERSIONS;
use oblink_session::statement::{StatementKey, StatementKind, batch_statement_body};
use oblink_session::transcript::session_id;
use oblink_session::wire::raw::blinded_digest;
use oblink_session::wire::{Batch, Complete, Evaluated, Frame, FrameType, Hello, Welcome};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use crate::asking::{Asked, fingerprint_bytes, now_unix_ms};
use crate::keys::Keys;
use crate::{LIMIT, Party};

/// Why there was no answer.
#[derive(Clone, Debug)]
pub enum No {
    /// The holder refused.
    Refused(Refusal),
    /// The line is gone.
    Gone(String),
}

impl No {
    /// The refusal's code.
    ///
    /// # Panics
    /// Where the line broke instead.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Gone(why) => panic!("the line broke: {why}"),
        }
    }
}

fn gone(error: impl Display) -> No {
    No::Gone(error.to_string())
}

/// A modified verifier.
pub struct Peer {
    runtime: Arc<Runtime>,
    identity: Identity,
    statement: StatementKey,
    verifier: [u8; 32],
    holder: [u8; 32],
    /// Evaluated elements that ever came.
    elements: AtomicU64,
    /// Blinded digests of the batches whose answers came.
    answered: Mutex<Vec<[u8; 32]>>,
    /// Whether to wait for nothing more.
    over: AtomicBool,
}

/// A connection of its, with the control stream.
pub struct Line<'a> {
    peer: &'a Peer,
    connection: Connection,
    to: FrameSender,
    from: FrameReceiver,
}

/// An admitted session.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What the holder said.
    pub welcome: Welcome,
    /// The session.
    pub session_id: [u8; 16],
    request_digest: [u8; 32],
}

async fn receive(peer: &Peer, from: &mut FrameReceiver, due: FrameType) -> Result<Frame, No> {
    let limit =
        |byte: u8| FrameType::from_byte(byte).filter(|kind| [due, FrameType::Refusal].contains(kind)).map(FrameType::body_bytes_max);
    let (kind, body) = tokio::select! {
        biased;
        received = tokio::time::timeout(LIMIT, from.receive(limit)) => received.map_err(gone)?.map_err(gone)?,
        () = peer.given_up() => return Err(No::Gone("given up".to_owned())),
    };
    let frame = Frame::from_parts(kind, body).map_err(gone)?;
    if frame.kind == FrameType::Refusal { Err(No::Refused(Refusal::from_frame(&frame).map_err(gone)?)) } else { Ok(frame) }
}

async fn begin(connection: &Connection, batch: &Batch) -> Result<FrameReceiver, No> {
    let (mut to, from) = connection.open_stream().await.map_err(gone)?;
    let frame = batch.to_frame();
    to.send(frame.kind as u8, &[&frame.body]).await.map_err(gone)?;
    to.finish().map_err(gone)?;
    Ok(from)
}

async fn end(peer: &Peer, batch: &Batch, mut from: FrameReceiver) -> Result<Evaluated, No> {
    let answer = receive(peer, &mut from, FrameType::Evaluated).await?;
    let evaluated = Evaluated::from_frame(&answer).unwrap();
    peer.elements.fetch_add(evaluated.evaluated.len() as u64, Ordering::SeqCst);
    peer.answered.lock().unwrap().push(blinded_digest(batch.index, &batch.blinded));
    Ok(evaluated)
}

async fn one(peer: &Peer, connection: &Connection, batch: &Batch) -> Result<Evaluated, No> {
    end(peer, batch, begin(connection, batch).await?).await
}

impl Peer {
    /// Takes the keys of a verifier's home.
    ///
    /// # Panics
    /// Where it cannot be opened.
    #[must_use]
    pub fn new(verifier: &Party, holder: &Party) -> Self {
        let keys = Keys::of(&verifier.home);
        Self {
            runtime: Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()),
            identity: keys.identity,
            statement: keys.statement,
            verifier: *keys.fingerprint.as_bytes(),
            holder: fingerprint_bytes(&holder.fingerprint),
            elements: AtomicU64::new(0),
            answered: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// Evaluated elements that ever came.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.elements.load(Ordering::SeqCst)
    }

    /// Blinded digests of the batches whose answers came, in that order.
    ///
    /// # Panics
    /// Where a test has panicked.
    #[must_use]
    pub fn answered(&self) -> Vec<[u8; 32]> {
        self.answered.lock().unwrap().clone()
    }

    /// This verifier's statement key.
    #[must_use]
    pub fn statement_key(&self) -> &StatementKey {
        &self.statement
    }

    /// Waits for nothing more, in whatever thread it does; or does again. A holder that is killed says nothing: only silence shows it.
    pub fn give_up(&self, over: bool) {
        self.over.store(over, Ordering::SeqCst);
    }

    async fn given_up(&self) {
        while !self.over.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Connects.
    ///
    /// # Errors
    /// [`No::Gone`].
    pub fn dial(&self, address: &str) -> Result<Line<'_>, No> {
        self.block(async {
            let address = address.parse().unwrap();
            let options = Options::default();
            let connection = tokio::select! {
                dialed = dial(address, &self.identity, Fingerprint::from_bytes(self.holder), &options) => dialed.map_err(gone)?,
                () = self.given_up() => return Err(No::Gone("given up".to_owned())),
            };
            let (to, from) = connection.open_stream().await.map_err(gone)?;
            Ok(Line { peer: self, connection, to, from })
        })
    }

    /// The Hello that an honest verifier would say; any member can be changed.
    #[must_use]
    pub fn hello(&self, asked: &Asked) -> Hello {
        Hello {
            versions: VERSIONS.to_vec(),
            suites: vec![oblink_session::epoch::SUITE_RISTRETTO255],
            nonce: asked.nonce,
            clock_unix_ms: now_unix_ms(),
            certificate: *self.statement.certificate(),
            request: asked.bytes.clone(),
            signatures: asked.signatures.clone(),
            head_size: 0,
            head_root: [0; 32],
        }
    }

    /// Dials, says an honest Hello, and gives the refusal that is due.
    ///
    /// # Panics
    /// Where it is admitted, or the line breaks.
    #[must_use]
    pub fn refused(&self, address: &str, asked: &Asked) -> RefusalCode {
        self.refused_hello(address, &self.hello(asked))
    }

    /// Likewise with any Hello.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn refused_hello(&self, address: &str, hello: &Hello) -> RefusalCode {
        let mut line = self.dial(address).unwrap();
        let no = line.say(hello).expect_err("this should not have been admitted");
        line.leave();
        no.code()
    }

    /// The session that this Hello and this Welcome make.
    #[must_use]
    pub fn admitted(&self, hello: &Hello, welcome: Welcome) -> Admitted {
        let request_digest = Sha256::digest(&hello.request).into();
        let session_id = session_id(&self.verifier, &self.holder, &hello.nonce, &welcome.nonce, &request_digest);
        Admitted { welcome, session_id, request_digest }
    }

    /// A batch with a statement that holds, whatever its elements, index and path.
    #[must_use]
    pub fn batch(&self, admitted: &Admitted, index: u64, elements: &[[u8; 32]], path: Vec<[u8; 32]>) -> Batch {
        let welcome = &admitted.welcome;
        let body = batch_statement_body(
            &admitted.session_id,
            &admitted.request_digest,
            &welcome.epoch_id,
            &welcome.set_id,
            index,
            &blinded_digest(index, elements),
        );
        Batch { index, blinded: elements.to_vec(), statement: self.statement.sign(StatementKind::Batch, &body), path }
    }

    /// The batch that was approved under `index`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn approved(&self, admitted: &Admitted, asked: &Asked, index: u64) -> Batch {
        self.batch(admitted, index, &asked.batches[index as usize], asked.tree.path(index).unwrap())
    }

    /// Connects, says the honest Hello, and has the first approved batch answered: a session under way.
    ///
    /// # Panics
    /// Where any of it is refused.
    #[must_use]
    pub fn begin(&self, address: &str, asked: &Asked) -> (Line<'_>, Admitted) {
        let mut line = self.dial(address).unwrap();
        let admitted = line.say(&self.hello(asked)).unwrap();
        assert!(line.ask(&self.approved(&admitted, asked, 0)).is_ok());
        (line, admitted)
    }
}

impl Line<'_> {
    /// Says Hello.
    ///
    /// # Errors
    /// [`No`].
    pub fn say(&mut self, hello: &Hello) -> Result<Admitted, No> {
        let frame = hello.to_frame().unwrap();
        let welcome = self.peer.block(async {
            self.to.send(frame.kind as u8, &[&frame.body]).await.map_err(gone)?;
            receive(self.peer, &mut self.from, FrameType::Welcome).await
        })?;
        Ok(self.peer.admitted(hello, Welcome::from_frame(&welcome).unwrap()))
    }

    /// Asks a batch on a stream of its own, and counts what comes.
    ///
    /// # Errors
    /// [`No`].
    pub fn ask(&self, batch: &Batch) -> Result<Evaluated, No> {
        self.peer.block(one(self.peer, &self.connection, batch))
    }

    /// Asks several at once, each on a stream of its own; the first error ends it.
    ///
    /// # Errors
    /// [`No`].
    pub fn ask_all(&self, batches: &[Batch]) -> Result<(), No> {
        self.peer.block(async {
            let mut streams = Vec::new();
            for batch in batches {
                streams.push(begin(&self.connection, batch).await?);
            }
            for (batch, stream) in batches.iter().zip(streams) {
                end(self.peer, batch, stream).await?;
            }
            Ok(())
        })
    }

    /// Sends any frame as the first one of the control stream, and gives the answer, which should be of this type.
    ///
    /// # Errors
    /// [`No`].
    pub fn begin_with(&mut self, frames: &[Frame], due: FrameType) -> Result<Frame, No> {
        self.peer.block(async {
            for frame in frames {
                self.to.send(frame.kind as u8, &[&frame.body]).await.map_err(gone)?;
            }
            receive(self.peer, &mut self.from, due).await
        })
    }

    /// Says that it is complete.
    ///
    /// # Errors
    /// [`No`].
    pub fn complete(&mut self, transcript: [u8; 64]) -> Result<Frame, No> {
        let frame = Complete { transcript }.to_frame().unwrap();
        self.peer.block(async {
            self.to.send(frame.kind as u8, &[&frame.body]).await.map_err(gone)?;
            receive(self.peer, &mut self.from, FrameType::Receipt).await
        })
    }

    /// Closes the connection, so that the holder need not wait.
    pub fn leave(self) {
        self.connection.close(0, "done");
        self.peer.block(self.connection.drained(Duration::from_secs(1)));
    }
}
