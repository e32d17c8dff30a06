//! Rows of people to canonical fields to PRF tokens, under versioned rulesets.
//!
//! A [`Row`] is a name and an address as some agency wrote them. A [`Ruleset`] turns it into
//! canonical fields and those into tokens, the byte strings two peers compare through the PRF:
//!
//! ```
//! use oblink_linkage::{Name, Row, Ruleset, Side, TokenArena};
//!
//! let ruleset = Ruleset::by_name("us-exact-1").ok_or("no such ruleset")?;
//! let mut tokens = TokenArena::new();
//! let row = Row {
//!     name: Name::Whole("Dr. José O'Neill, Jr."),
//!     address: "0012 North Main Street, Apt 4",
//!     unit: "",
//!     city: "Springfield",
//!     state: "MA",
//!     postal_code: "1103",
//! };
//! let same = Row {
//!     name: Name::Parts { given: "JOSE", middle: "", family: "ONEILL", suffix: "" },
//!     address: "12 N MAIN ST",
//!     postal_code: "01103-2214",
//!     ..row
//! };
//! ruleset.tokenize(Side::Verifier, &row, &mut tokens)?;
//! ruleset.tokenize(Side::Verifier, &same, &mut tokens)?;
//! assert_eq!(tokens.get(0), tokens.get(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Any change of output is a new ruleset version.** Character folding and every word table are
//! data files of the project, under the ruleset's digest; no library's Unicode tables take part,
//! because two agencies with different library versions would silently stop matching. The
//! algorithms themselves are specified, step by step, in `protocol-spec/RULESET-us-exact-1.md`
//! (anchors `R-1`, `R-2`, …), `CANONICALISER-us-2.md` (`C-1`, …) and `RULESETS-keyed.md` (`K-1`, …).
//!
//! The crate is pure: no input or output, no threads, and under
//! `us-exact-1` a row costs no heap allocation.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr))]

mod address;
mod arena;
mod canonical;
mod data;
mod explain;
mod fold;
mod keyed;
#[doc(hidden)]
pub mod labelled;
mod measured;
mod name;
mod postal;
mod reason;
mod row;
mod ruleset;
mod text;
mod token;

pub use arena::{TokenArena, TokenIter};
pub use canonical::Canonical;
pub use explain::ExplainedToken;
pub use keyed::RulesetError;
pub use measured::{Interval, Measured};
pub use reason::NotSubmitted;
pub use row::{Name, Row};
pub use ruleset::{Place, Rule, Ruleset, RulesetClass, Side};
pub use token::{DUMMY_RULE, TOKEN_BYTES_MAX, TOKEN_LABEL, dummy_token};
