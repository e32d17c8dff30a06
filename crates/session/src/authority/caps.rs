//! What a verdict hands to the ledger.

/// What a policy allows one verifier beside the single request, in numbers that only the ledger can hold against all of its sessions
/// (SPEC POL-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Length of the rolling window, milliseconds back from now.
    pub window_ms: u64,
    /// Most requests admitted in a window.
    pub window_requests_max: u64,
    /// Most pairs asked in a window.
    pub window_pairs_max: u64,
    /// Most evaluations in a window: charged, or reserved by open sessions.
    pub window_tokens_max: u64,
    /// Most requests admitted in the epoch.
    pub epoch_requests_max: u64,
    /// Most pairs asked in the epoch.
    pub epoch_pairs_max: u64,
    /// Most evaluations in the epoch: charged, or reserved by open sessions.
    pub epoch_tokens_max: u64,
}

/// Which side an official signs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The verifier's officials, who ask.
    Verifier,
    /// The holder's officials, who countersign.
    Holder,
}

/// An official whose signature counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Whose official it is.
    pub side: Side,
    /// The principal of the holder's list of allowed signers.
    pub principal: String,
    /// The key, as `SHA256:…`.
    pub key: String,
}
