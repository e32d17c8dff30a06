//! The plaintext join: what the results must be, found with the ruleset's tokens alone, outside the programs and their CSV reader.

use std::collections::HashSet;
use std::path::Path;

use oblink_linkage::{Name, Row, Ruleset, Side, TokenArena};

/// A row of a file in the schema with split names.
#[derive(Clone, Debug)]
pub struct PlainRow {
    /// Its id.
    pub id: String,
    /// Its token, or the reason why it has none.
    pub token: Result<Vec<u8>, &'static str>,
}

/// Reads a file with the columns `id, given_name, family_name, address, postal_code` (others may be there) and tokenises each row under
/// `us-exact-1`.
///
/// # Panics
/// Where a column is missing.
#[must_use]
pub fn read_split(path: &Path) -> Vec<PlainRow> {
    let ruleset = Ruleset::by_name("us-exact-1").unwrap();
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|title| title == name);
    let due = |name: &str| column(name).unwrap_or_else(|| panic!("{} has no column {name}", path.display()));
    let (id, given, family, address, zip) = (due("id"), due("given_name"), due("family_name"), due("address"), due("postal_code"));
    let (middle, suffix, unit) = (column("middle_name"), column("suffix"), column("unit"));
    let rows = reader.into_records().map(|record| {
        let record = record.unwrap();
        let maybe = |column: Option<usize>| column.map_or("", |column| &record[column]);
        let row = Row {
            name: Name::Parts { given: &record[given], middle: maybe(middle), family: &record[family], suffix: maybe(suffix) },
            address: &record[address],
            unit: maybe(unit),
            city: "",
            state: "",
            postal_code: &record[zip],
        };
        let mut tokens = TokenArena::new();
        let token = ruleset.tokenize(Side::Verifier, &row, &mut tokens).map(|()| tokens.get(0).unwrap().to_vec());
        PlainRow { id: record[id].to_owned(), token: token.map_err(|reason| reason.as_str()) }
    });
    rows.collect()
}

/// For each pair, whether some record has its token.
#[must_use]
pub fn joined(pairs: &[PlainRow], records: &[PlainRow]) -> Vec<bool> {
    let held: HashSet<&[u8]> = records.iter().filter_map(|record| record.token.as_deref().ok()).collect();
    pairs.iter().map(|pair| pair.token.as_deref().is_ok_and(|token| held.contains(token))).collect()
}
