//! One engine for a whole test program, chosen before its first test.

use oblink_oprf::Engine;

/// Uses the engine, or ends the program with a line that says it is not here.
pub(crate) fn choose(engine: Engine) {
    if let Err(error) = engine.choose() {
        println!("skipped on {engine}: {error}");
        std::process::exit(0);
    }
}

/// Chooses the engine before `main`: a test may be the first to run, or the only one.
macro_rules! before_all_tests {
    ($engine:expr) => {
        extern "C" fn choose_engine() {
            crate::choice::choose($engine);
        }

        // SAFETY: the section holds addresses of functions of this type, which the C runtime calls once each before `main`. What is called
        // needs nothing that Rust's own start-up provides, and a panic would not unwind out of it.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static CHOOSE_ENGINE: extern "C" fn() = choose_engine;

        #[test]
        fn the_engine_is_the_one_named() {
            assert_eq!(oblink_oprf::Engine::in_use(), $engine);
        }
    };
}
pub(crate) use before_all_tests;
