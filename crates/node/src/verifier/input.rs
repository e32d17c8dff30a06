//! The list: rows in, what becomes of each row and the tokens of those that are submitted out. Whoever reads a list reads it here: `check`, requests, audits.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::thread;

use oblink_linkage::{Ruleset, Side, TokenArena};
use oblink_session::blind::Blinder;
use oblink_session::commitment::{Salter, row_leaf};
use oblink_session::merkle::{Accumulator, Hash, Tree};

use super::conditions::{Conditions, Persons, Verdict, address_of, tokens_in};
use super::pairs::Pairs;
use crate::failure::Failure;
use crate::pipeline::{cores, for_each_ordered};
use crate::report::{Bar, Reporter};
use crate::rows::{DuplicateIds, InputSummary, RowChunk, RowReader};
use crate::tokens::{row_of, rows_at_once, tokenize};

/// Leaves of padding that are made at a time.
const PADDING_STEP: usize = 1 << 16;

/// What a request commits to in its rows: which of them, and the salts of their leaves.
pub(super) struct Commitment {
    pub(super) conditions: Conditions,
    pub(super) salter: Salter,
    /// Whether the leaves' hashes are kept, for paths.
    pub(super) keep_leaves: bool,
}

/// What the rows of a list come to under a [`Commitment`].
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Root over the salted rows (SPEC REQ-4).
    pub(super) list_root: Hash,
    /// The leaves, where they were to be kept.
    pub(super) leaves: Option<Tree>,
    /// Earliest and latest order date of the submitted rows, as yyyymmdd; 0 where none is required.
    pub(super) order_dates: (u32, u32),
}

/// The verifier's list in memory: identifiers, for each row whether it is submitted, and of those that are what their tokens are made of: name and
/// address. No other field of a row is kept.
pub(super) struct List {
    /// All identifiers, end to end.
    ids: String,
    id_ends: Vec<usize>,
    /// 0: submitted; else one more than an index of `reasons`.
    fates: Vec<u8>,
    reasons: Vec<&'static str>,
    ruleset: &'static Ruleset,
    /// The submitted rows, in order.
    submitted: Pairs,
    /// How many they are.
    pub(super) pairs: u64,
    /// Tokens that are theirs: the other slots hold dummies.
    pub(super) own_tokens: u64,
    /// Pairs of dummies alone that are asked after them (SPEC PAD-1).
    pub(super) padding: u64,
    pub(super) duplicate_ids: u64,
    pub(super) summary: InputSummary,
    /// Of a list that is read for a request.
    pub(super) committed: Option<Committed>,
}

/// A chunk on its way through the reading: its rows, tokenised and judged.
struct Judged {
    chunk: RowChunk,
    /// For each row the number of its tokens, and what is made of it.
    rows: Vec<(usize, Verdict)>,
}

/// A chunk whose submitted rows have their numbers.
struct Numbered {
    chunk: RowChunk,
    first_pair: u64,
    submitted: Vec<bool>,
}

/// The list in the making: everything that must be done in the order of the rows.
struct Maker {
    list: List,
    has_ids: bool,
    duplicates: DuplicateIds,
    persons: Option<Persons>,
    order_dates: (u32, u32),
}

impl List {
    /// Reads and tokenises the whole input, on all cores; for a request also judges its rows by the request's conditions, and hashes them. With
    /// `pad_to`, so many pairs are asked in all.
    ///
    /// # Errors
    /// Exit 3: as [`RowReader`]; a column that the conditions demand is not there; more rows can be submitted than `pad_to` says.
    pub(super) fn read(
        mut reader: RowReader,
        ruleset: &'static Ruleset,
        commitment: Option<&Commitment>,
        pad_to: Option<u64>,
        reporter: &Reporter,
    ) -> Result<Self, Failure> {
        if let Some(commitment) = commitment {
            commitment.conditions.check_columns(&reader)?;
        }
        reader.limit_chunks(rows_at_once(ruleset));
        let bar = reporter.bytes_bar("reading", reader.bytes_total(), reader.bytes_read());
        let mut maker = Maker::new(&reader, ruleset, commitment);
        let committed = match commitment {
            None => {
                maker.read(&mut reader, None, &bar, |_| Ok(()))?;
                maker.pad(pad_to)?;
                None
            }
            Some(commitment) => Some(read_and_hash(&mut reader, &mut maker, commitment, pad_to, &bar)?),
        };
        bar.finish();
        let Maker { mut list, duplicates, order_dates, .. } = maker;
        list.summary = reader.summary();
        list.duplicate_ids = duplicates.count();
        list.committed = committed.map(|committed| Committed { order_dates, ..committed });
        Ok(list)
    }

    /// The pairs that are asked: the submitted rows and the padding.
    pub(super) fn asked(&self) -> u64 {
        self.pairs + self.padding
    }

