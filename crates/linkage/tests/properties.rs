//! What must hold for every row (R-7 to R-9): stable, closed under case and trimming, bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use oblink_linkage::{Canonical, Name, NotSubmitted, Row, Ruleset, Side, TOKEN_BYTES_MAX, TokenArena};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Owned {
    whole: bool,
    names: [String; 4],
    address: String,
    zip: String,
}

impl Owned {
    fn row(&self) -> Row<'_> {
        let [given, middle, family, suffix] = &self.names;
        Row {
            name: if self.whole { Name::Whole(family) } else { Name::Parts { given, middle, family, suffix } },
            address: &self.address,
            unit: "",
            city: "",
            state: "",
            postal_code: &self.zip,
        }
    }

    fn map(&self, f: impl Fn(&str) -> String) -> Owned {
        Owned { whole: self.whole, names: self.names.clone().map(|n| f(&n)), address: f(&self.address), zip: f(&self.zip) }
    }

    fn canonical(&self) -> Result<Canonical, NotSubmitted> {
        Ruleset::by_name("us-exact-1").unwrap().canonicalize(&self.row())
    }

    fn token(&self) -> Result<Vec<u8>, NotSubmitted> {
        let mut arena = TokenArena::new();
        let result = Ruleset::by_name("us-exact-1").unwrap().tokenize(Side::Verifier, &self.row(), &mut arena);
        assert_eq!(arena.len(), usize::from(result.is_ok()));
        result.map(|()| arena.get(0).unwrap().to_vec())
    }
}

const NAME_WORDS: &[&str] = &[
    "John",
    "Mary-Ann",
    "de",
    "la",
    "St",
    "St.",
    "Jr",
    "III",
    "Dr.",
    "O'Neill",
    "van",
    "der",
    "Smith",
    "Stjohns",
    "Mc",
    "unknown",
    "baby",
    "boy",
    ",",
    "J.",
    "n/a",
    "Straße",
    "İpek",
    "ﬁn",
    "xx",
    "Lady",
    "of",
    "the",
    "Doe",
    "Jane",
    "s",
    "tmarks",
    "2nd",
    "mr",
    "Ångström",
    "-",
];

const ADDRESS_WORDS: &[&str] = &[
    "12",
    "0012",
    "12a",
    "1072",
    "10-72",
    "10",
    "72",
    "1/2",
    "34th",
    "34",
    "th",
    "st",
    "rd",
    "1st",
    "n",
    "North",
    "e",
    "east",
    "ne",
    "w.",
    "s",
    "main",
    "oak",
    "ave",
    "avenue",
    "a",
    "b",
    "street",
    "blvd",
    "park",
    "pl",
    "way",
    "ridge",
    "rdg",
    "saint",
    "stmarks",
    "mt",
    "apt",
    "#",
    "#4",
    "4b",
    "unit",
    "fl",
    "2nd",
    "floor",
    "bldg",
    "rear",
    "front",
    "no",
    "number",
    "lot",
    "box",
    "po",
    "p.o.",
    "rr",
    "hc",
    "route",
    "highway",
    "hwy",
    "us",
    "county",
    "road",
    "co",
    "state",
    "sr",
    "psc",
    "cmr",
    "one",
    "first",
    "twenty",
    "second",
    "seven",
    "mile",
    "oaks",
    "e167th",
    "34ave",
    "219e",
    "121st",
    "n6w23001",
    "w357",
    "n5678",
    "-",
    ",",
    "general",
    "delivery",
    "unknown",
    "via",
    "la",
    "is",
    "drive",
    "dr",
    "ste",
    "suite",
    "upper",
    "end",
    "bay",
    "1.5",
    "½",
    "d",
    "r",
    "p",
    "o",
    "h",
    "c",
    "i",
    "3",
    "5",
    "0",
    "of",
    "the",
    "ter",
    "s.e.",
    "north-east",
    "fm",
    "m",
];

fn glued(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let word = (prop::sample::select(words), prop::sample::select(&[" ", " ", " ", " ", "", "-", ", "][..]));
    prop::collection::vec(word, 0..most).prop_map(|parts| parts.into_iter().flat_map(|(w, sep)| [w, sep]).collect())
}

fn plausible() -> impl Strategy<Value = Owned> {
    let name = || glued(NAME_WORDS, 5);
    let zip = prop_oneof![Just("2139".to_owned()), Just("98104-1234".to_owned()), "[0-9]{3,9}", "[0-9 .-]{0,10}"];
    let address = prop_oneof![
        glued(ADDRESS_WORDS, 10),
        glued(ADDRESS_WORDS, 8).prop_map(|rest| format!("12 {rest}")),
        glued(ADDRESS_WORDS, 3).prop_map(|rest| format!("12 {rest} Main St")),
    ];
    (any::<bool>(), name(), name(), name(), name(), address, zip).prop_map(|(whole, a, b, c, d, address, zip)| Owned {
        whole,
        names: [a, b, c, d],
        address,
        zip,
    })
}

