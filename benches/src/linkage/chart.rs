//! The figures as a picture: how precision goes with recall, rule by rule, and what each rule adds.

use super::Evaluation;
use super::figures::{Figures, Tally};
use super::report;
use crate::plot::{CURVES, Curve, Figure, Panel, draw, escape};

/// A page with the picture and the tables.
pub(super) fn page(evaluation: &Evaluation<'_>) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{TITLE}</title>\n\
         <style>:root{{color-scheme:light dark}}body{{margin:1.5rem auto;max-width:64rem}}svg{{max-width:100%;height:auto}}\
         pre{{font-size:12px;overflow-x:auto}}</style></head>\n<body>\n{}<pre>{}</pre>\n</body>\n</html>\n",
        picture(evaluation),
        escape(&report::text(evaluation))
    )
}

const TITLE: &str = "oblink: how well rulesets link";

/// The picture alone, as SVG.
pub(super) fn picture(evaluation: &Evaluation<'_>) -> String {
    let rulesets = &evaluation.figures[..evaluation.figures.len().min(CURVES)];
    draw(&Figure {
        title: TITLE.to_owned(),
        description: describe(evaluation),
        panels: vec![
            panel(
                "Precision by recall",
                "share of matches that are right",
                "share of held pairs that match rightly",
                rulesets,
                |figures| {
                    let point = |(_, of): (usize, &Tally)| Some((of.recall()?.share, of.precision()?.share));
                    so_far(figures).filter_map(point).collect()
                },
            ),
            panel("Recall", "share of held pairs", "rules so far", rulesets, |figures| {
                so_far(figures).filter_map(|(rules, of)| Some((rules as f64, of.recall()?.share))).collect()
            }),
        ],
    })
}

/// Each rule's cumulative figures, with how many rules that is.
fn so_far<'a>(figures: &'a Figures<'_>) -> impl Iterator<Item = (usize, &'a Tally)> {
    figures.rules.iter().enumerate().map(|(index, rule)| (index + 1, &rule.cumulative))
}

fn panel(title: &str, unit: &str, across: &str, rulesets: &[Figures<'_>], points: impl Fn(&Figures<'_>) -> Vec<(f64, f64)>) -> Panel {
    let curve = |figures: &Figures<'_>| Curve { name: name(figures), points: points(figures) };
    Panel {
        title: title.to_owned(),
        unit: unit.to_owned(),
        across: across.to_owned(),
        is_linear: true,
        curves: rulesets.iter().map(curve).collect(),
    }
}

/// In the legend: the ruleset with its two figures.
fn name(figures: &Figures<'_>) -> String {
    let share = |share: Option<oblink_linkage::Interval>| share.map_or_else(|| "none".to_owned(), |share| format!("{:.4}", share.share));
    let (recall, precision) = (share(figures.all.recall()), share(figures.all.precision()));
    format!("{}: recall {recall}, precision {precision}", figures.ruleset.name())
}

/// In words, for whoever does not see the picture.
fn describe(evaluation: &Evaluation<'_>) -> String {
    let all: Vec<String> =
        evaluation.figures.iter().map(|figures| format!("{}, at {} level", name(figures), figures.level.as_str())).collect();
    let undrawn = if all.len() > CURVES { format!(" Only the first {CURVES} are drawn.") } else { String::new() };
    format!("Two panels with linear axes, a curve for each ruleset and a mark for each rule. {}.{undrawn}", all.join("; "))
}
