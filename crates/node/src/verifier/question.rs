//! What `check` puts to a holder: a list by itself, in pilot mode, or an approved request and exactly its list.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use oblink_linkage::Ruleset;
use oblink_quic::Fingerprint;
use oblink_session::authority::Namespace;
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::head::LogHead;
use oblink_session::limits::BATCH_TOKENS_DEFAULT;
use oblink_session::question::Question;
use oblink_session::request::{Manifest, Request};
use oblink_session::verifier::{VerifierContext, VerifierHandshake};
use oblink_store::checkpoint::Run;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

use super::conditions::Conditions;
use super::input::List;
use super::kept::{KeptRun, options_digest};
use super::request::directory::{RequestDirectory, Secret, read_bounded};
use super::request::recompute::{ListFile, list_differences, read_list, ruleset_differences};
use crate::cli::CheckArgs;
use crate::date::{rfc3339, unix_ms};
use crate::failure::{Failure, io_cause};
use crate::home::Home;
use crate::random::system_bytes;
use crate::report::Reporter;
use crate::request_view::Found;
use crate::rows::RowReader;
use crate::tokens::ruleset_by_name;

/// The most bytes of a saved handshake: a request and three digests.
const STATE_BYTES_MAX: usize = 1 << 17;

/// A list that is ready to be asked.
pub(super) struct Prepared {
    pub(super) list: List,
    pub(super) ruleset: &'static Ruleset,
    pub(super) blinder: Blinder,
    /// What is asked; `None` where no row can be.
    pub(super) question: Option<Arc<Question>>,
    /// The request's directory, where there is one.
    pub(super) directory: Option<RequestDirectory>,
    /// What is kept of the run so far.
    pub(super) kept: KeptRun,
    /// The seed to be kept with the run, where no request's directory has it.
    seed: Option<BlindSeed>,
    options_digest: [u8; 32],
}

/// A list that was read, and what it is asked as.
pub(super) struct Ready {
    pub(super) list: List,
    pub(super) ruleset: &'static Ruleset,
    pub(super) blinder: Blinder,
    /// What is asked; `None` where no row can be.
    pub(super) question: Option<Question>,
    /// What the holder will refuse, as far as it shows here: said already.
    pub(super) warnings: Vec<String>,
    seed: Option<BlindSeed>,
    options_digest: [u8; 32],
}

/// The Hello of a run, as it is said over every connection.
pub(super) struct Opening {
    /// The handshake as it saves itself.
    pub(super) hello: Vec<u8>,
    /// What is to be on the disk before it is said; `None` where it is.
    pub(super) run: Option<Run>,
    /// A file of an earlier version that this replaces.
    pub(super) superseded: Option<PathBuf>,
}

/// Reads the list of `check`, with its request where there is one; a run that broke off must be of both.
///
/// # Errors
/// Exit 3: input, request, an input that is not the request's list, or a run of something else in the way.
pub(super) fn prepare(
    args: &CheckArgs,
    home: &Home,
    holder: &Fingerprint,
    directory: Option<RequestDirectory>,
    kept: KeptRun,
    reporter: &Reporter,
) -> Result<Prepared, Failure> {
    let ready = rehearse(args, home, holder, directory.as_ref(), Some(&kept), reporter)?;
    let Ready { list, ruleset, blinder, question, seed, options_digest, warnings: _ } = ready;
    Ok(Prepared { list, ruleset, blinder, question: question.map(Arc::new), directory, kept, seed, options_digest })
}

/// The same without anything of a run that would have to be kept: `kept` is what there is of one that broke off.
///
/// # Errors
/// As [`prepare`].
pub(super) fn rehearse(
    args: &CheckArgs,
    home: &Home,
    holder: &Fingerprint,
    directory: Option<&RequestDirectory>,
    kept: Option<&KeptRun>,
    reporter: &Reporter,
) -> Result<Ready, Failure> {
    match directory {
        Some(directory) => approved(args, directory, home, holder, kept, reporter),
        None => unsigned(args, home, holder, kept, reporter),
    }
}

