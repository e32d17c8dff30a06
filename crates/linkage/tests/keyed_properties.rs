//! What must hold of every row under every keyed ruleset (K-26 to K-33, C-8), and of every text that claims to be a ruleset (K-1, K-40).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::HashSet;

use oblink_linkage::{ExplainedToken, Name, NotSubmitted, Place, Row, Ruleset, RulesetClass, Side, TOKEN_BYTES_MAX, TokenArena};
use proptest::prelude::*;

const FILES: [&str; 3] = [
    include_str!("../../../protocol-spec/rulesets/us-confirm-1.toml"),
    include_str!("../../../protocol-spec/rulesets/us-confirm-wide-1.toml"),
    include_str!("../../../protocol-spec/rulesets/us-find-1.toml"),
];

#[derive(Clone, Debug)]
struct Owned {
    whole: bool,
    names: [String; 4],
    address: String,
    unit: String,
    zip: String,
}

impl Owned {
    fn row(&self) -> Row<'_> {
        let [given, middle, family, suffix] = &self.names;
        Row {
            name: if self.whole { Name::Whole(family) } else { Name::Parts { given, middle, family, suffix } },
            address: &self.address,
            unit: &self.unit,
            city: "",
            state: "",
            postal_code: &self.zip,
        }
    }

    fn map(&self, f: impl Fn(&str) -> String) -> Owned {
        Owned {
            whole: self.whole,
            names: self.names.clone().map(|n| f(&n)),
            address: f(&self.address),
            unit: f(&self.unit),
            zip: f(&self.zip),
        }
    }

    fn tokens(&self, ruleset: &Ruleset, side: Side) -> Result<Vec<Vec<u8>>, NotSubmitted> {
        // What is in the arena already stays, whatever becomes of the row.
        let mut arena = TokenArena::new();
        let sentinel = Row { name: Name::Whole("Ann B Lee"), address: "12 Main St", unit: "", city: "", state: "", postal_code: "98104" };
        ruleset.tokenize(Side::Verifier, &sentinel, &mut arena).unwrap();
        let before: Vec<Vec<u8>> = arena.iter().map(<[u8]>::to_vec).collect();
        let result = ruleset.tokenize(side, &self.row(), &mut arena);
        let after: Vec<Vec<u8>> = arena.iter().map(<[u8]>::to_vec).collect();
        assert_eq!(after[..before.len()], before);
        let own = after[before.len()..].to_vec();
        assert_eq!(own.is_empty(), result.is_err());
        result.map(|()| own)
    }
}

fn keyed() -> impl Iterator<Item = &'static Ruleset> {
    Ruleset::all().iter().filter(|ruleset| ruleset.tokens_per_pair() > 1)
}

const NAMES: &[&str] = &[
    "John", "Bob", "Al", "Mary-Ann", "de", "la", "St", "Jr", "III", "Dr.", "O'Neill", "van", "der", "Smith", "Stjohns", "Mc", "unknown",
    "baby", "house", "One", ",", "J.", "X", "n/a", "NMN", "Straße", "İpek", "ﬁn", "xx", "Lady", "of", "the", "Doe", "VV", "vvv", "5mith",
    "2nd", "mr", "-", "Xiao", "Ming", "Nguyễn", "Thị", "Al-", "Abdul", "Sergey", "Wong", "Eve", "Schmidt", "Knight", "hh", "ee", "7",
];

const ADDRESSES: &[&str] = &[
    "12",
    "412",
    "0012",
    "12a",
    "10-72",
    "137-05",
    "1/2",
    "34th",
    "e",
    "North",
    "nw",
    "nvv",
    "main",
    "oak",
    "Mapel",
    "ave",
    "avenve",
    "street",
    "kneeshawstreet",
    "st",
    "blvd",
    "park",
    "apt",
    "#4",
    "4b",
    "unit",
    "2nd",
    "floor",
    "rear",
    "po",
    "box",
    "rr",
    "hc",
    "highway",
    "county",
    "road",
    "one",
    "broadway",
    ",",
    "Springfield",
    "IL",
    "62704",
    "general",
    "delivery",
    "unknown",
    "calle",
    "sol",
];

fn glued(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let word = (prop::sample::select(words), prop::sample::select(&[" ", " ", " ", " ", "", "-", ", "][..]));
    prop::collection::vec(word, 0..most).prop_map(|parts| parts.into_iter().flat_map(|(w, sep)| [w, sep]).collect())
}

