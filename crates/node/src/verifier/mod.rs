//! The verifier's commands: check, doctor.

mod check;
mod doctor;
mod input;
mod line;

pub use check::check;
pub use doctor::doctor;
