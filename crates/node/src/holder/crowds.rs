//! How many records share a place, where a ruleset asks: the records are read twice, first to count, then to make tokens (SPEC SET-9).
//!
//! Counted is in a count-min sketch of fixed size, [`SKETCH_BYTES`], whatever the number of records. What it says of a place is never too few. It
//! is too many where other places share the place's cell in every row: then the place may seem crowded, its records give fewer tokens, and
//! matches are lost; none is made up. Under a `crowd_max` of 8, with three records in each household and a seventh of all at crowded places, one
//! quiet record in a million seems crowded of 7 million records (a test holds it below one in 200,000), one in a thousand of 21 million, and one in
//! four of 70 million: more than some 20 million records want more cells, and a new way of counting is a new set.
//!
//! Sums do not depend on the order of what is summed, so neither threads nor the records' order show in the set (SPEC SET-6).

use oblink_linkage::{Place, Ruleset};

use crate::failure::Failure;
use crate::pipeline::for_each_ordered;
use crate::report::Reporter;
use crate::rows::{InputSummary, RowChunk, RowReader, RowView};
use crate::tokens::row_of;

/// Rows of the sketch.
const ROWS: usize = 4;
/// Cells of a row, as a power of two; a cell is a byte.
const CELLS_LOG2: u32 = 23;
/// Memory of a sketch: 32 MiB.
pub(super) const SKETCH_BYTES: u64 = (ROWS as u64) << CELLS_LOG2;
/// The greatest number of records that a place may have and be quiet: a cell counts one more, and stops.
const COUNTED_MAX: u32 = u8::MAX as u32 - 1;

/// What is known of the records' places.
#[derive(Debug)]
pub(super) enum Crowds {
    /// The ruleset does not ask.
    NotAsked,
    /// The records can be read once only.
    Unknown,
    /// They were counted.
    Counted {
        sketch: Sketch,
        /// The most records of a quiet place.
        max: u32,
        /// What was read.
        summary: InputSummary,
    },
}

/// What is to be done about places, known before anything is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placing {
    NotAsked,
    Unknown,
    Count { max: u32 },
}

impl Placing {
    /// Of this ruleset's records in this input; warns where they cannot be read twice.
    pub(super) fn of(ruleset: &Ruleset, reader: &RowReader, reporter: &Reporter) -> Self {
        match ruleset.crowd_max() {
            None => Self::NotAsked,
            // Neither standard input nor a pipe with a name.
            Some(_) if reader.bytes_total().is_none() => {
                reporter.warn(&format!(
                    "the records can be read only once, so nobody can count how many of them share an address: {} takes every address as a crowded \
                     one then, its records give fewer tokens, and fewer pairs match",
                    ruleset.name()
                ));
                reporter.help("give the records as a file, not as standard input or a pipe");
                Self::Unknown
            }
            Some(max) => Self::Count { max: max.min(COUNTED_MAX) },
        }
    }

    /// Memory that counting takes, beside that of tokens and tags.
    pub(super) fn memory_bytes(self) -> u64 {
        if matches!(self, Self::Count { .. }) { SKETCH_BYTES } else { 0 }
    }

    /// The verb of the progress bar of what comes after the counting.
    pub(super) fn verb(self, alone: &'static str, second: &'static str) -> &'static str {
        if matches!(self, Self::Count { .. }) { second } else { alone }
    }

    /// Reads the records a first time where that is due; gives what is known of places and a reader at the records' beginning.
    ///
    /// # Errors
    /// Exit 3: as [`RowReader`]'s.
    pub(super) fn count(
        self,
        mut reader: RowReader,
        reopen: impl FnOnce() -> Result<RowReader, Failure>,
        ruleset: &Ruleset,
        reporter: &Reporter,
    ) -> Result<(Crowds, RowReader), Failure> {
        let max = match self {
            Self::NotAsked => return Ok((Crowds::NotAsked, reader)),
            Self::Unknown => return Ok((Crowds::Unknown, reader)),
            Self::Count { max } => max,
        };
        let bar = reporter.bytes_bar("counting addresses (1 of 2)", reader.bytes_total(), reader.bytes_read());
        let mut sketch = Sketch::new();
        for_each_ordered(
            || reader.next_chunk(),
            |chunk| Ok(places_of(&chunk, |view| ruleset.place(&row_of(view)))),
            |places| {
                places.into_iter().for_each(|place| sketch.add(place));
                bar.update();
                Ok(())
            },
        )?;
        bar.finish();
        Ok((Crowds::Counted { sketch, max, summary: reader.summary() }, reopen()?))
    }
}

/// The places of a chunk's rows; of those that have none, nothing.
fn places_of(chunk: &RowChunk, place: impl Fn(&RowView<'_>) -> Option<u64>) -> Vec<u64> {
    chunk.iter().filter(|view| view.problem.is_none()).filter_map(|view| place(&view)).collect()
}

impl Crowds {
    /// Whether a row's place is crowded.
    pub(super) fn place(&self, ruleset: &Ruleset, view: &RowView<'_>) -> Place {
        match self {
            Self::NotAsked => Place::Quiet,
            Self::Unknown => Place::Crowded,
            Self::Counted { .. } => {
                let place = if view.problem.is_none() { ruleset.place(&row_of(view)) } else { None };
                place.map_or(Place::Quiet, |place| self.of_number(place))
            }
        }
    }

    /// Whether the place of this number is crowded.
    fn of_number(&self, place: u64) -> Place {
        match self {
            Self::Counted { sketch, max, .. } if sketch.count(place) <= *max => Place::Quiet,
            Self::NotAsked => Place::Quiet,
            Self::Unknown | Self::Counted { .. } => Place::Crowded,
        }
    }

    /// Whether the second reading read what the first one did: otherwise places were counted of other records.
    ///
    /// # Errors
    /// Exit 3: it did not.
    pub(super) fn check(&self, second: &InputSummary) -> Result<(), Failure> {
        match self {
            Self::Counted { summary, .. } if summary != second => {
                Err(Failure::input("records_changed", "the records changed while they were read")
                    .with_hint("they are read twice: run the command again once nobody writes to the file any more; nothing was written"))
            }
            _ => Ok(()),
        }
    }
}

/// A count-min sketch: rows of cells, and each place counts in one cell of each row.
pub(super) struct Sketch {
    rows: [Vec<u8>; ROWS],
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sketch")
    }
}

