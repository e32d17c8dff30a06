//! Folding: any text to the letters a–z, digits, space and `- / . # ,`.

use crate::NotSubmitted;
use crate::data::Tables;
use crate::text::{FOLDED_BYTES_MAX, Text};

/// Folds `input` into `out`: single spaces, none at either end.
///
/// # Errors
/// `UnsupportedCharacters` for a character outside fold.tsv, `FieldTooLong` past
/// [`FOLDED_BYTES_MAX`] bytes of output.
pub(crate) fn fold(tables: &Tables, input: &str, out: &mut Text) -> Result<(), NotSubmitted> {
    out.clear();
    for ch in input.chars() {
        let code = u32::from(ch);
        let replacement = match tables.fold_ascii.get(code as usize) {
            Some(ascii) => *ascii,
            None => tables.fold.get(&code).copied(),
        };
        for b in replacement.ok_or(NotSubmitted::UnsupportedCharacters)?.bytes() {
            match b {
                // Deleted: apostrophes, combining marks, characters without width.
                b'~' => {}
                b'_' if out.is_empty() || out.last() == Some(b' ') => {}
                b'_' => out.push_byte(b' ')?,
                _ => out.push_byte(b)?,
            }
            // A trailing space is dropped at the end and must not count.
            if out.len() - usize::from(out.last() == Some(b' ')) > FOLDED_BYTES_MAX {
                return Err(NotSubmitted::FieldTooLong);
            }
        }
    }
    out.trim_end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Edition, tables};

    fn folded(input: &str) -> Result<String, NotSubmitted> {
        let mut out = Text::new();
        fold(tables(Edition::Us1), input, &mut out)?;
        Ok(out.as_str().to_owned())
    }

    #[test]
    fn folds_letters_marks_spaces_and_dashes() {
        assert_eq!(folded(" \u{a0}José  MUÑOZ\t").unwrap(), "jose munoz");
        assert_eq!(folded("Jose\u{301} O’Neill").unwrap(), "jose oneill");
        assert_eq!(folded("Łódź–Straße 12½").unwrap(), "lodz-strasse 12 1/2");
        assert_eq!(folded("Ｆｕｌｌ１２").unwrap(), "full12");
        assert_eq!(folded("Nguyễn Thị Ðặng").unwrap(), "nguyen thi dang");
        assert_eq!(folded("ﬁne \u{212a}elvin \u{17f}ong").unwrap(), "fine kelvin song");
    }

    #[test]
    fn refuses_what_is_outside_the_table() {
        for input in ["Иван", "李", "a\0b", "a\u{7f}", "😀", "a\u{345}", "αβς"] {
            assert_eq!(folded(input), Err(NotSubmitted::UnsupportedCharacters), "{input:?}");
        }
    }

    #[test]
    fn length_counts_after_folding() {
        let spaces = " ".repeat(10_000);
        assert!(folded(&format!("{spaces}{}{spaces}", "a".repeat(256))).is_ok());
        assert_eq!(folded(&"a".repeat(257)), Err(NotSubmitted::FieldTooLong));
        assert_eq!(folded(&"ß".repeat(129)), Err(NotSubmitted::FieldTooLong));
    }

    /// Two texts that trimming and case folding make equal fold alike, or neither folds.
    #[test]
    fn folding_is_closed_under_case() {
        for ch in '\0'..=char::MAX {
            let own = folded(&format!("x{ch}x")).ok();
            for other in [ch.to_lowercase().to_string(), ch.to_uppercase().to_string()] {
                assert_eq!(own, folded(&format!("x{other}x")).ok(), "{ch:?} {other:?}");
            }
            if ch.is_whitespace() {
                assert_eq!(own.as_deref(), Some("x x"), "{ch:?}");
            }
        }
    }
}
