//! A figure as SVG. It brings its own colours for light and dark, and curves differ by their marks as well.

use std::fmt::Write as _;

use super::chart::{Axis, Curve, Figure, Panel};

const WIDTH: f64 = 940.0;
/// Of a panel's field.
const FIELD: (f64, f64) = (350.0, 280.0);
const TOP: f64 = 76.0;
/// Left edge of the first field, and from one field to the next.
const LEFT: f64 = 76.0;
const STEP: f64 = 466.0;
/// From a field's bottom to the first line of its legend, and from line to line.
const TO_LEGEND: f64 = 66.0;
const LINE: f64 = 20.0;

/// Dark lines on white; under a dark scheme light ones on black. The curves' colours are those of Okabe and Ito, told apart by all eyes.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:12px;fill:#1f2328}
.title{font-size:16px;font-weight:600}
.panel{font-size:13px;font-weight:600}
.paper{fill:#ffffff}
.frame{fill:none;stroke:#59636e}
.decade{stroke:#c4ccd4}
.minor{stroke:#eceff2}
.curve{fill:none;stroke-width:2}
.clock{stroke-dasharray:6 4}
.c0{stroke:#0072b2}.m0{fill:#0072b2}
.c1{stroke:#b34c00}.m1{fill:#b34c00}
.c2{stroke:#007a5a}.m2{fill:#007a5a}
.c3{stroke:#5b6770}.m3{fill:#5b6770}
.c4{stroke:#a3457f}.m4{fill:#a3457f}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}
.paper{fill:#0d1117}
.frame{stroke:#8b949e}
.decade{stroke:#3d444d}
.minor{stroke:#20262d}
.c0{stroke:#56b4e9}.m0{fill:#56b4e9}
.c1{stroke:#ff9b52}.m1{fill:#ff9b52}
.c2{stroke:#2fcf9f}.m2{fill:#2fcf9f}
.c3{stroke:#b4bdc6}.m3{fill:#b4bdc6}
.c4{stroke:#e79ac6}.m4{fill:#e79ac6}
}
";
/// As many curves as a panel can tell apart.
pub(crate) const CURVES: usize = 5;

/// Text as it may stand in an element or an attribute. What XML cannot say at all is left out.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
            c => safe.push(c),
        }
    }
    safe
}

/// The picture, a whole file.
pub(crate) fn draw(figure: &Figure) -> String {
    let legend = figure.panels.iter().map(|panel| panel.curves.len()).max().unwrap_or(0);
    let height = TOP + FIELD.1 + TO_LEGEND + LINE * legend as f64;
    let mut svg = String::new();
    // Writing into a String cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"title description\">\n<title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n",
        escape(&figure.title),
        escape(&figure.description)
    );
    text(&mut svg, (LEFT, 30.0), "start", "title", &figure.title);
    for (number, panel) in figure.panels.iter().enumerate() {
        draw_panel(&mut svg, LEFT + STEP * number as f64, panel);
    }
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, class: &str, content: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{}</text>", escape(content));
}

fn draw_panel(svg: &mut String, left: f64, panel: &Panel) {
    let points = || panel.curves.iter().flat_map(|curve| curve.points.iter().copied());
    let (along, up) = (points().map(|point| point.0), points().map(|point| point.1));
    let (x_axis, y_axis) = if panel.is_linear { (Axis::linear(along), Axis::linear(up)) } else { (Axis::tight(along), Axis::round(up)) };
    let (width, height) = FIELD;
    let x = |value: f64| left + width * x_axis.place(value);
    let y = |value: f64| TOP + height * (1.0 - y_axis.place(value));
    let bottom = TOP + height;
    let class = |is_decade: bool| if is_decade { "decade" } else { "minor" };
    for (value, is_decade) in x_axis.lines() {
        let (at, class) = (x(value), class(is_decade));
        let _ = writeln!(svg, "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" class=\"{class}\"/>");
    }
    for (value, is_decade) in y_axis.lines() {
        let (at, class) = (y(value), class(is_decade));
        let _ = writeln!(svg, "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" class=\"{class}\"/>", left + width);
    }
    let _ = writeln!(svg, "<rect x=\"{left}\" y=\"{TOP}\" width=\"{width}\" height=\"{height}\" class=\"frame\"/>");
    for value in x_axis.labels() {
        let at = x(value);
        let _ = writeln!(svg, "<line x1=\"{at:.1}\" y1=\"{bottom}\" x2=\"{at:.1}\" y2=\"{}\" class=\"frame\"/>", bottom + 5.0);
        text(svg, (at, bottom + 19.0), "middle", "tick", &x_axis.label(value));
    }
    for value in y_axis.labels() {
        let at = y(value);
        let _ = writeln!(svg, "<line x1=\"{}\" y1=\"{at:.1}\" x2=\"{left}\" y2=\"{at:.1}\" class=\"frame\"/>", left - 5.0);
        text(svg, (left - 9.0, at + 4.0), "end", "tick", &y_axis.label(value));
    }
    text(svg, (left, TOP - 12.0), "start", "panel", &format!("{}, {}", panel.title, panel.unit));
    text(svg, (left + width / 2.0, bottom + 40.0), "middle", "unit", &panel.across);
    for (number, curve) in panel.curves.iter().take(CURVES).enumerate() {
        draw_curve(svg, number, curve, x, y);
        let line = bottom + TO_LEGEND + LINE * number as f64;
        let stroke = stroke(number, curve);
        let _ = writeln!(svg, "<line x1=\"{left}\" y1=\"{line}\" x2=\"{}\" y2=\"{line}\" class=\"{stroke}\"/>", left + 30.0);
        mark(svg, number, left + 15.0, line);
        text(svg, (left + 40.0, line + 4.0), "start", "name", &curve.name);
    }
}

/// Time on the clock is drawn in dashes.
fn stroke(number: usize, curve: &Curve) -> String {
    format!("curve c{number}{}", if curve.name.ends_with("on the clock") { " clock" } else { "" })
}

fn draw_curve(svg: &mut String, number: usize, curve: &Curve, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    let path: Vec<String> = curve.points.iter().map(|(records, figure)| format!("{:.1},{:.1}", x(*records), y(*figure))).collect();
    if !path.is_empty() {
        let _ = writeln!(svg, "<polyline points=\"{}\" class=\"{}\"/>", path.join(" "), stroke(number, curve));
    }
    for (records, figure) in &curve.points {
        mark(svg, number, x(*records), y(*figure));
    }
}

/// A mark of the curve's own shape.
fn mark(svg: &mut String, number: usize, x: f64, y: f64) {
    let class = format!("m{number}");
    let polygon = |corners: &[(f64, f64)]| {
        let corners: Vec<String> = corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
        format!("<polygon points=\"{}\" class=\"{class}\"/>", corners.join(" "))
    };
    let shape = match number {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" class=\"{class}\"/>"),
        1 => polygon(&[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)]),
        2 => polygon(&[(0.0, -5.0), (4.5, 3.5), (-4.5, 3.5)]),
        3 => polygon(&[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)]),
        _ => polygon(&[(-4.5, -3.5), (4.5, -3.5), (0.0, 5.0)]),
    };
    svg.push_str(&shape);
    svg.push('\n');
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Elements are closed in the order they were opened, attributes are quoted, no bare `<` or `&`.
    pub(crate) fn assert_well_formed(svg: &str) {
        let (mut open, mut rest) = (Vec::new(), svg);
        while let Some(at) = rest.find('<') {
            let (before, tag) = rest.split_at(at);
            assert_entities(before);
            let end = tag.find('>').expect("an element that does not end");
            let (tag, after) = (&tag[1..end], &tag[end + 1..]);
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed out of order");
                continue;
            }
            let body = tag.strip_suffix('/').unwrap_or(tag);
            let name = body.split(' ').next().unwrap();
            assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()), "{tag}");
            let mut attributes = body[name.len()..].trim_start();
            while !attributes.is_empty() {
                let (_, value) = attributes.split_once("=\"").expect("an attribute without a value");
                let (value, others) = value.split_once('"').expect("a value that does not end");
                assert_entities(value);
                assert!(!value.contains("NaN") && !value.contains("inf"), "{tag}");
                attributes = others.trim_start();
            }
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
        assert_eq!(rest.trim(), "");
    }

    fn assert_entities(text: &str) {
        for part in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;"].iter().any(|entity| part.starts_with(entity)), "a bare ampersand: {part}");
        }
    }

    fn figure(points: Vec<(f64, f64)>) -> Figure {
        let curve = |name: &str| Curve { name: name.to_owned(), points: points.clone() };
        Figure {
            title: "a <b> & \"c\"".to_owned(),
            description: "nul\0 and ]]> and 'quotes'".to_owned(),
            panels: vec![Panel {
                title: "Time".to_owned(),
                unit: "s".to_owned(),
                across: "records".to_owned(),
                is_linear: false,
                curves: vec![curve("<x>"), curve("y, on the clock"), curve("z")],
            }],
        }
    }

    #[test]
    fn a_figure_is_well_formed_and_escaped() {
        let svg = draw(&figure(vec![(1e4, 0.5), (1e5, 5.0), (7e6, 300.0)]));
        assert_well_formed(&svg);
        assert!(svg.contains("<title id=\"title\">a &lt;b&gt; &amp; &quot;c&quot;</title>"));
        assert!(svg.contains("nul and ]]&gt; and 'quotes'"));
        assert!(svg.contains("&lt;x&gt;</text>"));
        assert!(svg.contains("curve c1 clock"));
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert_eq!(svg.matches("<circle").count(), 4, "three points and the legend's");
    }

    #[test]
    fn few_points_or_none_are_drawn_too() {
        for points in [vec![], vec![(10.0, 1.0)], vec![(10.0, 1.0), (20.0, 1.0)]] {
            assert_well_formed(&draw(&figure(points)));
        }
    }

    #[test]
    fn every_curve_has_a_colour_for_light_and_for_dark() {
        for number in 0..CURVES {
            for class in [format!(".c{number}{{"), format!(".m{number}{{")] {
                assert_eq!(STYLE.matches(&class).count(), 2, "{class}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "closed out of order")]
    fn the_check_itself_sees_a_wrong_nesting() {
        assert_well_formed("<svg><g></svg></g>");
    }
}
