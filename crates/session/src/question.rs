//! What a verifier brings to a session: a request, the signatures over it, and the batches that were approved (SPEC REQ-3, REQ-5).

use crate::commitment::blinded_leaf;
use crate::error::Error;
use crate::merkle::{Hash, Tree};
use crate::request::Request;

/// The digests of all blinded batches of an authorised request, in order, and that they are those under its `blinded_root`: made only by
/// [`Question::authorised`].
#[derive(Debug)]
pub(crate) struct ApprovedBatches {
    digests: Vec<[u8; 32]>,
    tree: Tree,
}

impl ApprovedBatches {
    /// The digests, in order.
    pub(crate) fn digests(&self) -> &[[u8; 32]] {
        &self.digests
    }

    /// The inclusion path of a batch; `None` where it is not the one that was approved under its index.
    pub(crate) fn path(&self, index: u64, blinded_digest: &[u8; 32]) -> Option<Vec<Hash>> {
        let approved = usize::try_from(index).ok().and_then(|index| self.digests.get(index))?;
        if approved == blinded_digest { self.tree.path(index) } else { None }
    }
}

/// A request to be put to a holder.
#[derive(Debug)]
pub struct Question {
    pub(crate) request: Request,
    pub(crate) signatures: Vec<Vec<u8>>,
    pub(crate) approved: Option<ApprovedBatches>,
}

impl Question {
    /// A request of pilot mode: no signatures, no commitment.
    ///
    /// # Errors
    /// [`Error::Internal`] where the request commits to its batches.
    pub fn unsigned(request: Request) -> Result<Self, Error> {
        if request.manifest().is_some() {
            return Err(Error::Internal("an authorised request needs the digests of its batches"));
        }
        Ok(Self { request, signatures: Vec::new(), approved: None })
    }

    /// An authorised request with the officials' signatures (armoured, SPEC SIG-1) and the digests of all its blinded batches in order.
    ///
    /// # Errors
    /// [`Error::OtherBatches`] where the digests are not those under the request's `blinded_root`; [`Error::Internal`] for an unsigned request.
    pub fn authorised(request: Request, signatures: Vec<Vec<u8>>, digests: Vec<[u8; 32]>) -> Result<Self, Error> {
        let manifest = request.manifest().ok_or(Error::Internal("an unsigned request approves no batches"))?;
        if digests.len() as u64 != request.batches() {
            return Err(Error::OtherBatches);
        }
        let tree = Tree::new(digests.iter().map(blinded_leaf).collect());
        if tree.root() != manifest.blinded_root {
            return Err(Error::OtherBatches);
        }
        Ok(Self { request, signatures, approved: Some(ApprovedBatches { digests, tree }) })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }
}
