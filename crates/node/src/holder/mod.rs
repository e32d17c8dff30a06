//! The holder's commands: seal, serve, ledger, doctor.

mod doctor;
mod epochs;
mod ledger;
mod seal;
mod seats;
mod serve;
mod sessions;

pub use doctor::doctor;
pub(crate) use epochs::end_epochs_of;
pub use ledger::ledger;
pub use seal::seal;
pub use serve::serve;
