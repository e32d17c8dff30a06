//! What one contestant costs in one round, oblink or a peer, in the same terms.

use anyhow::{Context, Result, bail};
use oblink_node::demo::Outcome;
use serde_json::Value;

/// A figure of either role.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ByRole<T> {
    /// Of the holder.
    pub(super) holder: T,
    /// Of the verifier.
    pub(super) verifier: T,
}

impl ByRole<f64> {
    /// Both together.
    #[must_use]
    pub(super) fn sum(self) -> f64 {
        self.holder + self.verifier
    }
}

/// When a phase is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the holder alone, before anybody asks, and kept.
    Offline,
    /// What the verifier gets once and keeps, where a peer has that apart from the rest.
    Delivery,
    /// For each request.
    Online,
}

/// One phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phase {
    /// The contestant's own name for it.
    pub(super) name: String,
    /// When it is done.
    pub(super) kind: Kind,
    /// Processor seconds.
    pub(super) cpu_s: ByRole<f64>,
    /// Seconds on the clock, of the role that took longer.
    pub(super) wall_s: f64,
    /// Most memory, MB of 10^6 bytes, interpreter and libraries included; 0 of a role that took no part.
    pub(super) peak_rss_mb: ByRole<f64>,
    /// Bytes that each role received.
    pub(super) received: Option<ByRole<u64>>,
}

/// One contestant in one round.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    /// Its version.
    pub(super) version: String,
    /// What it was run with; null for oblink, which has its defaults.
    pub(super) parameters: Value,
    /// Its phases in order.
    pub(super) phases: Vec<Phase>,
    /// Processor seconds of the whole processes, starting and reading of files included, where they are known apart.
    pub(super) process_cpu_s: Option<ByRole<f64>>,
    /// How many it found.
    pub(super) intersection: u64,
    /// Whether they are those that it had to find.
    pub(super) exact: bool,
}

impl Round {
    /// Sum of a figure over the phases that `which` takes.
    pub(super) fn sum(&self, which: impl Fn(Kind) -> bool, of: impl Fn(&Phase) -> f64) -> f64 {
        self.phases.iter().filter(|phase| which(phase.kind)).map(of).fold(0.0, |sum, figure| sum + figure)
    }

    /// Most memory of each role over all phases.
    #[must_use]
    pub(super) fn peak_rss_mb(&self) -> ByRole<f64> {
        let most = |of: fn(&Phase) -> f64| self.phases.iter().map(of).fold(0.0, f64::max);
        ByRole { holder: most(|phase| phase.peak_rss_mb.holder), verifier: most(|phase| phase.peak_rss_mb.verifier) }
    }

    /// Bytes received over all phases; none where a contestant gave none.
    #[must_use]
    pub(super) fn received(&self) -> Option<ByRole<u64>> {
        let known: Vec<_> = self.phases.iter().filter_map(|phase| phase.received).collect();
        let sum = |of: fn(&ByRole<u64>) -> u64| known.iter().map(of).sum();
        (!known.is_empty()).then(|| ByRole { holder: sum(|bytes| bytes.holder), verifier: sum(|bytes| bytes.verifier) })
    }

    /// oblink's own run: sealing is offline, the session brings the sealed set along. Processor times are of whole processes.
    #[must_use]
    pub(super) fn of_oblink(outcome: &Outcome) -> Self {
        let seal = Phase {
            name: "seal".to_owned(),
            kind: Kind::Offline,
            cpu_s: ByRole { holder: outcome.seal_cpu_s, verifier: 0.0 },
            wall_s: outcome.seal_s,
            peak_rss_mb: ByRole { holder: outcome.seal_peak_rss_mb, verifier: 0.0 },
            received: None,
        };
        let session = Phase {
            name: "session".to_owned(),
            kind: Kind::Online,
            cpu_s: ByRole { holder: outcome.holder_cpu_s, verifier: outcome.verifier_cpu_s },
            wall_s: outcome.session_s,
            peak_rss_mb: ByRole { holder: outcome.serve_peak_rss_mb, verifier: outcome.verifier_peak_rss_mb },
            received: Some(ByRole { holder: outcome.bytes_up, verifier: outcome.bytes_down + outcome.set_bytes }),
        };
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            parameters: Value::Null,
            phases: vec![seal, session],
            process_cpu_s: None,
            intersection: outcome.matches,
            exact: outcome.check().is_ok(),
        }
    }

    /// A peer's report, as `peers.py run` prints it.
    ///
    /// # Errors
    /// A report that lacks something.
    pub(super) fn of_peer(report: &Value) -> Result<Self> {
        let phases = report["phases"].as_object().context("no phases")?;
        let mut phases = phases.iter().map(|(name, roles)| phase(name, roles)).collect::<Result<Vec<_>>>()?;
        // An object of JSON has no order.
        phases.sort_by_key(|phase| match phase.kind {
            Kind::Offline => 0,
            Kind::Delivery => 1,
            Kind::Online => 2,
        });
        let whole = |role: &str| report["process_cpu_s"][role].as_f64().with_context(|| format!("no processor time of the {role}"));
        Ok(Self {
            version: report["version"].as_str().context("no version")?.to_owned(),
            parameters: report["parameters"].clone(),
            phases,
            process_cpu_s: Some(ByRole { holder: whole("holder")?, verifier: whole("verifier")? }),
            intersection: report["intersection"].as_u64().context("no intersection")?,
            exact: report["exact"].as_bool().context("no word on exactness")?,
        })
    }
}

