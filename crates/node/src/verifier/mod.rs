//! The verifier's commands: check, request, audit, doctor.

mod audit;
mod check;
mod conditions;
mod disclosure;
mod doctor;
mod heads;
mod input;
mod line;
mod question;
mod request;

pub use audit::audit;
pub use check::check;
pub use doctor::doctor;
pub use request::request;
