//! `config.toml` of a home.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oblink_session::limits::PILOT_PAIRS_MAX_DEFAULT;
use serde::{Deserialize, Serialize};

use crate::date::{Date, rfc3339};

/// Which of the two parties a home belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Has the records.
    Holder,
    /// Asks.
    Verifier,
}

impl Role {
    /// The role's program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Holder => "oblink-holder",
            Self::Verifier => "oblink-verifier",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holder => "holder",
            Self::Verifier => "verifier",
        })
    }
}

/// The configuration of a party. Keys that it does not know are refused: a misspelt limit must not pass for none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The party's role.
    pub role: Role,
    /// What the party calls itself, 1 to 128 characters. Local: nothing on the wire carries it.
    pub name: String,
    /// When `init` made the home, `YYYY-MM-DDTHH:MM:SSZ`.
    pub created: String,
    /// Limits of pilot mode.
    #[serde(default)]
    pub pilot: Pilot,
    /// How long a holder keeps its epochs' keys.
    #[serde(default, skip_serializing_if = "Epochs::is_default")]
    pub epochs: Epochs,
    /// That a policy was in force in this home once; written by the first `policy apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyMark>,
}

/// That a policy was in force once (SPEC POL-4): a ledger without one is then not this home's, and pilot mode does not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyMark {
    /// When the policy was applied that was in force as this was written, `YYYY-MM-DDTHH:MM:SSZ`.
    pub first_applied: String,
}

/// How long a holder keeps an epoch's key, until a policy says so.
///
/// A verifier keeps the tags of all that it has asked. In a set that is sealed again under the same key it can look them up without asking, and
/// uncounted: it sees who of them has come and gone. So a key is not kept unless this says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epochs {
    /// Days from an epoch's beginning during which sealing again keeps it and its key; 0: sealing again always begins a new epoch.
    pub keep_key_days: u32,
}

/// Most days that a key may be kept.
const KEEP_KEY_DAYS_MAX: u32 = 366;

impl Epochs {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// For how long after an epoch's beginning sealing again keeps it; `None` where it never does.
    #[must_use]
    pub fn keep_key(&self) -> Option<Duration> {
        (self.keep_key_days > 0).then(|| Duration::from_secs(u64::from(self.keep_key_days) * 86_400))
    }
}

/// What a trusted verifier may ask unsigned, until a policy is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pilot {
    /// Most pairs of one session.
    pub pairs_max: u64,
}

impl Default for Pilot {
    fn default() -> Self {
        Self { pairs_max: PILOT_PAIRS_MAX_DEFAULT }
    }
}

/// Most characters of a party's name.
const NAME_CHARS_MAX: usize = 128;

impl Config {
    /// A new party's configuration.
    pub(super) fn new(role: Role, name: &str, now: SystemTime) -> Self {
        Self { role, name: name.to_owned(), created: rfc3339(now), pilot: Pilot::default(), epochs: Epochs::default(), policy: None }
    }

    /// Whether the values hold what their fields promise; otherwise what is wrong.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        check_name(&self.name)?;
        if self.pilot.pairs_max == 0 {
            return Err("pilot.pairs_max is 0; no session could ask anything");
        }
        if self.epochs.keep_key_days > KEEP_KEY_DAYS_MAX {
            return Err("epochs.keep_key_days is more than 366; a key is not kept for more than a year");
        }
        if self.role == Role::Verifier && self.epochs != Epochs::default() {
            return Err("epochs.keep_key_days is a holder's; a verifier has no epochs");
        }
        self.created_at().map(|_| ()).ok_or("created is not YYYY-MM-DDTHH:MM:SSZ")
    }

    /// `created` as a time.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        let (date, clock) = self.created.strip_suffix('Z')?.split_once('T')?;
        let date: Date = date.parse().ok()?;
        let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok().filter(|_| part.len() == 2));
        let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        let days = date.days_since_1970()?;
        Some(UNIX_EPOCH + Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
    }
}

/// Whether `name` can be a party's name; otherwise what is wrong.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() {
        Err("the name is empty")
    } else if name.chars().count() > NAME_CHARS_MAX {
        Err("the name has more than 128 characters")
    } else if name.chars().any(char::is_control) {
        Err("the name holds control characters")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_is_read_back() {
        for seconds in [0, 951_827_696, 1_763_796_591] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Config::new(Role::Holder, "a", at).created_at(), Some(at));
        }
        for wrong in [
            "",
            "2026-01-01",
            "2026-01-01T1:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00:00Z",
            "1969-12-31T00:00:00Z",
        ] {
            let config = Config { created: wrong.to_owned(), ..Config::new(Role::Holder, "a", UNIX_EPOCH) };
            assert_eq!(config.created_at(), None, "{wrong}");
        }
    }
}
