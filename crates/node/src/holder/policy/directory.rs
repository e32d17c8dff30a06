//! A proposal on its way between officials: `DIR/proposal.json`, and signatures as `DIR/proposal.json.sig` and `DIR/signatures/*.sig`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use oblink_session::authority::{PROPOSAL_BYTES_MAX, Proposal};
use oblink_session::limits::{SIGNATURE_BYTES_MAX, SIGNATURES_MAX};

use crate::failure::{Failure, io_cause};
use crate::files::{directory_of, write_atomically};
use crate::ssh_keygen::file_name;

/// The proposal's file in its directory.
const PROPOSAL: &str = "proposal.json";
const SIGNATURES: &str = "signatures";

/// A directory with a proposal in it.
#[derive(Debug)]
pub(super) struct ProposalDirectory {
    path: PathBuf,
    file: PathBuf,
    pub(super) proposal: Proposal,
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::input("proposal_write", format!("cannot write {}: {}", path.display(), io_cause(error)))
}

/// Reads a file of at most so many bytes.
pub(super) fn read_up_to(path: &Path, most: usize, code: &'static str) -> Result<Vec<u8>, Failure> {
    let cannot = |error: io::Error| Failure::input(code, format!("cannot read {}: {}", path.display(), io_cause(&error)));
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(most as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > most {
        return Err(Failure::input(code, format!("{} has more than {most} bytes", path.display())));
    }
    Ok(bytes)
}

/// An armoured signature's file.
///
/// # Errors
/// Exit 3, `signature`: it cannot be read, or is longer than any signature.
pub(in crate::holder) fn read_signature(path: &Path) -> Result<Vec<u8>, Failure> {
    read_up_to(path, SIGNATURE_BYTES_MAX, "signature")
}

impl ProposalDirectory {
    /// Writes a proposal into a directory that is new or empty, for this user alone.
    ///
    /// # Errors
    /// Exit 3: there is something in it, or it cannot be written.
    pub(super) fn create(path: &Path, proposal: Proposal) -> Result<Self, Failure> {
        match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(Failure::input("out_not_empty", format!("{} is not empty", path.display()))
                        .with_hint("choose an --out that is new or empty: signatures over another proposal must not lie beside this one"));
                }
                fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|error| cannot_write(path, &error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| cannot_write(path, &error))?;
            }
            Err(error) => return Err(cannot_write(path, &error)),
        }
        let file = path.join(PROPOSAL);
        write_atomically(&file, proposal.bytes()).map_err(|error| cannot_write(&file, &error))?;
        Ok(Self { path: path.to_owned(), file, proposal })
    }

    /// Opens a directory that `policy propose` wrote, or the one that has this proposal's file.
    ///
    /// # Errors
    /// Exit 3: there is no proposal in it, or one that was edited out of its form.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let (path, file) = if path.is_file() { (directory_of(path), path.to_owned()) } else { (path, path.join(PROPOSAL)) };
        let bytes = read_up_to(&file, PROPOSAL_BYTES_MAX, "proposal")
            .map_err(|failure| failure.with_hint("--proposal takes the directory that `policy propose` wrote"))?;
        let proposal = Proposal::parse(&bytes).map_err(|error| {
            Failure::input("proposal", format!("{}: {error}", file.display()))
                .with_hint("a proposal is not edited: make a new one with `policy propose`")
        })?;
        Ok(Self { path: path.to_owned(), file, proposal })
    }

    /// The proposal's file.
    pub(super) fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// The signatures beside it, each once, in the order of their files' names.
    ///
    /// # Errors
    /// Exit 3, `signature`: one cannot be read, or there are more than a proposal may have.
    pub(super) fn signatures(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut paths = Vec::new();
        // Where ssh-keygen puts the signature that it makes of a file.
        let beside = self.file.with_added_extension("sig");
        if beside.exists() {
            paths.push(beside);
        }
        let folder = self.path.join(SIGNATURES);
        match fs::read_dir(&folder) {
            Ok(entries) => {
                let found = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sig"));
                paths.extend(found.take(SIGNATURES_MAX + 1));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Failure::input("signature", format!("cannot read {}: {}", folder.display(), io_cause(&error))));
            }
        }
        paths.sort();
        if paths.len() > SIGNATURES_MAX {
            return Err(Failure::input("signature", format!("more than {SIGNATURES_MAX} signatures are there")));
        }
        let mut signatures: Vec<Vec<u8>> = Vec::new();
        for path in &paths {
            let signature = read_signature(path)?;
            // The same file twice, as a file that was signed beside and filed as well, is one signature.
            if !signatures.contains(&signature) {
                signatures.push(signature);
            }
        }
        Ok(signatures)
    }

    /// Files a signature by the key of this fingerprint (`SHA256:…`). Gives where.
    ///
    /// # Errors
    /// Exit 3: it cannot be written.
    pub(super) fn add(&self, key_fingerprint: &str, signature: &[u8]) -> Result<PathBuf, Failure> {
        let folder = self.path.join(SIGNATURES);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(cannot_write(&folder, &error)),
            _ => {}
        }
        let place = folder.join(file_name(key_fingerprint));
        write_atomically(&place, signature).map_err(|error| cannot_write(&place, &error))?;
        Ok(place)
    }
}
