//! A party's home: the directory given by `--home`.
//!
//! ```text
//! config.toml     role, name, limits of pilot mode, how long keys are kept
//! identity.key    Ed25519, PKCS#8 in DER, 0600: signs TLS handshakes and the statement key's certificate, nothing else
//! statement.key   likewise: signs batches and receipts
//! peers.toml      label -> fingerprint
//! epochs/ sets/ receipts/ ledger.sqlite    what sealing and sessions leave
//! policy/         holder: copies of the policy in force; the ledger's is the one that counts
//! checkpoints/    verifier: what is kept of runs that are not finished, a folder each
//! heads/          verifier: the latest head of each holder's ledger that it knows, FINGERPRINT.json
//! ```
//! The directory and those in it are 0700.

mod config;
mod keys;
mod peers;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oblink_quic::Fingerprint;
use oblink_session::statement::StatementKey;

pub use config::{Config, Epochs, Pilot, PolicyMark, Role};
pub use keys::SecretKey;
pub use peers::{Peers, TrustChange};

use crate::date::{rfc3339, unix_ms};
use crate::failure::{Failure, io_cause};
use crate::files::{is_writable, mode_within, sync_directory, write_atomically};

const CONFIG: &str = "config.toml";
const IDENTITY: &str = "identity.key";
const STATEMENT: &str = "statement.key";
const PEERS: &str = "peers.toml";
const LEDGER: &str = "ledger.sqlite";
const FOLDERS: [&str; 3] = ["epochs", "sets", "receipts"];

/// An opened home: its configuration and its keys.
#[derive(Debug)]
pub struct Home {
    directory: PathBuf,
    config: Config,
    identity: SecretKey,
    statement: SecretKey,
}

