//! `check --dry-run`: all that `check` does before it asks, and what would come of asking, as far as that shows here. Nothing is evaluated, charged
//! or kept.

use std::time::{Duration, SystemTime};

use oblink_linkage::{DUMMY_RULE, ExplainedToken};
use oblink_quic::{Fingerprint, Options, dial};
use oblink_session::authority::{Facts, Namespace, Policy, authorise};
use oblink_session::limits::{BATCH_TOKENS_DEFAULT, SESSION_TOKENS_MAX_DEFAULT};
use oblink_session::request::{Request, to_hex};
use serde_json::{Map, Value, json};

use super::asking::{GOODBYE, resolve, runtime};
use super::audit::officials;
use super::disclosure;
use super::doctor::{clocks, round_trip};
use super::kept::KeptRun;
use super::question::{Ready, rehearse, to_send};
use super::request::directory::RequestDirectory;
use crate::cli::CheckArgs;
use crate::date::{Date, unix_ms};
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::report::Reporter;
use crate::request_view::{self, Found, counts};
use crate::results::OutputPlan;

/// Bytes of a point on the wire (SPEC §2).
const POINT_BYTES: u64 = 32;
/// Bytes beside the points of a batch and its answer: header, index, count and statement; header, index, count and both proofs (SPEC FRM-3).
const BATCH_BYTES: (u64, u64) = (5 + 8 + 4 + 64, 5 + 8 + 4 + 128);
/// Bytes of what opens and ends a session, about, up and down; request and signatures apart.
const SESSION_BYTES: (u64, u64) = (512, 2_048);

/// Says what `check` would ask, and what stands in its way.
///
/// # Errors
/// As `check`, as far as it comes before asking: 3 input, request, policy, clocks; 5 a holder that is not there; 6 one that is not the pinned one. 4 where
/// the policy of `--policy` refuses it. What was found out before is said all the same.
pub(super) fn dry_run(args: &CheckArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Verifier)?;
    let peers = home.peers()?;
    let (label, pin) = peers.select(args.peer.as_deref())?;
    // That it could be written is found out, and nothing is.
    OutputPlan::prepare(&args.output, &args.csv.source())?;
    let policy = match (&args.policy, &args.allowed_signers) {
        (Some(policy), Some(signers)) => Some(officials::read(policy, signers)?),
        _ => None,
    };
    let directory = args.request.as_deref().map(RequestDirectory::open).transpose()?;
    let kept = KeptRun::look(args, &home, directory.as_ref())?;
    let ready = rehearse(args, &home, &pin, directory.as_ref(), kept.as_ref(), reporter)?;
    let would = would(args, &ready, directory.as_ref(), kept.as_ref())?;
    drop(kept);
    let signatures = directory.as_ref().map(RequestDirectory::read_signatures).transpose()?.unwrap_or_default();

    let asked = Asked::of(&ready, &signatures);
    let request = directory.as_ref().map(|directory| of_request(directory, &signatures)).transpose()?;
    let verdict = match (&policy, &ready.question) {
        (Some(policy), Some(question)) => Some(Verdict::of(policy, &home, &pin, question.request(), signatures)),
        _ => None,
    };
    let holder = reach(args, &home, pin).map_err(|failure| failure.with_context(label));

    let mut object = asked.members(&ready, would);
    let (request, request_lines) = request.unzip();
    object.insert("request".to_owned(), json!(request));
    object.insert("warnings".to_owned(), json!(ready.warnings));
    object.insert("policy".to_owned(), json!(verdict.as_ref().map(Verdict::json)));
    object.insert("holder".to_owned(), holder.as_ref().map_or_else(|failure| unreached(label, failure), |reached| reached.json(label)));
    reporter.json(&Value::Object(object));

    let mut lines = vec!["dry run: nothing was asked, and nothing is kept".to_owned()];
    lines.extend(asked.lines(&ready, would));
    lines.extend(request_lines.into_iter().flatten());
    lines.push(match &verdict {
        Some(verdict) => verdict.line(),
        None if policy.is_some() => "policy: there is nothing to judge".to_owned(),
        None => "policy: not known here; --policy and --allowed-signers say what one would say".to_owned(),
    });
    lines.push(match &holder {
        Ok(reached) => reached.line(label),
        Err(failure) => format!("holder: {}", failure.what()),
    });
    reporter.answer(&lines.join("\n"));
    verdict.as_ref().map_or(Ok(()), Verdict::end)?;
    holder.map(|_| ())
}

