//! The list: rows in, tokens and what becomes of each row out. Whoever reads a list reads it here: `check`, requests, audits.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::thread;

use oblink_linkage::{Ruleset, TokenArena};
use oblink_session::blind::Blinder;
use oblink_session::commitment::{Salter, row_leaf};
use oblink_session::merkle::{Accumulator, Hash, Tree};
use rayon::prelude::*;

use super::conditions::{Conditions, Persons, Verdict, tokens_in};
use crate::failure::Failure;
use crate::pipeline::{cores, for_each_ordered};
use crate::report::{Bar, Reporter};
use crate::rows::{DuplicateIds, InputSummary, RowChunk, RowReader};
use crate::tokens::tokenize;

/// Dummies or leaves of padding that are made at a time.
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

/// The verifier's list in memory: identifiers, tokens, and for each row whether it is submitted. No field of a row beyond that is kept.
pub(super) struct List {
    /// All identifiers, end to end.
    ids: String,
    id_ends: Vec<usize>,
    /// 0: submitted; else one more than an index of `reasons`.
    fates: Vec<u8>,
    reasons: Vec<&'static str>,
    /// T tokens for each submitted row, in order; slots that a row does not fill hold dummies (SPEC TOK-3). After them those of the padding.
    pub(super) tokens: TokenArena,
    /// Submitted rows.
    pub(super) pairs: u64,
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
    tokens: TokenArena,
    /// For each row the number of its tokens, and what is made of it.
    rows: Vec<(u16, Verdict)>,
}

/// A chunk whose submitted rows have their numbers.
struct Numbered {
    chunk: RowChunk,
    first_pair: u64,
    submitted: Vec<bool>,
}

/// The list in the making: everything that must be done in the order of the rows.
struct Maker<'a> {
    list: List,
    ruleset: &'static Ruleset,
    blinder: &'a Blinder,
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
        blinder: &Blinder,
        commitment: Option<&Commitment>,
        pad_to: Option<u64>,
        reporter: &Reporter,
    ) -> Result<Self, Failure> {
        if let Some(commitment) = commitment {
            commitment.conditions.check_columns(&reader)?;
        }
        let bar = reporter.bytes_bar("reading", reader.bytes_total(), reader.bytes_read());
        let mut maker = Maker::new(&reader, ruleset, blinder, commitment);
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

    /// The tokens from `first` on.
    ///
    /// # Errors
    /// A bug: there are not as many.
    pub(super) fn tokens(&self, first: usize, count: usize) -> Result<Vec<&[u8]>, Failure> {
        (first..first + count).map(|i| self.tokens.get(i).ok_or_else(|| Failure::bug("a token is missing"))).collect()
    }
}

