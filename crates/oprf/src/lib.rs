//! RFC 9497 VOPRF over ristretto255-SHA512, batched over slices.
