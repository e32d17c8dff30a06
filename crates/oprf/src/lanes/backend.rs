//! What a backend gives: arithmetic modulo 2^255 − 19 on several independent elements at once, one in each lane of vector registers.

/// One vector instruction set, as a token: a value exists only on a processor that has been found to have the instructions, which is
/// what makes the methods safe.
///
/// # Bounds
///
/// Elements are kept in limbs that are not fully reduced. An element is *tight* (results of [`mul`](Self::mul), [`square`](Self::square),
/// [`carry`](Self::carry), [`load`](Self::load), [`splat`](Self::splat)) or *loose* (results of [`add`](Self::add) and
/// [`sub`](Self::sub)). What each method takes stands with it; the interval model (`model.rs`, tests only) runs every formula of this module
/// on worst-case limbs and fails where a bound is broken.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// Its name in tests and benchmarks.
    #[allow(dead_code)]
    const NAME: &'static str;
    /// Elements worked on at once.
    const WIDTH: usize;
    /// Bits of a window of fixed-base tables: a row has `2^(FIXED_BITS − 1)` entries.
    const FIXED_BITS: usize;

    /// [`WIDTH`](Self::WIDTH) field elements.
    type Fe: Copy + Send + Sync;
    /// One truth value for each lane; secret, unless revealed by [`bits`](Self::bits).
    type Mask: Copy;
    /// One 64-bit integer for each lane.
    type Int: Copy;
    /// A tight element as it is kept in tables.
    type Packed: Copy + Send + Sync;
    /// One window's multiples of a fixed point: the same for all lanes, looked up by each lane for itself.
    type FixedRow: Copy + Send + Sync;

    /// Runs `f` in a function compiled for the backend's instructions, so that what is inlined into it may use them.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;

    /// The element of four little-endian words below 2^255 in every lane; tight.
    fn splat(self, words: &[u64; 4]) -> Self::Fe;
    /// One element for each lane from little-endian bytes, bit 255 ignored; tight, not necessarily reduced. Takes `WIDTH` strings.
    fn load(self, bytes: &[[u8; 32]]) -> Self::Fe;
    /// The canonical little-endian bytes of each lane; takes any tight element and `WIDTH` places.
    fn store(self, a: &Self::Fe, out: &mut [[u8; 32]]);

    /// The product, tight; takes what [`fit`](Self::fit) gives and a tight element, in either order.
    fn mul(self, a: &Self::Fe, b: &Self::Fe) -> Self::Fe;
    /// The square, tight; takes a tight element.
    fn square(self, a: &Self::Fe) -> Self::Fe;
    /// The sum without carries.
    fn add(self, a: &Self::Fe, b: &Self::Fe) -> Self::Fe;
    /// The difference without carries, a multiple of the modulus added; `b` must be tight.
    fn sub(self, a: &Self::Fe, b: &Self::Fe) -> Self::Fe;
    /// The same element, tight. Takes sums and differences of up to four tight elements.
    fn carry(self, a: &Self::Fe) -> Self::Fe;
    /// The same element, good for one factor of [`mul`](Self::mul); takes one sum or difference of tight elements. Free where loose limbs do.
    fn fit(self, a: &Self::Fe) -> Self::Fe;

    /// `b` where the mask is set, `a` elsewhere; no branch, no access that depends on the mask.
    fn select(self, mask: Self::Mask, a: &Self::Fe, b: &Self::Fe) -> Self::Fe;
    /// Which lanes are zero modulo the prime; takes a tight element.
    fn is_zero(self, a: &Self::Fe) -> Self::Mask;
    /// Which lanes are negative: odd when reduced (RFC 9496 §3.1); takes a tight element.
    fn is_negative(self, a: &Self::Fe) -> Self::Mask;

    /// Both.
    fn and(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Either.
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Not.
    fn not(self, a: Self::Mask) -> Self::Mask;
    /// The mask's bits, lane 0 lowest: for what may be known, such as whether a peer's element decodes.
    fn bits(self, a: Self::Mask) -> u32;

    /// One integer for each lane; takes `WIDTH` of them.
    fn ints(self, values: &[i8]) -> Self::Int;
    /// Which lanes are negative.
    fn below_zero(self, a: Self::Int) -> Self::Mask;
    /// The absolute value.
    fn magnitude(self, a: Self::Int) -> Self::Int;
    /// Which lanes are `value`.
    fn equals(self, a: Self::Int, value: u64) -> Self::Mask;

    /// For tables; takes a tight element.
    fn pack(self, a: &Self::Fe) -> Self::Packed;
    /// Out of tables; tight.
    fn unpack(self, a: &Self::Packed) -> Self::Fe;
    /// `b` where the mask is set, `a` elsewhere.
    fn select_packed(self, mask: Self::Mask, a: &Self::Packed, b: &Self::Packed) -> Self::Packed;
    /// Lane `lane` (public) of a packed element in all lanes; tight.
    fn broadcast(self, a: &Self::Packed, lane: usize) -> Self::Fe;

    /// A row of `2^(FIXED_BITS − 1)` points `1·B, 2·B, …`, each as (y + x, y − x, 2dxy), canonical words.
    fn fixed_row(self, entries: &[[[u64; 4]; 3]]) -> Self::FixedRow;
    /// Each lane's own entry, `digit − 1`; the neutral (1, 1, 0) where the digit is zero. Digits lie in `0..=2^(FIXED_BITS − 1)`; no
    /// memory access depends on them. All three tight.
    fn fixed_select(self, row: &Self::FixedRow, digit: Self::Int) -> [Self::Fe; 3];

    /// The four packed coordinates of one bucket for each lane; takes `WIDTH` buckets. Which buckets is public.
    fn gather(self, buckets: &[Bucket], at: &[u32]) -> [Self::Packed; 4];
    /// Writes them back.
    fn scatter(self, coordinates: &[Self::Packed; 4], buckets: &mut [Bucket], at: &[u32]);
}

/// One lane's packed point (X, Y, Z, T), five words each, as it lies in a bucket of a multiscalar multiplication.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Bucket(pub(crate) [u64; 20]);

/// The most lanes of any backend: the size of scratch space.
pub(crate) const WIDTH_MAX: usize = 8;
