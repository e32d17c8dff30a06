//! The submitted rows of a list, packed: what their tokens are made of. The tokens are made anew each time they are wanted, since a row has up to
//! 64 of them, each longer than the row.

use oblink_linkage::{Name, Row, Ruleset, Side, TokenArena};
use oblink_session::blind::Blinder;

use crate::failure::Failure;
use crate::rows::RecordText;

/// A length below this is one byte; otherwise this byte stands before its four.
const LONG: u8 = u8::MAX;
/// Fields of a row whose name is one field, and of one whose name is four.
const WHOLE_FIELDS: usize = 6;
const SPLIT_FIELDS: usize = 9;

/// Rows in order, about 80 bytes each.
#[derive(Default)]
pub(super) struct Pairs {
    /// For each row the lengths of its fields, then the fields, end to end.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The same for all rows of a file.
    whole_name: bool,
}

impl Pairs {
    /// Rows.
    pub(super) fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Appends a row.
    pub(super) fn push(&mut self, record: &RecordText<'_>) {
        self.whole_name = record.whole_name;
        for length in record.lengths() {
            match u8::try_from(*length) {
                Ok(short) if short < LONG => self.bytes.push(short),
                _ => {
                    self.bytes.push(LONG);
                    // A field is cut off far below 2^32 bytes.
                    self.bytes.extend_from_slice(&(*length as u32).to_be_bytes());
                }
            }
        }
        self.bytes.extend_from_slice(record.text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    /// The row at `pair`, from 0.
    fn row(&self, pair: usize) -> Option<Row<'_>> {
        let begin = match pair.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let mut rest = self.bytes.get(begin..*self.ends.get(pair)?)?;
        let count = if self.whole_name { WHOLE_FIELDS } else { SPLIT_FIELDS };
        let mut lengths = [0; SPLIT_FIELDS];
        for length in lengths.iter_mut().take(count) {
            let (first, after) = rest.split_first()?;
            (*length, rest) = if *first == LONG {
                let (long, after) = after.split_first_chunk::<4>()?;
                (u32::from_be_bytes(*long) as usize, after)
            } else {
                (usize::from(*first), after)
            };
        }
        let mut text = std::str::from_utf8(rest).ok()?;
        let mut fields = [""; SPLIT_FIELDS];
        for (field, length) in fields.iter_mut().zip(lengths).take(count) {
            (*field, text) = text.split_at_checked(length)?;
        }
        let (name, [address, unit, city, state, postal_code]) = match fields {
            [name, address, unit, city, state, postal_code, ..] if self.whole_name => {
                (Name::Whole(name), [address, unit, city, state, postal_code])
            }
            [given, middle, family, suffix, rest @ ..] => (Name::Parts { given, middle, family, suffix }, rest),
        };
        Some(Row { name, address, unit, city, state, postal_code })
    }

    /// Tokens `first` to `first + count` of all, T a pair, in the order of the rows: a row's own, then dummies in the slots that it does not fill
    /// (SPEC TOK-3). Pairs after the rows' are padding: dummies alone (SPEC PAD-1).
    ///
    /// # Errors
    /// A bug: a row gives other tokens than when it was read.
    pub(super) fn tokens(&self, ruleset: &Ruleset, blinder: &Blinder, first: u64, count: usize) -> Result<TokenArena, Failure> {
        let (per_pair, digest, end) = (u64::from(ruleset.tokens_per_pair()), ruleset.digest(), first + count as u64);
        let mut tokens = TokenArena::with_capacity(count, count * 128);
        let mut own = TokenArena::new();
        for pair in first / per_pair..end.div_ceil(per_pair) {
            own.clear();
            if pair < self.len() {
                let row = self.row(pair as usize).ok_or_else(|| Failure::bug("a row is missing"))?;
                ruleset.tokenize(Side::Verifier, &row, &mut own).map_err(|_| Failure::bug("a row that gave tokens gives none now"))?;
            }
            let slots = pair * per_pair..(pair + 1) * per_pair;
            for (slot, index) in slots.enumerate().filter(|(_, index)| (first..end).contains(index)) {
                match own.get(slot) {
                    Some(token) => tokens.push(token),
                    None => tokens.push(&blinder.dummy(&digest, index)),
                }
            }
        }
        Ok(tokens)
    }
}

#[cfg(test)]
mod tests {
    use oblink_session::blind::BlindSeed;

