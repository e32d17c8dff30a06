//! Whether sealing again keeps an epoch and its key, and what it then need not compute again (SPEC EPO-3, EPO-5).

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use oblink_linkage::{Name, NotSubmitted, Place, Row, Ruleset, Side, TokenArena};
use oblink_quic::Fingerprint;
use oblink_session::epoch::{EpochKeys, SUITE_RISTRETTO255};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::request::to_hex;
use oblink_store::cache::{CacheBinding, CacheKeys, ENTRY_BYTES, INDEX_BYTES_PER_ENTRY, KnownRows, NewRows};
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochRow, SqliteLedger};
use oblink_store::sealed::SetBuilder;
use sha2::{Digest, Sha256};

use super::epochs::{cache_path, read_keys};
use crate::date::rfc3339;
use crate::failure::Failure;
use crate::home::Home;
use crate::report::Reporter;

/// The program, as far as its version tells it from others.
const PROGRAM: &str = concat!("oblink-node ", env!("CARGO_PKG_VERSION"));

/// Rows on which ways of canonicalising differ: case, accents, ligatures, particles, suffixes, nicknames, units, boxes, directions, ordinals,
/// ZIP+4, lost zeros; some give no token. All of them are made up. Name, or given, middle, family name and suffix; address; postal code.
const PROBES: [(&[&str], &str, &str); 16] = [
    (&["Ann Marie Example"], "12 Main Street", "12345"),
    (&["EXAMPLE, JOHN Q."], "00012  n. main st. apt 4-b", "12345-6789"),
    (&["Dr. José Muñoz-Ortiz Jr."], "450 1/2 SW Fifth Avenue #3", "2134"),
    (&["Renée D\u{2019}Arcy"], "7 Saint Mary's Ct., Unit 12", "02134"),
    (&["Zoe\u{308} \u{141}ukasz Stra\u{df}e"], "P.O. Box 0042", "00501"),
    (&["van der Berg, Jan"], "RR 2 Box 15A", "99501"),
    (&["Robert O'Neil III"], "1600 Pennsylvania Ave NW", "20500-0003"),
    (&["Bob", "James", "Mc Donald", "Sr"], "221B Baker Str", "10001"),
    (&["Mary-Jane", "", "St. John", ""], "N6W23001 Bluemound Rd", "53188"),
    (&["\u{ff21}nna", "B", "\u{c6}gir", "II"], "33 Twenty-Third Pl Fl 2", "60614"),
    (&["Li"], "1 First St", "12345"),
    (&["Ann Example"], "", "12345"),
    (&["Ann Example"], "12 Main St", "1234567"),
    (&["\u{738b} \u{5c0f}\u{660e}"], "5 County Road 12 East", "73301"),
    (&["Ann\u{a0}Example\u{200b}"], "12-14 Highway 61 Suite 200", "12345 6789"),
    (&["", "", "", ""], "General Delivery", "00000"),
];

/// The rows of [`PROBES`].
fn probe_rows() -> impl Iterator<Item = Row<'static>> {
    PROBES.into_iter().map(|(names, address, postal_code)| {
        let name = match *names {
            [given, middle, family, suffix] => Name::Parts { given, middle, family, suffix },
            _ => Name::Whole(names.first().copied().unwrap_or_default()),
        };
        Row { name, address, unit: "", city: "", state: "", postal_code }
    })
}

/// What the way from a row's fields to its tokens depends on beside the ruleset: the program's version, and a digest of what this build makes of
/// [`PROBES`]. Builds of one version that canonicalise otherwise have, nearly always, another; a cache of one is of no use to the other.
fn program(ruleset: &Ruleset) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    // Where places do not count there is nothing more to tell builds by.
    let places: &[Place] = if ruleset.crowd_max().is_some() { &[Place::Quiet, Place::Crowded] } else { &[Place::Quiet] };
    for (row, place) in probe_rows().flat_map(|row| places.iter().map(move |place| (row, *place))) {
        let mut tokens = TokenArena::default();
        let outcome = ruleset.tokenize(Side::Holder(place), &row, &mut tokens);
        part(outcome.map_or_else(NotSubmitted::as_str, |()| "").as_bytes());
        part(&(tokens.len() as u64).to_be_bytes());
        tokens.iter().for_each(&mut part);
    }
    format!("{PROGRAM} {}", to_hex(&hash.finalize()))
}

