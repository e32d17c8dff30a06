//! What a figure shows, and its axes.

use crate::amount::short;

/// A picture: panels beside each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// Above everything, and the accessible name.
    pub(crate) title: String,
    /// The accessible description.
    pub(crate) description: String,
    /// From left to right.
    pub(crate) panels: Vec<Panel>,
}

/// Curves in one unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Panel {
    /// Above it.
    pub(crate) title: String,
    /// Of the ordinate.
    pub(crate) unit: String,
    /// What the abscissa counts.
    pub(crate) across: String,
    /// Whether its axes are linear; otherwise they are logarithmic.
    pub(crate) is_linear: bool,
    /// In the legend's order.
    pub(crate) curves: Vec<Curve>,
}

/// One curve; on logarithmic axes every coordinate is above 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// In the legend.
    pub(crate) name: String,
    /// From left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

/// An axis from `low` to `high`: linear where it has a step from line to line, otherwise logarithmic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: Option<f64>,
}

impl Axis {
    /// Just the values' own range: an axis of sizes that were chosen.
    pub(super) fn tight(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        // A single value is in the middle of a decade.
        if high > low { Self { low, high, step: None } } else { Self { low: low / 3.0, high: high * 3.0, step: None } }
    }

    /// The values' range, out to the next 1, 2 or 5 times a power of ten.
    pub(super) fn round(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        let decade = |value: f64| 10_f64.powf(value.log10().floor());
        // The factors leave room for what is at a step but for rounding.
        let below = [5.0, 2.0, 1.0].into_iter().map(|step| step * decade(low)).find(|step| *step <= low * 1.000_001);
        let above = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade(high)).find(|step| *step >= high * 0.999_999);
        let (low, high) = (below.unwrap_or(low), above.unwrap_or(high));
        if high > low { Self { low, high, step: None } } else { Self { low, high: high * 10.0, step: None } }
    }

    /// A linear axis of the values' range, out to the next line at either end.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let span = if high > low { high - low } else { low.abs().max(0.1) / 10.0 };
        let decade = 10_f64.powf((span / LINES).log10().floor());
        let step = [1.0, 2.0, 5.0].into_iter().map(|digit| digit * decade).find(|step| *step >= span / LINES).unwrap_or(10.0 * decade);
        // The margins leave room for what is at a line but for rounding.
        let (first, last) = ((low / step + 1e-6).floor() * step, (high / step - 1e-6).ceil() * step);
        Self { low: first, high: if last > first { last } else { first + step }, step: Some(step) }
    }

    /// Where a value is: 0 at the low end, 1 at the high one.
    pub(super) fn place(self, value: f64) -> f64 {
        if self.step.is_some() {
            return (value - self.low) / (self.high - self.low);
        }
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    /// Every 1, 2, … 9 times a power of ten on the axis, and whether it is a power of ten; on a linear axis every step.
    pub(super) fn lines(self) -> Vec<(f64, bool)> {
        if let Some(step) = self.step {
            let steps = ((self.high - self.low) / step).round() as u32;
            return (0..=steps).map(|number| (self.low + step * f64::from(number), true)).collect();
        }
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
        if self.step.is_some() {
            return labels;
        }
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

    /// A number beside the axis, as exact as its lines are apart.
    pub(super) fn label(self, value: f64) -> String {
        let Some(step) = self.step else { return label(value) };
        let digits = (-step.log10().floor()).max(0.0) as usize;
        format!("{value:.digits$}")
    }
}

/// Steps of a linear axis, about.
const LINES: f64 = 6.0;

/// 2 or 5 times a power of ten.
fn is_step(value: f64) -> bool {
    let mantissa = value / 10_f64.powf((value * 1.000_001).log10().floor());
    (mantissa - 2.0).abs() < 1e-3 || (mantissa - 5.0).abs() < 1e-3
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    if high > 0.0 { (low, high) } else { (1.0, 10.0) }
}

/// A number beside a logarithmic axis: 7M, 100k, 50, 0.02.
fn label(value: f64) -> String {
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
    fn linear_axes_end_at_lines() {
        let said = |values: &[f64]| {
            let axis = Axis::linear(values.iter().copied());
            axis.labels().into_iter().map(|value| axis.label(value)).collect::<Vec<_>>()
        };
        assert_eq!(said(&[0.79, 0.91]), ["0.78", "0.80", "0.82", "0.84", "0.86", "0.88", "0.90", "0.92"]);
        assert_eq!(said(&[0.9985, 1.0]), ["0.9985", "0.9990", "0.9995", "1.0000"]);
        assert_eq!(said(&[1.0, 12.0]), ["0", "2", "4", "6", "8", "10", "12"]);
        for values in [&[][..], &[1.0], &[0.0], &[0.0, 0.0]] {
            let axis = Axis::linear(values.iter().copied());
            assert!(axis.high > axis.low && axis.lines().len() > 1, "{values:?}");
        }
        assert!((Axis::linear([0.0, 1.0].into_iter()).place(0.5) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(7e6, "7M"), (50.0, "50"), (0.02, "0.02"), (0.5, "0.5"), (1.0, "1"), (1_500.0, "1500"), (200.0, "200")] {
            assert_eq!(label(value), text);
        }
    }
}
