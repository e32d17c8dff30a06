//! The directory of a request: what officials sign, the secret part, what will be sent, and where a session had got to.
//!
//! ```text
//! request.json    what officials read and sign (SPEC REQ-3)
//! secret.json     0600: the seeds, as secret as the list; never for the holder
//! ruleset.toml    the ruleset, where it is not a built-in one
//! batches.bin     the digests of the blinded batches, 32 bytes each, in order
//! signatures/     *.sig, as ssh-keygen writes them; request.json.sig beside request.json counts as well
//! checkpoint/     once check has run: the Hello that the same command says again, and what is kept of a run until its results are written
//! receipt.json    once a session was finished
//! disclosure.pending, disclosure.refused    0600: what the holder is still to be told of the result, or has refused to be told
//! ```
//! The directory is 0700, its files 0600.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use oblink_linkage::Ruleset;
use oblink_session::blind::BlindSeed;
use oblink_session::commitment::{SaltSeed, blind_seed_digest};
use oblink_session::limits::{REQUEST_BYTES_MAX, SIGNATURE_BYTES_MAX, SIGNATURES_MAX};
use oblink_session::request::{Manifest, Request, from_hex, to_hex};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::cli::PAD_TO_MAX;
use crate::date::Date;
use crate::failure::{Failure, io_cause};
use crate::files::{directory_of, read_secret, sync_directory, write_atomically};
use crate::random::system_bytes;
use crate::request_view::Found;
use crate::ruleset::of_request;

const REQUEST: &str = "request.json";
const SECRET: &str = "secret.json";
const BATCHES: &str = "batches.bin";
const RULESET: &str = "ruleset.toml";
const SIGNATURES: &str = "signatures";
const CHECKPOINT: &str = "checkpoint";
/// What version 0.1 kept: the Hello alone.
const STATE: &str = "session.state";
const RECEIPT: &str = "receipt.json";

/// The secret part of a request.
#[derive(Debug)]
pub(in crate::verifier) struct Secret {
    pub(in crate::verifier) request_id: [u8; 16],
    pub(in crate::verifier) blind_seed: BlindSeed,
    pub(in crate::verifier) salt_seed: SaltSeed,
    /// The day on which the list was made: no order's date in it is later.
    pub(in crate::verifier) as_of: Date,
    /// How many pairs are asked in all, where the list is padded (SPEC PAD-1).
    pub(in crate::verifier) pad_to: Option<u64>,
}

/// The `format` of secret.json.
const SECRET_FORMAT: &str = "oblink/request-secret/1";

// Members in the order of their names: canonical, like everything that is compared or kept.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct SecretFile {
    as_of: u32,
    blind_seed: String,
    format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pad_to: Option<u64>,
    request_id: String,
    salt_seed: String,
}

impl Secret {
    /// Fresh seeds for a request of today, padded to so many pairs.
    ///
    /// # Errors
    /// Exit 3: the system gave no random bytes.
    pub(in crate::verifier) fn generate(request_id: [u8; 16], as_of: Date, pad_to: Option<u64>) -> Result<Self, Failure> {
        let (blind_seed, salt_seed) = (BlindSeed::from_bytes(system_bytes()?), SaltSeed::from_bytes(system_bytes()?));
        Ok(Self { request_id, blind_seed, salt_seed, as_of, pad_to })
    }

    fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let file = SecretFile {
            as_of: self.as_of.yyyymmdd(),
            blind_seed: to_hex(&self.blind_seed.to_bytes()[..]),
            format: SECRET_FORMAT.to_owned(),
            pad_to: self.pad_to,
            request_id: to_hex(&self.request_id),
            salt_seed: to_hex(&self.salt_seed.to_bytes()[..]),
        };
        serde_json::to_vec(&file).map(Zeroizing::new).map_err(|_| Failure::bug("the secret part could not be written as JSON"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let file: SecretFile = serde_json::from_slice(bytes).ok()?;
        let secret = Self {
            request_id: from_hex(&file.request_id)?,
            blind_seed: BlindSeed::from_bytes(Zeroizing::new(from_hex(&file.blind_seed)?)),
            salt_seed: SaltSeed::from_bytes(Zeroizing::new(from_hex(&file.salt_seed)?)),
            as_of: Date::from_yyyymmdd(file.as_of)?,
            pad_to: file.pad_to,
        };
        // Whoever pads, pads before anything else is compared: no damaged number is to fill the memory.
        (file.format == SECRET_FORMAT && secret.pad_to.is_none_or(|pairs| (1..=PAD_TO_MAX).contains(&pairs))).then_some(secret)
    }

    /// Reads a secret part that nobody else may read.
    ///
    /// # Errors
    /// Exit 3: missing, open to others, or damaged.
    pub(in crate::verifier) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let bytes = read_secret(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::input("secret_missing", format!("the request's secret part {shown} is not there"))
                .with_hint("without it a request can neither be asked nor audited: restore it, or make a new request and have it signed"),
            _ => Failure::input("secret_missing", format!("cannot read {shown}: {}", io_cause(&error))),
        })?;
        let bytes = bytes.ok_or_else(|| {
            Failure::input("secret_exposed", format!("the request's secret part {shown} is open to other users"))
                .with_hint(format!("chmod 600 {shown}; if others may have read it, they can test guesses at every row: make a new request"))
        })?;
        Self::parse(&bytes).ok_or_else(|| {
            Failure::input("secret_damaged", format!("{shown} is not the secret part of a request"))
                .with_hint("restore it from a backup, or make a new request and have it signed")
        })
    }

    /// Whether it is this request's: the same identifier, and the seed whose digest the officials signed.
    pub(in crate::verifier) fn belongs_to(&self, manifest: &Manifest) -> bool {
        self.request_id == manifest.request_id && blind_seed_digest(&self.request_id, &self.blind_seed) == manifest.blind_seed_digest
    }
}

