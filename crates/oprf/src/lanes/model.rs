//! The interval model: a third backend, of one lane, for tests alone.
//!
//! It does what the instructions of a real backend do, on whole numbers without bounds, and carries with every limb, beside its value, the
//! interval in which the limb lies *whatever the inputs are*. Every step asserts that the instruction it stands for gives the exact result
//! on the whole interval: operands below 2^52, no sum beyond 64 bits, no difference below zero, halves of products that doubles hold, and so
//! on. Results that a backend calls tight are asserted to be that, and are then *taken for any tight element*: so bounds do not depend on
//! how a formula was come to, and what holds in one run of a formula holds for all inputs and any number of rounds.
//!
//! That the model does what the backend does is tested limb by limb (`tests`); its values are compared with curve25519-dalek's like any
//! backend's. It also notes every operation and all that is public about it (`Trace`), to show that these do not depend on secrets.

mod avx2;
mod ifma;
mod number;
mod tests;

use core::cell::Cell;
use core::marker::PhantomData;

use number::{Interval, Limbs};

use super::backend::{Bucket, Lanes};

/// Bits of a limb, in both backends.
const RADIX: u32 = 51;
/// A limb's worth of ones.
const LIMB: i128 = (1 << RADIX) - 1;
/// The modulus, limb by limb.
const PRIME: [i128; 5] = [LIMB - 18, LIMB, LIMB, LIMB, LIMB];

/// A backend's arithmetic on limbs.
trait Arithmetic: Copy + Send + Sync + 'static {
    /// As [`Lanes::NAME`].
    const NAME: &'static str;
    /// As [`Lanes::FIXED_BITS`].
    const FIXED_BITS: usize;
    /// What a tight element's limbs lie in.
    const TIGHT: [Interval; 5];

    /// As [`Lanes::load`] and [`Lanes::splat`]: four words, bit 255 ignored.
    fn load(words: &[u64; 4]) -> Limbs;
    /// As [`Lanes::mul`].
    fn mul(a: &Limbs, b: &Limbs) -> Limbs;
    /// As [`Lanes::square`].
    fn square(a: &Limbs) -> Limbs;
    /// As [`Lanes::add`].
    fn add(a: &Limbs, b: &Limbs) -> Limbs;
    /// As [`Lanes::sub`].
    fn sub(a: &Limbs, b: &Limbs) -> Limbs;
    /// As [`Lanes::carry`].
    fn carry(a: &Limbs) -> Limbs;
    /// As [`Lanes::fit`].
    fn fit(a: &Limbs) -> Limbs;
    /// The canonical limbs of a tight element.
    fn canonical(a: &Limbs) -> [u64; 5];
    /// As [`Lanes::is_zero`].
    fn is_zero(a: &Limbs) -> bool;
    /// As [`Lanes::is_negative`].
    fn is_negative(a: &Limbs) -> bool;
    /// A limb as the backend keeps it in a bucket.
    fn to_word(limb: i128) -> u64;
    /// And back.
    fn of_word(word: u64) -> i128;
}

/// The operations of a thread so far: how many, and a digest of what they were, with their public operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trace {
    operations: u64,
    digest: u64,
}

impl Trace {
    const EMPTY: Self = Self { operations: 0, digest: 0xcbf2_9ce4_8422_2325 };

    /// What `f` does.
    fn of(f: impl FnOnce()) -> Self {
        TRACE.set(Self::EMPTY);
        f();
        TRACE.get()
    }

