//! The holder's commands: seal, serve, ledger, doctor.

mod doctor;
mod epochs;
mod keeping;
mod ledger;
mod seal;
mod seats;
mod serve;
mod sessions;
mod tagging;

pub use doctor::doctor;
pub(crate) use epochs::end_epochs_of;
pub use ledger::ledger;
pub use seal::seal;
pub use serve::serve;