fn plausible() -> impl Strategy<Value = Owned> {
    let name = |most| glued(NAMES, most);
    let one = || prop::sample::select(NAMES).prop_map(str::to_owned);
    let given = prop_oneof![one(), name(4)];
    let family = prop_oneof![one(), one(), name(4)];
    let address = prop_oneof![
        glued(ADDRESSES, 8),
        glued(ADDRESSES, 5).prop_map(|rest| format!("412 {rest}")),
        glued(ADDRESSES, 3).prop_map(|rest| format!("12 {rest} Main St")),
        (1u32..99_999).prop_map(|number| format!("{number} Oak Ave")),
        (0u32..9_999_999).prop_map(|number| number.to_string()),
    ];
    let zip = prop_oneof![Just("2139".to_owned()), Just("98104-1234".to_owned()), "[0-9]{3,9}"];
    (any::<bool>(), given, prop_oneof![Just(String::new()), one()], family, name(2), address, glued(ADDRESSES, 2), zip).prop_map(
        |(whole, given, middle, family, suffix, address, unit, zip)| Owned {
            whole,
            names: [given, middle, family, suffix],
            address,
            unit,
            zip,
        },
    )
}

fn anything() -> impl Strategy<Value = Owned> {
    let text = || prop_oneof![any::<String>(), "[ -~À-ɏ]{0,40}", "\\PC{0,300}"];
    (any::<bool>(), [text(), text(), text(), text()], text(), text(), text()).prop_map(|(whole, names, address, unit, zip)| Owned {
        whole,
        names,
        address,
        unit,
        zip,
    })
}

fn check(row: &Owned) -> Result<(), TestCaseError> {
    for ruleset in keyed() {
        let pair = row.tokens(ruleset, Side::Verifier);
        let quiet = row.tokens(ruleset, Side::Holder(Place::Quiet));
        let crowded = row.tokens(ruleset, Side::Holder(Place::Crowded));
        for tokens in [&pair, &quiet, &crowded].into_iter().flatten() {
            prop_assert!(tokens.iter().all(|token| token.len() <= TOKEN_BYTES_MAX));
            prop_assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len());
            let rules: Vec<u16> = tokens.iter().map(|token| ExplainedToken::of(token).unwrap().rule).collect();
            prop_assert!(rules.is_sorted() && rules.iter().all(|rule| ruleset.rules().iter().any(|known| known.number == *rule)));
        }
        if let Ok(pair) = &pair {
            prop_assert!((1..=usize::from(ruleset.tokens_per_pair())).contains(&pair.len()));
        }
        // A crowded place's records give some of what a quiet place's do.
        if let Ok(crowded) = &crowded {
            let quiet = quiet.as_ref().unwrap();
            prop_assert!(crowded.iter().all(|token| quiet.contains(token)));
        }
        // Case and trimming change nothing.
        for other in [row.map(str::to_lowercase), row.map(str::to_uppercase), row.map(|s| format!(" \u{a0}\t{s}\r\n "))] {
            prop_assert_eq!(&pair, &other.tokens(ruleset, Side::Verifier));
            prop_assert_eq!(&quiet, &other.tokens(ruleset, Side::Holder(Place::Quiet)));
            prop_assert_eq!(ruleset.place(&row.row()), ruleset.place(&other.row()));
        }
        // What is shown is a pair's; it can fail later alone, where no rule serves.
        let shown = ruleset.canonicalize(&row.row());
        if let Err(reason) = &shown {
            prop_assert_eq!(&pair, &Err(*reason));
        }
        let Ok(shown) = shown else { continue };
        prop_assert!(
            shown
                .parts()
                .iter()
                .all(|(_, part)| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b" -/.".contains(&b)))
        );
        // A pair finds its own row, but where neither has a family name (K-24).
        if let (Ok(pair), Ok(quiet)) = (&pair, &quiet)
            && !shown.get("family").is_empty()
        {
            prop_assert!(pair.iter().any(|token| quiet.contains(token)), "{}", ruleset.name());
        }
        // A pair is asked about an address, or not at all (K-45).
        if ruleset.class() == RulesetClass::ConfirmAddress && pair.is_ok() {
            for part in ["given", "number", "street", "zip"] {
                prop_assert!(!shown.get(part).is_empty(), "{part}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn plausible_rows(row in plausible()) {
        check(&row)?;
    }

    #[test]
    fn any_text(row in anything()) {
        check(&row)?;
    }

    /// Rows do not see each other (K-33).
    #[test]
    fn order_does_not_matter(rows in prop::collection::vec(plausible(), 1..5)) {
        for ruleset in keyed() {
            let run = |order: &mut dyn Iterator<Item = &Owned>| {
                let mut arena = TokenArena::new();
                for row in order {
                    let _ = ruleset.tokenize(Side::Holder(Place::Quiet), &row.row(), &mut arena);
                }
                let mut tokens: Vec<Vec<u8>> = arena.iter().map(<[u8]>::to_vec).collect();
                tokens.sort();
                tokens
            };
            prop_assert_eq!(run(&mut rows.iter()), run(&mut rows.iter().rev()));
        }
    }

    /// A text is a ruleset or an error, and a ruleset's tokens keep its own bounds.
    #[test]
    fn any_file_is_read_or_refused(
        file in prop::sample::select(&FILES[..]),
        from in prop::sample::select(&["1", "2", "\"", "names.formal", "number", "street", "zip", "lacking", "given", "one-unlisted", "present", "true", "us-2", "fields", "less1", "rule", "="][..]),
        to in prop_oneof![
            prop::sample::select(&["", "0", "9", "65535", "given.soundex", "given.joined", "family.words", "street.last8", "zip.less1", "ignored", "equal", "false", "\n", "[", "suffix"][..])
                .prop_map(str::to_owned),
            any::<String>(),
        ],
        at in 0usize..40,
        row in plausible(),
    ) {
        let file = file.replace("us-", "own-").replace("\"own-2\"", "\"us-2\"");
        let mut pieces: Vec<&str> = file.split(from).collect();
        let at = at % pieces.len();
        let joined = if at + 1 < pieces.len() {
            let rest = pieces.split_off(at + 1);
            format!("{}{to}{}", pieces.join(from), rest.join(from))
        } else {
            format!("{file}{to}")
        };
        let Ok(ruleset) = Ruleset::from_toml(&joined) else { return Ok(()) };
        for side in [Side::Verifier, Side::Holder(Place::Quiet), Side::Holder(Place::Crowded)] {
            if let Ok(tokens) = row.tokens(&ruleset, side) {
                prop_assert!(side != Side::Verifier || tokens.len() <= usize::from(ruleset.tokens_per_pair()));
                prop_assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len());
            }
        }
    }

    #[test]
    fn any_text_is_no_ruleset(text in any::<String>()) {
        prop_assert!(Ruleset::from_toml(&text).is_err());
    }
}

