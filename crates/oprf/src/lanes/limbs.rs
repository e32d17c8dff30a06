//! What the backends share: five limbs of 51 bits, slices of a known width, methods that only forward.

/// A limb's worth of ones.
pub(in crate::lanes) const LIMB: u64 = (1 << 51) - 1;

/// Splits four words below 2^255 into limbs.
pub(in crate::lanes) const fn limbs(w: &[u64; 4]) -> [u64; 5] {
    [w[0] & LIMB, (w[0] >> 51 | w[1] << 13) & LIMB, (w[1] >> 38 | w[2] << 26) & LIMB, (w[2] >> 25 | w[3] << 39) & LIMB, (w[3] >> 12) & LIMB]
}

/// The slice as an array of the backend's width; callers pass slices of `WIDTH`, anything else is a bug of this crate.
#[inline(always)]
pub(in crate::lanes) fn exactly<T, const WIDTH: usize>(slice: &[T]) -> &[T; WIDTH] {
    match slice.try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("a slice of the backend's width"),
    }
}

/// As [`exactly`].
#[inline(always)]
pub(in crate::lanes) fn exactly_mut<T, const WIDTH: usize>(slice: &mut [T]) -> &mut [T; WIDTH] {
    match slice.try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("a slice of the backend's width"),
    }
}

/// Methods of a backend's trait that only call a function, or an instruction, of the same meaning.
macro_rules! forward {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $call:expr;)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the token exists, so the processor has the instructions.
            unsafe { $call }
        })*
    };
}
pub(in crate::lanes) use forward;
