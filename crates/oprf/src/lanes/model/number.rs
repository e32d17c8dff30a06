//! Whole numbers with the interval in which they lie.

/// All whole numbers from one to another, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) low: i128,
    pub(super) high: i128,
}

impl Interval {
    pub(super) const fn new(low: i128, high: i128) -> Self {
        assert!(low <= high);
        Self { low, high }
    }

    /// From `−most` to `most`.
    pub(super) const fn symmetric(most: i128) -> Self {
        Self::new(-most, most)
    }

    /// What an unsigned integer of so many bits holds.
    pub(super) const fn bits(n: u32) -> Self {
        Self::new(0, (1 << n) - 1)
    }

    /// One of its numbers.
    #[track_caller]
    pub(super) fn number(self, value: i128) -> Number {
        assert!(self.low <= value && value <= self.high, "{value} is outside of {self:?}");
        Number { value, interval: self }
    }
}

/// A number, and what it could have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    value: i128,
    interval: Interval,
}

/// An element's limbs.
pub(super) type Limbs = [Number; 5];

impl Number {
    /// A constant.
    pub(super) const fn exactly(value: i128) -> Self {
        Self { value, interval: Interval::new(value, value) }
    }

    pub(super) const fn value(self) -> i128 {
        self.value
    }

    /// Asserts that it lies within `bounds` whatever the inputs are.
    #[track_caller]
    pub(super) fn within(self, bounds: Interval, what: &str) -> Self {
        let Interval { low, high } = self.interval;
        assert!(bounds.low <= low && high <= bounds.high, "{what}: {low}..={high} is not within {}..={}", bounds.low, bounds.high);
        self
    }

    /// The same number, taken for any of `interval`.
    pub(super) fn widened(self, interval: Interval) -> Self {
        interval.number(self.value)
    }

    pub(super) fn add(self, other: Self) -> Self {
        Interval::new(self.interval.low + other.interval.low, self.interval.high + other.interval.high).number(self.value + other.value)
    }

    pub(super) fn sub(self, other: Self) -> Self {
        Interval::new(self.interval.low - other.interval.high, self.interval.high - other.interval.low).number(self.value - other.value)
    }

    pub(super) fn mul(self, other: Self) -> Self {
        let (a, b) = (self.interval, other.interval);
        let ends = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
        let (mut low, mut high) = (ends[0], ends[0]);
        for end in ends {
            (low, high) = (low.min(end), high.max(end));
        }
        Interval::new(low, high).number(self.value * other.value)
    }

    /// Under a function that does not decrease.
    pub(super) fn map(self, f: impl Fn(i128) -> i128) -> Self {
        Interval::new(f(self.interval.low), f(self.interval.high)).number(f(self.value))
    }

    /// Its lowest bits; it must not be below zero.
    pub(super) fn low_bits(self, n: u32) -> Self {
        let most = (1 << n) - 1;
        assert!(self.interval.low >= 0);
        Interval::new(0, most.min(self.interval.high)).number(self.value & most)
    }

    /// Without its lowest bits; rounds down.
    pub(super) fn shift_right(self, n: u32) -> Self {
        self.map(|x| x >> n)
    }

    /// `other` if `mask`, itself if not: either, for all that is known.
    pub(super) fn or(self, other: Self, mask: bool) -> Self {
        let (a, b) = (self.interval, other.interval);
        Interval::new(a.low.min(b.low), a.high.max(b.high)).number(if mask { other.value } else { self.value })
    }
}