    use super::*;
    use crate::rows::{CsvOptions, RowChunk, RowReader};

    fn chunk(text: String) -> RowChunk {
        let bytes = std::io::Cursor::new(text.into_bytes());
        RowReader::from_read(Box::new(bytes), None, "in.csv".to_owned(), &CsvOptions::default()).unwrap().next_chunk().unwrap().unwrap()
    }

    fn packed(text: String) -> (Pairs, RowChunk) {
        let chunk = chunk(text);
        let mut pairs = Pairs::default();
        chunk.records().for_each(|record| pairs.push(&record));
        (pairs, chunk)
    }

    fn names(name: Name<'_>) -> Vec<&str> {
        match name {
            Name::Whole(name) => vec![name],
            Name::Parts { given, middle, family, suffix } => vec![given, middle, family, suffix],
        }
    }

    fn same(pairs: &Pairs, chunk: &RowChunk) {
        assert_eq!(pairs.len(), chunk.len() as u64);
        for (index, view) in chunk.iter().enumerate() {
            let (row, due) = (pairs.row(index).unwrap(), crate::tokens::row_of(&view));
            assert_eq!(names(row.name), names(due.name));
            assert_eq!(
                (row.address, row.unit, row.city, row.state, row.postal_code),
                (due.address, due.unit, due.city, due.state, due.postal_code)
            );
        }
        assert!(pairs.row(chunk.len()).is_none());
    }

    #[test]
    fn rows_come_out_as_they_went_in() {
        let (pairs, chunk) = packed("name,address,postal_code,city\nJosé Ruiz,1 Elm St,02134,Łódź\n,,,\nA,B,C,D\n".to_owned());
        same(&pairs, &chunk);
        for length in [254, 255, 256, 65_535, 65_536] {
            let long = "x".repeat(length);
            let text =
                format!("postal_code,street,unit,state,suffix,family_name,given_name,middle_name\n1,{long},2,MA,Jr,Ruiz,Ana,{long}\n");
            let (pairs, chunk) = packed(text);
            same(&pairs, &chunk);
        }
    }

    /// TOK-3, PAD-1
    #[test]
    fn slices_of_tokens_are_cut_out_of_all_of_them() {
        let (pairs, _) = packed("name,address,postal_code\nAna Ruiz,1 Elm St,02134\nBo Li,2 Oak Ave,10001\n".to_owned());
        let blinder = Blinder::new(&BlindSeed::from_bytes(zeroize::Zeroizing::new([1; 32])), [2; 16]);
        for ruleset in Ruleset::all() {
            let per_pair = usize::from(ruleset.tokens_per_pair());
            // Two rows and two pairs of padding.
            let all = pairs.tokens(ruleset, &blinder, 0, 4 * per_pair).unwrap();
            assert_eq!(all.len(), 4 * per_pair);
            let of_row = |row: usize| {
                let mut own = TokenArena::new();
                ruleset.tokenize(Side::Verifier, &pairs.row(row).unwrap(), &mut own).unwrap();
                own.iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
            };
            for slot in 0..4 * per_pair {
                let due = if slot < 2 * per_pair { of_row(slot / per_pair).get(slot % per_pair).cloned() } else { None };
                assert_eq!(all.get(slot).unwrap(), due.unwrap_or_else(|| blinder.dummy(&ruleset.digest(), slot as u64)), "{slot}");
            }
            for (first, count) in [(0, 1), (1, 2), (per_pair - 1, 2), (per_pair, 2 * per_pair), (3 * per_pair, per_pair)] {
                let some = pairs.tokens(ruleset, &blinder, first as u64, count).unwrap();
                assert!(some.iter().eq(all.iter().skip(first).take(count)), "{first} {count}");
            }
        }
    }
}
