//! Which text a request and a policy may hold (SPEC REQ-6): what officials read is what they sign, so nothing may be in it that cannot be
//! seen, that moves what can be seen, or that has two ways of being written in JSON.

use crate::limits::{NAME_BYTES_MAX, TEXT_BYTES_MAX};

/// Characters that are never admitted, as ranges of code points: the controls, the line and paragraph separators, what Unicode calls
/// default-ignorable (no ink of its own) or bidirectional, private use, and noncharacters (those at the end of each plane are tested for
/// apart). A table of ours, so that no version of Unicode changes what a request may say.
const REFUSED: &[(u32, u32)] = &[
    (0x0000, 0x001F),    // C0 controls
    (0x007F, 0x009F),    // DEL and C1 controls
    (0x00AD, 0x00AD),    // soft hyphen
    (0x034F, 0x034F),    // combining grapheme joiner
    (0x061C, 0x061C),    // Arabic letter mark
    (0x115F, 0x1160),    // Hangul fillers
    (0x17B4, 0x17B5),    // Khmer inherent vowels
    (0x180B, 0x180F),    // Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),    // zero-width space and joiners, direction marks
    (0x2028, 0x202E),    // line and paragraph separators, bidirectional embeddings and overrides
    (0x2060, 0x206F),    // word joiner, invisible operators, bidirectional isolates, deprecated format characters
    (0x3164, 0x3164),    // Hangul filler
    (0xE000, 0xF8FF),    // private use
    (0xFDD0, 0xFDEF),    // noncharacters
    (0xFE00, 0xFE0F),    // variation selectors
    (0xFEFF, 0xFEFF),    // byte order mark
    (0xFFA0, 0xFFA0),    // half-width Hangul filler
    (0xFFF0, 0xFFFB),    // unassigned specials, interlinear annotation
    (0x1BCA0, 0x1BCA3),  // shorthand format controls
    (0x1D173, 0x1D17A),  // musical format controls
    (0xE0000, 0xE0FFF),  // tags and further variation selectors
    (0xF0000, 0x10FFFF), // private use planes
];

/// Blanks: admitted within a text, not at either end, where nobody sees them. What Unicode calls white space, less what is refused anyway.
const BLANKS: &[(u32, u32)] = &[
    (0x0020, 0x0020), // space
    (0x00A0, 0x00A0), // no-break space
    (0x1680, 0x1680), // Ogham space mark
    (0x2000, 0x200A), // quads and spaces by width
    (0x202F, 0x202F), // narrow no-break space
    (0x205F, 0x205F), // medium mathematical space
    (0x3000, 0x3000), // ideographic space
];

fn within(ranges: &[(u32, u32)], character: char) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)))
}

/// Whether this is free text as SPEC REQ-6 has it: 1 to 1,024 bytes of UTF-8, no refused character, no blank at either end.
///
/// Refused are: C0 controls, DEL and C1 controls; U+00AD, U+034F, U+061C, U+115F–1160, U+17B4–17B5, U+180B–180F, U+200B–200F, U+2028–202E,
/// U+2060–206F, U+3164, U+FE00–FE0F, U+FEFF, U+FFA0, U+FFF0–FFFB, U+1BCA0–1BCA3, U+1D173–1D17A, U+E0000–E0FFF; private use (U+E000–F8FF and
/// planes 15 and 16); noncharacters (U+FDD0–FDEF and the last two of each plane). Blanks are U+0020, U+00A0, U+1680, U+2000–200A, U+202F,
/// U+205F and U+3000.
#[must_use]
pub fn check_text(text: &str) -> bool {
    let refused = |character| within(REFUSED, character) || u32::from(character) & 0xFFFE == 0xFFFE;
    let blank = |character: Option<char>| character.is_some_and(|character| within(BLANKS, character));
    (1..=TEXT_BYTES_MAX).contains(&text.len())
        && !text.chars().any(refused)
        && !blank(text.chars().next())
        && !blank(text.chars().next_back())
}

