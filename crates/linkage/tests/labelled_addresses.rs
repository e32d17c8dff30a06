//! The address parsers against addresses whose words people have labelled.
//!
//! The data is not part of the repository; without it the tests say so and pass. `SHOW_WRONG=even`
//! (or `odd`) prints what differs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;

use oblink_linkage::labelled::{self, Parts};

/// One labelled address: its words with their tags, in order.
type Address = Vec<(String, String)>;

fn load(file: &str) -> Option<Vec<Address>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/usaddress").join(file);
    if !path.exists() {
        eprintln!("skipped: no labelled addresses");
        return None;
    }
    let text = std::fs::read_to_string(path).unwrap();
    let addresses = text.split("<AddressString>").skip(1).map(|address| {
        let address = address.split("</AddressString>").next().unwrap();
        let mut words = Vec::new();
        for piece in address.split('<').skip(1) {
            let (tag, word) = piece.split_once('>').unwrap();
            let word = word.replace("&amp;", "&").replace("&#189;", "\u{bd}").replace("&#163;", "").trim().to_owned();
            match tag.strip_prefix('/') {
                // Punctuation behind a tag belongs to its word.
                Some(_) if word.is_empty() => {}
                Some(_) => words.last_mut().map_or((), |(_, w): &mut (String, String)| w.push_str(&word)),
                None => words.push((tag.to_owned(), word)),
            }
        }
        words
    });
    Some(addresses.collect())
}

fn with_tags(address: &Address, keep: impl Fn(&str) -> bool) -> String {
    let words: Vec<&str> = address.iter().filter(|(tag, _)| keep(tag)).map(|(_, word)| word.as_str()).collect();
    words.join(" ")
}

fn plain(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '/').collect()
}

struct Expected {
    number: String,
    before: Option<&'static str>,
    name: String,
    street_type: Option<&'static str>,
    behind: Option<&'static str>,
    unit: String,
}

/// What the labels say; `None` where they name no full delivery line, or two.
fn expected(us_2: bool, address: &Address) -> Option<Expected> {
    let of = |wanted: &[&str]| with_tags(address, |tag| wanted.contains(&tag));
    let has = |tag: &str| address.iter().any(|(t, _)| t == tag);
    let trimmed = |number: String| {
        let number = plain(&number);
        let number = number.trim_start_matches('0').to_owned();
        ["one", "two", "three"].iter().position(|w| *w == number).map_or(number, |i| (i + 1).to_string())
    };
    if has("IntersectionSeparator") || has("CornerOf") {
        return None;
    }
    let unit = of(&["OccupancyType", "OccupancyIdentifier", "SubaddressType", "SubaddressIdentifier"]);
    let unit = labelled::us_2("12 main st", &unit).map_or_else(|_| String::new(), |parts| parts.unit);
    if has("USPSBoxID") && !has("AddressNumber") {
        let group = plain(&of(&["USPSBoxGroupID"]));
        let kind = plain(&of(&["USPSBoxGroupType"]));
        let group = group.trim_start_matches('0').to_owned();
        let military = kind.starts_with("psc") || kind.starts_with("cmr") || kind.starts_with("unit");
        let highway = kind.starts_with('h') || kind.starts_with("sr") || kind.starts_with("star");
        let name = match (has("USPSBoxGroupID"), military, highway) {
            (false, ..) => "po box".to_owned(),
            (true, true, _) => format!("{kind} {group}"),
            (true, _, true) => format!("hc {group}"),
            (true, ..) => format!("rr {group}"),
        };
        let number = trimmed(of(&["USPSBoxID"]));
        return Some(Expected { number, before: None, name, street_type: None, behind: None, unit });
    }
    if !has("AddressNumber") || !has("StreetName") || has("USPSBoxID") {
        return None;
    }
    let direction = |tag: &str| {
        let words = of(&[tag]);
        match plain(&words).as_str() {
            "ne" => Some("ne"),
            "nw" => Some("nw"),
            "se" => Some("se"),
            "sw" => Some("sw"),
            word => labelled::word(word).1,
        }
    };
    let types = of(&["StreetNamePostType"]);
    let street_type = types.split(' ').next_back().and_then(|word| labelled::word(&plain(word)).0);
    // Of several words labelled as the type the last is it: Ridge Parkway.
    let last_type = address.iter().rposition(|(tag, _)| tag == "StreetNamePostType").filter(|_| street_type.is_some());
    let named: Vec<&str> = address
        .iter()
        .enumerate()
        .filter(|(i, (tag, _))| {
            Some(*i) != last_type
                && ["StreetNamePreModifier", "StreetNamePreType", "StreetName", "StreetNamePostType", "StreetNamePostModifier"]
                    .contains(&tag.as_str())
        })
        .map(|(_, (_, word))| word.as_str())
        .collect();
    let name = labelled::name(us_2, &named.join(" ").replace(',', " "));
    Some(Expected {
        number: trimmed(of(&["AddressNumberPrefix", "AddressNumber", "AddressNumberSuffix"])),
        before: direction("StreetNamePreDirectional"),
        name,
        street_type,
        behind: direction("StreetNamePostDirectional"),
        unit,
    })
}