    fn note(what: &[u64]) {
        let mut trace = TRACE.get();
        trace.operations += 1;
        for word in what {
            trace.digest = (trace.digest ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        TRACE.set(trace);
    }
}

std::thread_local! {
    static TRACE: Cell<Trace> = const { Cell::new(Trace::EMPTY) };
}

/// The token: there is nothing to detect.
struct Model<A>(PhantomData<A>);

impl<A> Clone for Model<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Model<A> {}

impl<A: Arithmetic> Model<A> {
    const fn new() -> Self {
        Self(PhantomData)
    }

    /// Asserts that limbs are tight on all of their intervals, and takes them for any tight limbs.
    #[track_caller]
    fn tight(limbs: Limbs) -> Limbs {
        core::array::from_fn(|i| limbs[i].within(A::TIGHT[i], "a tight limb").widened(A::TIGHT[i]))
    }

    /// Asserts that an operand is tight.
    #[track_caller]
    fn takes_tight(limbs: &Limbs) -> &Limbs {
        for (limb, bounds) in limbs.iter().zip(A::TIGHT) {
            limb.within(bounds, "an operand that must be tight");
        }
        limbs
    }
}

/// Four little-endian words.
fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    core::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

/// The limbs of four words below 2^255.
fn split(w: &[u64; 4]) -> [i128; 5] {
    let bits = |from: u32| {
        let (word, shift) = ((from / 64) as usize, from % 64);
        let pair = u128::from(w[word]) | w.get(word + 1).map_or(0, |high| u128::from(*high) << 64);
        (pair >> shift) as i128 & LIMB
    };
    [bits(0), bits(51), bits(102), bits(153), bits(204)]
}

/// Numbers of operations in a [`Trace`].
#[derive(Clone, Copy)]
enum Op {
    Splat,
    Load,
    Store,
    Mul,
    Square,
    Add,
    Sub,
    Carry,
    Select,
    Test,
    Logic,
    Bits,
    Ints,
    Equals,
    Broadcast,
    Fixed,
    Gather,
    Scatter,
}

impl Op {
    fn note(self) {
        self.note_with(&[]);
    }

    fn note_with(self, public: &[u64]) {
        Trace::note(&[self as u64]);
        Trace::note(public);
    }
}

impl<A: Arithmetic> Lanes for Model<A> {
    const NAME: &'static str = A::NAME;
    const WIDTH: usize = 1;
    const FIXED_BITS: usize = A::FIXED_BITS;

    type Fe = Limbs;
    type Mask = bool;
    type Int = i64;
    type Packed = Limbs;
    /// The entries, as many as there are.
    type FixedRow = [[[u64; 4]; 3]; 16];

    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }

    fn splat(self, words: &[u64; 4]) -> Limbs {
        Op::Splat.note_with(words);
        assert!(words[3] >> 63 == 0);
        Self::tight(A::load(words))
    }

    fn load(self, bytes: &[[u8; 32]]) -> Limbs {
        Op::Load.note();
        assert_eq!(bytes.len(), 1);
        Self::tight(A::load(&words(&bytes[0])))
    }

    fn store(self, a: &Limbs, out: &mut [[u8; 32]]) {
        Op::Store.note();
        assert_eq!(out.len(), 1);
        let z = A::canonical(Self::takes_tight(a));
        let words = [z[0] | z[1] << 51, z[1] >> 13 | z[2] << 38, z[2] >> 26 | z[3] << 25, z[3] >> 39 | z[4] << 12];
        out[0].copy_from_slice(words.map(u64::to_le_bytes).as_flattened());
    }

    fn mul(self, a: &Limbs, b: &Limbs) -> Limbs {
        Op::Mul.note();
        Self::tight(A::mul(a, b))
    }

    fn square(self, a: &Limbs) -> Limbs {
        Op::Square.note();
        Self::tight(A::square(a))
    }

    fn add(self, a: &Limbs, b: &Limbs) -> Limbs {
        Op::Add.note();
        A::add(a, b)
    }

    fn sub(self, a: &Limbs, b: &Limbs) -> Limbs {
        Op::Sub.note();
        A::sub(a, Self::takes_tight(b))
    }

    fn carry(self, a: &Limbs) -> Limbs {
        Op::Carry.note();
        Self::tight(A::carry(a))
    }

    fn fit(self, a: &Limbs) -> Limbs {
        Op::Carry.note();
        A::fit(a)
    }

    fn select(self, mask: bool, a: &Limbs, b: &Limbs) -> Limbs {
        Op::Select.note();
        core::array::from_fn(|i| a[i].or(b[i], mask))
    }

    fn is_zero(self, a: &Limbs) -> bool {
        Op::Test.note();
        let zero = A::is_zero(Self::takes_tight(a));
        assert_eq!(zero, A::canonical(a) == [0; 5]);
        zero
    }

    fn is_negative(self, a: &Limbs) -> bool {
        Op::Test.note();
        let negative = A::is_negative(Self::takes_tight(a));
        assert_eq!(negative, A::canonical(a)[0] & 1 == 1);
        negative
    }

    fn and(self, a: bool, b: bool) -> bool {
        Op::Logic.note();
        a & b
    }

    fn or(self, a: bool, b: bool) -> bool {
        Op::Logic.note();
        a | b
    }

    fn not(self, a: bool) -> bool {
        Op::Logic.note();
        !a
    }

    fn bits(self, a: bool) -> u32 {
        Op::Bits.note_with(&[a.into()]);
        a.into()
    }

    fn ints(self, values: &[i8]) -> i64 {
        Op::Ints.note();
        assert_eq!(values.len(), 1);
        values[0].into()
    }

    fn below_zero(self, a: i64) -> bool {
        Op::Test.note();
        a < 0
    }

    fn magnitude(self, a: i64) -> i64 {
        Op::Logic.note();
        a.abs()
    }

    fn equals(self, a: i64, value: u64) -> bool {
        Op::Equals.note_with(&[value]);
        a.cast_unsigned() == value
    }

    fn pack(self, a: &Limbs) -> Limbs {
        *Self::takes_tight(a)
    }

    fn unpack(self, a: &Limbs) -> Limbs {
        *a
    }

    fn select_packed(self, mask: bool, a: &Limbs, b: &Limbs) -> Limbs {
        self.select(mask, a, b)
    }

    fn broadcast(self, a: &Limbs, lane: usize) -> Limbs {
        Op::Broadcast.note_with(&[lane as u64]);
        assert_eq!(lane, 0);
        *a
    }

    fn fixed_row(self, entries: &[[[u64; 4]; 3]]) -> Self::FixedRow {
        assert_eq!(entries.len(), 1 << (A::FIXED_BITS - 1));
        let mut row = [[[0; 4]; 3]; 16];
        row[..entries.len()].copy_from_slice(entries);
        row
    }

    fn fixed_select(self, row: &Self::FixedRow, digit: i64) -> [Limbs; 3] {
        Op::Fixed.note();
        assert!((0..=1 << (A::FIXED_BITS - 1)).contains(&digit), "a digit within the table");
        let entry = if digit == 0 { [[1, 0, 0, 0], [1, 0, 0, 0], [0; 4]] } else { row[digit as usize - 1] };
        entry.map(|words| Self::tight(A::load(&words)))
    }

    fn gather(self, buckets: &[Bucket], at: &[u32]) -> [Limbs; 4] {
        Op::Gather.note_with(&[at[0].into()]);
        assert_eq!(at.len(), 1);
        let (coordinates, _) = buckets[at[0] as usize].0.as_chunks::<5>();
        core::array::from_fn(|c| core::array::from_fn(|i| A::TIGHT[i].number(A::of_word(coordinates[c][i]))))
    }

    fn scatter(self, coordinates: &[Limbs; 4], buckets: &mut [Bucket], at: &[u32]) {
        Op::Scatter.note_with(&[at[0].into()]);
        assert_eq!(at.len(), 1);
        let (to, _) = buckets[at[0] as usize].0.as_chunks_mut::<5>();
        for (to, coordinate) in to.iter_mut().zip(coordinates) {
            *to = Self::takes_tight(coordinate).map(|limb| A::to_word(limb.value()));
        }
    }
}
