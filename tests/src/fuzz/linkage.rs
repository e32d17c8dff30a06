//! Rows of any text through the ruleset.

use oblink_linkage::{Name, Place, Row, Ruleset, Side, TOKEN_BYTES_MAX, TOKEN_LABEL, TokenArena};

/// The input is text, its lines the fields: the first says whether the name is whole (`w`), then name or given, middle, family name and
/// suffix, address, postal code. Bytes that are no UTF-8 are replaced.
///
/// Held: `tokenize` and `canonicalize` agree on what is refused and why; a token has its bound and its layout, and the canonical fields their
/// letters; canonical fields are a fixed point, ASCII case and blanks at the ends do not count; a refused row leaves the arena
/// alone.
pub fn linkage(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let whole = lines.next().unwrap_or_default().starts_with('w');
    let mut line = || lines.next().unwrap_or_default();
    let names = if whole { [line(), "", "", ""] } else { [line(), line(), line(), line()] };
    let (address, postal_code) = (line(), line());
    for ruleset in Ruleset::all() {
        if ruleset.name() == "us-exact-1" {
            hold(ruleset, whole, names, address, postal_code);
        } else {
            hold_keyed(ruleset, whole, names, address, postal_code);
        }
    }
}

/// Of rulesets of several keys: what has no parts has no tokens, for the same reason; tokens have their number, bound and layout; ASCII case and blanks at
/// the ends do not count; a refused row leaves the arena alone.
fn hold_keyed(ruleset: &Ruleset, whole: bool, names: [&str; 4], address: &str, postal_code: &str) {
    let padded = |text: &str| format!(" \t{} ", text.to_ascii_uppercase());
    let names_padded = names.map(padded);
    let (address_padded, postal_padded) = (padded(address), padded(postal_code));
    let asked = row(whole, names, address, postal_code);
    let shouted = row(whole, names_padded.each_ref().map(String::as_str), &address_padded, &postal_padded);
    for side in [Side::Verifier, Side::Holder(Place::Quiet), Side::Holder(Place::Crowded)] {
        let (mut arena, mut loud) = (TokenArena::new(), TokenArena::new());
        arena.push(b"before");
        loud.push(b"before");
        let outcome = ruleset.tokenize(side, &asked, &mut arena);
        assert_eq!(outcome, ruleset.tokenize(side, &shouted, &mut loud));
        assert!(arena.iter().eq(loud.iter()), "case and blanks at the ends do not count");
        assert_eq!(outcome.is_err(), arena.len() == 1, "a refused row leaves the arena alone");
        if side == Side::Verifier {
            assert!(arena.len() <= 1 + usize::from(ruleset.tokens_per_pair()));
            if let Err(reason) = ruleset.canonicalize(&asked) {
                assert_eq!(outcome, Err(reason));
            }
        }
        for token in arena.iter().skip(1) {
            assert!(token.len() <= TOKEN_BYTES_MAX);
            assert_eq!(&token[2..16], TOKEN_LABEL);
            assert_eq!(token[18..50], ruleset.digest());
        }
    }
}

fn row<'a>(whole: bool, [given, middle, family, suffix]: [&'a str; 4], address: &'a str, postal_code: &'a str) -> Row<'a> {
    let name = if whole { Name::Whole(given) } else { Name::Parts { given, middle, family, suffix } };
    Row { name, address, unit: "", city: "", state: "", postal_code }
}

fn hold(ruleset: &Ruleset, whole: bool, names: [&str; 4], address: &str, postal_code: &str) {
    let asked = row(whole, names, address, postal_code);
    let mut arena = TokenArena::new();
    arena.push(b"before");
    let tokens = ruleset.tokenize(Side::Verifier, &asked, &mut arena);
    let canonical = ruleset.canonicalize(&asked);
    assert_eq!(tokens.err(), canonical.as_ref().err().copied());

    let padded = |text: &str| format!(" \t{} ", text.to_ascii_uppercase());
    let names_padded = names.map(padded);
    let (address_padded, postal_padded) = (padded(address), padded(postal_code));
    let shouted = row(whole, names_padded.each_ref().map(String::as_str), &address_padded, &postal_padded);
    assert!(ruleset.canonicalize(&shouted) == canonical, "case and blanks at the ends do not count");

    let Ok(canonical) = canonical else {
        assert_eq!((arena.len(), arena.get(0)), (1, Some(&b"before"[..])), "a refused row leaves the arena alone");
        return;
    };
    assert_eq!(arena.len(), 1 + usize::from(ruleset.tokens_per_pair()));
    for token in arena.iter().skip(1) {
        assert!(token.len() <= TOKEN_BYTES_MAX);
        assert_eq!(&token[2..16], TOKEN_LABEL);
        assert_eq!(token[18..50], ruleset.digest());
    }
    let [given, family, delivery, zip5] =
        [canonical.get("given"), canonical.get("family"), canonical.get("delivery"), canonical.get("zip5")];
    let letters = |text: &str, also: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || also.contains(&b))
    };
    assert!(letters(given, b"") && letters(family, b"") && letters(delivery, b" -/.") && letters(zip5, b""));
    assert!(zip5.len() == 5 && zip5.bytes().all(|b| b.is_ascii_digit()));
    assert!(!delivery.starts_with(' ') && !delivery.ends_with(' ') && !delivery.contains("  "));
    let again = ruleset.canonicalize(&row(false, [given, "", family, ""], delivery, zip5));
    assert!(again.as_ref() == Ok(&canonical), "canonical fields are a fixed point");
}
