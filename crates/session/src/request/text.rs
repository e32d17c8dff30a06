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
