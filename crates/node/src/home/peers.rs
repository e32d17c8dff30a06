//! Whom a party trusts: `peers.toml`, a label of its own choosing → the other side's fingerprint.

use std::collections::BTreeMap;

use oblink_quic::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The trusted peers of a home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers(BTreeMap<String, Fingerprint>);

/// What `trust` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustChange {
    /// The label is new.
    Added,
    /// The label had this fingerprint already.
    Unchanged,
    /// The label had another fingerprint.
    Replaced,
    /// The label is gone.
    Removed,
}

impl TrustChange {
    /// The word in `--json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeersFile {
    #[serde(default)]
    peers: BTreeMap<String, String>,
}

impl Peers {
    /// Reads the text of `peers.toml`; otherwise what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: PeersFile = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        let mut peers = Self::default();
        for (label, fingerprint) in file.peers {
            check_label(&label).map_err(|e| format!("{label}: {e}"))?;
            let fingerprint = fingerprint.parse().map_err(|e| format!("{label}: {e}"))?;
            if let Some(other) = peers.label_of(&fingerprint) {
                return Err(format!("{label} and {other} have one fingerprint"));
            }
            peers.0.insert(label, fingerprint);
        }
        Ok(peers)
    }

    /// The text of `peers.toml`.
    pub(super) fn to_text(&self) -> Result<String, Failure> {
        let peers = self.0.iter().map(|(label, fingerprint)| (label.clone(), fingerprint.to_string())).collect();
        toml::to_string(&PeersFile { peers }).map_err(|_| Failure::bug("peers.toml could not be written as TOML"))
    }

    /// Adds `fingerprint` under `label`, or with `replace` in the place of another one; `own` is the fingerprint of this home.
    pub(super) fn trust(
        &mut self,
        label: &str,
        fingerprint: Fingerprint,
        own: &Fingerprint,
        replace: bool,
    ) -> Result<TrustChange, Failure> {
        check_label(label).map_err(|what| Failure::input("label", what))?;
        if fingerprint == *own {
            return Err(Failure::input("own_fingerprint", "this is the fingerprint of this home itself")
                .with_hint("ask the other side for the one that its own init printed"));
        }
        if let Some(other) = self.label_of(&fingerprint).filter(|other| *other != label) {
            return Err(Failure::input("peer_twice", format!("this fingerprint is trusted already, as {other}"))
                .with_hint(format!("go on with --peer {other}, or remove it first: trust --peer {other} --remove")));
        }
        match self.0.get(label) {
            None => {
                self.0.insert(label.to_owned(), fingerprint);
                Ok(TrustChange::Added)
            }
            Some(known) if *known == fingerprint => Ok(TrustChange::Unchanged),
            Some(known) if !replace => {
                Err(Failure::input("peer_differs", format!("{label} is trusted under another fingerprint, {known}"))
                    .with_hint("compare both with the other side by telephone; if theirs has changed, add --replace"))
            }
            Some(_) => {
                self.0.insert(label.to_owned(), fingerprint);
                Ok(TrustChange::Replaced)
            }
        }
    }

    pub(super) fn remove(&mut self, label: &str) -> Result<TrustChange, Failure> {
        match self.0.remove(label) {
            Some(_) => Ok(TrustChange::Removed),
            None => Err(self.unknown(label)),
        }
    }

    /// The fingerprint trusted under `label`.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<Fingerprint> {
        self.0.get(label).copied()
    }

    /// The label under which `fingerprint` is trusted.
    #[must_use]
    pub fn label_of(&self, fingerprint: &Fingerprint) -> Option<&str> {
        self.0.iter().find(|(_, known)| *known == fingerprint).map(|(label, _)| label.as_str())
    }

    /// The peers by label.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Fingerprint)> {
        self.0.iter().map(|(label, fingerprint)| (label.as_str(), *fingerprint))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The peer that a command means: the one labelled `label`, or without a label the only one.
    ///
    /// # Errors
    /// Exit 3: no such label, nobody trusted, or several and no label.
    pub fn select(&self, label: Option<&str>) -> Result<(&str, Fingerprint), Failure> {
        if let Some(label) = label {
            return self
                .0
                .get_key_value(label)
                .map(|(label, fingerprint)| (label.as_str(), *fingerprint))
                .ok_or_else(|| self.unknown(label));
        }
        let mut all = self.iter();
        match (all.next(), all.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Failure::input("no_peer", "nobody is trusted yet")
                .with_hint("exchange fingerprints with the other side by telephone, then: trust --peer LABEL --fingerprint FP")),
            _ => Err(Failure::input("which_peer", format!("several peers are trusted: {}", self.labels()))
                .with_hint("say which one with --peer LABEL")),
        }
    }

    fn labels(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    fn unknown(&self, label: &str) -> Failure {
        let hint = if self.is_empty() {
            "nobody is trusted yet: trust --peer LABEL --fingerprint FP".to_owned()
        } else {
            format!("trusted are: {}", self.labels())
        };
        Failure::input("unknown_peer", format!("no peer is trusted as {label}")).with_hint(hint)
    }
}