/// What the same command without `--dry-run` would begin with.
fn would(args: &CheckArgs, ready: &Ready, directory: Option<&RequestDirectory>, kept: Option<&KeptRun>) -> Result<&'static str, Failure> {
    let goes_on = kept.is_some_and(KeptRun::is_admitted);
    if let Some(directory) = directory.filter(|_| !goes_on) {
        if disclosure::pending(directory)?.is_some() {
            return Ok("disclose");
        }
        if disclosure::was_refused(directory) && args.output.exists() {
            return Ok("nothing");
        }
    }
    Ok(match &ready.question {
        None => "nothing",
        Some(_) if goes_on => "go_on",
        Some(_) => "ask",
    })
}

/// What would be asked, in numbers.
struct Asked {
    tokens: u64,
    dummies: u64,
    batches: u64,
    bytes_up: u64,
    bytes_down: u64,
}

impl Asked {
    fn of(ready: &Ready, signatures: &[Found]) -> Self {
        let list = &ready.list;
        let of_padding = list.padding * u64::from(ready.ruleset.tokens_per_pair());
        let dummies = list.tokens.iter().filter(|token| ExplainedToken::rule_of(token) == Some(DUMMY_RULE)).count() as u64;
        let Some(request) = ready.question.as_ref().map(|question| question.request()) else {
            return Self { tokens: 0, dummies: 0, batches: 0, bytes_up: 0, bytes_down: 0 };
        };
        let (tokens, batches) = (request.tokens(), request.batches());
        // Of an authorised request each batch brings its path (SPEC BAT-7).
        let path = if request.manifest().is_some() { u64::from(batches.next_power_of_two().trailing_zeros()) * 32 } else { 0 };
        let hello = request.bytes().len() as u64 + signatures.iter().map(|found| found.bytes.len() as u64).sum::<u64>();
        Self {
            tokens,
            dummies: dummies.saturating_sub(of_padding),
            batches,
            bytes_up: tokens * POINT_BYTES + batches * (BATCH_BYTES.0 + path) + hello + SESSION_BYTES.0,
            bytes_down: tokens * POINT_BYTES + batches * BATCH_BYTES.1 + SESSION_BYTES.1,
        }
    }