impl Home {
    /// Makes a home with fresh keys in `directory`, which must be new or empty, for a party that calls itself `name`.
    ///
    /// # Errors
    /// Exit 3: there is something already, the name cannot be used, or the files cannot be written. Then nothing is left behind.
    pub fn init(directory: &Path, role: Role, name: &str) -> Result<Self, Failure> {
        config::check_name(name).map_err(|what| Failure::input("name", what))?;
        let shown = directory.display();
        let is_new = match fs::read_dir(directory) {
            Ok(mut entries) => {
                if directory.join(CONFIG).exists() || directory.join(IDENTITY).exists() {
                    return Err(Failure::input("home_exists", format!("{shown} is a home already"))
                        .with_hint("nothing was changed; choose another --home, or go on with this one"));
                }
                if entries.next().is_some() {
                    return Err(
                        Failure::input("home_exists", format!("{shown} is not empty")).with_hint("choose a --home that is new or empty")
                    );
                }
                if !is_writable(directory).unwrap_or(false) {
                    return Err(read_only(directory));
                }
                false
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| cannot_make(directory, &e))?;
                true
            }
            Err(_) if directory.is_file() => {
                return Err(Failure::input("home_exists", format!("{shown} is a file")).with_hint("choose a --home that is new or empty"));
            }
            Err(e) => return Err(cannot_make(directory, &e)),
        };
        Self::fill(directory, role, name).inspect_err(|_| {
            // What is there was made here: the directory was new or empty.
            for folder in FOLDERS {
                let _ = fs::remove_dir(directory.join(folder));
            }
            for file in [PEERS, STATEMENT, IDENTITY, CONFIG] {
                let _ = fs::remove_file(directory.join(file));
            }
            if is_new {
                let _ = fs::remove_dir(directory);
            }
        })
    }

    fn fill(directory: &Path, role: Role, name: &str) -> Result<Self, Failure> {
        let (identity, statement) = (SecretKey::generate()?, SecretKey::generate()?);
        let config = Config::new(role, name, SystemTime::now());
        let text = toml::to_string(&config).map_err(|_| Failure::bug("config.toml could not be written as TOML"))?;
        let write = || -> io::Result<()> {
            fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            for folder in FOLDERS {
                DirBuilder::new().mode(0o700).create(directory.join(folder))?;
            }
            write_atomically(&directory.join(IDENTITY), &identity.to_pkcs8_der())?;
            write_atomically(&directory.join(STATEMENT), &statement.to_pkcs8_der())?;
            write_atomically(&directory.join(PEERS), b"[peers]\n")?;
            // Last: a home without its configuration is none.
            write_atomically(&directory.join(CONFIG), text.as_bytes())?;
            sync_directory(directory)
        };
        write().map_err(|e| cannot_make(directory, &e))?;
        Ok(Self { directory: directory.to_owned(), config, identity, statement })
    }

    /// Opens the home of a party with `role`.
    ///
    /// # Errors
    /// Exit 3, by what is wrong: no home there, the other role's, damaged, a key or a ledger that others may read, what others may write, or a
    /// directory that cannot be written.
    pub fn open(directory: &Path, role: Role) -> Result<Self, Failure> {
        let shown = directory.display();
        let init = format!("make one: {} init --home {shown} --name \"NAME\"", role.program());
        match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(Failure::input("no_home", format!("{shown} is a file, not a home"))
                    .with_hint("--home takes the directory that init made"));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::input("no_home", format!("there is no home at {shown}")).with_hint(init));
            }
            Err(e) => return Err(Failure::input("no_home", format!("cannot open the home {shown}: {}", io_cause(&e)))),
        }
        let text = fs::read_to_string(directory.join(CONFIG)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Failure::input("no_home", format!("{shown} is not a home: it has no {CONFIG}")).with_hint(init),
            _ => Failure::input("home_damaged", format!("cannot read {shown}/{CONFIG}: {}", io_cause(&e))),
        })?;
        let config: Config = toml::from_str(&text).map_err(|e| damaged(directory, CONFIG, e.message()))?;
        config.check().map_err(|what| damaged(directory, CONFIG, what))?;
        if config.role != role {
            return Err(Failure::input("other_role", format!("{shown} is the home of a {}", config.role))
                .with_hint(format!("use {} with it, or give a {role}'s home", config.role.program())));
        }
        check_modes(directory)?;
        let identity = SecretKey::read(&directory.join(IDENTITY))?;
        let statement = SecretKey::read(&directory.join(STATEMENT))?;
        if !is_writable(directory).unwrap_or(false) {
            return Err(read_only(directory));
        }
        let home = Self { directory: directory.to_owned(), config, identity, statement };
        home.peers()?;
        Ok(home)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The identity key.
    #[must_use]
    pub fn identity(&self) -> &SecretKey {
        &self.identity
    }

    /// The fingerprint of the identity: what the other side pins.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// The statement key under a certificate of this identity, issued when the home was made (SPEC STM-1).
    #[must_use]
    pub fn statement_key(&self) -> StatementKey {
        let issued = self.config.created_at().map_or(0, unix_ms);
        StatementKey::certify(self.statement.expose(), self.identity.expose(), issued)
    }

    /// The directory itself.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where epoch keys are.
    #[must_use]
    pub fn epochs(&self) -> PathBuf {
        self.directory.join("epochs")
    }

    /// Where sealed sets are.
    #[must_use]
    pub fn sets(&self) -> PathBuf {
        self.directory.join("sets")
    }

    /// Where runs that are not finished are kept (SPEC RES-4).
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.directory.join("checkpoints")
    }

    /// Where receipts are.
    #[must_use]
    pub fn receipts(&self) -> PathBuf {
        self.directory.join("receipts")
    }

    /// The ledger's file.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.directory.join(LEDGER)
    }

    /// Whom this party trusts, read now: `serve` sees a change without a restart.
    ///
    /// # Errors
    /// Exit 3: the file is gone or damaged.
    pub fn peers(&self) -> Result<Peers, Failure> {
        let text = fs::read_to_string(self.directory.join(PEERS)).map_err(|e| damaged(&self.directory, PEERS, &io_cause(&e)))?;
        Peers::parse(&text).map_err(|what| damaged(&self.directory, PEERS, &what))
    }

    /// Trusts `fingerprint` under `label`; with `replace` also where the label had another one.
    ///
    /// # Errors
    /// Exit 3: the label cannot be one, it has another fingerprint, the fingerprint has another label or is this home's own.
    pub fn trust(&self, label: &str, fingerprint: Fingerprint, replace: bool) -> Result<TrustChange, Failure> {
        self.change_peers(|peers| peers.trust(label, fingerprint, &self.fingerprint(), replace))
    }

    /// Trusts the peer labelled `label` no longer.
    ///
    /// # Errors
    /// Exit 3: there is no such label.
    pub fn distrust(&self, label: &str) -> Result<TrustChange, Failure> {
        self.change_peers(|peers| peers.remove(label))
    }

    /// Whether `config.toml` says, read now, that a policy was in force in this home once.
    ///
    /// # Errors
    /// Exit 3: the file is gone or damaged.
    pub fn had_policy(&self) -> Result<bool, Failure> {
        self.read_config().map(|(_, config)| config.policy.is_some())
    }

    /// Writes into `config.toml` that a policy was in force, applied at `applied`; where it says so already, nothing.
    ///
    /// # Errors
    /// Exit 3: the file is gone or damaged, or cannot be written.
    pub fn mark_policy(&self, applied: SystemTime) -> Result<(), Failure> {
        let failed =
            |e: io::Error| Failure::input("home_write", format!("cannot write {}/{CONFIG}: {}", self.directory.display(), io_cause(&e)));
        let _lock = self.lock().map_err(failed)?;
        let (text, config) = self.read_config()?;
        if config.policy.is_some() {
            return Ok(());
        }
        // Appended, so that an operator's own lines stay as they are.
        let marked = format!(
            "{}\n\n# A policy was in force once: without it nothing is answered. Leave this here.\n[policy]\nfirst_applied = \"{}\"\n",
            text.trim_end(),
            rfc3339(applied)
        );
        let parsed: Config = toml::from_str(&marked).map_err(|e| damaged(&self.directory, CONFIG, e.message()))?;
        if parsed.policy.is_none() {
            return Err(Failure::bug("config.toml was not marked"));
        }
        write_atomically(&self.directory.join(CONFIG), marked.as_bytes()).map_err(failed)
    }

    fn read_config(&self) -> Result<(String, Config), Failure> {
        let text = fs::read_to_string(self.directory.join(CONFIG)).map_err(|e| damaged(&self.directory, CONFIG, &io_cause(&e)))?;
        let config = toml::from_str(&text).map_err(|e| damaged(&self.directory, CONFIG, e.message()))?;
        Ok((text, config))
    }

    /// For changes of `config.toml` and `peers.toml`, which are replaced: so the directory is locked. The lock goes with the file handle.
    fn lock(&self) -> io::Result<File> {
        let lock = File::open(&self.directory)?;
        lock.lock()?;
        Ok(lock)
    }

    fn change_peers(&self, change: impl FnOnce(&mut Peers) -> Result<TrustChange, Failure>) -> Result<TrustChange, Failure> {
        let failed =
            |e: io::Error| Failure::input("home_write", format!("cannot write {}/{PEERS}: {}", self.directory.display(), io_cause(&e)));
        // Two of these at once must not lose each other's peer.
        let _lock = self.lock().map_err(failed)?;
        let mut peers = self.peers()?;
        let changed = change(&mut peers)?;
        if changed != TrustChange::Unchanged {
            write_atomically(&self.directory.join(PEERS), peers.to_text()?.as_bytes()).map_err(failed)?;
        }
        Ok(changed)
    }
}

