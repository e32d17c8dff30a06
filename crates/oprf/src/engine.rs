//! Which arithmetic does the work on slices: one vector engine of those the processor can run, or curve25519-dalek.

use core::fmt;
use core::str::FromStr;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::group;
#[cfg(target_arch = "x86_64")]
use crate::lanes::{avx2::Avx2, ifma::Ifma, sha512::Words};
#[cfg(target_arch = "x86_64")]
use crate::sha512;

/// An implementation of the arithmetic on slices. All give the same results, bit for bit; only the time differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// curve25519-dalek, one element at a time: any processor.
    Portable,
    /// Four elements at once: x86-64 with AVX2.
    Avx2,
    /// Eight elements at once: x86-64 with AVX-512 IFMA.
    Ifma,
}

impl Engine {
    /// All of them, the fastest last.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Ifma];

    /// Its name, as [`FromStr`] takes it: `portable`, `avx2`, `ifma`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Ifma => "ifma",
        }
    }

    /// Whether this processor has the instructions and the engine has passed its self-test here: every operation, compared bit for bit
    /// with curve25519-dalek. Tested once a process.
    #[must_use]
    pub fn is_available(self) -> bool {
        self.check().is_ok()
    }

    /// As [`is_available`](Self::is_available), with the reason.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`], [`EngineError::SelfTest`].
    pub fn check(self) -> Result<(), EngineError> {
        self.backend().map(|_| ())
    }

    /// The engine in use in this process: the one that [`choose`](Self::choose) named, else the fastest available one.
    #[must_use]
    pub fn in_use() -> Self {
        match Backend::in_use() {
            Backend::Portable => Self::Portable,
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2(_) => Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma(_) => Self::Ifma,
        }
    }

    /// Uses this engine for the whole process. Must come before the first operation.
    ///
    /// # Errors
    /// [`EngineError`]: the engine is not here, or failed its self-test, or another one is in use already.
    pub fn choose(self) -> Result<(), EngineError> {
        let backend = self.backend()?;
        CHOSEN.get_or_init(|| backend);
        if Self::in_use() == self { Ok(()) } else { Err(EngineError::InUse { engine: Self::in_use() }) }
    }

    /// The engine's token, minted only where the processor has the instructions and the self-test held.
    fn backend(self) -> Result<Backend, EngineError> {
        match self {
            Self::Portable => Ok(Backend::Portable),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                static TRIED: OnceLock<Result<Avx2, EngineError>> = OnceLock::new();
                (*TRIED.get_or_init(|| self.try_out(Avx2::detect()))).map(Backend::Avx2)
            }
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => {
                static TRIED: OnceLock<Result<Ifma, EngineError>> = OnceLock::new();
                (*TRIED.get_or_init(|| self.try_out(Ifma::detect()))).map(Backend::Ifma)
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Ifma => Err(EngineError::Unavailable { engine: self }),
        }
    }

    /// The self-test of an engine whose instructions are here.
    #[cfg(target_arch = "x86_64")]
    fn try_out<L: group::Own + Words>(self, detected: Option<L>) -> Result<L, EngineError> {
        let lanes = detected.ok_or(EngineError::Unavailable { engine: self })?;
        if group::self_test(lanes) && sha512::self_test(lanes) { Ok(lanes) } else { Err(EngineError::SelfTest { engine: self }) }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = EngineError;

    /// Takes a name.
    ///
    /// # Errors
    /// [`EngineError::Unknown`].
    fn from_str(name: &str) -> Result<Self, EngineError> {
        Self::ALL.into_iter().find(|engine| engine.name() == name).ok_or(EngineError::Unknown)
    }
}

/// Why an engine cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No such name.
    #[error("there is no such engine; the engines are portable, avx2 and ifma")]
    Unknown,
    /// The processor lacks the instructions.
    #[error("engine {engine} is not available on this processor")]
    Unavailable {
        /// The one asked for.
        engine: Engine,
    },
    /// The processor has the instructions and computes wrongly with them.
    #[error("engine {engine} failed its self-test: this processor computes wrongly")]
    SelfTest {
        /// The one that failed.
        engine: Engine,
    },
    /// Too late.
    #[error("engine {engine} is in use in this process already")]
    InUse {
        /// The one in use.
        engine: Engine,
    },
}

/// What an operation on a slice runs on.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma),
}

/// The process's choice.
static CHOSEN: OnceLock<Backend> = OnceLock::new();

#[cfg(test)]
std::thread_local! {
    /// Another choice for one test's thread.
    static FOR_TEST: core::cell::Cell<Option<Backend>> = const { core::cell::Cell::new(None) };
}

impl Backend {
    /// The process's choice; made now if it was not made before.
    pub(crate) fn in_use() -> Self {
        #[cfg(test)]
        if let Some(backend) = FOR_TEST.get() {
            return backend;
        }
        *CHOSEN.get_or_init(|| Engine::ALL.into_iter().rev().find_map(|engine| engine.backend().ok()).unwrap_or(Self::Portable))
    }
}

/// While it lives, this test's thread works on another engine.
#[cfg(test)]
pub(crate) struct OnEngine(());

#[cfg(test)]
impl OnEngine {
    /// The engine, or a line that says it is not here and `None`.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        let Ok(backend) = engine.backend() else {
            println!("skipped on {engine}: not available on this processor");
            return None;
        };
        FOR_TEST.set(Some(backend));
        Some(Self(()))
    }
}

#[cfg(test)]
impl Drop for OnEngine {
    fn drop(&mut self) {
        FOR_TEST.set(None);
    }
}

/// Runs `test` once on every engine that is available here.
#[cfg(test)]
pub(crate) fn on_every_engine(test: impl Fn()) {
    for engine in Engine::ALL {
        if let Some(_on) = OnEngine::new(engine) {
            test();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for engine in Engine::ALL {
            assert_eq!(engine.name().parse(), Ok(engine));
        }
        assert_eq!("AVX2".parse::<Engine>(), Err(EngineError::Unknown));
    }

    #[test]
    fn the_one_in_use_is_available_and_stays() {
        let engine = Engine::in_use();
        assert!(engine.is_available());
        assert_eq!(engine.choose(), Ok(()));
        for other in Engine::ALL.into_iter().filter(|other| *other != engine) {
            assert!(other.choose().is_err());
        }
    }

    /// What the processor has and does not pass the self-test would go unnoticed otherwise.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn engines_whose_instructions_are_here_pass_their_self_test() {
        assert_eq!(Avx2::detect().is_some(), Engine::Avx2.is_available());
        assert_eq!(Ifma::detect().is_some(), Engine::Ifma.is_available());
    }
}