/// An opened request: its directory, or request.json alone.
#[derive(Debug)]
pub(in crate::verifier) struct RequestDirectory {
    directory: PathBuf,
    request: Request,
}

impl RequestDirectory {
    /// Opens the request in a directory, or the one that `path` itself is.
    ///
    /// # Errors
    /// Exit 3: there is none, it is not one, or it is unsigned pilot mode's.
    pub(in crate::verifier) fn open(path: &Path) -> Result<Self, Failure> {
        let (directory, file) =
            if path.is_dir() { (path.to_owned(), path.join(REQUEST)) } else { (directory_of(path).to_owned(), path.to_owned()) };
        let shown = file.display();
        let bytes = read_bounded(&file, REQUEST_BYTES_MAX).map_err(|error| {
            Failure::input("no_request", format!("cannot read the request {shown}: {}", io_cause(&error)))
                .with_hint("--request takes the directory that request new made, or a request.json")
        })?;
        let wrong = |what: String| Failure::input("bad_request", format!("{shown}: {what}"));
        let request = Request::parse(&bytes).map_err(|error| {
            wrong(error.to_string()).with_hint("a request is signed byte for byte: an edited one is none; make a new one")
        })?;
        if request.manifest().is_none() {
            return Err(wrong("this is a request of pilot mode: it names no list".to_owned()).with_hint("make one with request new"));
        }
        Ok(Self { directory, request })
    }

    pub(in crate::verifier) fn path(&self) -> &Path {
        &self.directory
    }

    pub(in crate::verifier) fn request(&self) -> &Request {
        &self.request
    }

    /// What the request says.
    ///
    /// # Errors
    /// A bug: `open` takes no request without.
    pub(in crate::verifier) fn manifest(&self) -> Result<&Manifest, Failure> {
        self.request.manifest().ok_or_else(|| Failure::bug("an opened request has no manifest"))
    }

    /// What officials sign.
    pub(in crate::verifier) fn file(&self) -> PathBuf {
        self.directory.join(REQUEST)
    }

    pub(in crate::verifier) fn secret(&self) -> PathBuf {
        self.directory.join(SECRET)
    }

    pub(in crate::verifier) fn signatures(&self) -> PathBuf {
        self.directory.join(SIGNATURES)
    }

