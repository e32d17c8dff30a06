//! What the command line says about a CSV file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::columns::Field;

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `-`: standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// `-` is standard input, anything else a path.
    #[must_use]
    pub fn from_path(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// What messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// The byte between two fields: one ASCII character, or the word `tab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(pub(super) u8);

impl Delimiter {
    /// The byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self(b',')
    }
}

impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            [byte] if (byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() && *byte != b'"') || matches!(byte, b'\t' | b' ') => {
                Ok(Self(*byte))
            }
            _ => Err("a delimiter is one ASCII character that is no letter, digit or quote, or the word tab"),
        }
    }
}

/// How the file's bytes stand for characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[default]
    Utf8,
    /// Windows-1252, which holds Latin-1's letters.
    Windows1252,
}

impl Encoding {
    /// What `--encoding` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }
}

impl FromStr for Encoding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "windows-1252" | "cp1252" | "latin-1" | "latin1" | "iso-8859-1" => Ok(Self::Windows1252),
            _ => Err("the encodings are utf-8 and windows-1252"),
        }
    }
}

/// One `--map FIELD=HEADER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMap {
    /// The field of the contract.
    pub field: Field,
    /// The column that holds it, as the header or `--columns` names it.
    pub header: String,
}

impl FromStr for FieldMap {
    type Err = String;

    /// Reads `FIELD=HEADER`; the header may itself hold `=`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((field, header)) = text.split_once('=') else {
            return Err("a mapping is written FIELD=HEADER, as in given_name=FIRST_NM".to_owned());
        };
        let field = Field::from_name(field.trim()).ok_or_else(|| format!("the fields are {}", Field::names().join(", ")))?;
        let header = header.trim();
        if header.is_empty() {
            return Err("a mapping is written FIELD=HEADER, and HEADER is empty".to_owned());
        }
        Ok(Self { field, header: header.to_owned() })
    }
}

/// How a CSV file is to be read. The default: a header row, commas, UTF-8, the contract's column names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// `--delimiter`.
    pub delimiter: Delimiter,
    /// `--encoding`.
    pub encoding: Encoding,
    /// `--map`, in the order given.
    pub map: Vec<FieldMap>,
    /// `--no-header --columns …`: the columns' names, where the file does not hold them. An empty name or `-` skips a column.
    pub columns: Option<Vec<String>>,
    /// Whether the rows are a request's: then `order_date` and `person_id` are read, where the file has them.
    pub of_request: bool,
}
