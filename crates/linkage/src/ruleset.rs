//! Rulesets by name: what they emit, under which digest, and what that lets one test.

use std::sync::LazyLock;

use crate::data::{self, Edition, Tables, tables};
use crate::fold::fold;
use crate::keyed::Keyed;
use crate::text::Text;
use crate::{Canonical, ExplainedToken, Measured, NotSubmitted, Row, RulesetError, TokenArena, address, name, postal, token};

/// What a match under a ruleset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulesetClass {
    /// "Is this the address you have for this person?" Every key holds the full delivery line.
    ConfirmAddress,
    /// "Do you hold this person?" Refused by a policy unless it says otherwise.
    FindPerson,
}

impl RulesetClass {
    /// The name on the wire and in reports: `confirm-address` or `find-person`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RulesetClass::ConfirmAddress => "confirm-address",
            RulesetClass::FindPerson => "find-person",
        }
    }
}

/// One rule of a ruleset: a key, published with the predicate it lets a verifier test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number in the token; never 0xFFFF.
    pub number: u16,
    /// A word or two for it.
    pub name: String,
    /// The canonical fields in the token's order.
    pub fields: Vec<String>,
    /// What a match says of the holder's records.
    pub predicate: String,
}

/// Whose row it is: the two sides of a key may emit different tokens of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A submitted pair.
    Verifier,
    /// A record of the holder's.
    Holder(Place),
}

/// How many of the holder's records share a record's delivery line ([`Ruleset::place`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At most [`Ruleset::crowd_max`].
    #[default]
    Quiet,
    /// More: keys that tell the people of a crowded place badly apart emit nothing.
    Crowded,
}

/// A versioned set of canonicalisation and match rules.
#[derive(Debug)]
pub struct Ruleset {
    name: String,
    class: RulesetClass,
    tokens_per_pair: u16,
    rules: Vec<Rule>,
    digest: [u8; 32],
    keyed: Option<Keyed>,
}

/// The rulesets of several keys that are built in.
const KEYED: [&str; 3] = [
    include_str!("../../../protocol-spec/rulesets/us-confirm-1.toml"),
    include_str!("../../../protocol-spec/rulesets/us-confirm-wide-1.toml"),
    include_str!("../../../protocol-spec/rulesets/us-find-1.toml"),
];

/// The rulesets of this build, made on first use.
static RULESETS: LazyLock<Vec<Ruleset>> = LazyLock::new(|| {
    // A file that does not parse is no ruleset of this build; a test holds that all do.
    let keyed = KEYED.iter().filter_map(|text| Keyed::parse(text).ok()).map(Ruleset::of_keys);
    core::iter::once(us_exact_1()).chain(keyed).collect()
});

fn us_exact_1() -> Ruleset {
    let predicate = "The holder has a record with this first given name, this family name, this \
                     complete delivery line (house number, directions, street and type; or post \
                     office box; or rural or highway-contract route and box; or military box) and \
                     this five-digit ZIP code.";
    Ruleset {
        name: "us-exact-1".to_owned(),
        class: RulesetClass::ConfirmAddress,
        tokens_per_pair: 1,
        rules: vec![Rule {
            number: 1,
            name: "exact".to_owned(),
            fields: ["given", "family", "delivery", "zip5"].map(str::to_owned).to_vec(),
            predicate: predicate.to_owned(),
        }],
        digest: data::digest(),
        keyed: None,
    }
}

/// The canonical fields of one row, on the stack.
struct Fields {
    given: Text,
    family: Text,
    delivery: Text,
    zip5: Text,
}

