//! Real tokens of `us-exact-1`, of the generated people that the demo uses.

use anyhow::{Context, Result};
use oblink_linkage::{Name, Row, Ruleset, Side, TokenArena};
use oblink_node::people::write_sample;
use oblink_node::rows::{CsvOptions, NameFields, RowChunk, RowReader, RowView, Source};

/// The ruleset that everything here is measured under.
///
/// # Errors
/// This build has not got it.
pub fn ruleset() -> Result<&'static Ruleset> {
    Ruleset::by_name("us-exact-1").context("this build has no us-exact-1")
}

/// The first records of the generated holder, as the program reads them: at most `count`, in chunks.
///
/// # Errors
/// A temporary directory that cannot be written.
pub fn records(count: u64) -> Result<Vec<RowChunk>> {
    let dir = tempfile::tempdir().context("no temporary directory")?;
    let sample = write_sample(dir.path(), 1, count, 1)?;
    let mut reader = RowReader::open(&Source::File(sample.records), &CsvOptions::default())?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// The tokens of `count` records, each once.
///
/// # Errors
/// As [`records`], and a record that gives no token.
pub fn tokens(count: usize) -> Result<Vec<Vec<u8>>> {
    let ruleset = ruleset()?;
    let mut arena = TokenArena::new();
    for chunk in records(count as u64)? {
        for view in chunk.iter() {
            ruleset
                .tokenize(Side::Verifier, &row_of(&view), &mut arena)
                .map_err(|reason| anyhow::anyhow!("a record gives no token: {}", reason.as_str()))?;
        }
    }
    Ok(arena.iter().map(<[u8]>::to_vec).collect())
}

/// A row as the ruleset takes it.
#[must_use]
pub fn row_of<'a>(view: &RowView<'a>) -> Row<'a> {
    let name = match view.name {
        NameFields::Whole(name) => Name::Whole(name),
        NameFields::Parts { given, middle, family, suffix } => Name::Parts { given, middle, family, suffix },
    };
    Row { name, address: view.address, unit: view.unit, city: view.city, state: view.state, postal_code: view.postal_code }
}