fn unsigned(args: &CheckArgs, home: &Home, holder: &Fingerprint, kept: Option<&KeptRun>, reporter: &Reporter) -> Result<Ready, Failure> {
    let ruleset = ruleset_by_name(&args.ruleset)?;
    let options = args.csv.options();
    let options_digest = options_digest(&options);
    if let Some(kept) = kept {
        kept.check_parties(home, holder, ruleset, &options_digest)?;
    }
    let (request_id, seed) = match kept.and_then(|kept| Some((kept, kept.run.as_ref()?))) {
        None => (*system_bytes()?, BlindSeed::from_bytes(system_bytes()?)),
        Some((kept, run)) => match (Request::parse(&run.request), &run.seed) {
            (Ok(request), Some(seed)) => (*request.id(), BlindSeed::from_bytes(seed.to_bytes())),
            _ => return Err(kept.is_another("of another kind")),
        },
    };
    let reader = RowReader::open(&args.csv.source(), &options)?;
    let blinder = Blinder::new(&seed, request_id);
    let list = List::read(reader, ruleset, &blinder, None, args.pad_to, reporter)?;
    let request = match list.asked() {
        0 => None,
        pairs => Some(
            Request::new(request_id, pairs, BATCH_TOKENS_DEFAULT, ruleset.name(), ruleset.digest(), ruleset.tokens_per_pair())
                .map_err(|error| Failure::input("request", error.to_string()))?,
        ),
    };
    if let Some(kept) = kept {
        kept.check_list(request.as_ref().map_or(&[], Request::bytes), &list.summary.sha256)?;
    }
    let question = request.map(Question::unsigned).transpose()?;
    Ok(Ready { list, ruleset, blinder, question, warnings: Vec::new(), seed: Some(seed), options_digest })
}

fn approved(
    args: &CheckArgs,
    directory: &RequestDirectory,
    home: &Home,
    holder: &Fingerprint,
    kept: Option<&KeptRun>,
    reporter: &Reporter,
) -> Result<Ready, Failure> {
    let manifest = directory.manifest()?;
    if manifest.holder != *holder.as_bytes() {
        // Another holder was not to hear of it, and nobody has approved what it would be asked.
        return Err(Failure::input(
            "other_holder",
            format!("the request is to another holder, {}", Fingerprint::from_bytes(manifest.holder)),
        )
        .with_hint("say which holder with --peer, or make a request to this one and have it signed"));
    }
    let secret = Secret::read(&directory.secret())?;
    let signatures = directory.read_signatures()?;
    let mut warnings = warnings(manifest, &signatures, home, reporter);
    if directory.receipt().exists() {
        warnings.push("this request was answered before, as receipt.json says: a request is answered once".to_owned());
    }
    warnings.iter().for_each(|warning| reporter.warn(warning));
    let other_list = |what: &str| {
        Failure::input("other_list", format!("this is not the list that the request commits to: {what}"))
            .with_hint("nothing was sent; give the --input, --map and --person-id of request new, or make a new request and have it signed")
    };
    let ruleset = ruleset_by_name(&manifest.ruleset)?;
    let mut differences = ruleset_differences(manifest, ruleset);
    if !secret.belongs_to(manifest) {
        differences.push("blind_seed_digest");
    }
    if !differences.is_empty() {
        return Err(other_list(&differences.join(", ")));
    }
    // Before the list is read: that is long, and this is quick.
    let options_digest = options_digest(&args.csv.options());
    if let Some(kept) = kept {
        kept.check_parties(home, holder, ruleset, &options_digest)?;
    }
    let signatures = to_send(signatures);
    let question = Question::authorised(directory.request().clone(), signatures, directory.batches()?)?;
    let conditions = Conditions::of_request(manifest, secret.as_of)?;
    let file = ListFile::new(args.csv.source(), args.csv.options(), args.person_id.as_deref());
    let list = read_list(&file, ruleset, conditions, &secret, false, reporter)?;
    let differences = list_differences(manifest, &list);
    if !differences.is_empty() {
        return Err(other_list(&differences.join(", ")));
    }
    if let Some(kept) = kept {
        kept.check_list(directory.request().bytes(), &list.summary.sha256)?;
    }
    let blinder = Blinder::new(&secret.blind_seed, secret.request_id);
    Ok(Ready { list, ruleset, blinder, question: Some(question), warnings, seed: None, options_digest })
}