fn check_label(label: &str) -> Result<(), &'static str> {
    let good = (1..=64).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && label.as_bytes()[0].is_ascii_alphanumeric();
    if good { Ok(()) } else { Err("a label is 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::render;

    fn fingerprint(n: u8) -> Fingerprint {
        Fingerprint::from_bytes([n; 32])
    }

    #[test]
    fn trust_changes_and_reads_back() {
        let mut peers = Peers::default();
        assert_eq!(peers.trust("tax", fingerprint(1), &fingerprint(0), false).unwrap(), TrustChange::Added);
        assert_eq!(peers.trust("tax", fingerprint(1), &fingerprint(0), false).unwrap(), TrustChange::Unchanged);
        assert_eq!(peers.trust("tax", fingerprint(2), &fingerprint(0), true).unwrap(), TrustChange::Replaced);
        assert_eq!(peers.select(None).unwrap(), ("tax", fingerprint(2)));
        assert_eq!(peers.trust("a.b", fingerprint(3), &fingerprint(0), false).unwrap(), TrustChange::Added);
        assert_eq!(Peers::parse(&peers.to_text().unwrap()).unwrap(), peers);
        assert_eq!(peers.select(Some("a.b")).unwrap(), ("a.b", fingerprint(3)));
        assert_eq!(peers.remove("a.b").unwrap(), TrustChange::Removed);
        assert_eq!(peers.len(), 1);
    }

    #[test]
    fn messages() {
        let mut peers = Peers::default();
        let nobody = peers.select(None).unwrap_err();
        let nobody_by_name = peers.select(Some("x")).unwrap_err();
        peers.trust("tax", fingerprint(1), &fingerprint(0), false).unwrap();
        let own = peers.trust("me", fingerprint(0), &fingerprint(0), false).unwrap_err();
        let differs = peers.trust("tax", fingerprint(2), &fingerprint(0), false).unwrap_err();
        let twice = peers.trust("other", fingerprint(1), &fingerprint(0), true).unwrap_err();
        let label = peers.trust("no spaces", fingerprint(3), &fingerprint(0), false).unwrap_err();
        peers.trust("city", fingerprint(4), &fingerprint(0), false).unwrap();
        let which = peers.select(None).unwrap_err();
        let unknown = peers.remove("x").unwrap_err();
        let text = [nobody, nobody_by_name, own, differs, twice, label, which, unknown].map(|failure| {
            assert_eq!(failure.exit().code(), 3);
            render(&failure)
        });
        insta::assert_snapshot!(text.concat());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let one = fingerprint(1);
        for wrong in
            ["[peers]\na = \"12\"", "[peers]\n\"a b\" = \"\"", "peer = 1", "[peers", &format!("[peers]\na = \"{one}\"\nb = \"{one}\"")]
        {
            assert!(Peers::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Peers::parse("").unwrap().is_empty());
    }
}
