//! Batches without a session: what a request commits to before anybody is asked, and what an audit computes again (SPEC REQ-5).

use super::batches::{BatchPlan, BlindedBatch};
use crate::request::Request;
use oblink_oprf::NE;

impl BatchPlan {
    /// Batch `index` of a request, of no session: its blinding is the same as in any session, since blinds depend on request, seed and tokens
    /// alone (SPEC BLD-1). `None` for an index that the request does not have.
    #[must_use]
    pub fn rehearsed(request: &Request, index: u64) -> Option<Self> {
        let (first_token, tokens) = request.batch(index)?;
        Some(Self { session_id: [0; 16], index, first_token, tokens })
    }
}

impl BlindedBatch {
    /// The digest of its elements (SPEC BAT-1): what a leaf under `blinded_root` is of.
    #[must_use]
    pub fn blinded_digest(&self) -> &[u8; 32] {
        &self.blinded_digest
    }

    /// Its elements in order, Ne bytes each.
    #[must_use]
    pub fn elements(&self) -> &[[u8; NE]] {
        &self.elements
    }
}