/// The epoch that a verifier has of its own now, or that nobody has.
pub(super) fn current(home: &Home, keep_key_days: u32, peer: Option<&Fingerprint>) -> Result<Option<EpochRow>, Failure> {
    if keep_key_days == 0 || !home.ledger().exists() {
        return Ok(None);
    }
    let verifier = peer.map(|fingerprint| *fingerprint.as_bytes());
    Ok(SqliteLedger::open(&home.ledger())?.epochs()?.into_iter().find(|row| row.ended.is_none() && row.verifier == verifier))
}

/// By how much an epoch may have begun after what the clock shows now: what setting a clock right may come to, and less than anybody would set
/// one back by to keep a key longer.
const BEGUN_AHEAD_MS_MAX: u64 = 5 * 60_000;

/// When an epoch can be kept no longer, milliseconds since 1970.
fn ends_unix_ms(row: &EpochRow, days: u32) -> u64 {
    row.begun_unix_ms.saturating_add(u64::from(days).saturating_mul(86_400_000))
}

/// Whether an epoch, as the ledger has it, may go on at `now` (milliseconds since 1970) under this ruleset; if not, why.
///
/// The ledger's times never go back, the clock's may: an epoch that begins in the clock's future would be kept beyond its days.
fn keeps(row: &EpochRow, days: u32, now: u64, ruleset: &Ruleset) -> Result<(), String> {
    let set = &row.offer.descriptor;
    if days == 0 || now >= ends_unix_ms(row, days) {
        Err(format!("the one before is older than keep_key_days = {days}"))
    } else if row.begun_unix_ms > now.saturating_add(BEGUN_AHEAD_MS_MAX) {
        Err("the one before begins later than now: the clock was set back".to_owned())
    } else if row.closing.is_some() || row.limits.ends_unix_ms.is_some_and(|ends| now >= ends) {
        Err("the one before admits no session any more".to_owned())
    } else if row.charged_tokens.saturating_add(row.reserved_tokens) >= row.limits.evaluations_max.unwrap_or(EPOCH_EVALUATIONS_MAX) {
        Err("the one before has no evaluations left".to_owned())
    } else if set.ruleset_digest != ruleset.digest() || set.suite != SUITE_RISTRETTO255 || set.tokens_per_pair != ruleset.tokens_per_pair()
    {
        Err("the one before was sealed under another ruleset".to_owned())
    } else {
        Ok(())
    }
}

/// The keys of an epoch that goes on; none, and a line that says why, where a new one has to begin all the same.
///
/// It may be kept for so many days; the times, in milliseconds since 1970, are the clock's and the ledger's: both must allow it, since a clock
/// may have been set back.
pub(super) fn kept_keys(
    home: &Home,
    whom: &str,
    row: &EpochRow,
    ruleset: &Ruleset,
    (days, clock, ledger_time): (u32, u64, u64),
    reporter: &Reporter,
) -> Option<EpochKeys> {
    let set = &row.offer.descriptor;
    let allowed = keeps(row, days, clock, ruleset).and_then(|()| keeps(row, days, clock.max(ledger_time), ruleset));
    let keys = allowed.and_then(|()| match read_keys(home, &set.epoch_id) {
        Ok(keys) if keys.public_key() == set.public_key => Ok(keys),
        Ok(_) => Err("the key of the one before is not the ledger's".to_owned()),
        Err(failure) => Err(failure.what().to_owned()),
    });
    match keys {
        Ok(keys) => {
            let until = rfc3339(UNIX_EPOCH + Duration::from_millis(ends_unix_ms(row, days)));
            reporter.warn(&format!(
                "the epoch of {whom} and its key are kept (keep_key_days = {days}, until {until}): {whom} can look up in the new set all that it has \
                 asked before, without asking and without its being counted; --new-epoch begins a new one"
            ));
            Some(keys)
        }
        Err(why) => {
            reporter.note(&format!("a new epoch begins for {whom}: {why}"));
            None
        }
    }
}

