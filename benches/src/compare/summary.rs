//! Medians over the rounds, oblink's ratios to each peer, and both as JSON and as tables.

use serde_json::{Value, json};

use super::round::{ByRole, Kind, Round};
use crate::clock::median;

/// What oblink costs over what a peer costs; medians of the rounds' own ratios. Below 1, oblink costs less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratios {
    /// Processor time: sealing over the peer's offline phase. None where the peer has none.
    pub(super) seal: Option<f64>,
    /// Processor time of both: the session, with the set sealed before and delivered in it, over all that the peer does when asked the first time.
    pub(super) session: f64,
    /// Processor time of both: the session, the set's delivery included, over the peer's without its delivery. None where that is not apart.
    pub(super) session_later: Option<f64>,
    /// Processor time of both: sealing and session over everything that the peer does.
    pub(super) seal_and_session: f64,
    /// Time on the clock of what `session` compares.
    pub(super) session_wall: f64,
}

impl Ratios {
    /// Of the rounds, in order, of both: round by round, so that a machine's slow minutes fall on both.
    #[must_use]
    pub(super) fn of(oblink: &[Round], peer: &[Round]) -> Self {
        let ratio = |ours: &dyn Fn(&Round) -> f64, theirs: &dyn Fn(&Round) -> f64| {
            median(oblink.iter().zip(peer).map(|(oblink, peer)| ours(oblink) / theirs(peer)))
        };
        let has = |kind| peer.first().is_some_and(|round| round.phases.iter().any(|phase| phase.kind == kind));
        let seal = |round: &Round| cpu_s(round, |kind| kind == Kind::Offline);
        let session = |round: &Round| cpu_s(round, |kind| kind != Kind::Offline);
        let later = |round: &Round| cpu_s(round, |kind| kind == Kind::Online);
        let all = |round: &Round| cpu_s(round, |_| true);
        let wall = |round: &Round| round.sum(|kind| kind != Kind::Offline, |phase| phase.wall_s);
        Self {
            seal: has(Kind::Offline).then(|| ratio(&seal, &seal)),
            session: ratio(&session, &session),
            session_later: has(Kind::Delivery).then(|| ratio(&session, &later)),
            seal_and_session: ratio(&all, &all),
            session_wall: ratio(&wall, &wall),
        }
    }

    /// As an object; null where a ratio has no meaning.
    #[must_use]
    pub(super) fn to_json(self) -> Value {
        json!({
            "seal": self.seal,
            "session": self.session,
            "session_later": self.session_later,
            "seal_and_session": self.seal_and_session,
            "session_wall": self.session_wall,
        })
    }

    fn row(self, title: &str) -> String {
        let or_dash = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        format!(
            "{title:<18} {:>7} {:>9.2} {:>7} {:>10.2} {:>9.2}\n",
            or_dash(self.seal),
            self.session,
            or_dash(self.session_later),
            self.seal_and_session,
            self.session_wall
        )
    }
}

fn cpu_s(round: &Round, which: impl Fn(Kind) -> bool) -> f64 {
    round.sum(which, |phase| phase.cpu_s.sum())
}