fn cannot_make(directory: &Path, error: &io::Error) -> Failure {
    Failure::input("home_write", format!("cannot make a home at {}: {}", directory.display(), io_cause(error)))
        .with_hint("choose a --home in a directory that this user may write")
}

fn read_only(directory: &Path) -> Failure {
    Failure::input("home_read_only", format!("the home {} cannot be written", directory.display()))
        .with_hint("keys, ledger and receipts live there: let this user write it (chmod u+w), or mount it writable")
}

/// Nobody else may write what says whom this party trusts, nor put files of their own into the home; nor read the ledger, which may have
/// identifiers of records in it.
fn check_modes(directory: &Path) -> Result<(), Failure> {
    const WRITING: u32 = 0o022;
    const ANYTHING: u32 = 0o077;
    let files = [
        (directory.to_owned(), WRITING, "700"),
        (directory.join(CONFIG), WRITING, "600"),
        (directory.join(PEERS), WRITING, "600"),
        (directory.join(LEDGER), ANYTHING, "600"),
        (directory.join(format!("{LEDGER}-wal")), ANYTHING, "600"),
    ];
    for (path, mask, due) in files {
        let shown = path.display();
        let mode =
            mode_within(&path, mask).map_err(|e| Failure::input("home_damaged", format!("cannot look at {shown}: {}", io_cause(&e))))?;
        if let Some(mode) = mode {
            return Err(Failure::input("home_exposed", format!("{shown} is open to other users (mode {mode:04o})"))
                .with_hint(format!("chmod {due} {shown}; find out who may have read or changed it")));
        }
    }
    Ok(())
}

