//! Tokens of many rows in one buffer.

use core::fmt;

/// A list of tokens in one buffer with offsets, so that millions of them cost no allocation each.
///
/// Its `Debug` shows counts, never token bytes: a token is a readable name and address.
#[derive(Default)]
pub struct TokenArena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TokenArena {
    /// An empty arena.
    #[must_use]
    pub const fn new() -> Self {
        TokenArena { bytes: Vec::new(), ends: Vec::new() }
    }

    /// An empty arena with room for `tokens` tokens of `bytes` bytes in all.
    #[must_use]
    pub fn with_capacity(tokens: usize, bytes: usize) -> Self {
        TokenArena { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(tokens) }
    }

    /// Appends one token, for instance one from [`dummy_token`](crate::dummy_token).
    pub fn push(&mut self, token: &[u8]) {
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len());
    }

    /// Appends what `write` appends as one token; nothing if it fails.
    pub(crate) fn push_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.bytes.len();
        let result = write(&mut self.bytes);
        if result.is_ok() {
            self.ends.push(self.bytes.len());
        } else {
            self.bytes.truncate(start);
        }
        result
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all tokens together.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The token at `index`, counted from 0 in the order of appending.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        self.bytes.get(start..end)
    }

    /// The tokens in order.
    #[must_use]
    pub fn iter(&self) -> TokenIter<'_> {
        TokenIter { arena: self, next: 0 }
    }

    /// Forgets all tokens but the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Forgets all tokens and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl fmt::Debug for TokenArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenArena").field("tokens", &self.len()).field("bytes", &self.bytes_len()).finish()
    }
}

impl<'a> IntoIterator for &'a TokenArena {
    type Item = &'a [u8];
    type IntoIter = TokenIter<'a>;
    fn into_iter(self) -> TokenIter<'a> {
        self.iter()
    }
}

/// The tokens of a [`TokenArena`] in order.
#[derive(Clone, Debug)]
pub struct TokenIter<'a> {
    arena: &'a TokenArena,
    next: usize,
}

impl<'a> Iterator for TokenIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let token = self.arena.get(self.next)?;
        self.next += 1;
        Some(token)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.arena.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for TokenIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_tokens_in_order_and_forgets_them() {
        let mut arena = TokenArena::new();
        for token in [&b"a"[..], b"", b"ccc"] {
            arena.push(token);
        }
        assert_eq!(arena.len(), 3);
        assert_eq!(arena.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"ccc"]);
        assert_eq!(arena.iter().len(), 3);
        assert_eq!(arena.get(3), None);
        arena.clear();
        assert!(arena.is_empty() && arena.get(0).is_none() && arena.bytes_len() == 0);
    }

    #[test]
    fn debug_shows_no_token() {
        let mut arena = TokenArena::new();
        arena.push(b"secret");
        assert_eq!(format!("{arena:?}"), "TokenArena { tokens: 1, bytes: 6 }");
    }
}