/// Medians of one contestant over its rounds.
#[must_use]
pub(super) fn to_json(rounds: &[Round]) -> Value {
    let Some(first) = rounds.first() else { return Value::Null };
    let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let roles = |figure: &dyn Fn(&Round) -> ByRole<f64>| {
        let of_role = |role: fn(ByRole<f64>) -> f64| median(rounds.iter().map(|round| role(figure(round))));
        json!({ "holder": of_role(|both| both.holder), "verifier": of_role(|both| both.verifier), "all": of_role(ByRole::sum) })
    };
    let mut phases = json!({});
    for (index, phase) in first.phases.iter().enumerate() {
        let wall_s = of(&|round| round.phases[index].wall_s);
        phases[&phase.name] = json!({
            "when": match phase.kind { Kind::Offline => "offline", Kind::Delivery => "delivery", Kind::Online => "online" },
            "cpu_s": roles(&|round| round.phases[index].cpu_s),
            "wall_s": wall_s,
            "received": phase.received.map(bytes_json),
        });
    }
    let rss = |role: fn(ByRole<f64>) -> f64| rounds.iter().map(|round| role(round.peak_rss_mb())).fold(0.0, f64::max);
    json!({
        "version": first.version,
        "parameters": first.parameters,
        "cpu_s": roles(&|round| ByRole {
            holder: round.sum(|_| true, |phase| phase.cpu_s.holder),
            verifier: round.sum(|_| true, |phase| phase.cpu_s.verifier),
        }),
        "process_cpu_s": first.process_cpu_s.map(|_| roles(&|round| round.process_cpu_s.unwrap_or_default())),
        "wall_s": of(&|round| round.sum(|_| true, |phase| phase.wall_s)),
        "phases": phases,
        "peak_rss_mb": { "holder": rss(|both| both.holder), "verifier": rss(|both| both.verifier) },
        "bytes": first.received().map(bytes_json),
        "matches": first.intersection,
        "exact": rounds.iter().all(|round| round.exact),
        "rounds": rounds.iter().map(|round| json!({
            "offline_cpu_s": cpu_s(round, |kind| kind == Kind::Offline),
            "online_cpu_s": cpu_s(round, |kind| kind != Kind::Offline),
            "wall_s": round.sum(|_| true, |phase| phase.wall_s),
        })).collect::<Vec<_>>(),
    })
}

fn bytes_json(received: ByRole<u64>) -> Value {
    json!({ "to_holder": received.holder, "to_verifier": received.verifier, "all": received.holder + received.verifier })
}