/// Memory that an epoch's cache would take, of `memory_bytes` at most five eighths: the rest is the new set's and the new cache's.
pub(super) fn index_bytes(home: &Home, row: &EpochRow, memory_bytes: u64) -> u64 {
    let file_bytes = fs::metadata(cache_path(home, &row.offer.descriptor.epoch_id)).map_or(0, |metadata| metadata.len());
    (file_bytes / ENTRY_BYTES as u64 * INDEX_BYTES_PER_ENTRY).min(memory_bytes / 8 * 5)
}

/// The cache of an epoch whose key may be kept.
#[derive(Debug)]
pub(super) struct Caching {
    keys: CacheKeys,
    known: Option<KnownRows>,
    new: NewRows,
}

impl Caching {
    /// With what an earlier seal of this epoch left, if it is of use; a line says where it is not.
    pub(super) fn begin(
        home: &Home,
        keys: &EpochKeys,
        ruleset: &Ruleset,
        builder: &SetBuilder,
        (index_bytes, new_bytes): (u64, u64),
        reporter: &Reporter,
    ) -> Self {
        let binding = CacheBinding::new(*keys.epoch_id(), ruleset.digest(), &program(ruleset));
        let keys_of_cache = CacheKeys::derive(keys.cache_key(), binding);
        let path = cache_path(home, keys.epoch_id());
        let known = KnownRows::open(&RealDisk, &path, &keys_of_cache, index_bytes).unwrap_or_else(|fault| {
            reporter.warn(&format!("{} is not used: {fault}; every record is computed again", path.display()));
            None
        });
        if let Some(known) = known.as_ref().filter(|known| known.within_reach() < known.entries()) {
            reporter.note(&format!(
                "of {} records sealed before, {} fit into --memory; the others are computed again",
                known.entries(),
                known.within_reach()
            ));
        }
        Self { keys: keys_of_cache, known, new: NewRows::beside(builder, new_bytes) }
    }

    /// What cores need to tell known rows from new ones, and what takes the new ones.
    pub(super) fn split(&mut self) -> ((&CacheKeys, Option<&KnownRows>), &mut NewRows) {
        ((&self.keys, self.known.as_ref()), &mut self.new)
    }

    /// Hands the tags of known rows to the builder, and leaves the cache for the next seal. Gives how many were known.
    pub(super) fn finish(self, home: &Home, keys: &EpochKeys, builder: &mut SetBuilder) -> Result<u64, Failure> {
        let path = cache_path(home, keys.epoch_id());
        let counts = self.new.finish(self.known, &self.keys, &path, |tags| builder.push(tags));
        Ok(counts
            .map_err(|error| {
                // Deleting it always helps where it is what is wrong.
                let damaged = matches!(error, oblink_store::Error::Corrupt { .. });
                let failure = Failure::from(error);
                if damaged { failure.with_hint(format!("remove {} and seal again", path.display())) } else { failure }
            })?
            .recalled)
    }
}

#[cfg(test)]
mod tests {
    use oblink_session::set::{SetDescriptor, SetOffer};
    use oblink_session::tag::Tau;
    use oblink_store::ledger::{EpochClosing, EpochLimits};

    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const BEGUN: u64 = 1_700_000_000_000;