impl Ruleset {
    /// The ruleset called `name`, if this build has it.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Ruleset> {
        Self::all().iter().find(|r| r.name == name)
    }

    /// Every ruleset of this build.
    #[must_use]
    pub fn all() -> &'static [Ruleset] {
        &RULESETS
    }

    /// Reads a ruleset of one's own from its file's text (K-1).
    ///
    /// # Errors
    /// What the file breaks; also one that has the name of a built-in ruleset.
    pub fn from_toml(text: &str) -> Result<Ruleset, RulesetError> {
        let keyed = Keyed::parse(text)?;
        if Self::by_name(keyed.name()).is_some() {
            return Err(RulesetError::Member { member: "name", what: "is that of a built-in ruleset".to_owned() });
        }
        Ok(Self::of_keys(keyed))
    }

    fn of_keys(keyed: Keyed) -> Self {
        Ruleset {
            name: keyed.name().to_owned(),
            class: keyed.class(),
            tokens_per_pair: keyed.tokens_per_pair(),
            rules: keyed.published(),
            digest: keyed.digest,
            keyed: Some(keyed),
        }
    }

    /// Its name, version included: `us-exact-1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a match under it means.
    #[must_use]
    pub fn class(&self) -> RulesetClass {
        self.class
    }

    /// SHA-256 over its data files: what two peers compare before anything else.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// T: the tokens one submitted row gives, exactly.
    #[must_use]
    pub fn tokens_per_pair(&self) -> u16 {
        self.tokens_per_pair
    }

    /// Its rules with the predicates they let a verifier test.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What was measured of it on labelled people; nothing for a ruleset that is not built in.
    #[must_use]
    pub fn measured(&self) -> Vec<Measured> {
        Measured::of(&self.name)
    }

    /// What this row's tokens are, of a pair, in order: the slots that are left hold dummies. For the row's owner alone.
    ///
    /// # Errors
    /// Why the row gives no token.
    pub fn explain(&self, row: &Row<'_>) -> Result<Vec<ExplainedToken>, NotSubmitted> {
        let mut tokens = TokenArena::new();
        self.tokenize(Side::Verifier, row, &mut tokens)?;
        Ok(tokens.iter().filter_map(ExplainedToken::of).collect())
    }

    /// The most records that may share a delivery line before it is crowded; `None` where no key
    /// asks, and then [`place`](Self::place) need not be counted.
    #[must_use]
    pub fn crowd_max(&self) -> Option<u32> {
        self.keyed.as_ref()?.crowd_max()
    }

    /// A number that records at one delivery line and ZIP code share, for counting them: not a
    /// secret of its own, but as guessable as the address. `None` where the row gives no token.
    #[must_use]
    pub fn place(&self, row: &Row<'_>) -> Option<u64> {
        self.keyed.as_ref()?.place(row)
    }

    /// Appends this row's tokens to `out`, each at most
    /// [`TOKEN_BYTES_MAX`](crate::TOKEN_BYTES_MAX) bytes, all different: of a pair at least one
    /// and at most [`tokens_per_pair`](Self::tokens_per_pair), of a record any number.
    ///
    /// # Errors
    /// Why the row gives no token; `out` is then unchanged.
    pub fn tokenize(&self, side: Side, row: &Row<'_>, out: &mut TokenArena) -> Result<(), NotSubmitted> {
        if let Some(keyed) = &self.keyed {
            let before = out.len();
            return keyed.tokenize(side, row, out).inspect_err(|_| out.truncate(before));
        }
        let fields = fields(tables(Edition::Us1), row)?;
        let digest = self.digest();
        out.push_with(|bytes| token::encode(&digest, 1, &fields.in_order(), bytes))
    }

    /// The canonical fields of this row, for tests and an operator's own data.
    ///
    /// # Errors
    /// Why the row gives no token, as [`tokenize`](Self::tokenize) would.
    pub fn canonicalize(&self, row: &Row<'_>) -> Result<Canonical, NotSubmitted> {
        if let Some(keyed) = &self.keyed {
            return keyed.shown(row).map(|parts| Canonical { parts });
        }
        let fields = fields(tables(Edition::Us1), row)?;
        // The token's length is the last thing that can refuse a row.
        token::encode(&self.digest(), 1, &fields.in_order(), &mut Vec::new())?;
        let parts = ["given", "family", "delivery", "zip5"].into_iter().zip(fields.in_order());
        let text = |bytes: &[u8]| core::str::from_utf8(bytes).unwrap_or_default().to_owned();
        Ok(Canonical { parts: parts.map(|(name, bytes)| (name, text(bytes))).collect() })
    }
}

impl Fields {
    fn in_order(&self) -> [&[u8]; 4] {
        [self.given.as_bytes(), self.family.as_bytes(), self.delivery.as_bytes(), self.zip5.as_bytes()]
    }
}

/// Name, address, postal code, in this order: the first refusal is the reason.
fn fields(tables: &Tables, row: &Row<'_>) -> Result<Fields, NotSubmitted> {
    let mut fields = Fields { given: Text::new(), family: Text::new(), delivery: Text::new(), zip5: Text::new() };
    name::canonical(tables, row.name, &mut fields.given, &mut fields.family)?;
    let mut folded = Text::new();
    fold(tables, row.address, &mut folded)?;
    address::canonical(tables, &folded, &mut fields.delivery)?;
    fold(tables, row.postal_code, &mut folded)?;
    postal::write(&folded, &mut fields.zip5)?;
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, TOKEN_LABEL};

    fn row(address: &str) -> Row<'_> {
        Row { name: Name::Whole("Ann Lee"), address, unit: "", city: "", state: "", postal_code: "98104" }
    }

    #[test]
    fn names_are_unique_and_found() {
        for ruleset in Ruleset::all() {
            let found = Ruleset::by_name(ruleset.name()).unwrap();
            assert_eq!(found.digest(), ruleset.digest());
        }
        assert!(Ruleset::by_name("us-exact-2").is_none());
        assert!(Ruleset::by_name("US-EXACT-1").is_none());
    }

    /// the layout, and the digest inside every token.
    #[test]
    fn a_token_names_its_ruleset_and_rule() {
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let mut out = TokenArena::new();
        ruleset.tokenize(Side::Verifier, &row("12 Main St"), &mut out).unwrap();
        let token = out.get(0).unwrap();
        assert_eq!(&token[2..16], TOKEN_LABEL);
        assert_eq!(token[18..50], ruleset.digest());
        assert_eq!(token[50..53], [0, 1, 4]);
        assert_eq!(&token[53..], b"\0\x03ann\0\x03lee\0\x0a12 main st\0\x0598104");
    }

    #[test]
    fn a_refused_row_leaves_the_arena_alone() {
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let mut out = TokenArena::new();
        ruleset.tokenize(Side::Verifier, &row("12 Main St"), &mut out).unwrap();
        let before = out.bytes_len();
        let refused = ruleset.tokenize(Side::Verifier, &row("Main St"), &mut out);
        assert_eq!(refused, Err(NotSubmitted::IncompleteAddress));
        assert_eq!((out.len(), out.bytes_len()), (1, before));
    }

    #[test]
    fn debug_shows_no_value() {
        let row = row("12 Main St");
        let canonical = Ruleset::by_name("us-exact-1").unwrap().canonicalize(&row).unwrap();
        let shown = format!("{row:?} {:?} {canonical:?}", row.name).to_lowercase();
        for value in ["ann", "main", "98104"] {
            // "canonical" itself begins with c-an.
            assert!(!shown.replace("canonical", "").contains(value), "{shown}");
        }
    }
}