    /// The rows in order: number from 1, identifier, and `None` where it is submitted, else why not.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u64, &str, Option<&'static str>)> {
        let mut begin = 0;
        self.id_ends.iter().zip(&self.fates).zip(1..).map(move |((&end, &fate), number)| {
            let id = self.ids.get(begin..end).unwrap_or_default();
            begin = end;
            (number, id, usize::from(fate).checked_sub(1).and_then(|at| self.reasons.get(at).copied()))
        })
    }

    /// How many rows are not submitted, by reason.
    pub(super) fn left_out(&self) -> BTreeMap<String, u64> {
        let mut counts = vec![0_u64; self.reasons.len()];
        for fate in self.fates.iter().filter_map(|fate| usize::from(*fate).checked_sub(1)) {
            if let Some(count) = counts.get_mut(fate) {
                *count += 1;
            }
        }
        self.reasons.iter().zip(counts).map(|(reason, count)| ((*reason).to_owned(), count)).collect()
    }

    /// How many tokens are asked.
    pub(super) fn tokens_asked(&self) -> u64 {
        self.asked() * u64::from(self.ruleset.tokens_per_pair())
    }

    /// Tokens `first` to `first + count` of those that are asked, with the dummies of this blinder: T for each submitted row, in order, then those
    /// of the padding.
    ///
    /// # Errors
    /// A bug: as [`Pairs::tokens`].
    pub(super) fn tokens(&self, blinder: &Blinder, first: u64, count: usize) -> Result<TokenArena, Failure> {
        self.submitted.tokens(self.ruleset, blinder, first, count)
    }
}

/// Reads with two rows of workers: the first tokenises and judges, then rows are numbered in order, and the second salts and hashes them
/// under their numbers. The padding has its leaves too (SPEC PAD-2).
fn read_and_hash(
    reader: &mut RowReader,
    maker: &mut Maker,
    commitment: &Commitment,
    pad_to: Option<u64>,
    bar: &Bar,
) -> Result<Committed, Failure> {
    let (numbered_in, numbered_out) = sync_channel::<Numbered>(cores());
    let (mut accumulator, mut leaves) = (Accumulator::new(), Vec::new());
    let mut keep = |hashes: Vec<Hash>| {
        if commitment.keep_leaves {
            leaves.extend(hashes);
        } else {
            accumulator.extend(hashes);
        }
    };
    thread::scope(|scope| {
        let (reader, maker) = (&mut *reader, &mut *maker);
        let reading = scope.spawn(move || {
            // Where nobody takes them any more, the hashing has failed and says why.
            let gone = || Failure::bug("rows were not hashed");
            maker.read(reader, Some(&commitment.conditions), bar, |numbered| numbered_in.send(numbered).map_err(|_| gone()))
        });
        let hashing = for_each_ordered(
            move || Ok(numbered_out.recv().ok()),
            |numbered| hash_rows(&numbered, &commitment.salter),
            |hashes| {
                keep(hashes);
                Ok(())
            },
        );
        let read = reading.join().unwrap_or_else(|_| Err(Failure::bug("the reading broke off")));
        hashing.and(read)
    })?;
    maker.pad(pad_to)?;
    let (own, asked) = (maker.list.pairs, maker.list.asked());
    for first in (own..asked).step_by(PADDING_STEP) {
        keep(padding_leaves(first, asked.min(first + PADDING_STEP as u64), &commitment.salter)?);
    }
    let leaves = commitment.keep_leaves.then(|| Tree::new(leaves));
    let list_root = leaves.as_ref().map_or_else(|| accumulator.root(), Tree::root);
    Ok(Committed { list_root, leaves, order_dates: (0, 0) })
}

fn hash_rows(numbered: &Numbered, salter: &Salter) -> Result<Vec<Hash>, Failure> {
    let rows: Vec<usize> = numbered.submitted.iter().enumerate().filter(|(_, submitted)| **submitted).map(|(index, _)| index).collect();
    let salts = salter.salts(numbered.first_pair, rows.len());
    let mut fields = Vec::with_capacity(16);
    let hash = |((index, salt), pair): ((usize, [u8; 32]), u64)| {
        fields.clear();
        fields.extend(numbered.chunk.fields(index).map(|(field, text)| (field.name(), text)));
        let row = numbered.chunk.first_number() + index as u64;
        row_leaf(&salt, pair, row, &fields).map_err(|_| Failure::bug("a row that cannot be committed to was not left out"))
    };
    rows.into_iter().zip(salts).zip(numbered.first_pair..).map(hash).collect()
}

/// Leaves of padding pairs: of row 0, which no row is, and without fields (SPEC PAD-2).
fn padding_leaves(first: u64, end: u64, salter: &Salter) -> Result<Vec<Hash>, Failure> {
    let leaf = |(pair, salt)| row_leaf(&salt, pair, 0, &[]).map_err(|_| Failure::bug("padding cannot be committed to"));
    (first..).zip(salter.salts(first, (end - first) as usize)).map(leaf).collect()
}

