//! Randomness from the system's generator; nothing else in this crate makes any.

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Secret bytes from the system's generator.
///
/// # Errors
/// Exit 3: the system gave none.
pub(crate) fn system_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(&mut *bytes).map_err(|_| Failure::input("no_randomness", "the system gave no random bytes"))?;
    Ok(bytes)
}