fn damaged(directory: &Path, file: &str, what: &str) -> Failure {
    Failure::input("home_damaged", format!("{}/{file}: {}", directory.display(), what.trim_end()))
        .with_hint("correct the file, or restore it from a backup")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::render;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_home_is_made_opened_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("new/home");
        let made = Home::init(&at, Role::Holder, "Tax Agency").unwrap();
        let opened = Home::open(&at, Role::Holder).unwrap();
        assert_eq!((opened.fingerprint(), opened.config()), (made.fingerprint(), made.config()));
        assert_eq!(opened.config().pilot.pairs_max, 10_000_000);
        assert_eq!(opened.statement_key().certificate(), made.statement_key().certificate());
        assert_ne!(opened.statement_key().public(), opened.identity().public());
        for path in [at.clone(), opened.epochs(), opened.sets(), opened.receipts()] {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
        for file in [CONFIG, IDENTITY, STATEMENT, PEERS] {
            assert_eq!(mode(&at.join(file)), 0o600, "{file}");
        }
        let other = Home::init(&folder.path().join("other"), Role::Verifier, "City").unwrap();
        assert_eq!(opened.trust("city", other.fingerprint(), false).unwrap(), TrustChange::Added);
        assert_eq!(opened.peers().unwrap().get("city"), Some(other.fingerprint()));
        assert_eq!(opened.distrust("city").unwrap(), TrustChange::Removed);
        assert!(opened.peers().unwrap().is_empty());
        assert_eq!(opened.trust("me", opened.fingerprint(), false).unwrap_err().code(), "own_fingerprint");
    }

    #[test]
    fn messages() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut text = String::new();
        let mut say = |case: &str, result: Result<Home, Failure>| {
            let failure = result.unwrap_err();
            assert_eq!(failure.exit().code(), 3, "{case}");
            text.push_str(&format!("# {case}\n{}", render(&failure).replace(&folder.path().display().to_string(), "DIR")));
        };
        Home::init(&at("h"), Role::Holder, "Tax Agency").unwrap();
        let before = fs::read(at("h").join(IDENTITY)).unwrap();
        say("init over a home", Home::init(&at("h"), Role::Verifier, "City"));
        assert_eq!(fs::read(at("h").join(IDENTITY)).unwrap(), before);
        fs::create_dir(at("full")).unwrap();
        fs::write(at("full").join("letter.txt"), "x").unwrap();
        say("init in a directory with files", Home::init(&at("full"), Role::Holder, "Tax"));
        fs::write(at("file"), "x").unwrap();
        say("init over a file", Home::init(&at("file"), Role::Holder, "Tax"));
        say("init without a name", Home::init(&at("new"), Role::Holder, " "));
        assert!(!at("new").exists());
        fs::create_dir(at("ro")).unwrap();
        set_mode(&at("ro"), 0o555);
        say("init in a read-only directory", Home::init(&at("ro"), Role::Holder, "Tax"));
        say("nothing there", Home::open(&at("none"), Role::Holder));
        say("a file", Home::open(&at("file"), Role::Holder));
        say("not a home", Home::open(&at("full"), Role::Verifier));
        say("the other role", Home::open(&at("h"), Role::Verifier));
        set_mode(&at("h"), 0o500);
        say("a read-only home", Home::open(&at("h"), Role::Holder));
        set_mode(&at("h"), 0o700);
        set_mode(&at("h").join(STATEMENT), 0o640);
        say("a key that others may read", Home::open(&at("h"), Role::Holder));
        set_mode(&at("h").join(STATEMENT), 0o600);
        fs::write(at("h").join(STATEMENT), "x").unwrap();
        say("a damaged key", Home::open(&at("h"), Role::Holder));
        fs::remove_file(at("h").join(STATEMENT)).unwrap();
        say("a key that is gone", Home::open(&at("h"), Role::Holder));
        let config = fs::read_to_string(at("h").join(CONFIG)).unwrap();
        fs::write(at("h").join(CONFIG), config.replace("pairs_max", "pair_max")).unwrap();
        say("an unknown key in config.toml", Home::open(&at("h"), Role::Holder));
        fs::write(at("h").join(CONFIG), config.replace("10000000", "0")).unwrap();
        say("a limit of nothing", Home::open(&at("h"), Role::Holder));
        fs::write(at("h").join(CONFIG), "role = ").unwrap();
        say("config.toml cut off", Home::open(&at("h"), Role::Holder));
        insta::assert_snapshot!(text);
    }
}
