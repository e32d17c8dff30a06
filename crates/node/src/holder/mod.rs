//! The holder's commands: lint, seal, serve, ledger, policy, suspend, request, epoch, audit, doctor.

mod audit;
mod disclosures;
mod doctor;
mod epoch;
mod epochs;
mod guests;
mod keeper;
mod keeping;
mod knocks;
mod ledger;
mod lint;
mod metrics;
mod operator;
mod places;
mod policy;
mod receipts;
mod report;
mod request;
mod seal;
mod seats;
mod serve;
mod sessions;
mod standing;
mod tagging;
mod work;

pub use audit::audit;
pub use doctor::doctor;
pub use epoch::epoch;
pub(crate) use epochs::end_epochs_of;
pub use ledger::ledger;
pub use lint::lint;
pub use policy::{policy, suspend};
pub use request::request;
pub use seal::seal;
pub use serve::serve;
