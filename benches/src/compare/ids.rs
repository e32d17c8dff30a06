//! What the peers are given: for every token of the generated people an id of 32 hexadecimal digits, each once.
//!
//! The peers compare strings and know no ruleset, so they are spared what oblink does in its own run: reading ten columns and making tokens of them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use oblink_linkage::TokenArena;
use oblink_node::people::write_sample;
use oblink_node::rows::{CsvOptions, RowReader, Source};
use sha2::{Digest, Sha256};

use crate::sample::{row_of, ruleset};

/// How many ids each file has and how many both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    /// Of the verifier.
    pub(super) verifier: u64,
    /// Of the holder.
    pub(super) holder: u64,
    /// Of both: what a peer has to find.
    pub(super) both: u64,
}

/// Writes `verifier.csv` and `holder.csv` into `directory`, a header and an id a line, in the order of the generated rows.
///
/// The people are those of `scale` for the same arguments.
///
/// # Errors
/// A directory that cannot be written.
pub(super) fn write(directory: &Path, pairs: u64, records: u64, seed: u64) -> Result<Ids> {
    let people = tempfile::tempdir_in(directory).context("no directory for the people")?;
    let sample = write_sample(people.path(), pairs, records, seed)?;
    let asked = write_file(&sample.pairs, &directory.join("verifier.csv"))?;
    let held = write_file(&sample.records, &directory.join("holder.csv"))?;
    let both = asked.intersection(&held).count() as u64;
    Ok(Ids { verifier: asked.len() as u64, holder: held.len() as u64, both })
}

fn write_file(people: &Path, ids: &Path) -> Result<HashSet<u128>> {
    let ruleset = ruleset()?;
    let mut out = BufWriter::with_capacity(1 << 16, File::create(ids).context("the ids cannot be written")?);
    out.write_all(b"id\n")?;
    let mut reader = RowReader::open(&Source::File(people.to_owned()), &CsvOptions::default())?;
    let mut seen = HashSet::new();
    while let Some(chunk) = reader.next_chunk()? {
        let mut tokens = TokenArena::new();
        for view in chunk.iter() {
            // A row without tokens is left out, as oblink leaves it out.
            let _ = ruleset.tokenize(oblink_linkage::Side::Verifier, &row_of(&view), &mut tokens);
        }
        for token in tokens.iter() {
            let id = id_of(token);
            if seen.insert(id) {
                writeln!(out, "{id:032x}")?;
            }
        }
    }
    out.flush()?;
    Ok(seen)
}

/// 128 bits of SHA-256: different tokens have different ones, and nobody's benchmark hides anything.
fn id_of(token: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&Sha256::digest(token)[..16]);
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_files_meet_where_the_plaintext_join_does() {
        let folder = tempfile::tempdir().unwrap();
        let ids = write(folder.path(), 500, 2_000, 3).unwrap();
        let read = |name: &str| {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(text.lines().next(), Some("id"));
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let (asked, held) = (read("verifier.csv"), read("holder.csv"));
        assert_eq!((asked.len() as u64, held.len() as u64), (ids.verifier, ids.holder));
        let distinct: HashSet<_> = held.iter().collect();
        assert_eq!(distinct.len(), held.len());
        assert!(asked.iter().chain(&held).all(|id| id.len() == 32));
        assert_eq!(asked.iter().filter(|id| distinct.contains(id)).count() as u64, ids.both);

        let sample = write_sample(&folder.path().join("again"), 500, 2_000, 3).unwrap();
        let join = oblink_node::people::expected_matches(&sample.pairs, &sample.records, ruleset().unwrap()).unwrap();
        // Rows that say the same are one id, and there are few of them.
        assert!((join.submitted - 5..=join.submitted).contains(&ids.verifier), "{} of {}", ids.verifier, join.submitted);
        assert!((join.matches - 5..=join.matches).contains(&ids.both), "{} of {}", ids.both, join.matches);
        // Nothing of the people stays.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
