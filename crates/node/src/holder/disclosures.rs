//! A verifier's word on what matched, on a connection of its own (SPEC DIS-2), where its request agreed to say it.

use std::sync::Arc;
use std::time::Duration;

use oblink_quic::{Fingerprint, FrameReceiver, FrameSender};
use oblink_session::disclosure::{DisclosureDue, ReceivingDisclosure};
use oblink_session::error::RefusalCode;
use oblink_session::request::Disclosure;
use oblink_session::wire::{DisclosureMessage, Frame, FrameType};
use sha2::{Digest, Sha256};

use super::serve::{Shared, now};
use super::sessions::{End, blocking, refuse};
use crate::failure::Failure;
use crate::frames::{Traffic, receive, send};

/// How long a verifier may take for each frame of it.
const FRAME_WAIT: Duration = Duration::from_secs(30);

/// What came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disclosed {
    pub(super) session_id: [u8; 16],
    pub(super) kind: Disclosure,
    pub(super) matched: u64,
}

/// What the ledger has of a session of which something is owed; `None` where it is unknown, not complete, or owes nothing.
fn due(shared: &Shared, session_id: &[u8; 16]) -> Result<Option<DisclosureDue>, Failure> {
    let ledger = shared.ledger();
    let (Some(session), Some(receipt)) = (ledger.session(session_id)?, ledger.receipt(session_id)?) else { return Ok(None) };
    let kind = session.disclosure.parse().map_err(|_| Failure::input("ledger", "the ledger has a disclosure of no known kind"))?;
    if kind == Disclosure::None {
        return Ok(None);
    }
    Ok(Some(DisclosureDue {
        session_id: *session_id,
        receipt_digest: Sha256::digest(&receipt.body).into(),
        verifier: session.verifier,
        verifier_certificate: receipt.verifier_certificate,
        kind,
        pairs: session.pairs,
        tokens: session.tokens,
    }))
}

/// Receives a disclosure from its first frame on, makes it durable, and answers Closed.
pub(super) async fn receive_all(
    shared: &Arc<Shared>,
    sender: Fingerprint,
    first: Frame,
    to: &mut FrameSender,
    from: &mut FrameReceiver,
    traffic: &Arc<Traffic>,
) -> Result<Disclosed, End> {
    let looking = Arc::clone(shared);
    let (mut receiving, disclosed) = blocking(move || {
        let message = DisclosureMessage::from_frame(&first).map_err(oblink_session::Error::from)?;
        let due = due(&looking, &message.session_id)?;
        let kind = due.as_ref().map_or(Disclosure::None, |due| due.kind);
        let receiving = ReceivingDisclosure::begin(&first, sender.as_bytes(), due)?;
        Ok((receiving, Disclosed { session_id: message.session_id, kind, matched: message.matched }))
    })
    .await?;
    while !receiving.is_whole() {
        let frame = match tokio::time::timeout(FRAME_WAIT, receive(from, &[FrameType::DisclosedTags], traffic)).await {
            Ok(frame) => frame?,
            // It may be told again: nothing of it is wrong.
            Err(_) => return Err(refuse(RefusalCode::Busy, "the tags did not come in time")),
        };
        receiving.receive_tags(&frame)?;
    }
    let keeping = Arc::clone(shared);
    let closed = blocking(move || Ok(receiving.finish()?.commit(&mut *keeping.ledger(), now())?)).await?;
    send(to, &closed, traffic).await?;
    Ok(disclosed)
}
