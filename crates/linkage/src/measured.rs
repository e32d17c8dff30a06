//! What was measured of a ruleset on labelled people: not part of its digest, for figures come after the rules.

/// One measurement of a ruleset: how many of the true pairs it confirms, and how many of its matches are right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The people it was measured on.
    pub people: &'static str,
    /// `address`: a match is right when this person is held at this address; `person`: when this person is held at all.
    pub level: &'static str,
    /// Pairs whose truth the holder has.
    pub present: u32,
    /// Pairs that matched.
    pub matched: u32,
    /// Pairs that matched rightly.
    pub right: u32,
}

/// A share with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The share itself, 0 to 1.
    pub share: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Interval {
    /// Wilson's score interval at 95% for `hits` of `trials`; all of 0 to 1 where nothing was tried.
    #[must_use]
    pub fn wilson(hits: u64, trials: u64) -> Self {
        if trials == 0 {
            return Interval { share: 0.0, low: 0.0, high: 1.0 };
        }
        let (n, z) = (trials as f64, 1.959_964);
        let p = hits as f64 / n;
        let centre = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        Interval { share: p, low: ((centre - spread) / scale).max(0.0), high: ((centre + spread) / scale).min(1.0) }
    }
}

impl Measured {
    /// Right matches over pairs whose truth is held.
    #[must_use]
    pub fn recall(&self) -> Interval {
        Interval::wilson(self.right.into(), self.present.into())
    }

    /// Right matches over matches.
    #[must_use]
    pub fn precision(&self) -> Interval {
        Interval::wilson(self.right.into(), self.matched.into())
    }

    /// What measured.tsv says of a ruleset.
    pub(crate) fn of(ruleset: &str) -> Vec<Measured> {
        const FIGURES: &str = include_str!("../../../protocol-spec/rulesets/measured.tsv");
        let figures = FIGURES.lines().filter_map(|line| {
            let mut columns = line.split('\t');
            let (name, people, level) = (columns.next()?, columns.next()?, columns.next()?);
            let mut count = || columns.next()?.parse().ok();
            let (present, matched, right) = (count()?, count()?, count()?);
            (name == ruleset).then_some(Measured { people, level, present, matched, right })
        });
        figures.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_figure_of_a_ruleset() {
        let lines = include_str!("../../../protocol-spec/rulesets/measured.tsv").lines().count();
        let known: usize = crate::Ruleset::all().iter().map(|ruleset| ruleset.measured().len()).sum();
        assert_eq!(lines, known);
        for figure in crate::Ruleset::all().iter().flat_map(crate::Ruleset::measured) {
            assert!(figure.right <= figure.matched && figure.right <= figure.present, "{figure:?}");
            assert!(["address", "person"].contains(&figure.level));
        }
    }

    /// Newcombe 1998, table I: 81 of 263 and 0 of 20.
    #[test]
    fn wilson_is_wilson() {
        let close = |a: f64, b: f64| (a - b).abs() < 5e-5;
        let first = Interval::wilson(81, 263);
        assert!(close(first.low, 0.2553) && close(first.high, 0.3662), "{first:?}");
        let none = Interval::wilson(0, 20);
        assert!(close(none.low, 0.0) && close(none.high, 0.1611), "{none:?}");
        assert_eq!(Interval::wilson(0, 0), Interval { share: 0.0, low: 0.0, high: 1.0 });
    }
}
