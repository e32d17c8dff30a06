//! What a figure shows, and its logarithmic axes.

use crate::amount::short;

/// A picture: panels beside each other over the same kind of abscissa.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    /// Above everything, and the accessible name.
    pub(super) title: String,
    /// The accessible description.
    pub(super) description: String,
    /// What the abscissa counts.
    pub(super) across: String,
    /// From left to right.
    pub(super) panels: Vec<Panel>,
}

/// Curves in one unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    /// Above it.
    pub(super) title: String,
    /// Of the ordinate.
    pub(super) unit: String,
    /// In the legend's order.
    pub(super) curves: Vec<Curve>,
}

/// One curve; every coordinate is above 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    /// In the legend.
    pub(super) name: String,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// A logarithmic axis from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Just the values' own range: an axis of sizes that were chosen.
    pub(super) fn tight(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        // A single value is in the middle of a decade.
        if high > low { Self { low, high } } else { Self { low: low / 3.0, high: high * 3.0 } }
    }

    /// The values' range, out to the next 1, 2 or 5 times a power of ten.
    pub(super) fn round(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        let decade = |value: f64| 10_f64.powf(value.log10().floor());
        // The factors leave room for what is at a step but for rounding.
        let below = [5.0, 2.0, 1.0].into_iter().map(|step| step * decade(low)).find(|step| *step <= low * 1.000_001);
        let above = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade(high)).find(|step| *step >= high * 0.999_999);
        let (low, high) = (below.unwrap_or(low), above.unwrap_or(high));
        if high > low { Self { low, high } } else { Self { low, high: high * 10.0 } }
    }

    /// Where a value is: 0 at the low end, 1 at the high one.
    pub(super) fn place(self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    /// Every 1, 2, … 9 times a power of ten on the axis, and whether it is a power of ten.
    pub(super) fn lines(self) -> Vec<(f64, bool)> {
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        decades
            .flat_map(|power| (1..10).map(move |digit| (f64::from(digit) * 10_f64.powi(power), digit == 1)))
            .filter(|(value, _)| *value >= self.low * 0.999_999 && *value <= self.high * 1.000_001)
            .collect()
    }

    /// What to write labels at: the powers of ten, both ends where they stand clear of those; on a short axis 2 and 5 times those too.
    pub(super) fn labels(self) -> Vec<f64> {
        let lines = self.lines();
        let mut labels: Vec<f64> = lines.iter().filter(|(_, is_decade)| *is_decade).map(|(value, _)| *value).collect();
        if self.high / self.low < 300.0 {
            labels.extend(lines.iter().map(|(value, _)| *value).filter(|value| is_step(*value)));
        }
        for end in [self.low, self.high] {
            if labels.iter().all(|label| (end / label).log10().abs() > 0.2 * (self.high / self.low).log10() / 3.0) {
                labels.push(end);
            }
        }
        labels.sort_by(f64::total_cmp);
        labels
    }
}

/// 2 or 5 times a power of ten.
fn is_step(value: f64) -> bool {
    let mantissa = value / 10_f64.powf((value * 1.000_001).log10().floor());
    (mantissa - 2.0).abs() < 1e-3 || (mantissa - 5.0).abs() < 1e-3
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    if high > 0.0 { (low, high) } else { (1.0, 10.0) }
}

/// A number beside an axis: 7M, 100k, 50, 0.02.
pub(super) fn label(value: f64) -> String {
    if value >= 1_000.0 {
        return short(value.round() as u64);
    }
    let digits = (1.0 - value.log10().floor()).max(0.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_axes_end_at_steps() {
        for (values, low, high) in
            [([0.3, 42.0], 0.2, 50.0), ([1.0, 100.0], 1.0, 100.0), ([7.0, 7.0], 5.0, 10.0), ([20.0, 999.0], 20.0, 1_000.0)]
        {
            let axis = Axis::round(values.into_iter());
            assert!((axis.low - low).abs() < 1e-9 && (axis.high - high).abs() < 1e-9, "{values:?} {axis:?}");
        }
        let nothing = Axis::round(std::iter::empty());
        assert!(nothing.low > 0.0 && nothing.high > nothing.low);
        let one = Axis::round(std::iter::once(10.0));
        assert!(one.high > one.low);
    }

    #[test]
    fn places_are_logarithmic() {
        let axis = Axis::tight([10_000.0, 1_000_000.0].into_iter());
        for (value, place) in [(10_000.0, 0.0), (100_000.0, 0.5), (1_000_000.0, 1.0)] {
            assert!((axis.place(value) - place).abs() < 1e-9);
        }
    }

    #[test]
    fn labels_name_decades_and_ends_that_stand_clear() {
        let said = |axis: Axis| axis.labels().into_iter().map(label).collect::<Vec<_>>();
        assert_eq!(said(Axis::tight([10_000.0, 7_000_000.0].into_iter())), ["10k", "100k", "1M", "7M"]);
        assert_eq!(said(Axis::tight([10_000.0, 1_100_000.0].into_iter())), ["10k", "20k", "50k", "100k", "200k", "500k", "1M"]);
        assert_eq!(said(Axis::round([0.012, 350.0].into_iter())), ["0.01", "0.1", "1", "10", "100", "500"]);
        assert_eq!(said(Axis::round([21.0, 90.0].into_iter())), ["20", "50", "100"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(7e6, "7M"), (50.0, "50"), (0.02, "0.02"), (0.5, "0.5"), (1.0, "1"), (1_500.0, "1500"), (200.0, "200")] {
            assert_eq!(label(value), text);
        }
    }
}
