//! Which ruleset a command goes by: a built-in one by its name, or one of the operator's own, from a file.
//!
//! A holder keeps the text of each own ruleset that it has sealed under, in `HOME/rulesets/NAME.DIGEST.toml` (0600; the first sixteen digits of the
//! digest), so that `serve`, `audit` and the ledger's verification find it again. A changed text is another ruleset and gets a file of its own: what
//! was decided by the one before can still be decided again.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use oblink_linkage::{Ruleset, RulesetClass};
use oblink_session::authority::{BuiltInRulesets, Rulesets};
use oblink_session::request::to_hex;

use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::home::Home;
use crate::report::Reporter;
use crate::tokens::ruleset_by_name;

/// The most bytes of a ruleset's file.
const FILE_BYTES_MAX: u64 = 1 << 16;

/// What `--ruleset` chose.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) ruleset: &'static Ruleset,
    /// The text of one's own; `None` for a built-in one.
    pub(crate) text: Option<String>,
}

/// The ruleset of `--ruleset NAME` or `--ruleset FILE.toml`.
///
/// # Errors
/// Exit 3: no built-in one has the name; the file cannot be read, or is not a ruleset.
pub(crate) fn choose(argument: &str) -> Result<Chosen, Failure> {
    if !is_file(argument) {
        return ruleset_by_name(argument).map(|ruleset| Chosen { ruleset, text: None });
    }
    let path = Path::new(argument);
    let text = read(path).map_err(|error| {
        Failure::input("ruleset_file", format!("cannot read the ruleset {}: {}", path.display(), io_cause(&error)))
            .with_hint("--ruleset takes the name of a built-in ruleset, or the path of a file that ends in .toml")
    })?;
    let ruleset = parse(&text, path)?;
    Ok(Chosen { ruleset: leak(ruleset), text: Some(text) })
}

/// Whether `--ruleset` names a file.
fn is_file(argument: &str) -> bool {
    argument.ends_with(".toml")
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One byte more shows that it is too long; the ruleset's own reader says so.
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str, path: &Path) -> Result<Ruleset, Failure> {
    Ruleset::from_toml(text).map_err(|error| {
        Failure::input("bad_ruleset", format!("{}: {error}", path.display()))
            .with_hint("correct the file; `ruleset explain` says what a ruleset does")
    })
}

/// A command goes by one ruleset from its beginning to its end, on all its threads, as it would by a built-in one: so the one that it has read is
/// never freed. Nothing that a peer sends comes here: `serve` judges requests by values that are freed.
fn leak(ruleset: Ruleset) -> &'static Ruleset {
    Box::leak(Box::new(ruleset))
}

/// The ruleset of a request's directory, whose file this is, or of `--ruleset` where it is given. That it is the request's is for the caller to compare.
///
/// # Errors
/// Exit 3: there is none of that name, or its file cannot be read.
pub(crate) fn of_request(given: Option<&str>, name: &str, file: &Path) -> Result<&'static Ruleset, Failure> {
    if let Some(given) = given {
        return choose(given).map(|chosen| chosen.ruleset);
    }
    if let Some(ruleset) = Ruleset::by_name(name) {
        return Ok(ruleset);
    }
    match read(file) {
        Ok(text) => parse(&text, file).map(leak),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::input("unknown_ruleset", "the request's ruleset is not built in, and its file is not beside the request")
                .with_hint("ask whoever made the request for its ruleset.toml, and give it with --ruleset FILE.toml"))
        }
        Err(error) => Err(Failure::input("ruleset_file", format!("cannot read {}: {}", file.display(), io_cause(&error)))),
    }
}

/// The rulesets of a holder: those of this build, and its own.
#[derive(Debug)]
pub(crate) struct HomeRulesets {
    own: Vec<Ruleset>,
}

fn directory(home: &Home) -> PathBuf {
    home.directory().join("rulesets")
}

impl HomeRulesets {
    /// Reads the holder's own. A file that is no ruleset counts for nothing: what needs it says that it is not there.
    ///
    /// # Errors
    /// Exit 3: they cannot be read.
    pub(crate) fn read(home: &Home) -> Result<Self, Failure> {
        let directory = directory(home);
        let cannot = |path: &Path, error: &io::Error| {
            Failure::input("ruleset_file", format!("cannot read {}: {}", path.display(), io_cause(error)))
                .with_hint("let this user read it: the holder's own rulesets are kept there")
        };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { own: Vec::new() }),
            Err(error) => return Err(cannot(&directory, &error)),
        };
        let mut own = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| cannot(&directory, &error))?.path();
            // Others are files in the making.
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            match Ruleset::from_toml(&read(&path).map_err(|error| cannot(&path, &error))?) {
                Ok(ruleset) => own.push(ruleset),
                Err(error) => tracing::warn!(%error, "a file in the home's rulesets/ is no ruleset"),
            }
        }
        Ok(Self { own })
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Ruleset> {
        Ruleset::all().iter().chain(&self.own)
    }

    /// The ruleset of a digest, for a command that goes by it.
    ///
    /// # Errors
    /// Exit 3: neither this build nor the home has it.
    pub(crate) fn of_digest(self, digest: &[u8; 32]) -> Result<&'static Ruleset, Failure> {
        if let Some(ruleset) = Ruleset::all().iter().find(|ruleset| ruleset.digest() == *digest) {
            return Ok(ruleset);
        }
        self.own.into_iter().find(|ruleset| ruleset.digest() == *digest).map(leak).ok_or_else(|| {
            Failure::input("unknown_ruleset", "neither this build nor the home's rulesets/ has the ruleset that was sealed under")
                .with_hint("use the version of oblink that sealed, and the home as it was: a ruleset's file is kept in its rulesets/")
        })
    }
}

