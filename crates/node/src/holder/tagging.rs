//! A chunk of records to tags: one core's work. What a cache knows is neither canonicalised nor evaluated again.

use oblink_linkage::{Place, Ruleset, Side};
use oblink_session::epoch::EpochKeys;
use oblink_session::tag::TagPrefix;
use oblink_store::cache::{CacheKeys, KnownRows, RowDigest};

use super::crowds::Crowds;
use crate::failure::Failure;
use crate::rows::{RecordText, RowChunk};
use crate::tokens::{arena_for, tokenize_row};

/// One epoch's keys, and what is known of its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagger<'a> {
    pub(super) keys: &'a EpochKeys,
    pub(super) caching: Option<(&'a CacheKeys, Option<&'a KnownRows>)>,
}

/// What a chunk came to.
#[derive(Debug)]
pub(super) struct Tagged {
    /// The rows themselves.
    pub(super) chunk: RowChunk,
    /// Rows that gave no token: their index in the chunk, and why.
    pub(super) rejected: Vec<(usize, &'static str)>,
    /// For each epoch, the tags that had to be computed.
    pub(super) computed: Vec<Computed>,
}

/// The tags of one epoch that had to be computed.
#[derive(Debug, Default)]
pub(super) struct Computed {
    pub(super) prefixes: Vec<TagPrefix>,
    /// Where there is a cache: each tag's row, in the same order.
    pub(super) rows: Vec<(RowDigest, TagPrefix)>,
}

/// The rows that an epoch has to compute.
enum Due {
    All,
    /// By index, with their digests.
    Some(Vec<(usize, RowDigest)>),
}

/// Computes the tags of a chunk's records under every epoch, but for those that an epoch's cache knows.
///
/// # Errors
/// As [`EpochKeys::tag_prefixes`]; a bug where a row has no record.
pub(super) fn tag(ruleset: &Ruleset, crowds: &Crowds, taggers: &[Tagger<'_>], chunk: RowChunk) -> Result<Tagged, Failure> {
    let places: Vec<Place> = chunk.iter().map(|view| crowds.place(ruleset, &view)).collect();
    let due: Vec<Due> = taggers.iter().map(|tagger| due(tagger, &chunk, &places)).collect::<Result<_, _>>()?;
    let mut is_due = vec![due.iter().any(|due| matches!(due, Due::All)); chunk.len()];
    for due in &due {
        if let Due::Some(rows) = due {
            rows.iter().for_each(|(row, _)| is_due[*row] = true);
        }
    }
    let count = is_due.iter().filter(|is_due| **is_due).count();
    let mut tokens = arena_for(ruleset, Side::Holder(Place::Quiet), count);
    // For each row, its first token; one more at the end.
    let mut first = Vec::with_capacity(chunk.len() + 1);
    let mut rejected = Vec::new();
    for (row, (is_due, place)) in is_due.into_iter().zip(&places).enumerate() {
        first.push(tokens.len());
        if !is_due {
            continue;
        }
        let Some(view) = chunk.row(row) else { continue };
        if let Err(reason) = tokenize_row(ruleset, Side::Holder(*place), &view, &mut tokens) {
            rejected.push((row, reason));
        }
    }
    first.push(tokens.len());
    let all: Vec<&[u8]> = tokens.iter().collect();
    let computed = taggers.iter().zip(&due).map(|(tagger, due)| compute(tagger.keys, due, &first, &all)).collect::<Result<_, _>>()?;
    Ok(Tagged { chunk, rejected, computed })
}

/// The rows that this epoch has not sealed before. One that is not understood as CSV, whose fields are all empty here, or that the ruleset
/// refuses, has no tag and so no entry: it is looked at again each time.
fn due(tagger: &Tagger<'_>, chunk: &RowChunk, places: &[Place]) -> Result<Due, Failure> {
    let Some((keys, known)) = tagger.caching else { return Ok(Due::All) };
    let digests: Vec<RowDigest> = chunk.records().zip(places).map(|(record, place)| digest(keys, &record, *place)).collect();
    let is_known = known.map_or_else(|| vec![false; digests.len()], |known| known.recall(&digests));
    // Rows and digests go together by index: were one missing, those after it would have the tags of others.
    if digests.len() != chunk.len() || is_known.len() != chunk.len() {
        return Err(Failure::bug("rows and records are not equally many"));
    }
    let rows = digests.into_iter().zip(is_known).enumerate();
    Ok(Due::Some(rows.filter(|(_, (_, is_known))| !is_known).map(|(row, (digest, _))| (row, digest)).collect()))
}

/// Digests everything of a row that its tokens depend on: the fields as the ruleset is given them, whatever the file calls its columns, and whether
/// its place is crowded, which other records decide.
fn digest(keys: &CacheKeys, record: &RecordText<'_>, place: Place) -> RowDigest {
    // Their number tells a whole name's fields from those of one in parts.
    match place {
        Place::Quiet => keys.digest(record.lengths(), record.text),
        // One field more, of no bytes: of no row that is quiet are there as many.
        Place::Crowded => keys.digest(&[record.lengths(), &[0]].concat(), record.text),
    }
}

fn compute(keys: &EpochKeys, due: &Due, first: &[usize], all: &[&[u8]]) -> Result<Computed, Failure> {
    let of_row = |row: usize| -> Result<&[&[u8]], Failure> {
        first
            .get(row)
            .zip(first.get(row + 1))
            .and_then(|(begin, end)| all.get(*begin..*end))
            .ok_or_else(|| Failure::bug("a token is missing"))
    };
    match due {
        Due::All => {
            let mut prefixes = vec![TagPrefix(0); all.len()];
            keys.tag_prefixes(all, &mut prefixes)?;
            Ok(Computed { prefixes, rows: Vec::new() })
        }
        Due::Some(due) => {
            let (mut own, mut digests) = (Vec::with_capacity(due.len()), Vec::with_capacity(due.len()));
            for (row, digest) in due {
                let tokens = of_row(*row)?;
                own.extend_from_slice(tokens);
                digests.extend(std::iter::repeat_n(*digest, tokens.len()));
            }
            let mut prefixes = vec![TagPrefix(0); own.len()];
            keys.tag_prefixes(&own, &mut prefixes)?;
            let rows = digests.into_iter().zip(prefixes.iter().copied()).collect();
            Ok(Computed { prefixes, rows })
        }
    }
}

#[cfg(test)]
mod tests {
    use oblink_session::epoch::EpochSeed;
    use oblink_store::cache::CacheBinding;

    use super::*;
    use crate::rows::{CsvOptions, RowReader};

    fn chunk(text: &str) -> RowChunk {
        let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
        RowReader::from_read(Box::new(bytes), None, "r".to_owned(), &CsvOptions::default()).unwrap().next_chunk().unwrap().unwrap()
    }

    /// EPO-5, SET-9: what a row gave while its place was quiet is not what it gives now that others moved there.
    #[test]
    fn a_row_s_digest_says_whether_its_place_is_crowded() {
        let seed = EpochSeed::from_bytes(zeroize::Zeroizing::new([1; 32]));
        let epoch = EpochKeys::derive(&seed, [2; 16]).unwrap();
        let keys = CacheKeys::derive(epoch.cache_key(), CacheBinding::new([2; 16], [3; 32], "a test"));
        let texts = [
            "name,address,postal_code\nAnn,1 Elm St,02134\n",
            "given_name,family_name,address,postal_code\nAnn,,1 Elm St,02134\n",
            "given_name,middle_name,family_name,address,postal_code\n,,Ann,1 Elm St,02134\n",
        ];
        let mut digests = std::collections::BTreeSet::new();
        for text in texts {
            let chunk = chunk(text);
            for place in [Place::Quiet, Place::Crowded] {
                let both = [digest(&keys, &chunk.record(0).unwrap(), place), digest(&keys, &chunk.record(0).unwrap(), place)];
                assert_eq!(both[0], both[1]);
                assert!(digests.insert(both[0]));
            }
        }
        // A quiet row's is what it was before there were crowds: a cache is good for rulesets that do not ask.
        let chunk = chunk(texts[0]);
        let record = chunk.record(0).unwrap();
        assert_eq!(digest(&keys, &record, Place::Quiet), keys.digest(record.lengths(), record.text));
    }
}