    fn ruleset() -> &'static Ruleset {
        &Ruleset::all()[0]
    }

    fn row() -> EpochRow {
        let descriptor = SetDescriptor {
            suite: SUITE_RISTRETTO255,
            tau: Tau::for_counts(1_000, 1_000).unwrap(),
            tokens_per_pair: ruleset().tokens_per_pair(),
            as_of: 0,
            session_tokens_max: 1_000,
            declared_tags: 1_000,
            tags: 1_000,
            epoch_id: [1; 16],
            ruleset_digest: ruleset().digest(),
            public_key: [2; 32],
        };
        EpochRow {
            verifier: None,
            offer: SetOffer { descriptor, set_id: [3; 32], set_bytes: 4 },
            records: 1_000,
            rejected: 0,
            input_digest: None,
            begun_unix_ms: BEGUN,
            ended: None,
            limits: EpochLimits::default(),
            closing: None,
            sessions: 0,
            charged_tokens: 0,
            reserved_tokens: 0,
            earlier_sets: 0,
        }
    }

    fn why(row: &EpochRow, days: u32, now: u64) -> String {
        keeps(row, days, now, ruleset()).err().unwrap_or_default()
    }

    #[test]
    fn a_key_is_kept_for_its_days_and_no_longer() {
        let row = row();
        assert_eq!(why(&row, 30, BEGUN), "");
        assert_eq!(why(&row, 30, BEGUN + 30 * DAY_MS - 1), "");
        for now in [BEGUN + 30 * DAY_MS, BEGUN + 31 * DAY_MS, u64::MAX] {
            assert!(why(&row, 30, now).contains("older"), "{now}");
        }
        // Nothing is kept for no days, whatever the clock shows.
        for now in [0, BEGUN - 1, BEGUN, BEGUN + 1] {
            assert!(why(&row, 0, now).contains("keep_key_days = 0"), "{now}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_key() {
        let row = row();
        assert_eq!(why(&row, 30, BEGUN - BEGUN_AHEAD_MS_MAX), "");
        for now in [BEGUN - BEGUN_AHEAD_MS_MAX - 1, BEGUN - 366 * DAY_MS, 0] {
            assert!(why(&row, 30, now).contains("set back"), "{now}");
        }
        let far = EpochRow { begun_unix_ms: u64::MAX, ..row };
        assert!(why(&far, 366, BEGUN).contains("set back"));
    }

    #[test]
    fn a_budget_that_is_used_up_or_another_ruleset_keeps_no_key() {
        let used = EpochRow { charged_tokens: EPOCH_EVALUATIONS_MAX - 1, reserved_tokens: 1, ..row() };
        assert!(why(&used, 30, BEGUN).contains("no evaluations left"));
        let of_policy = |ends_unix_ms, evaluations_max| EpochRow {
            limits: EpochLimits { ends_unix_ms, evaluations_max, even_unbooked: false },
            ..row()
        };
        assert_eq!(why(&of_policy(Some(BEGUN + 1), Some(1)), 30, BEGUN), "");
        assert!(why(&of_policy(Some(BEGUN), Some(1)), 30, BEGUN).contains("admits no session"));
        assert!(why(&of_policy(None, Some(0)), 30, BEGUN).contains("no evaluations left"));
        let closing = EpochClosing { unix_ms: BEGUN, reason: "by hand".to_owned(), grace_until_unix_ms: BEGUN };
        assert!(why(&EpochRow { closing: Some(closing), ..row() }, 30, BEGUN).contains("admits no session"));
        let mut other = row();
        other.offer.descriptor.ruleset_digest[0] ^= 1;
        assert!(why(&other, 30, BEGUN).contains("another ruleset"));
    }

    #[test]
    fn a_cache_is_bound_to_what_this_build_makes_of_rows() {
        let (mut with, mut without) = (0, 0);
        for row in probe_rows() {
            *if ruleset().canonicalize(&row).is_ok() { &mut with } else { &mut without } += 1;
        }
        // Both outcomes are among them: a build that refuses more or fewer rows is another too.
        assert!(with >= 8 && without >= 3, "{with} {without}");
        let program = program(ruleset());
        assert!(program.starts_with(PROGRAM) && program.len() == PROGRAM.len() + 1 + 64, "{program}");
    }
}