impl Rulesets for HomeRulesets {
    fn find(&self, name: &str, digest: &[u8; 32]) -> Option<&Ruleset> {
        let own = || self.own.iter().find(|ruleset| ruleset.name() == name && ruleset.digest() == *digest);
        BuiltInRulesets.find(name, digest).or_else(own)
    }
}

/// Keeps an own ruleset's text in the holder's home, once.
///
/// # Errors
/// Exit 3: it cannot be written.
pub(crate) fn keep(home: &Home, chosen: &Chosen) -> Result<(), Failure> {
    let Some(text) = &chosen.text else { return Ok(()) };
    let (ruleset, directory) = (chosen.ruleset, directory(home));
    let path = directory.join(format!("{}.{}.toml", ruleset.name(), &to_hex(&ruleset.digest())[..16]));
    // Texts that say the same have one digest: the first one stays.
    if read(&path).is_ok_and(|text| Ruleset::from_toml(&text).is_ok_and(|kept| kept.digest() == ruleset.digest())) {
        return Ok(());
    }
    let write = || {
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        write_atomically(&path, text.as_bytes())
    };
    write().map_err(|error| Failure::input("ruleset_write", format!("cannot write {}: {}", path.display(), io_cause(&error))))
}

/// Where nobody's policy allows or forbids it, what a ruleset of that class asks.
pub(crate) fn warn_of_class(ruleset: &Ruleset, reporter: &Reporter) {
    if ruleset.class() == RulesetClass::FindPerson {
        reporter.warn(&format!(
            "{} finds persons: a match says that the holder has such a person anywhere, and not that an address is right; without a policy, no \
             official says whether this may be asked",
            ruleset.name()
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::home::Role;

    fn text(t: u16) -> String {
        format!(
            "format = \"oblink/ruleset/1\"\nname = \"own-1\"\nclass = \"confirm-address\"\ncanonicaliser = \"us-2\"\ntokens_per_pair = {t}\n\
             [[rule]]\nnumber = 1\nname = \"names\"\nfields = [\"names.formal\", \"number\", \"street\", \"zip\"]\n"
        )
    }

    #[test]
    fn names_and_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        fs::write(&path, text(4)).unwrap();
        let chosen = choose(path.to_str().unwrap()).unwrap();
        assert_eq!((chosen.ruleset.name(), chosen.ruleset.tokens_per_pair(), chosen.text), ("own-1", 4, Some(text(4))));
        assert!(choose("us-exact-1").unwrap().text.is_none());
        let code = |argument: &str| choose(argument).unwrap_err().code();
        assert_eq!((code("own-1"), code("missing.toml")), ("unknown_ruleset", "ruleset_file"));
        fs::write(&path, "format = 3").unwrap();
        assert_eq!(code(path.to_str().unwrap()), "bad_ruleset");
        fs::write(&path, "x".repeat(1 << 17)).unwrap();
        assert_eq!(code(path.to_str().unwrap()), "bad_ruleset");
    }

    #[test]
    fn a_home_keeps_every_text_that_it_sealed_under() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("home"), Role::Holder, "Holder").unwrap();
        let digests = [4, 5].map(|t| {
            let path = folder.path().join("own.toml");
            fs::write(&path, text(t)).unwrap();
            let chosen = choose(path.to_str().unwrap()).unwrap();
            for _ in 0..2 {
                keep(&home, &chosen).unwrap();
            }
            chosen.ruleset.digest()
        });
        assert_ne!(digests[0], digests[1]);
        let rulesets = HomeRulesets::read(&home).unwrap();
        for digest in &digests {
            assert_eq!(rulesets.find("own-1", digest).unwrap().digest(), *digest);
            assert!(rulesets.find("own-2", digest).is_none());
            assert_eq!(HomeRulesets::read(&home).unwrap().of_digest(digest).unwrap().digest(), *digest);
        }
        assert!(rulesets.find("own-1", &[0; 32]).is_none());
        let exact = Ruleset::by_name("us-exact-1").unwrap().digest();
        assert!(rulesets.find("us-exact-1", &exact).is_some() && rulesets.find("us-exact-1", &digests[0]).is_none());
        assert_eq!(HomeRulesets::read(&home).unwrap().of_digest(&[0; 32]).unwrap_err().code(), "unknown_ruleset");
        let files: Vec<_> = fs::read_dir(home.directory().join("rulesets")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777 == 0o600));
        // What is no ruleset is in nobody's way.
        fs::write(home.directory().join("rulesets/damaged.toml"), "x").unwrap();
        assert!(HomeRulesets::read(&home).unwrap().find("own-1", &digests[1]).is_some());
    }

    #[test]
    fn a_request_s_ruleset_is_built_in_or_beside_it_or_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ruleset.toml");
        assert_eq!(of_request(None, "us-exact-1", &file).unwrap().name(), "us-exact-1");
        assert_eq!(of_request(None, "own-1", &file).unwrap_err().code(), "unknown_ruleset");
        fs::write(&file, text(4)).unwrap();
        assert_eq!(of_request(None, "own-1", &file).unwrap().tokens_per_pair(), 4);
        let other = folder.path().join("other.toml");
        fs::write(&other, text(5)).unwrap();
        assert_eq!(of_request(other.to_str(), "own-1", &file).unwrap().tokens_per_pair(), 5);
    }
}