    fn members(&self, ready: &Ready, would: &str) -> Map<String, Value> {
        let (list, ruleset) = (&ready.list, ready.ruleset);
        let members = [
            ("dry_run", true.into()),
            ("would", would.into()),
            ("ruleset", ruleset.name().into()),
            ("class", ruleset.class().as_str().into()),
            ("tokens_per_pair", ruleset.tokens_per_pair().into()),
            ("rows", list.summary.rows.into()),
            ("submitted", list.pairs.into()),
            ("padding", list.padding.into()),
            ("not_submitted", json!(list.left_out())),
            ("duplicate_ids", list.duplicate_ids.into()),
            ("tokens", self.tokens.into()),
            ("dummies", self.dummies.into()),
            ("batches", self.batches.into()),
            ("bytes_up", self.bytes_up.into()),
            ("bytes_down", self.bytes_down.into()),
            ("input_sha256", to_hex(&list.summary.sha256).into()),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn lines(&self, ready: &Ready, would: &str) -> Vec<String> {
        let (list, ruleset) = (&ready.list, ready.ruleset);
        let mut lines = vec![
            match would {
                "go_on" => "check would go on with the run that broke off: what was answered is not asked again".to_owned(),
                "disclose" => "check would tell the holder what it is owed of an earlier answer, and ask nothing".to_owned(),
                "nothing" => "check would ask nothing".to_owned(),
                _ => "check would ask".to_owned(),
            },
            format!(
                "{} rows: {} to submit, {} not ({})",
                list.summary.rows,
                list.pairs,
                list.summary.rows - list.pairs,
                counts(&list.left_out())
            ),
            format!("under {}, {}: tokens a pair: {}", ruleset.name(), ruleset.class().as_str(), ruleset.tokens_per_pair()),
            format!(
                "{} tokens, {} of them dummies; batches: {}, of up to {BATCH_TOKENS_DEFAULT}; about {:.1} MB up and {:.1} MB down, and the holder's sealed \
                 set where it is not here yet",
                self.tokens,
                self.dummies,
                self.batches,
                self.bytes_up as f64 / 1e6,
                self.bytes_down as f64 / 1e6,
            ),
        ];
        if list.padding > 0 {
            lines.push(format!("{} pairs of padding with them, charged like any other", list.padding));
        }
        if list.duplicate_ids > 0 {
            lines.push(format!("rows that repeat an id of an earlier row: {}", list.duplicate_ids));
        }
        if list.asked() > SESSION_TOKENS_MAX_DEFAULT {
            lines.push(format!(
                "a set answers {SESSION_TOKENS_MAX_DEFAULT} pairs in one session, unless it was sealed otherwise: ask in several lists"
            ));
        }
        lines
    }
}

/// What a request says and who has signed it.
fn of_request(directory: &RequestDirectory, signatures: &[Found]) -> Result<(Map<String, Value>, Vec<String>), Failure> {
    let (request, manifest) = (directory.request(), directory.manifest()?);
    let place = directory.path().display().to_string();
    let holding = signatures.iter().filter(|found| found.verdict.is_ok() && !is_countersignature(found)).count();
    let required = manifest.required_columns.iter().cloned().collect::<Vec<_>>().join(", ");
    let lines = vec![
        format!("request {place}: the list is the one that it commits to, and its batches are the approved ones"),
        format!(
            "its conditions: required columns {}; addresses of one person {}; left out {}",
            if required.is_empty() { "none" } else { &required },
            if manifest.addresses_per_person_max == 0 {
                "without limit".to_owned()
            } else {
                format!("at most {}", manifest.addresses_per_person_max)
            },
            counts(&manifest.left_out),
        ),
        format!("its signatures: {holding} hold, of {} beside it", signatures.len()),
    ];
    Ok((request_view::object(&place, request, manifest, signatures), lines))
}

fn is_countersignature(found: &Found) -> bool {
    found.namespace.as_deref() == Some(Namespace::Countersign.as_str())
}

/// What a policy says of a request, as far as it can be said without the holder's ledger.
struct Verdict {
    policy: [u8; 32],
    /// Why not, as the ledger's word and a sentence.
    denied: Option<(&'static str, String)>,
    /// What the holder alone knows.
    open: Vec<String>,
}

impl Verdict {
    fn of(policy: &Policy, home: &Home, holder: &Fingerprint, request: &Request, signatures: Vec<Found>) -> Self {
        let verifier = home.fingerprint();
        let rules = policy.verifier(verifier.as_bytes());
        let mut open = vec!["its budgets: what was asked before is in the holder's ledger".to_owned()];
        let age_max = rules.map_or(0, |rules| rules.set_age_days_max);
        if age_max > 0 {
            open.push(format!("the age of the holder's set, of which {age_max} days are allowed"));
        }
        let countersignatures: Vec<Vec<u8>> =
            signatures.iter().filter(|found| is_countersignature(found)).map(|found| found.bytes.clone()).collect();
        let now = SystemTime::now();
        let verdict = authorise(&Facts {
            policy,
            holder: holder.as_bytes(),
            verifier: verifier.as_bytes(),
            request,
            signatures: &to_send(signatures),
            countersignatures: &countersignatures,
            // As if the set were of today: how old it is only the holder says.
            set_as_of: if age_max > 0 { Date::of(now).yyyymmdd() } else { 0 },
            now_unix_ms: unix_ms(now),
        });
        let denied = match verdict {
            Ok(authorised) => {
                let caps = authorised.caps();
                let pairs_max = caps.window_pairs_max.min(caps.epoch_pairs_max);
                let tokens_max = caps.window_tokens_max.min(caps.epoch_tokens_max);
                let over =
                    |what: &str, asked, max| Some(("budget_exhausted", format!("{asked} {what} asked, and a whole budget has {max}")));
                if request.pairs() > pairs_max {
                    over("pairs", request.pairs(), pairs_max)
                } else if request.tokens() > tokens_max {
                    over("tokens", request.tokens(), tokens_max)
                } else {
                    None
                }
            }
            // The last thing that is looked at, and the holder's operator may have filed them.
            Err(denial) if denial.namespace() == Some(Namespace::Countersign) => {
                open.push(format!("countersignatures, which the holder files: beside the request, {denial}"));
                None
            }
            Err(denial) => Some((denial.code_word(), denial.to_string())),
        };
        Self { policy: policy.digest(), denied, open }
    }

    fn json(&self) -> Value {
        json!({
            "digest": to_hex(&self.policy),
            "allowed": self.denied.is_none(),
            "code": self.denied.as_ref().map(|(code, _)| code),
            "why": self.denied.as_ref().map(|(_, why)| why),
            "not_known_here": self.open,
        })
    }

    fn line(&self) -> String {
        let policy = &to_hex(&self.policy)[..16];
        match &self.denied {
            Some((code, why)) => format!("policy {policy}: would refuse it: {code}: {why}"),
            None => format!("policy {policy}: would admit it now; not known here: {}", self.open.join("; ")),
        }
    }

    fn end(&self) -> Result<(), Failure> {
        match &self.denied {
            Some((code, why)) => {
                Err(Failure::refused("policy_denies", format!("under this policy the holder would refuse it: {code}: {why}"))
                    .with_hint("nothing was asked; guides/OPERATORS.md, \"What a refusal means\", says what to do about each word"))
            }
            None => Ok(()),
        }
    }
}

/// A holder that answered.
struct Reached {
    round_trip: Duration,
    skew_ms: i64,
}

impl Reached {
    fn json(&self, label: &str) -> Value {
        json!({ "peer": label, "reachable": true, "round_trip_ms": (self.round_trip.as_secs_f64() * 1e4).round() / 10.0, "clock_ms": self.skew_ms })
    }

    fn line(&self, label: &str) -> String {
        format!(
            "holder {label}: it has the pinned key and trusts this identity; {:.1} ms away, its clock {:.1} s {}",
            self.round_trip.as_secs_f64() * 1e3,
            self.skew_ms.unsigned_abs() as f64 / 1e3,
            if self.skew_ms < 0 { "behind" } else { "ahead" }
        )
    }
}

fn unreached(label: &str, failure: &Failure) -> Value {
    json!({ "peer": label, "reachable": false, "code": failure.code(), "what": failure.what(), "hint": failure.hint() })
}

/// A Ping, as `doctor` sends it: no session, and nothing in the holder's ledger.
fn reach(args: &CheckArgs, home: &Home, pin: Fingerprint) -> Result<Reached, Failure> {
    let identity = home.identity().to_identity()?;
    let options = Options { handshake_timeout: args.timeout, ..Options::default() };
    runtime()?.block_on(async {
        let connection = dial(resolve(&args.holder).await?, &identity, pin, &options).await?;
        let trip = tokio::time::timeout(args.timeout, round_trip(&connection)).await;
        let trip = trip.unwrap_or_else(|_| {
            Err(Failure::unreachable("no_answer", "the holder took the connection and did not answer").with_hint("try again"))
        });
        let away = connection.round_trip();
        connection.close(0, "done");
        connection.drained(GOODBYE).await;
        let skew_ms = trip?;
        clocks(skew_ms)?;
        Ok(Reached { round_trip: away, skew_ms })
    })
}