/// All words of the street in order, however they were told apart.
fn street(us_2: bool, before: Option<&str>, name: &str, street_type: Option<&str>, behind: Option<&str>) -> String {
    let street_type = street_type.map(|word| labelled::name(us_2, word));
    [before.unwrap_or(""), name, street_type.as_deref().unwrap_or(""), behind.unwrap_or("")].concat()
}

#[derive(Default)]
struct Measured {
    rows: f64,
    refused: f64,
    /// Every component.
    strict: f64,
    /// The number, and the words of the street together.
    line: f64,
    /// Of those with a right line, those with the right unit.
    unit: f64,
}

fn measure(name: &str, addresses: &[Address], parity: usize, us_2: bool, keep: fn(&str) -> bool) -> Measured {
    let show = std::env::var("SHOW_WRONG").is_ok_and(|which| which == if parity == 0 { "even" } else { "odd" }) && us_2;
    let mut found = Measured::default();
    let mut wrong: BTreeMap<&str, u32> = BTreeMap::new();
    for address in addresses.iter().skip(parity).step_by(2) {
        let Some(want) = expected(us_2, address) else { continue };
        let input = with_tags(address, keep);
        found.rows += 1.0;
        let got: Parts = match if us_2 { labelled::us_2(&input, "") } else { labelled::us_exact_1(&input) } {
            Ok(parts) => parts,
            Err(reason) => {
                found.refused += 1.0;
                *wrong.entry("refused").or_default() += 1;
                if show {
                    eprintln!("{name}: {} {input:?}", reason.as_str());
                }
                continue;
            }
        };
        let number = plain(&got.number) == want.number;
        let whole = number
            && street(us_2, got.before, &got.name, got.street_type, got.behind)
                == street(us_2, want.before, &want.name, want.street_type, want.behind);
        let parts = [
            ("number", number),
            ("before", got.before == want.before),
            ("name", got.name == want.name),
            ("type", got.street_type == want.street_type),
            ("behind", got.behind == want.behind),
            ("line", whole),
            ("unit", !us_2 || got.unit == want.unit),
        ];
        for (part, right) in parts {
            *wrong.entry(part).or_default() += u32::from(!right);
        }
        found.strict += f64::from(u8::from(parts.iter().take(5).all(|(_, right)| *right)));
        found.line += f64::from(u8::from(whole));
        found.unit += f64::from(u8::from(whole && parts[6].1));
        if show && !(whole && parts[6].1) {
            eprintln!(
                "{name}: {input:?} got {:?} [{}] want {}|{}|{:?} [{}]",
                got.written, got.unit, want.number, want.name, want.street_type, want.unit
            );
        }
    }
    let share = |n: f64| 100.0 * n / found.rows;
    eprintln!(
        "{name}, {} rows, {}: {} addresses, line right {:.1}%, every component {:.1}%, refused {:.1}%, line wrong {:.1}%, line and unit right {:.1}%; wrong or refused {wrong:?}",
        if parity == 0 { "even" } else { "odd" },
        if us_2 { "us-2" } else { "us-exact-1" },
        found.rows,
        share(found.line),
        share(found.strict),
        share(found.refused),
        share(found.rows - found.refused - found.line),
        share(found.unit),
    );
    found
}

/// The words of a delivery line: what an address column holds.
fn delivery(tag: &str) -> bool {
    !["PlaceName", "StateName", "ZipCode", "CountryName", "Recipient", "NotAddress"].contains(&tag)
}

/// The rules were made looking at the even rows; the odd ones were only counted.
fn both_halves(name: &str, keep: fn(&str) -> bool, floors: [(f64, f64); 2]) {
    let Some(addresses) = load("training_labeled.xml") else { return };
    for (parity, (right, wrong)) in floors.into_iter().enumerate() {
        let old = measure(name, &addresses, parity, false, keep);
        let new = measure(name, &addresses, parity, true, keep);
        let wrongly = |m: &Measured| (m.rows - m.refused - m.line) / m.rows;
        assert!(new.line > old.line && wrongly(&new) < wrongly(&old));
        assert!(new.line / new.rows >= right, "{name}, {parity}: {:.4} right", new.line / new.rows);
        assert!(wrongly(&new) <= wrong, "{name}, {parity}: {:.4} wrong", wrongly(&new));
        assert!(new.strict / new.rows >= right - 0.02 && new.unit / new.rows >= right - 0.02);
    }
}

#[test]
fn delivery_lines() {
    both_halves("delivery lines", delivery, [(0.92, 0.05), (0.86, 0.08)]);
}

#[test]
fn whole_addresses() {
    both_halves("whole addresses", |_| true, [(0.78, 0.09), (0.70, 0.12)]);
}
