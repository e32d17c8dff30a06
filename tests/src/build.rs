//! The programs under test, built by the cargo that runs the test, into its own target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One of the three programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `oblink-holder`
    Holder,
    /// `oblink-verifier`
    Verifier,
    /// `oblink-demo`
    Demo,
}

impl Program {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holder => "oblink-holder",
            Self::Verifier => "oblink-verifier",
            Self::Demo => "oblink-demo",
        }
    }

    /// Its file, built on the first use in a process.
    ///
    /// # Panics
    /// Where it does not build.
    #[must_use]
    pub fn path(self) -> PathBuf {
        static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
        DIRECTORY.get_or_init(build).join(format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX))
    }
}

/// Builds all three; gives the directory they are in. A test's own file is `TARGET/PROFILE/deps/NAME-HASH`, a program's `TARGET/PROFILE/NAME`.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let directory = test.parent().unwrap();
    let profile_directory = if directory.ends_with("deps") { directory.parent().unwrap() } else { directory };
    let target = profile_directory.parent().unwrap();
    let profile = match profile_directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--quiet", "-p", "oblink-node", "--bins", "--profile", profile, "--target-dir"])
        .arg(target)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(built.status.success(), "the programs do not build:\n{}", String::from_utf8_lossy(&built.stderr));
    profile_directory.to_owned()
}