/// Whether this is the name of a field, a column or a reason: `[a-z][a-z0-9_]{0,63}` (SPEC REQ-6).
#[must_use]
pub fn check_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// REQ-6
    #[test]
    fn what_people_write_is_admitted() {
        for text in [
            "a",
            "Agreement 2026-014, §3(b)",
            "José Ñandú — “quoted”",
            "C:\\path \"and\" more",
            "日本語 テキスト",
            "נייר",
            "e\u{301}",
            "a\u{a0}b\u{3000}c",
            "🏛",
            &"é".repeat(512),
        ] {
            assert!(check_text(text), "{text:?}");
        }
    }

    /// REQ-6
    #[test]
    fn what_cannot_be_seen_is_refused() {
        for code in [
            0x00, 0x09, 0x0A, 0x0D, 0x1F, 0x7F, 0x80, 0x85, 0x9F, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180E,
            0x180F, 0x200B, 0x200D, 0x200F, 0x2028, 0x2029, 0x202A, 0x202E, 0x2060, 0x2066, 0x2069, 0x206F, 0x3164, 0xE000, 0xF8FF, 0xFDD0,
            0xFDEF, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0, 0xFFFB, 0xFFFE, 0xFFFF, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A, 0x1FFFE, 0x8FFFF,
            0xE0000, 0xE0041, 0xE0FFF, 0xF0000, 0xFFFFD, 0xFFFFE, 0x100000, 0x10FFFD, 0x10FFFF,
        ] {
            let character = char::from_u32(code).unwrap();
            assert!(!check_text(&format!("a{character}b")), "U+{code:04X}");
        }
        // The neighbours of the ranges are no part of them.
        for code in
            [0x20, 0x7E, 0xA0, 0xAC, 0xAE, 0x34E, 0x350, 0x200A, 0x2010, 0x2027, 0x202F, 0x205F, 0x2070, 0x3163, 0x3165, 0xD7FF, 0xF900]
        {
            let character = char::from_u32(code).unwrap();
            assert!(check_text(&format!("a{character}b")), "U+{code:04X}");
        }
    }

    /// REQ-6
    #[test]
    fn nothing_too_long_too_short_or_blank_at_an_end_is_admitted() {
        assert!(!check_text(""));
        assert!(check_text(&"a".repeat(1024)));
        assert!(!check_text(&"a".repeat(1025)));
        assert!(!check_text(&"é".repeat(513)));
        for blank in [' ', '\u{a0}', '\u{1680}', '\u{2000}', '\u{200a}', '\u{202f}', '\u{205f}', '\u{3000}'] {
            assert!(!check_text(&format!("{blank}a")) && !check_text(&format!("a{blank}")) && !check_text(&blank.to_string()));
            assert!(check_text(&format!("a{blank}a")));
        }
    }

    /// REQ-6: the tables hold all that Rust's tables call control or white space.
    #[test]
    fn every_control_and_every_blank_is_known() {
        for character in '\0'..=char::MAX {
            let text = format!("a{character}");
            assert!(!character.is_control() && !character.is_whitespace() || !check_text(&text), "U+{:04X}", u32::from(character));
        }
    }

    /// REQ-6
    #[test]
    fn names() {
        for name in ["a", "order_date", "no_2", &"a".repeat(64)] {
            assert!(check_name(name), "{name}");
        }
        for name in ["", "A", "_a", "2a", "a-b", "a b", "é", "aé", "a\0", &"a".repeat(65)] {
            assert!(!check_name(name), "{name}");
        }
    }

    proptest! {
        /// REQ-6: JSON escapes in admitted text the quotation mark and the backslash, each with a backslash, and nothing else
        /// (RFC 8785 §3.2.2.2).
        #[test]
        fn admitted_text_has_one_way_in_json(text in "\\PC{1,80}") {
            prop_assume!(check_text(&text));
            let expected = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(serde_json::to_string(&text).unwrap(), expected);
        }
    }
}