impl Maker {
    fn new(reader: &RowReader, ruleset: &'static Ruleset, commitment: Option<&Commitment>) -> Self {
        let list = List {
            ids: String::new(),
            id_ends: Vec::new(),
            fates: Vec::new(),
            reasons: Vec::new(),
            ruleset,
            submitted: Pairs::default(),
            pairs: 0,
            own_tokens: 0,
            padding: 0,
            duplicate_ids: 0,
            summary: InputSummary { rows: 0, bytes: 0, sha256: [0; 32] },
            committed: None,
        };
        let persons = commitment.and_then(|commitment| commitment.conditions.persons());
        let has_ids = reader.has(crate::rows::Field::Id);
        Self { list, has_ids, duplicates: DuplicateIds::new(), persons, order_dates: (0, 0) }
    }

    fn read(
        &mut self,
        reader: &mut RowReader,
        conditions: Option<&Conditions>,
        bar: &Bar,
        mut each: impl FnMut(Numbered) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let ruleset = self.list.ruleset;
        for_each_ordered(
            || reader.next_chunk(),
            |chunk| judge(chunk, ruleset, conditions),
            |judged| {
                each(self.take(judged)?)?;
                bar.update();
                Ok(())
            },
        )
    }

    fn take(&mut self, judged: Judged) -> Result<Numbered, Failure> {
        let Judged { chunk, rows } = judged;
        let first_pair = self.list.pairs;
        let mut submitted = Vec::with_capacity(rows.len());
        for ((view, record), (own, verdict)) in chunk.iter().zip(chunk.records()).zip(&rows) {
            if self.has_ids {
                self.duplicates.push(view.id);
            }
            self.list.ids.push_str(view.id);
            self.list.id_ends.push(self.list.ids.len());
            let reason = verdict.reason.or_else(|| self.too_many(verdict));
            submitted.push(reason.is_none());
            match reason {
                None => {
                    self.list.submitted.push(&record);
                    self.list.pairs += 1;
                    self.list.own_tokens += *own as u64;
                    self.list.fates.push(0);
                    self.count_date(verdict.order_date);
                }
                Some(reason) => {
                    let fate = fate_of(reason, &mut self.list.reasons)?;
                    self.list.fates.push(fate);
                }
            }
        }
        Ok(Numbered { chunk, first_pair, submitted })
    }

    fn too_many(&mut self, verdict: &Verdict) -> Option<&'static str> {
        let persons = self.persons.as_mut()?;
        (!persons.admit(verdict.person, verdict.address)).then_some("too_many_addresses")
    }

    /// Pairs of dummies alone after the list's, up to `pad_to` in all (SPEC PAD-1). A list of which nothing can be asked is not padded either.
    fn pad(&mut self, pad_to: Option<u64>) -> Result<(), Failure> {
        let own = self.list.pairs;
        let Some(pad_to) = pad_to.filter(|_| own > 0) else { return Ok(()) };
        self.list.padding = pad_to.checked_sub(own).ok_or_else(|| {
            Failure::input("over_pad_to", format!("{own} rows can be submitted, and --pad-to is {pad_to}: nobody was asked"))
                .with_hint(format!("give a --pad-to of at least {own}, the same for all your lists; or ask in several lists"))
        })?;
        Ok(())
    }

    fn count_date(&mut self, date: u32) {
        let (earliest, latest) = self.order_dates;
        self.order_dates = if self.list.pairs == 1 { (date, date) } else { (earliest.min(date), latest.max(date)) };
    }
}

fn judge(chunk: RowChunk, ruleset: &'static Ruleset, conditions: Option<&Conditions>) -> Result<Judged, Failure> {
    let of_chunk = tokenize(ruleset, &chunk, |_| Side::Verifier);
    let mut next = 0;
    let mut rows = Vec::with_capacity(chunk.len());
    for ((index, view), outcome) in chunk.iter().enumerate().zip(&of_chunk.rows) {
        let row = match *outcome {
            Err(reason) => (0, Verdict { reason: Some(reason), ..Verdict::default() }),
            Ok(own) if own > usize::from(ruleset.tokens_per_pair()) => {
                return Err(Failure::bug("a row gave more tokens than its ruleset says"));
            }
            Ok(own) => {
                let tokens = tokens_in(&of_chunk.tokens, next, own);
                next += own;
                let address = || address_of(ruleset.place(&row_of(&view)), tokens);
                (own, conditions.map_or_else(Verdict::default, |conditions| conditions.judge(&chunk, index, address)))
            }
        };
        rows.push(row);
    }
    Ok(Judged { chunk, rows })
}

fn fate_of(reason: &'static str, reasons: &mut Vec<&'static str>) -> Result<u8, Failure> {
    let at = reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    });
    u8::try_from(at + 1).map_err(|_| Failure::bug("there are more reasons than a byte holds"))
}
