//! From rows to tokens, a chunk at a time: one core's work, for both roles.

use oblink_linkage::{Name, NotSubmitted, Row, Ruleset, Side, TokenArena};

use crate::failure::Failure;
use crate::rows::{CHUNK_ROWS_MAX, NameFields, RowChunk, RowView};

/// Bytes that a token has about.
const TOKEN_BYTES_ABOUT: usize = 128;

/// A chunk's tokens, and for each row how many of them are its own or why it has none.
#[derive(Debug)]
pub(crate) struct ChunkTokens {
    /// All tokens of the chunk, row by row.
    pub(crate) tokens: TokenArena,
    /// For each row: its tokens, or the reason word.
    pub(crate) rows: Vec<Result<usize, &'static str>>,
}

/// The rows that a chunk should have under a ruleset at most: so many that its tokens are about as many under any.
pub(crate) fn rows_at_once(ruleset: &Ruleset) -> usize {
    (CHUNK_ROWS_MAX / usize::from(ruleset.tokens_per_pair()).max(1)).max(1)
}

/// An arena with room for the tokens of so many rows of that side; what is more than that grows it.
pub(crate) fn arena_for(ruleset: &Ruleset, side: Side, rows: usize) -> TokenArena {
    let per_pair = usize::from(ruleset.tokens_per_pair());
    // A record has a token for each form in which a pair may ask for it.
    let per_row = if per_pair > 1 && side != Side::Verifier { per_pair * 4 } else { per_pair };
    TokenArena::with_capacity(rows * per_row, rows * per_row * TOKEN_BYTES_ABOUT)
}

/// Tokenises a chunk under a ruleset. A row that has a problem of its own, or that the ruleset refuses, gives a reason and no token.
#[must_use]
pub(crate) fn tokenize(ruleset: &Ruleset, chunk: &RowChunk, side: impl Fn(&RowView<'_>) -> Side) -> ChunkTokens {
    let first = chunk.row(0).map_or(Side::Verifier, |view| side(&view));
    let mut tokens = arena_for(ruleset, first, chunk.len());
    let rows = chunk
        .iter()
        .map(|view| {
            let before = tokens.len();
            tokenize_row(ruleset, side(&view), &view, &mut tokens).map(|()| tokens.len() - before)
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
