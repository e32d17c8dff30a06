//! The list: rows in, tokens and what becomes of each row out.

use oblink_linkage::{Ruleset, TokenArena};
use oblink_session::blind::Blinder;

use crate::failure::Failure;
use crate::pipeline::for_each_ordered;
use crate::report::Reporter;
use crate::rows::{DuplicateIds, InputSummary, RowReader};
use crate::tokens::tokenize;

/// The verifier's list in memory: identifiers, tokens, and for each row whether it is submitted. No field of a row beyond that is kept.
pub(super) struct List {
    /// All identifiers, end to end.
    ids: String,
    id_ends: Vec<usize>,
    /// 0: submitted; else one more than an index of `reasons`.
    fates: Vec<u8>,
    reasons: Vec<&'static str>,
    /// T tokens for each submitted row, in order; slots that a row does not fill hold dummies (SPEC TOK-3).
    pub(super) tokens: TokenArena,
    pub(super) pairs: u64,
    pub(super) duplicate_ids: u64,
    pub(super) summary: InputSummary,
}

impl List {
    /// Reads and tokenises the whole input, on all cores.
    pub(super) fn read(mut reader: RowReader, ruleset: &'static Ruleset, blinder: &Blinder, reporter: &Reporter) -> Result<Self, Failure> {
        let bar = reporter.bytes_bar("reading", reader.bytes_total(), reader.bytes_read());
        let has_ids = reader.has_id();
        let per_pair = ruleset.tokens_per_pair();
        let digest = ruleset.digest();
        let (mut ids, mut id_ends, mut fates, mut reasons) = (String::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut tokens, mut pairs, mut duplicates) = (TokenArena::new(), 0_u64, DuplicateIds::new());
        for_each_ordered(
            || reader.next_chunk(),
            |chunk| {
                let of_chunk = tokenize(ruleset, &chunk);
                Ok((chunk, of_chunk))
            },
            |(chunk, of_chunk)| {
                let mut next = 0;
                for (view, outcome) in chunk.iter().zip(&of_chunk.rows) {
                    if has_ids {
                        duplicates.push(view.id);
                    }
                    ids.push_str(view.id);
                    id_ends.push(ids.len());
                    match *outcome {
                        Ok(own) if own <= per_pair => {
                            for i in next..next + usize::from(own) {
                                tokens.push(of_chunk.tokens.get(i).ok_or_else(|| Failure::bug("a token is missing"))?);
                            }
                            for slot in own..per_pair {
                                tokens.push(&blinder.dummy(&digest, pairs * u64::from(per_pair) + u64::from(slot)));
                            }
                            next += usize::from(own);
                            pairs += 1;
                            fates.push(0);
                        }
                        Ok(_) => return Err(Failure::bug("a row gave more tokens than its ruleset says")),
                        Err(reason) => fates.push(fate_of(reason, &mut reasons)?),
                    }
                }
                bar.update();
                Ok(())
            },
        )?;
        bar.finish();
        let summary = reader.summary();
        Ok(Self { ids, id_ends, fates, reasons, tokens, pairs, duplicate_ids: duplicates.count(), summary })
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
}

fn fate_of(reason: &'static str, reasons: &mut Vec<&'static str>) -> Result<u8, Failure> {
    let at = reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    });
    u8::try_from(at + 1).map_err(|_| Failure::bug("there are more reasons than a byte holds"))
}
