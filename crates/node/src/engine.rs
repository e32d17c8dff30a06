//! Which engine does the arithmetic: the fastest that the processor has, unless the environment names one.

use oblink_oprf::{Engine, EngineError};

use crate::failure::Failure;

/// The variable that names an engine: for comparisons, and to rule a vector engine out.
const VARIABLE: &str = "OBLINK_ENGINE";

/// Chooses the engine that `OBLINK_ENGINE` names, if it is set. Comes before any other work.
///
/// # Errors
/// Exit 3: there is no such engine, or this processor cannot run it.
pub fn from_environment() -> Result<(), Failure> {
    match std::env::var_os(VARIABLE) {
        None => Ok(()),
        Some(name) => choose(&name.to_string_lossy()).map_err(|error| {
            Failure::input("engine", format!("{VARIABLE}: {error}"))
                .with_hint(format!("unset {VARIABLE}: the fastest engine is then taken by itself"))
        }),
    }
}

fn choose(name: &str) -> Result<(), EngineError> {
    name.parse::<Engine>()?.choose()
}

/// The engine in use, for `doctor`: its name, and which are not here.
pub(crate) fn description() -> String {
    let used = Engine::in_use();
    let absent = |engine: &Engine| matches!(engine.check(), Err(EngineError::Unavailable { .. }));
    let absent: Vec<&str> = Engine::ALL.into_iter().filter(absent).map(Engine::name).collect();
    let tested = if used == Engine::Portable { "" } else { ", self-test passed" };
    if absent.is_empty() { format!("{used}{tested}") } else { format!("{used}{tested}; not on this processor: {}", absent.join(", ")) }
}

/// What an operator must hear: an engine whose instructions are here, and that computes wrongly. It is not used.
pub(crate) fn trouble() -> Option<String> {
    let failed = Engine::ALL.into_iter().filter_map(|engine| engine.check().err());
    failed
        .into_iter()
        .find(|error| matches!(error, EngineError::SelfTest { .. }))
        .map(|error| format!("{error}; have it looked at before it does other work"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_says_which_there_are() {
        assert_eq!(choose("fast"), Err(EngineError::Unknown));
        for engine in Engine::ALL {
            assert!(EngineError::Unknown.to_string().contains(engine.name()));
        }
        assert!(description().starts_with(Engine::in_use().name()));
        assert_eq!(trouble(), None);
    }
}
