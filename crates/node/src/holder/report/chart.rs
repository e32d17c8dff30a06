//! A chart of steps: what was used of a budget over time, and its cap. Drawn as SVG in the page; the table beneath it says the same.

use std::fmt::Write;

use super::html::{escaped, number};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// A value from a time on (milliseconds since 1970) until the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) unix_ms: u64,
    pub(super) value: u64,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub(super) struct Chart<'a> {
    /// Unique in the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What it shows in words, for those who do not see it.
    pub(super) description: &'a str,
    pub(super) used: &'a [Step],
    pub(super) cap: &'a [Step],
    /// When it begins and ends.
    pub(super) span: (u64, u64),
    /// The words for both, under the ends of the axis.
    pub(super) span_words: (&'a str, &'a str),
}

impl Chart<'_> {
    /// The drawing.
    pub(super) fn to_svg(&self) -> String {
        let most = self.used.iter().chain(self.cap).map(|step| step.value).max().unwrap_or(0).max(1);
        let (begin, end) = (self.span.0, self.span.1.max(self.span.0 + 1));
        let x = |unix_ms: u64| {
            let share = (unix_ms.clamp(begin, end) - begin) as f64 / (end - begin) as f64;
            LEFT + share * (WIDTH - LEFT - RIGHT)
        };
        let y = |value: u64| HEIGHT - BOTTOM - value as f64 / most as f64 * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<figure>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{0}-title {0}-text\">\n<title id=\"{0}-title\">{1}</title>\n<desc id=\"{0}-text\">{2}</desc>\n",
            self.id,
            escaped(self.title),
            escaped(self.description)
        );
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for value in [0, most / 2, most] {
            let at = y(value);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                number(value)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{0:.1}\">{1}</text><text x=\"{right}\" y=\"{0:.1}\" text-anchor=\"end\">{2}</text>",
            bottom + 20.0,
            escaped(self.span_words.0),
            escaped(self.span_words.1)
        );
        let path = |steps: &[Step]| {
            let mut path = String::new();
            let mut before: Option<u64> = None;
            for step in steps {
                match before {
                    None => drop(write!(path, "M{:.1} {:.1}", x(step.unix_ms), y(step.value))),
                    Some(_) => drop(write!(path, "H{:.1}V{:.1}", x(step.unix_ms), y(step.value))),
                }
                before = Some(step.value);
            }
            if before.is_some() {
                let _ = write!(path, "H{:.1}", x(end));
            }
            path
        };
        // Told apart by their dashes too, not by colour alone.
        let _ = write!(svg, "<path class=\"cap\" d=\"{}\"/>\n<path class=\"used\" d=\"{}\"/>\n</svg>\n", path(self.cap), path(self.used));
        let _ = write!(svg, "<figcaption>{}: solid line used, dashed line cap</figcaption>\n</figure>\n", escaped(self.title));
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_within_the_drawing() {
        let used = [Step { unix_ms: 0, value: 0 }, Step { unix_ms: 50, value: 5 }, Step { unix_ms: 500, value: 900 }];
        let chart = Chart {
            id: "c",
            title: "t",
            description: "d",
            used: &used,
            cap: &[Step { unix_ms: 0, value: 1_000 }],
            span: (10, 100),
            span_words: ("a", "b"),
        };
        let svg = chart.to_svg();
        assert!(svg.contains("<path class=\"cap\" d=\"M84.0 12.0H708.0\"/>"), "{svg}");
        assert!(svg.contains("<path class=\"used\" d=\"M84.0 186.0H361.3V185.1H708.0V29.4H708.0\"/>"), "{svg}");
        // Nothing at all is drawn as nothing.
        let empty = Chart { used: &[], cap: &[], span: (0, 0), ..chart }.to_svg();
        assert!(empty.contains("<path class=\"used\" d=\"\"/>"), "{empty}");
    }
}
