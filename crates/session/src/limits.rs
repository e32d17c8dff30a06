//! Every limit of the protocol, in one place. A length read from a peer is compared with one of these before anything is allocated for it.

/// Protocol versions this build speaks, ascending (SPEC HSK-1).
pub const VERSIONS: &[u16] = &[1];
/// Most versions or suites in one Hello (SPEC FRM-4).
pub const OFFERS_MAX: usize = 16;
/// Most bytes of a request (SPEC FRM-4).
pub const REQUEST_BYTES_MAX: usize = 65_536;
/// Most signatures beside a request (SPEC FRM-4).
pub const SIGNATURES_MAX: usize = 64;
/// Most bytes of one signature beside a request (SPEC FRM-4).
pub const SIGNATURE_BYTES_MAX: usize = 4_096;
/// Most hashes of a consistency proof (SPEC MRK-3): a log of 2^63 entries has no more.
pub const CONSISTENCY_MAX: usize = 64;
/// Most hashes of a batch's inclusion path (SPEC BAT-7): of [`BATCHES_MAX`] batches.
pub const BATCH_PATH_MAX: usize = 20;
/// Tags in one DisclosedTags (SPEC DIS-2).
pub const DISCLOSED_TAGS_MAX: usize = 16_384;
/// Most bytes of a refusal's detail (SPEC FRM-4).
pub const DETAIL_BYTES_MAX: usize = 1_024;
/// Most bytes of a receipt's body.
pub const RECEIPT_BYTES_MAX: usize = 8_192;
/// Bytes of the sealed set in one SetChunk (SPEC §5.2).
pub const SET_CHUNK_BYTES_MAX: usize = 262_144;
/// Tokens in a batch unless the request says otherwise (SPEC REQ-1).
pub const BATCH_TOKENS_DEFAULT: u32 = 8_192;
/// Most tokens in a batch: RFC 9497 counts a batch's elements in two bytes.
pub const BATCH_TOKENS_MAX: u32 = 65_535;
/// Most unanswered batches a holder of this build admits (SPEC BAT-4).
pub const BATCHES_IN_FLIGHT_MAX: u16 = 8;
/// Most pairs a request may name (SPEC REQ-1).
pub const PAIRS_MAX: u64 = 1 << 40;
/// Most tokens a ruleset may make of a pair (SPEC REQ-1).
pub const TOKENS_PER_PAIR_MAX: u16 = 64;
/// Pairs of an unsigned request in pilot mode, unless the holder's configuration says otherwise (SPEC HSK-4).
pub const PILOT_PAIRS_MAX_DEFAULT: u64 = 10_000_000;
/// Tokens one epoch's key may evaluate: at most 15 bits are lost to Cheon's attack (SPEC EPO-3).
pub const EPOCH_EVALUATIONS_MAX: u64 = 1 << 30;
/// `session_tokens_max` = this × T unless the holder seals with another (SPEC TAG-2).
pub const SESSION_TOKENS_MAX_DEFAULT: u64 = 1 << 24;
/// The most that two clocks may differ, in milliseconds (SPEC HSK-2).
pub const CLOCK_SKEW_MS_MAX: u64 = 300_000;
/// Tags in a block of a sealed set (SPEC SET-2).
pub const SET_BLOCK_TAGS: u32 = 4_096;
/// Declared tags of a sealed set; keeps τ within 128 bits.
pub const SET_TAGS_MAX: u64 = 1 << 40;
/// Tokens a session may be allowed; keeps τ within 128 bits.
pub const SESSION_TOKENS_CEILING: u64 = 1 << 40;
/// Batches a request may make: what both sides keep of each is bounded by it (SPEC REQ-1).
pub const BATCHES_MAX: u64 = 1 << 20;
/// How often the same batch is answered again for free (SPEC BAT-3): more than any line breaks, less than an attack needs.
pub const BATCH_REPEATS_MAX: u32 = 64;
/// Most batches that Welcome asks to have sent again (SPEC HSK-5).
pub const RESEND_MAX: usize = 64;
/// Most bytes of a free text in a request or a policy (SPEC REQ-6).
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Most bytes of the name of a field, a column or a reason (SPEC REQ-6).
pub const NAME_BYTES_MAX: usize = 64;
/// Most free fields of a request (SPEC REQ-3).
pub const FIELDS_MAX: usize = 32;
/// Most reasons for which a request counts rows left out (SPEC REQ-3).
pub const LEFT_OUT_MAX: usize = 64;
/// Most columns that a request requires (SPEC REQ-3).
pub const REQUIRED_COLUMNS_MAX: usize = 32;
/// Largest integer of canonical JSON (SPEC §1; RFC 8785 §3.2.2.3).
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;
/// Latest time that canonical JSON holds exactly, milliseconds since 1970 (SPEC REQ-3).
pub const TIME_UNIX_MS_MAX: u64 = JSON_INTEGER_MAX;
