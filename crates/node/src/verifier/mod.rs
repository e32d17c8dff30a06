//! The verifier's commands: check, request, doctor.

mod check;
mod conditions;
mod doctor;
mod heads;
mod input;
mod line;
mod question;
mod request;

pub use check::check;
pub use doctor::doctor;
pub use request::request;