impl Sketch {
    fn new() -> Self {
        Self { rows: std::array::from_fn(|_| vec![0; 1 << CELLS_LOG2]) }
    }

    fn add(&mut self, place: u64) {
        for (row, cells) in (1..).zip(&mut self.rows) {
            if let Some(cell) = cells.get_mut(cell_of(place, row)) {
                *cell = cell.saturating_add(1);
            }
        }
    }

    /// At least as many as were added of it, up to 255.
    fn count(&self, place: u64) -> u32 {
        let cells = (1..).zip(&self.rows).map(|(row, cells)| cells.get(cell_of(place, row)).copied().unwrap_or_default());
        cells.min().unwrap_or_default().into()
    }
}

/// The cell of a place in row 1, 2, 3 or 4: the first bits of SplitMix64's output number `row` from the place on (SPEC SET-9).
fn cell_of(place: u64, row: u64) -> usize {
    let mut z = place.wrapping_add(row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> (64 - CELLS_LOG2)) as usize
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::rows::CsvOptions;

    fn counted(places: impl IntoIterator<Item = u64>, max: u32) -> Crowds {
        let mut sketch = Sketch::new();
        places.into_iter().for_each(|place| sketch.add(place));
        Crowds::Counted { sketch, max, summary: InputSummary { rows: 0, bytes: 0, sha256: [0; 32] } }
    }

    /// A number as a ruleset may give it: without order.
    fn place(number: u64) -> u64 {
        u64::from_be_bytes(*Sha256::digest(number.to_be_bytes()).first_chunk().unwrap())
    }

    /// SET-9
    #[test]
    fn a_place_is_crowded_from_one_more_record_on() {
        let crowds = counted((0..5).flat_map(|place| std::iter::repeat_n(place, place as usize * 100)).chain([7; 12]), 12);
        let crowded = [0, 7, 1, 2, 3, 4].map(|place| crowds.of_number(place) == Place::Crowded);
        assert_eq!(crowded, [false, false, true, true, true, true]);
        // A cell that is full stays full.
        let crowds = counted(std::iter::repeat_n(9, 70_000), COUNTED_MAX);
        assert_eq!((crowds.of_number(9), crowds.of_number(8)), (Place::Crowded, Place::Quiet));
        assert_eq!([Crowds::NotAsked.of_number(9), Crowds::Unknown.of_number(9)], [Place::Quiet, Place::Crowded]);
    }

    /// SET-6, SET-9: the order of the records does not show.
    #[test]
    fn sums_do_not_depend_on_the_order() {
        let places: Vec<u64> = (0..200_000).map(|number| place(number / 3)).collect();
        let (forth, back) = (counted(places.iter().copied(), 2), counted(places.iter().rev().copied(), 2));
        assert!(places.iter().all(|place| forth.of_number(*place) == back.of_number(*place)));
    }

    /// The odds that the module's words and the documents give, for seven million records and the `crowd_max` of the built-in rulesets: two
    /// million households of three, and 10,000 places of a hundred.
    #[test]
    fn few_quiet_places_seem_crowded() {
        const HOUSEHOLDS: u64 = 2_000_000;
        let households = (0..3 * HOUSEHOLDS).map(|number| place(number / 3));
        let crowded = (0..1_000_000).map(|number| place(u64::MAX - number / 100));
        let crowds = counted(households.chain(crowded), 8);
        let mistaken = (0..HOUSEHOLDS).filter(|number| crowds.of_number(place(*number)) == Place::Crowded).count();
        assert!((0..10_000).all(|number| crowds.of_number(place(u64::MAX - number)) == Place::Crowded));
        // One in 100,000 would be 20.
        assert!(mistaken < 10, "{mistaken} of {HOUSEHOLDS}");
    }

    #[test]
    fn both_readings_must_be_of_the_same_bytes() {
        let first = InputSummary { rows: 3, bytes: 90, sha256: [1; 32] };
        let crowds = Crowds::Counted { sketch: Sketch::new(), max: 12, summary: first.clone() };
        assert!(crowds.check(&first).is_ok());
        for other in [InputSummary { rows: 4, ..first.clone() }, InputSummary { sha256: [2; 32], ..first.clone() }] {
            let failure = crowds.check(&other).unwrap_err();
            assert_eq!(
                (failure.code(), failure.exit().code(), failure.what()),
                ("records_changed", 3, "the records changed while they were read")
            );
            assert!(Crowds::Unknown.check(&other).is_ok() && Crowds::NotAsked.check(&other).is_ok());
        }
    }

    #[test]
    fn rows_that_are_not_understood_are_at_no_place() {
        let bytes = std::io::Cursor::new(b"name,address,postal_code\nA,1 Elm St,02134\nB,2 Elm St\nC,1 Elm St,02134\n".to_vec());
        let mut reader = RowReader::from_read(Box::new(bytes), None, "r".to_owned(), &CsvOptions::default()).unwrap();
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!(places_of(&chunk, |view| (!view.address.is_empty()).then_some(view.address.len() as u64)), [8, 8]);
        assert!(places_of(&chunk, |_| None).is_empty());
    }
}