    /// The request's ruleset: of `--ruleset` where it is given, else a built-in one of its name, else that of ruleset.toml. That it is the
    /// request's is for the caller to compare.
    ///
    /// # Errors
    /// Exit 3: there is none.
    pub(in crate::verifier) fn ruleset(&self, given: Option<&str>) -> Result<&'static Ruleset, Failure> {
        of_request(given, &self.manifest()?.ruleset, &self.directory.join(RULESET))
    }

    /// Where a run is kept (SPEC RES-4).
    pub(in crate::verifier) fn checkpoint(&self) -> PathBuf {
        self.directory.join(CHECKPOINT)
    }

    /// Where an earlier version kept its Hello.
    pub(in crate::verifier) fn state(&self) -> PathBuf {
        self.directory.join(STATE)
    }

    pub(in crate::verifier) fn receipt(&self) -> PathBuf {
        self.directory.join(RECEIPT)
    }

    /// Whether the file of the batches' digests is there.
    pub(in crate::verifier) fn has_batches(&self) -> bool {
        self.directory.join(BATCHES).exists()
    }

    /// The digests of the blinded batches. That they are the approved ones is checked by whoever puts the question.
    ///
    /// # Errors
    /// Exit 3: the file is missing or is not of as many digests as the request has batches.
    pub(in crate::verifier) fn batches(&self) -> Result<Vec<[u8; 32]>, Failure> {
        let path = self.directory.join(BATCHES);
        let wrong = |what: String| {
            Failure::input("bad_batches", format!("{}: {what}", path.display()))
                .with_hint("restore the request's directory from a backup; request show --verify tells whether it is whole")
        };
        let due = usize::try_from(self.request.batches()).unwrap_or(usize::MAX).saturating_mul(32);
        let bytes = read_bounded(&path, due).map_err(|error| wrong(io_cause(&error)))?;
        match bytes.as_chunks::<32>() {
            (digests, []) if bytes.len() == due => Ok(digests.to_vec()),
            _ => Err(wrong("it does not have the digests of the request's batches".to_owned())),
        }
    }

    /// The signatures beside the request, by file name; the same file twice counts once.
    ///
    /// # Errors
    /// Exit 3: more than 64 of them, or one that cannot be read.
    pub(in crate::verifier) fn read_signatures(&self) -> Result<Vec<Found>, Failure> {
        let cannot = |path: &Path, error: &io::Error| {
            Failure::input("bad_signature", format!("cannot read {}: {}", path.display(), io_cause(error)))
                .with_hint("a signature is a small file as ssh-keygen writes it; move other files away")
        };
        let mut names: Vec<PathBuf> = Vec::new();
        match fs::read_dir(self.signatures()) {
            Ok(entries) => {
                for entry in entries {
                    let path = entry.map_err(|error| cannot(&self.signatures(), &error))?.path();
                    if path.extension().is_some_and(|extension| extension == "sig") {
                        names.push(path);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(&self.signatures(), &error)),
        }
        let beside = self.directory.join(format!("{REQUEST}.sig"));
        if beside.exists() {
            names.push(beside);
        }
        names.sort();
        let mut found: Vec<Found> = Vec::with_capacity(names.len());
        for path in names {
            let bytes = read_bounded(&path, SIGNATURE_BYTES_MAX).map_err(|error| cannot(&path, &error))?;
            if found.iter().any(|other| other.bytes == bytes) {
                continue;
            }
            let name = path.strip_prefix(&self.directory).unwrap_or(&path).display().to_string();
            found.push(Found::look(name, bytes, &self.request));
        }
        if found.len() > SIGNATURES_MAX {
            return Err(Failure::input(
                "too_many_signatures",
                format!("{} signatures lie beside the request; at most {SIGNATURES_MAX} are sent", found.len()),
            )
            .with_hint("move those away that are not of this verifier's officials"));
        }
        Ok(found)
    }
}

/// Makes the directory of a new request, whole or not at all; with the text of its ruleset, where that is not built in.
///
/// # Errors
/// Exit 3: there is something already, or it cannot be written.
pub(super) fn write(
    directory: &Path,
    request: &Request,
    secret: &Secret,
    batches: &[[u8; 32]],
    ruleset: Option<&str>,
) -> Result<(), Failure> {
    let salt: [u8; 8] = *system_bytes()?;
    let name = directory.file_name().ok_or_else(|| cannot_write(directory, &io::ErrorKind::InvalidInput.into()))?;
    let temporary = directory_of(directory).join(format!(".{}.{}.tmp", name.to_string_lossy(), to_hex(&salt)));
    let secret = secret.to_json()?;
    let fill = || -> io::Result<()> {
        let make = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        make(&temporary)?;
        make(&temporary.join(SIGNATURES))?;
        write_atomically(&temporary.join(SECRET), &secret)?;
        write_atomically(&temporary.join(BATCHES), batches.as_flattened())?;
        if let Some(text) = ruleset {
            write_atomically(&temporary.join(RULESET), text.as_bytes())?;
        }
        write_atomically(&temporary.join(REQUEST), request.bytes())?;
        // An empty directory in its place is replaced, a full one is not.
        fs::rename(&temporary, directory)?;
        sync_directory(directory_of(directory))
    };
    fill().map_err(|error| {
        // What is left of it was made here.
        let _ = fs::remove_dir_all(&temporary);
        cannot_write(directory, &error)
    })
}

/// Whether a new request can go to `directory`: asked before the list is read.
///
/// # Errors
/// Exit 3: it holds something, or is a file; the directory that is to hold it is not there.
pub(super) fn check_free(directory: &Path) -> Result<(), Failure> {
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::input("out_exists", format!("{} is not empty", directory.display()))
                .with_hint("nothing was changed; choose an --out that is new or empty")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::metadata(directory_of(directory)) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(cannot_write(directory, &io::ErrorKind::NotADirectory.into())),
            Err(error) => Err(cannot_write(directory, &error)),
        },
        Err(error) => Err(cannot_write(directory, &error)),
    }
}

fn cannot_write(directory: &Path, error: &io::Error) -> Failure {
    Failure::input("out", format!("cannot make the request's directory {}: {}", directory.display(), io_cause(error)))
        .with_hint("choose an --out in a directory that is there, that this user may write, and that has room")
}

/// A whole file of at most `max` bytes.
pub(in crate::verifier) fn read_bounded(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(io::Error::other("it is longer than such a file can be"));
    }
    Ok(bytes)
}
