//! The verifier's commands: lint, check, request, audit, doctor.

mod asking;
mod audit;
mod check;
mod conditions;
mod disclosure;
mod doctor;
mod dry_run;
mod heads;
mod input;
mod kept;
mod line;
mod lint;
mod progress;
mod question;
mod request;
mod retry;

pub use audit::audit;
pub use check::check;
pub use doctor::doctor;
pub use lint::lint;
pub use request::request;
