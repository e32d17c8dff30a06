//! What a check has to find: a plaintext join on the ruleset's tokens, without any of the protocol's code.

use std::collections::HashMap;
use std::path::Path;

use oblink_linkage::{Place, Row, Ruleset, Side, TokenArena};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::pipeline::for_each_ordered;
use crate::rows::{CsvOptions, RowChunk, RowReader, Source};
use crate::tokens::row_of;

/// The answers that a check of `pairs` against `records` has to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedMatches {
    /// For each row of pairs in order: whether it matches.
    pub rows: Vec<bool>,
    /// How many do.
    pub matches: u64,
    /// How many rows give tokens at all.
    pub submitted: u64,
}

/// The first 128 bits of SHA-256 of a token: equal tokens have equal ones, and among 10^8 tokens two different ones do with odds below 10^-22.
type TokenHash = u128;

/// Joins two files with the contract's columns on the tokens of `ruleset`. Memory: 24 bytes and a bit for each pair's token; records stream.
///
/// # Errors
/// As [`RowReader`]'s.
pub fn expected_matches(pairs: &Path, records: &Path, ruleset: &Ruleset) -> Result<ExpectedMatches, Failure> {
    let mut asked: Vec<(TokenHash, usize)> = Vec::new();
    let (mut rows, mut submitted) = (0, 0);
    each_row(
        pairs,
        ruleset,
        |_| Side::Verifier,
        |hashes| {
            asked.extend(hashes.iter().map(|hash| (*hash, rows)));
            rows += 1;
            submitted += u64::from(!hashes.is_empty());
        },
    )?;
    asked.sort_unstable();
    let mut found = vec![false; rows];
    let places = count_places(records, ruleset)?;
    let side = |row: &Row<'_>| Side::Holder(place_of(&places, ruleset, row));
    each_row(records, ruleset, side, |hashes| {
        for hash in hashes {
            let first = asked.partition_point(|(of_pair, _)| of_pair < hash);
            for (_, row) in asked[first..].iter().take_while(|(of_pair, _)| of_pair == hash) {
                found[*row] = true;
            }
        }
    })?;
    let matches = found.iter().filter(|matched| **matched).count() as u64;
    Ok(ExpectedMatches { rows: found, matches, submitted })
}

/// Calls `each` with the hashes of every row's tokens, in order; with none for a row that gives no token.
fn each_row(
    path: &Path,
    ruleset: &Ruleset,
    side: impl Fn(&Row<'_>) -> Side + Sync,
    mut each: impl FnMut(&[TokenHash]),
) -> Result<(), Failure> {
    let mut reader = RowReader::open(&Source::File(path.to_owned()), &CsvOptions::default())?;
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| Ok(hash_chunk(&chunk, ruleset, &side)),
        |(hashes, ends)| {
            let mut begin = 0;
            for end in ends {
                each(&hashes[begin..end]);
                begin = end;
            }
            Ok(())
        },
    )
}

/// How many records there are at each place, where the ruleset asks.
fn count_places(records: &Path, ruleset: &Ruleset) -> Result<HashMap<u64, u32>, Failure> {
    let mut counts = HashMap::new();
    if ruleset.crowd_max().is_some() {
        let mut reader = RowReader::open(&Source::File(records.to_owned()), &CsvOptions::default())?;
        let places = |chunk: &RowChunk| chunk.iter().map(|view| ruleset.place(&row_of(&view))).collect::<Vec<_>>();
        for_each_ordered(
            || reader.next_chunk(),
            |chunk| Ok(places(&chunk)),
            |places| {
                places.into_iter().flatten().for_each(|place| *counts.entry(place).or_default() += 1);
                Ok(())
            },
        )?;
    }
    Ok(counts)
}

fn place_of(counts: &HashMap<u64, u32>, ruleset: &Ruleset, row: &Row<'_>) -> Place {
    let count = ruleset.place(row).and_then(|place| counts.get(&place)).copied().unwrap_or_default();
    if ruleset.crowd_max().is_some_and(|max| count > max) { Place::Crowded } else { Place::Quiet }
}

/// The hashes of a chunk's tokens, and for each row where its own end.
fn hash_chunk(chunk: &RowChunk, ruleset: &Ruleset, side: &impl Fn(&Row<'_>) -> Side) -> (Vec<TokenHash>, Vec<usize>) {
    let mut tokens = TokenArena::new();
    let ends = chunk
        .iter()
        .map(|view| {
            if view.problem.is_none() {
                // A row without tokens has a reason; here it is enough that it has none.
                let row = row_of(&view);
                let _ = ruleset.tokenize(side(&row), &row, &mut tokens);
            }
            tokens.len()
        })
        .collect();
    let hash = |token: &[u8]| {
        let mut first = [0; 16];
        first.copy_from_slice(&Sha256::digest(token)[..16]);
        u128::from_be_bytes(first)
    };
    (tokens.iter().map(hash).collect(), ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(pairs: &str, records: &str) -> ExpectedMatches {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, rows: &str| {
            let at = folder.path().join(name);
            std::fs::write(&at, format!("name,address,postal_code\n{rows}")).unwrap();
            at
        };
        expected_matches(&write("p", pairs), &write("r", records), Ruleset::by_name("us-exact-1").unwrap()).unwrap()
    }

    #[test]
    fn equal_tokens_meet_and_every_pair_of_them_counts() {
        let found = join(
            "Ana Ruiz,1 Elm St,02134\nANA RUIZ,1 ELM STREET,2134-0001\nAna Ruiz,2 Elm St,02134\n,1 Elm St,02134\nAna Ruiz,x\n",
            "Bo Li,3 Oak Ave,10001\nAna Ruiz,1 Elm St,02134\nAna Ruiz,1 Elm St,02134\n",
        );
        assert_eq!(found, ExpectedMatches { rows: vec![true, true, false, false, false], matches: 2, submitted: 3 });
    }
}