/// Both tables: each contestant's costs, then oblink's ratios to each peer.
#[must_use]
pub(super) fn tables(contestants: &[(&str, &[Round])]) -> String {
    let mut text = format!(
        "{:<18} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}   {}\n{:<18} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}   {}\n",
        "",
        "offline",
        "online",
        "online",
        "in all",
        "wall",
        "bytes",
        "peak MB",
        "found",
        "",
        "cpu s",
        "holder",
        "verifier",
        "cpu s",
        "s",
        "MB",
        "h / v",
        ""
    );
    for (title, rounds) in contestants {
        let Some(first) = rounds.first() else { continue };
        let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
        let bytes = first.received().map_or_else(|| "?".to_owned(), |bytes| format!("{:.1}", (bytes.holder + bytes.verifier) as f64 / 1e6));
        let peak = first.peak_rss_mb();
        text.push_str(&format!(
            "{title:<18} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {bytes:>9} {:>9}   {}\n",
            of(&|round| cpu_s(round, |kind| kind == Kind::Offline)),
            of(&|round| round.sum(|kind| kind != Kind::Offline, |phase| phase.cpu_s.holder)),
            of(&|round| round.sum(|kind| kind != Kind::Offline, |phase| phase.cpu_s.verifier)),
            of(&|round| cpu_s(round, |_| true)),
            of(&|round| round.sum(|_| true, |phase| phase.wall_s)),
            format!("{:.0}/{:.0}", peak.holder, peak.verifier),
            if rounds.iter().all(|round| round.exact) { format!("{}, exact", first.intersection) } else { "NOT what both have".to_owned() },
        ));
    }
    let [(_, oblink), peers @ ..] = contestants else { return text };
    if peers.iter().all(|(_, rounds)| rounds.is_empty()) {
        return text;
    }
    text.push_str("\noblink over           seal   session   later       both      wall\n");
    for (title, rounds) in peers.iter().filter(|(_, rounds)| !rounds.is_empty()) {
        text.push_str(&Ratios::of(oblink, rounds).row(title));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::round::Phase;
    use super::*;

    fn round(phases: &[(&str, Kind, f64, f64)]) -> Round {
        let phase = |(name, kind, holder, verifier): &(&str, Kind, f64, f64)| Phase {
            name: (*name).to_owned(),
            kind: *kind,
            cpu_s: ByRole { holder: *holder, verifier: *verifier },
            wall_s: holder.max(*verifier),
            peak_rss_mb: ByRole { holder: 100.0, verifier: 50.0 },
            received: Some(ByRole { holder: 10, verifier: 20 }),
        };
        Round {
            version: "1".to_owned(),
            parameters: Value::Null,
            phases: phases.iter().map(phase).collect(),
            process_cpu_s: None,
            intersection: 7,
            exact: true,
        }
    }

    fn oblink() -> Round {
        round(&[("seal", Kind::Offline, 2.0, 0.0), ("session", Kind::Online, 1.0, 2.0)])
    }

    #[test]
    fn ratios_are_of_like_with_like() {
        let peer =
            round(&[("generate", Kind::Offline, 4.0, 0.0), ("transfer", Kind::Delivery, 1.0, 1.0), ("online", Kind::Online, 2.0, 2.0)]);
        let ratios = Ratios::of(&[oblink()], &[peer]);
        let expected = Ratios { seal: Some(0.5), session: 0.5, session_later: Some(0.75), seal_and_session: 0.5, session_wall: 2.0 / 3.0 };
        assert_eq!(ratios, expected);
    }

    #[test]
    fn a_peer_that_keeps_nothing_has_no_ratio_of_what_is_kept() {
        let ratios = Ratios::of(&[oblink()], &[round(&[("rr22", Kind::Online, 3.0, 3.0)])]);
        assert_eq!((ratios.seal, ratios.session_later), (None, None));
        assert!((ratios.session - 0.5).abs() < 1e-9);
        assert!(ratios.to_json()["seal"].is_null());
    }

    #[test]
    fn medians_are_of_the_rounds_ratios() {
        let slow = round(&[("rr22", Kind::Online, 30.0, 30.0)]);
        let fast = round(&[("rr22", Kind::Online, 3.0, 3.0)]);
        let mut slow_too = oblink();
        slow_too.phases[1].cpu_s = ByRole { holder: 15.0, verifier: 15.0 };
        let ratios = Ratios::of(&[oblink(), slow_too], &[fast, slow]);
        assert!((ratios.session - 0.5).abs() < 1e-9);
    }

    #[test]
    fn tables_are_aligned_and_wrong_results_stand_out() {
        let mut wrong = round(&[("rr22", Kind::Online, 3.0, 3.0)]);
        wrong.exact = false;
        let rounds = [oblink()];
        let others = [wrong];
        let text = tables(&[("oblink", &rounds), ("SecretFlow RR22", &others), ("SecretFlow UB-PSI", &[])]);
        let lines: Vec<_> = text.lines().collect();
        let width = |line: &str| line.chars().count();
        assert!(lines[2].ends_with("7, exact") && lines[3].ends_with("NOT what both have"), "{text}");
        assert_eq!(width(lines[2].strip_suffix("7, exact").unwrap()), width(lines[3].strip_suffix("NOT what both have").unwrap()));
        assert_eq!(width(lines[0].strip_suffix("found").unwrap()), width(lines[1]), "{text}");
        assert_eq!(width(lines[5]), width(lines[6]), "{text}");
        assert!(!text.contains("UB-PSI"), "{text}");
        assert!(!tables(&[("oblink", &rounds), ("SecretFlow RR22", &[])]).contains("oblink over"));
    }

    #[test]
    fn the_object_has_what_a_reader_asks_for() {
        let object = to_json(&[oblink(), oblink()]);
        assert_eq!(object["cpu_s"]["all"], 5.0);
        assert_eq!(object["cpu_s"]["verifier"], 2.0);
        assert_eq!(object["phases"]["session"]["cpu_s"]["holder"], 1.0);
        assert_eq!(object["bytes"]["all"], 60);
        assert_eq!(object["peak_rss_mb"]["holder"], 100.0);
        assert_eq!((&object["matches"], &object["exact"]), (&json!(7), &json!(true)));
        assert_eq!(object["rounds"].as_array().unwrap().len(), 2);
    }
}
