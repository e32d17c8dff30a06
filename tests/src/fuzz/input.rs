//! Bytes of a fuzzer, taken off the front: what is not there reads as zero, so that every input means something.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn u8(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// Big-endian.
    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// Big-endian.
    pub(super) fn u64(&mut self) -> u64 {
        (0..8).fold(0, |value, _| value << 8 | u64::from(self.u8()))
    }

    /// One of `count` things.
    pub(super) fn choice(&mut self, count: usize) -> usize {
        usize::from(self.u8()) % count
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        out.iter_mut().for_each(|byte| *byte = self.u8());
        out
    }

    /// As many bytes as there are, `most` at the utmost.
    pub(super) fn take(&mut self, most: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        some
    }

    /// A length of one byte, then that many bytes.
    pub(super) fn chunk(&mut self) -> &'a [u8] {
        let most = usize::from(self.u8());
        self.take(most)
    }

    /// Up to seven changes to `target`: bits, bytes, cuts, insertions, places that swap. None where the input says 0 or is at its end.
    pub(super) fn edit(&mut self, target: &mut Vec<u8>) {
        for _ in 0..self.u8() % 8 {
            let place = usize::from(self.u16()) % (target.len() + 1);
            match self.u8() % 6 {
                0 if place < target.len() => target[place] ^= 1 << (self.u8() % 8),
                1 if place < target.len() => target[place] = self.u8(),
                2 => target.truncate(place),
                3 => {
                    let more = self.chunk();
                    target.splice(place..place, more.iter().copied());
                }
                4 => {
                    let end = target.len().min(place + usize::from(self.u8()));
                    target.drain(place..end);
                }
                _ => {
                    // Over what is there.
                    let other = self.chunk();
                    target[place..].iter_mut().zip(other).for_each(|(byte, new)| *byte = *new);
                }
            }
        }
    }
}