fn anything() -> impl Strategy<Value = Owned> {
    let text = || prop_oneof![any::<String>(), "[ -~À-ɏ]{0,40}", "\\PC{0,300}"];
    (any::<bool>(), text(), text(), text(), text(), text(), text()).prop_map(|(whole, a, b, c, d, address, zip)| Owned {
        whole,
        names: [a, b, c, d],
        address,
        zip,
    })
}

fn check(row: &Owned) -> Result<(), TestCaseError> {
    let token = row.token();
    let canonical = row.canonical();
    prop_assert_eq!(token.as_ref().err(), canonical.as_ref().err());
    // Case and trimming change nothing.
    for other in [
        row.map(str::to_lowercase),
        row.map(str::to_uppercase),
        row.map(|s| s.to_uppercase().to_lowercase()),
        row.map(|s| format!(" \u{a0}\t{s}\r\n ")),
        row.map(|s| s.trim().to_owned()),
    ] {
        prop_assert_eq!(&token, &other.token());
    }
    let (Ok(token), Ok(canonical)) = (token, canonical) else { return Ok(()) };
    prop_assert!(token.len() <= TOKEN_BYTES_MAX);
    let fields = [canonical.get("given"), canonical.get("family"), canonical.get("delivery"), canonical.get("zip5")];
    for field in fields {
        prop_assert!(!field.is_empty());
        prop_assert!(field.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b" -/.".contains(&b)));
        prop_assert!(!field.starts_with(' ') && !field.ends_with(' ') && !field.contains("  "));
    }
    // The canonical fields are a row, and it is its own canonical form.
    let again = Owned {
        whole: false,
        names: [canonical.get("given").to_owned(), String::new(), canonical.get("family").to_owned(), String::new()],
        address: canonical.get("delivery").to_owned(),
        zip: canonical.get("zip5").to_owned(),
    };
    prop_assert_eq!(Ok(canonical.clone()), again.canonical());
    prop_assert_eq!(Ok(token), again.token());
    // Middle name and suffix take no part.
    if !row.whole {
        let mut other = row.clone();
        other.names[1] = "Xavier \0".to_owned();
        other.names[3] = "III".to_owned();
        prop_assert_eq!(Ok(canonical), other.canonical());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn plausible_rows(row in plausible()) {
        check(&row)?;
    }

    #[test]
    fn any_text(row in anything()) {
        check(&row)?;
    }

    #[test]
    fn delivery_lines(address in glued(ADDRESS_WORDS, 9)) {
        let row = Owned {
            whole: false,
            names: ["Ann".into(), String::new(), "Lee".into(), String::new()],
            address: format!("12 {address}"),
            zip: "98104".into(),
        };
        check(&row)?;
    }

    /// A row's token depends on the row alone.
    #[test]
    fn order_does_not_matter(rows in prop::collection::vec(plausible(), 1..8)) {
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let run = |order: &mut dyn Iterator<Item = &Owned>| {
            let mut arena = TokenArena::new();
            for row in order {
                let _ = ruleset.tokenize(Side::Verifier, &row.row(), &mut arena);
            }
            let mut tokens: Vec<Vec<u8>> = arena.iter().map(<[u8]>::to_vec).collect();
            tokens.sort();
            tokens
        };
        prop_assert_eq!(run(&mut rows.iter()), run(&mut rows.iter().rev()));
    }
}

#[test]
fn long_rows_are_refused_not_truncated() {
    let long = |n: usize| "a".repeat(n);
    let mut row = Owned {
        whole: false,
        names: [long(256), String::new(), long(256), String::new()],
        address: format!("12 {}", long(253)),
        zip: "98104".into(),
    };
    assert!(row.token().unwrap().len() < TOKEN_BYTES_MAX);
    row.address.push('a');
    assert_eq!(row.token(), Err(NotSubmitted::FieldTooLong));
    row.address = "12 ".to_owned() + &"mt ".repeat(60);
    assert_eq!(row.token(), Err(NotSubmitted::FieldTooLong));
    row.address = "12 ".to_owned() + &"intl ".repeat(30);
    assert_eq!(row.token(), Err(NotSubmitted::FieldTooLong));
    row.address = long(10_000_000);
    assert_eq!(row.token(), Err(NotSubmitted::FieldTooLong));
}