/// The built-in files are rulesets of their names, and nobody else's can be (K-1).
#[test]
fn built_in_names_are_taken() {
    for file in FILES {
        assert!(Ruleset::from_toml(file).unwrap_err().to_string().contains("built-in"));
        assert!(Ruleset::from_toml(&file.replace("\nname = \"us-", "\nname = \"own-")).is_ok());
    }
}

/// K-30: whose house it is does not say who is in it, and a record without a line is nowhere.
#[test]
fn a_place_is_a_house() {
    let place = |name: &str, address: &str, unit: &str, zip: &str| {
        let row = Row { name: Name::Whole(name), address, unit, city: "", state: "", postal_code: zip };
        Ruleset::by_name("us-confirm-wide-1").unwrap().place(&row)
    };
    let one = place("Ann B Lee", "412 Maple Ave Apt 3", "", "60614");
    assert!(one.is_some());
    assert_eq!(one, place("Walter Penrose", "412 MAPLE AVENUE", "7", "60614-1234"));
    assert_ne!(one, place("Ann B Lee", "412 Maple Ave", "", "60615"));
    assert_ne!(one, place("Ann B Lee", "414 Maple Ave", "", "60614"));
    assert_eq!(place("Ann B Lee", "412", "", "60614"), None);
    assert_eq!(place("", "412 Maple Ave", "", "60614"), None);
    let row = Row { name: Name::Whole("Ann Lee"), address: "12 Main St", unit: "", city: "", state: "", postal_code: "98104" };
    assert_eq!(Ruleset::by_name("us-exact-1").unwrap().place(&row), None);
}

/// (K-23) No built-in ruleset has such a rule; those of one's own may: two things on one side and none of them on the other.
#[test]
fn one_side_has_more() {
    let (head, _) = FILES[0].split_once("[[rule]]").unwrap();
    let own = head.replace("us-confirm-1", "own-1")
        + "[[rule]]\nnumber = 1\nname = \"more on one side\"\nfields = [\"names.formal\", \"number\", \"street\", \"zip\"]\n\
           one_side_has = [\"middle\", \"unit\"]\none_side_has_min = 2\n";
    let own = Ruleset::from_toml(&own).unwrap();
    let tokens = |side, name: &str, unit: &str| {
        let mut arena = TokenArena::new();
        let row = Row { name: Name::Whole(name), address: "412 Maple Ave", unit, city: "", state: "", postal_code: "60614" };
        own.tokenize(side, &row, &mut arena).map(|()| arena.iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
    };
    let holder = Side::Holder(Place::Quiet);
    let (full, bare) = (("Ann B Lee", "3"), ("Ann Lee", ""));
    for (pair, record, meet) in [(full, bare, true), (bare, full, true), (full, full, false), (bare, bare, false)] {
        let (asked, held) = (tokens(Side::Verifier, pair.0, pair.1).unwrap(), tokens(holder, record.0, record.1).unwrap());
        assert_eq!(asked == held, meet, "{pair:?} {record:?}");
    }
    // One of the two alone is neither.
    assert!(tokens(Side::Verifier, "Ann B Lee", "").is_err() && tokens(holder, "Ann Lee", "3").is_err());
}