fn phase(name: &str, roles: &Value) -> Result<Phase> {
    let kind = match name {
        "offline" | "generate" => Kind::Offline,
        "transfer" => Kind::Delivery,
        "online" | "rr22" => Kind::Online,
        _ => bail!("an unknown phase"),
    };
    let roles = roles.as_object().filter(|roles| !roles.is_empty()).context("a phase of nobody")?;
    let figure = |role: &str, key: &str| match roles.get(role) {
        None => Ok(0.0),
        Some(figures) => figures[key].as_f64().with_context(|| format!("no {key} of the {role} in {name}")),
    };
    let both = |key: &str| Ok::<_, anyhow::Error>(ByRole { holder: figure("holder", key)?, verifier: figure("verifier", key)? });
    let wall_s = both("wall_s")?;
    // One of them has counted, for both.
    let received = roles.values().find_map(|figures| {
        let bytes = figures.get("bytes")?;
        Some(ByRole { holder: bytes["to_holder"].as_u64()?, verifier: bytes["to_verifier"].as_u64()? })
    });
    Ok(Phase {
        name: name.to_owned(),
        kind,
        cpu_s: both("cpu_s")?,
        wall_s: wall_s.holder.max(wall_s.verifier),
        peak_rss_mb: both("peak_rss_mb")?,
        received,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        let figures = |cpu_s: f64| json!({ "cpu_s": cpu_s, "wall_s": 2.0 * cpu_s, "peak_rss_mb": 10.0 * cpu_s, "idle_rss_mb": 1.0 });
        let mut asked = figures(1.0);
        asked["bytes"] = json!({ "to_holder": 30, "to_verifier": 40 });
        let mut sent = figures(0.25);
        sent["bytes"] = json!({ "to_holder": 1, "to_verifier": 1_000 });
        json!({
            "peer": "ub_psi", "version": "0.9.5", "parameters": { "curve": "FourQ" }, "intersection": 6, "exact": true,
            "process_cpu_s": { "holder": 9.0, "verifier": 2.0 },
            "phases": {
                "online": { "holder": figures(0.5), "verifier": asked },
                "transfer": { "holder": figures(0.125), "verifier": sent },
                "generate": { "holder": figures(4.0) },
            },
        })
    }

    #[test]
    fn a_peer_s_report_is_read() {
        let round = Round::of_peer(&report()).unwrap();
        assert_eq!(round.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>(), ["generate", "transfer", "online"]);
        let cpu_s = |which: fn(Kind) -> bool| round.sum(which, |phase| phase.cpu_s.sum());
        assert!((cpu_s(|kind| kind == Kind::Offline) - 4.0).abs() < 1e-9);
        assert!((cpu_s(|kind| kind != Kind::Offline) - 1.875).abs() < 1e-9);
        assert_eq!(round.peak_rss_mb(), ByRole { holder: 40.0, verifier: 10.0 });
        assert_eq!(round.received(), Some(ByRole { holder: 31, verifier: 1_040 }));
        assert!((round.phases[2].wall_s - 2.0).abs() < 1e-9);
        assert_eq!((round.intersection, round.exact), (6, true));
    }

    #[test]
    fn a_report_that_lacks_something_is_refused() {
        type Change = fn(&mut Value);
        let changes: [Change; 7] = [
            |report| report["version"] = Value::Null,
            |report| report["phases"] = json!({ "online": {} }),
            |report| report["phases"]["sideways"] = report["phases"]["online"].clone(),
            |report| report["phases"]["online"]["holder"]["cpu_s"] = json!("much"),
            |report| report["intersection"] = json!(-1),
            |report| report["exact"] = Value::Null,
            |report| report["process_cpu_s"]["verifier"] = Value::Null,
        ];
        for change in changes {
            let mut wrong = report();
            change(&mut wrong);
            assert!(Round::of_peer(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_that_nobody_counted_are_not_zero() {
        let mut report = report();
        for phase in ["online", "transfer"] {
            report["phases"][phase]["verifier"].as_object_mut().unwrap().remove("bytes");
        }
        assert_eq!(Round::of_peer(&report).unwrap().received(), None);
    }
}
