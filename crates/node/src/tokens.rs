//! From rows to tokens, a chunk at a time: one core's work, for both roles.

use oblink_linkage::{Name, NotSubmitted, Row, Ruleset, Side, TokenArena};

use crate::failure::Failure;
use crate::rows::{NameFields, RowChunk, RowView};

/// A chunk's tokens, and for each row how many of them are its own or why it has none.
#[derive(Debug)]
pub(crate) struct ChunkTokens {
    /// All tokens of the chunk, row by row.
    pub(crate) tokens: TokenArena,
    /// For each row: its tokens, or the reason word.
    pub(crate) rows: Vec<Result<u16, &'static str>>,
}

/// Tokenises a chunk of pairs under a ruleset. A row that has a problem of its own, or that the ruleset refuses, gives a reason and no token.
#[must_use]
pub(crate) fn tokenize(ruleset: &Ruleset, chunk: &RowChunk) -> ChunkTokens {
    let mut tokens = TokenArena::with_capacity(chunk.len() * usize::from(ruleset.tokens_per_pair()), chunk.len() * 128);
    let rows = chunk
        .iter()
        .map(|view| {
            let before = tokens.len();
            tokenize_row(ruleset, Side::Verifier, &view, &mut tokens).map(|()| (tokens.len() - before) as u16)
        })
        .collect();
    ChunkTokens { tokens, rows }
}

/// Appends a row's tokens, or none and says why.
pub(crate) fn tokenize_row(ruleset: &Ruleset, side: Side, view: &RowView<'_>, tokens: &mut TokenArena) -> Result<(), &'static str> {
    match view.problem {
        Some(problem) => Err(problem.reason()),
        None => ruleset.tokenize(side, &row_of(view), tokens).map_err(NotSubmitted::as_str),
    }
}

/// The ruleset's view of a row.
pub(crate) fn row_of<'a>(view: &RowView<'a>) -> Row<'a> {
    let name = match view.name {
        NameFields::Whole(name) => Name::Whole(name),
        NameFields::Parts { given, middle, family, suffix } => Name::Parts { given, middle, family, suffix },
    };
    Row { name, address: view.address, unit: view.unit, city: view.city, state: view.state, postal_code: view.postal_code }
}

/// The built-in ruleset of `--ruleset NAME`.
///
/// # Errors
/// Exit 3: there is none; the names that there are are in the hint.
pub(crate) fn ruleset_by_name(name: &str) -> Result<&'static Ruleset, Failure> {
    Ruleset::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = Ruleset::all().iter().map(Ruleset::name).collect();
        Failure::input("unknown_ruleset", "there is no ruleset of that name").with_hint(format!("the rulesets are: {}", known.join(", ")))
    })
}