/// The signatures that go with the request: all but those that are plainly for another purpose. A countersignature is the holder's business, and
/// one that came along would make it refuse the request.
pub(super) fn to_send(signatures: Vec<Found>) -> Vec<Vec<u8>> {
    let meant = |found: &Found| found.namespace.as_deref() != Some(Namespace::Countersign.as_str());
    signatures.into_iter().filter(meant).map(|found| found.bytes).collect()
}

/// What the holder will refuse, as far as it shows here. Whether it does is the holder's to say.
fn warnings(manifest: &Manifest, signatures: &[Found], home: &Home, reporter: &Reporter) -> Vec<String> {
    let mut warnings = Vec::new();
    if manifest.verifier != *home.fingerprint().as_bytes() {
        warnings.push("the request names another verifier than this home: the holder will refuse it".to_owned());
    }
    let now = unix_ms(SystemTime::now());
    if now < manifest.not_before_unix_ms || now > manifest.not_after_unix_ms {
        let at = |unix_ms| rfc3339(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(unix_ms));
        let (from, to) = (at(manifest.not_before_unix_ms), at(manifest.not_after_unix_ms));
        warnings.push(format!("the request is valid from {from} to {to}, and not now: the holder will refuse it"));
    }
    if signatures.is_empty() {
        warnings.push("nobody has signed the request: a holder with a policy will refuse it".to_owned());
    }
    for found in signatures {
        if found.namespace.as_deref() == Some(Namespace::Countersign.as_str()) {
            reporter.note(&format!("{}: a countersignature, which is not sent: the holder's operator files it", found.name));
        } else if let Err(error) = &found.verdict {
            warnings.push(format!("{}: {error}", found.name));
        }
    }
    warnings
}

impl Prepared {
    /// The Hello: that of an earlier run, so that a session goes on where it broke off, or a new one.
    ///
    /// # Errors
    /// Exit 3: what is kept of it is another request's or damaged.
    pub(super) fn opening(&mut self, context: &Arc<VerifierContext>, holder: &Fingerprint) -> Result<Opening, Failure> {
        let question = self.question.as_ref().ok_or_else(|| Failure::bug("there is nothing to ask"))?;
        let holder = *holder.as_bytes();
        if let Some(run) = &self.kept.run {
            return Ok(Opening { hello: run.handshake.clone(), run: None, superseded: None });
        }
        let superseded = self.directory.as_ref().map(RequestDirectory::state);
        let hello = match superseded.as_deref().map(|place| (place, read_bounded(place, STATE_BYTES_MAX))) {
            Some((place, Ok(bytes))) => {
                VerifierHandshake::restore(Arc::clone(context), holder, Arc::clone(question), LogHead::NONE, &bytes).map_err(|error| {
                    Failure::input("saved_state", format!("{}: {error}", place.display())).with_hint(
                        "it is what an earlier check of this directory left: restore the request it was of, or make a new request",
                    )
                })?;
                bytes
            }
            Some((place, Err(error))) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::input("saved_state", format!("cannot read {}: {}", place.display(), io_cause(&error))));
            }
            _ => VerifierHandshake::new(Arc::clone(context), holder, Arc::clone(question), LogHead::NONE, &mut UnwrapErr(SysRng)).save()?,
        };
        let run = Run {
            request: question.request().bytes().to_vec(),
            input_sha256: self.list.summary.sha256,
            options_digest: self.options_digest,
            ruleset_digest: self.ruleset.digest(),
            verifier: context.fingerprint,
            holder,
            seed: self.seed.take(),
            handshake: hello.clone(),
        };
        Ok(Opening { hello, run: Some(run), superseded })
    }
}