/// Reads with two rows of workers: the first tokenises and judges, then rows are numbered in order, and the second salts and hashes them
/// under their numbers. The padding has its leaves too (SPEC PAD-2).
fn read_and_hash(
    reader: &mut RowReader,
    maker: &mut Maker<'_>,
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

impl<'a> Maker<'a> {
    fn new(reader: &RowReader, ruleset: &'static Ruleset, blinder: &'a Blinder, commitment: Option<&Commitment>) -> Self {
        let list = List {
            ids: String::new(),
            id_ends: Vec::new(),
            fates: Vec::new(),
            reasons: Vec::new(),
            tokens: TokenArena::new(),
            pairs: 0,
            padding: 0,
            duplicate_ids: 0,
            summary: InputSummary { rows: 0, bytes: 0, sha256: [0; 32] },
            committed: None,
        };
        let persons = commitment.and_then(|commitment| commitment.conditions.persons());
        let has_ids = reader.has(crate::rows::Field::Id);
        Self { list, ruleset, blinder, has_ids, duplicates: DuplicateIds::new(), persons, order_dates: (0, 0) }
    }

    fn read(
        &mut self,
        reader: &mut RowReader,
        conditions: Option<&Conditions>,
        bar: &Bar,
        mut each: impl FnMut(Numbered) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let ruleset = self.ruleset;
        for_each_ordered(
            || reader.next_chunk(),
            |chunk| Ok(judge(chunk, ruleset, conditions)),
            |judged| {
                each(self.take(judged)?)?;
                bar.update();
                Ok(())
            },
        )
    }

    fn take(&mut self, judged: Judged) -> Result<Numbered, Failure> {
        let Judged { chunk, tokens, rows } = judged;
        let first_pair = self.list.pairs;
        let mut submitted = Vec::with_capacity(rows.len());
        let mut next = 0;
        for (view, (own, verdict)) in chunk.iter().zip(&rows) {
            if self.has_ids {
                self.duplicates.push(view.id);
            }
            self.list.ids.push_str(view.id);
            self.list.id_ends.push(self.list.ids.len());
            let own = usize::from(*own);
            let reason = verdict.reason.or_else(|| self.too_many(verdict));
            submitted.push(reason.is_none());
            match reason {
                None => {
                    self.submit(&tokens, next, own)?;
                    self.count_date(verdict.order_date);
                }
                Some(reason) => {
                    let fate = fate_of(reason, &mut self.list.reasons)?;
                    self.list.fates.push(fate);
                }
            }
            next += own;
        }
        Ok(Numbered { chunk, first_pair, submitted })
    }

    fn too_many(&mut self, verdict: &Verdict) -> Option<&'static str> {
        let persons = self.persons.as_mut()?;
        (!persons.admit(verdict.person, verdict.address)).then_some("too_many_addresses")
    }

    fn submit(&mut self, tokens: &TokenArena, first: usize, own: usize) -> Result<(), Failure> {
        let per_pair = self.ruleset.tokens_per_pair();
        if own > usize::from(per_pair) {
            return Err(Failure::bug("a row gave more tokens than its ruleset says"));
        }
        for i in first..first + own {
            self.list.tokens.push(tokens.get(i).ok_or_else(|| Failure::bug("a token is missing"))?);
        }
        for slot in own as u64..u64::from(per_pair) {
            let dummy = self.blinder.dummy(&self.ruleset.digest(), self.list.pairs * u64::from(per_pair) + slot);
            self.list.tokens.push(&dummy);
        }
        self.list.pairs += 1;
        self.list.fates.push(0);
        Ok(())
    }

    /// Pairs of dummies alone after the list's, up to `pad_to` in all (SPEC PAD-1). A list of which nothing can be asked is not padded either.
    fn pad(&mut self, pad_to: Option<u64>) -> Result<(), Failure> {
        let own = self.list.pairs;
        let Some(pad_to) = pad_to.filter(|_| own > 0) else { return Ok(()) };
        self.list.padding = pad_to.checked_sub(own).ok_or_else(|| {
            Failure::input("over_pad_to", format!("{own} rows can be submitted, and --pad-to is {pad_to}: nobody was asked"))
                .with_hint(format!("give a --pad-to of at least {own}, the same for all your lists; or ask in several lists"))
        })?;
        let (blinder, digest, per_pair) = (self.blinder, self.ruleset.digest(), u64::from(self.ruleset.tokens_per_pair()));
        let end = pad_to * per_pair;
        for first in (own * per_pair..end).step_by(PADDING_STEP) {
            let indexes = first..end.min(first + PADDING_STEP as u64);
            let dummies: Vec<Vec<u8>> = indexes.into_par_iter().map(|index| blinder.dummy(&digest, index)).collect();
            dummies.iter().for_each(|dummy| self.list.tokens.push(dummy));
        }
        Ok(())
    }

    fn count_date(&mut self, date: u32) {
        let (earliest, latest) = self.order_dates;
        self.order_dates = if self.list.pairs == 1 { (date, date) } else { (earliest.min(date), latest.max(date)) };
    }
}

fn judge(chunk: RowChunk, ruleset: &'static Ruleset, conditions: Option<&Conditions>) -> Judged {
    let of_chunk = tokenize(ruleset, &chunk);
    let mut next = 0;
    let rows = of_chunk.rows.iter().enumerate();
    let rows = rows.map(|(index, outcome)| match *outcome {
        Err(reason) => (0, Verdict { reason: Some(reason), ..Verdict::default() }),
        Ok(own) => {
            let tokens = tokens_in(&of_chunk.tokens, next, usize::from(own));
            next += usize::from(own);
            (own, conditions.map_or_else(Verdict::default, |conditions| conditions.judge(&chunk, index, tokens)))
        }
    });
    let rows = rows.collect();
    Judged { chunk, tokens: of_chunk.tokens, rows }
}

fn fate_of(reason: &'static str, reasons: &mut Vec<&'static str>) -> Result<u8, Failure> {
    let at = reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    });
    u8::try_from(at + 1).map_err(|_| Failure::bug("there are more reasons than a byte holds"))
}
