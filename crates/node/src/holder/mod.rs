//! The holder's commands: seal, serve, ledger, doctor.

mod doctor;
mod epochs;
mod ledger;
mod seal;
mod seats;
mod serve;
mod sessions;

pub use doctor::doctor;
pub use ledger::ledger;
pub use seal::seal;
pub use serve::serve;

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Secret bytes from the system's generator.
pub(crate) fn system_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(&mut *bytes).map_err(|_| Failure::input("no_randomness", "the system gave no random bytes"))?;
    Ok(bytes)
}
