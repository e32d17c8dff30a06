//! A short text on the stack: a row must not cost heap allocations.

use crate::NotSubmitted;

/// Bytes a folded or a canonical field may have (R-3, `folded_bytes_max`).
pub(crate) const FOLDED_BYTES_MAX: usize = 256;
/// Words a field may have (R-3, `words_max`).
pub(crate) const WORDS_MAX: usize = 48;
/// Room for two fields side by side, and for words that grow when they are spelt out; longer
/// canonical fields than [`FOLDED_BYTES_MAX`] are refused once they are complete.
const TEXT_BYTES_MAX: usize = 768;

/// ASCII text of at most [`TEXT_BYTES_MAX`] bytes.
pub(crate) struct Text {
    bytes: [u8; TEXT_BYTES_MAX],
    len: usize,
}

impl Text {
    pub(crate) const fn new() -> Self {
        Text { bytes: [0; TEXT_BYTES_MAX], len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn last(&self) -> Option<u8> {
        self.as_bytes().last().copied()
    }

    pub(crate) fn push(&mut self, s: &str) -> Result<(), NotSubmitted> {
        let end = self.len + s.len();
        let Some(room) = self.bytes.get_mut(self.len..end) else {
            return Err(NotSubmitted::FieldTooLong);
        };
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }

    pub(crate) fn push_byte(&mut self, b: u8) -> Result<(), NotSubmitted> {
        debug_assert!(b.is_ascii());
        let Some(room) = self.bytes.get_mut(self.len) else {
            return Err(NotSubmitted::FieldTooLong);
        };
        *room = b;
        self.len += 1;
        Ok(())
    }

    /// Appends `word` after a space, unless it is the first.
    pub(crate) fn push_word(&mut self, word: &str) -> Result<(), NotSubmitted> {
        if !self.is_empty() {
            self.push(" ")?;
        }
        self.push(word)
    }

    /// Refuses a canonical field that would not be a valid field again.
    pub(crate) fn check_len(&self) -> Result<(), NotSubmitted> {
        if self.len > FOLDED_BYTES_MAX { Err(NotSubmitted::FieldTooLong) } else { Ok(()) }
    }

    /// Drops a trailing space.
    pub(crate) fn trim_end(&mut self) {
        if self.last() == Some(b' ') {
            self.len -= 1;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only whole `str`s and ASCII bytes are ever appended.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// Words of a field, as slices of its text or of the word tables.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    words: [&'a str; WORDS_MAX],
    len: usize,
}

impl<'a> Words<'a> {
    pub(crate) const fn new() -> Self {
        Words { words: [""; WORDS_MAX], len: 0 }
    }

    pub(crate) fn push(&mut self, word: &'a str) -> Result<(), NotSubmitted> {
        let Some(room) = self.words.get_mut(self.len) else {
            return Err(NotSubmitted::FieldTooLong);
        };
        *room = word;
        self.len += 1;
        Ok(())
    }

    pub(crate) fn as_slice(&self) -> &[&'a str] {
        self.words.get(..self.len).unwrap_or_default()
    }
}
