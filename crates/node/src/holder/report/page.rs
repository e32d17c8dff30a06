//! The page: one file, no script, nothing fetched; for the screen, for paper, for a screen reader.

use super::chart::{Chart, Step};
use super::html::{Cell, escaped, number, section, table};

/// A session's request.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLine {
    pub(super) opened: String,
    pub(super) verifier: String,
    /// As the request names it; `–` where it is unsigned.
    pub(super) name: String,
    pub(super) purpose: String,
    pub(super) legal_basis: String,
    pub(super) authority: String,
    pub(super) signers: String,
    pub(super) pairs: u64,
    pub(super) charged: u64,
    pub(super) state: String,
    pub(super) request_id: String,
}

/// One budget of a verifier's over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    pub(super) verifier: String,
    pub(super) days: u64,
    /// Name, used, most.
    pub(super) now: Vec<(String, u64, u64)>,
    pub(super) used: Vec<Step>,
    pub(super) cap: Vec<Step>,
    /// When, what, pairs in the window from then on, the cap then.
    pub(super) table: Vec<(String, String, u64, Option<u64>)>,
    pub(super) span: (u64, u64),
    pub(super) span_words: (String, String),
}

/// A table that needs no chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    pub(super) caption: &'static str,
    pub(super) headings: &'static [&'static str],
    pub(super) rows: Vec<Vec<Cell>>,
}

/// Everything that the page says.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) holder: String,
    pub(super) fingerprint: String,
    pub(super) generated: String,
    pub(super) entries: u64,
    pub(super) heads: u64,
    pub(super) root: String,
    pub(super) policy: String,
    pub(super) requests: Vec<RequestLine>,
    pub(super) budgets: Vec<Budget>,
    pub(super) listings: Vec<Listing>,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#4d4d4d;--rule:#8a8a8a;--stripe:#f3f3f3;--used:#0b4f9e;--cap:#a12b00}
@media (prefers-color-scheme:dark){:root{--ink:#f0f0f0;--paper:#161616;--soft:#c4c4c4;--rule:#7d7d7d;--stripe:#222;--used:#8ec1ff;--cap:#ffb08a}}
body{font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:75rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.2rem;border-bottom:1px solid var(--rule)}h3{font-size:1.05rem}
a{color:inherit}a:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--used);outline-offset:2px}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;font-size:.9rem}
caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid var(--rule);overflow-wrap:anywhere;unicode-bidi:isolate}
tbody tr:nth-child(even){background:var(--stripe)}tbody th{font-weight:400}.number{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.85em;overflow-wrap:anywhere}.none,figcaption,footer{color:var(--soft)}figure{margin:.6rem 0}
svg{width:100%;max-width:45rem;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
.grid{stroke:var(--rule);stroke-width:.6}.used{fill:none;stroke:var(--used);stroke-width:2.5}.cap{fill:none;stroke:var(--cap);stroke-width:2;stroke-dasharray:7 5}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media print{:root{--ink:#000;--paper:#fff;--soft:#333;--rule:#777;--stripe:#fff;--used:#000;--cap:#555}body{max-width:none;font-size:10pt;padding:0}nav{display:none}
.scroll{overflow:visible}tr,figure{break-inside:avoid}h2,h3,caption{break-after:avoid}}
";

/// The page as HTML.
pub(super) fn render(page: &Page) -> String {
    let title = format!("Account of {}", page.holder);
    let mut body = String::new();
    let mut contents = vec![("requests", "Requests"), ("budgets", "Budgets")];
    contents.extend(page.listings.iter().map(|listing| (listing.id, listing.heading)));
    body.push_str(&section("requests", "Requests", &requests(&page.requests)));
    body.push_str(&section("budgets", "Budgets", &budgets(&page.budgets)));
    for listing in &page.listings {
        body.push_str(&section(listing.id, listing.heading, &table(listing.caption, listing.headings, &listing.rows)));
    }
    let links: String = contents.iter().map(|(id, name)| format!("<li><a href=\"#{id}\">{}</a></li>", escaped(name))).collect();
    let facts: String = [
        ("holder", page.holder.as_str()),
        ("fingerprint", &page.fingerprint),
        ("policy", &page.policy),
        (
            "ledger",
            &format!("{} entries under {} signed heads, verified when this page was written", number(page.entries), number(page.heads)),
        ),
        ("root", &page.root),
        ("written", &page.generated),
    ]
    .iter()
    .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(value)))
    .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n<dl>{facts}</dl>\n</header>\n\
         <nav aria-label=\"Contents\"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n\
         <footer><p>Counts, times and digests out of the holder's ledger; no record and no pair is in it. Times are UTC.</p></footer>\n</body>\n</html>\n",
        escaped(&title)
    )
}

fn requests(lines: &[RequestLine]) -> String {
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            vec![
                line.opened.as_str().into(),
                line.verifier.as_str().into(),
                line.name.as_str().into(),
                line.purpose.as_str().into(),
                line.legal_basis.as_str().into(),
                line.authority.as_str().into(),
                line.signers.as_str().into(),
                line.pairs.into(),
                line.charged.into(),
                line.state.as_str().into(),
                Cell::Code(line.request_id.clone()),
            ]
        })
        .collect();
    let headings = [
        "opened",
        "verifier",
        "name",
        "purpose",
        "legal basis",
        "authority",
        "signed by",
        "pairs",
        "evaluations charged",
        "state",
        "request",
    ];
    table("Requests that were admitted", &headings, &rows)
}

fn budgets(budgets: &[Budget]) -> String {
    if budgets.is_empty() {
        return "<p class=\"none\">No policy is in force: no budget but each epoch's own.</p>\n".to_owned();
    }
    budgets
        .iter()
        .enumerate()
        .map(|(i, budget)| {
            let now: Vec<Vec<Cell>> = budget
                .now
                .iter()
                .map(|(name, used, max)| {
                    let share = if *max == 0 { String::new() } else { format!("{} %", u128::from(*used) * 100 / u128::from(*max)) };
                    vec![name.as_str().into(), (*used).into(), (*max).into(), share.into()]
                })
                .collect();
            let (last, most) =
                (budget.used.last().map_or(0, |step| step.value), budget.used.iter().map(|step| step.value).max().unwrap_or(0));
            let cap = budget.cap.last().map_or_else(|| "no cap".to_owned(), |step| format!("a cap of {}", number(step.value)));
            let description = format!(
                "Pairs asked by {} in any {} days: {} now, {} at most so far, beside {cap}. The table below has every step.",
                budget.verifier,
                budget.days,
                number(last),
                number(most)
            );
            let chart = Chart {
                id: &format!("chart-{i}"),
                title: &format!("{}: pairs in {} days", budget.verifier, budget.days),
                description: &description,
                used: &budget.used,
                cap: &budget.cap,
                span: budget.span,
                span_words: (&budget.span_words.0, &budget.span_words.1),
            };
            let steps: Vec<Vec<Cell>> = budget
                .table
                .iter()
                .map(|(when, what, used, cap)| {
                    vec![when.as_str().into(), what.as_str().into(), (*used).into(), cap.map_or_else(|| "none".into(), Cell::Number)]
                })
                .collect();
            format!(
                "<h3>{}</h3>\n{}{}{}",
                escaped(&budget.verifier),
                table("Used of each budget now", &["budget", "used", "cap", "share"], &now),
                chart.to_svg(),
                table("Steps of the chart", &["when", "what", "pairs in the window", "cap"], &steps)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let hostile = "</td></table><script>alert(1)</script><img src=x onerror=\"alert(2)\"> & 'quoted'";
        Page {
            holder: format!("Tax <Agency> {hostile}"),
            fingerprint: "aaaa-bbbb".to_owned(),
            generated: "2026-01-31T00:00:00Z".to_owned(),
            entries: 12_345,
            heads: 7,
            root: "00ff".to_owned(),
            policy: "abcd, in force since 2026-01-01T00:00:00Z".to_owned(),
            requests: vec![RequestLine {
                opened: "2026-01-02T00:00:00Z".to_owned(),
                verifier: "city".to_owned(),
                name: hostile.to_owned(),
                purpose: hostile.to_owned(),
                legal_basis: hostile.to_owned(),
                authority: "signed".to_owned(),
                signers: "ann@city, bob@tax".to_owned(),
                pairs: 700_000,
                charged: 700_000,
                state: "complete".to_owned(),
                request_id: "07".repeat(16),
            }],
            budgets: vec![Budget {
                verifier: "city".to_owned(),
                days: 30,
                now: vec![("pairs in 30 days".to_owned(), 700_000, 1_000_000)],
                used: vec![Step { unix_ms: 0, value: 0 }, Step { unix_ms: 50, value: 700_000 }],
                cap: vec![Step { unix_ms: 0, value: 1_000_000 }],
                table: vec![("2026-01-02T00:00:00Z".to_owned(), "a request".to_owned(), 700_000, Some(1_000_000))],
                span: (0, 100),
                span_words: ("2026-01-01".to_owned(), "2026-01-31".to_owned()),
            }],
            listings: vec![
                Listing {
                    id: "refusals",
                    heading: "Refusals",
                    caption: "Refusals by reason",
                    headings: &["reason", "count"],
                    rows: vec![vec![hostile.into(), 3.into()]],
                },
                Listing { id: "epochs", heading: "Epochs", caption: "Epochs", headings: &["epoch"], rows: Vec::new() },
            ],
        }
    }

    #[test]
    fn a_page_with_hostile_texts() {
        let html = render(&page());
        for forbidden in ["<script", "<img", "onerror=\"", "javascript:", "@import", "url("] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        // The style is ours and does not change with what is shown.
        insta::assert_snapshot!(html.replace(STYLE, "STYLE\n"));
    }

    #[test]
    fn every_element_is_closed_and_every_table_has_a_caption_and_scopes() {
        let html = render(&page());
        for element in [
            "html", "head", "body", "header", "nav", "main", "section", "table", "caption", "thead", "tbody", "figure", "svg", "footer",
            "h2", "h3", "div",
        ] {
            let (open, close) = (
                html.matches(&format!("<{element}>")).count() + html.matches(&format!("<{element} ")).count(),
                html.matches(&format!("</{element}>")).count(),
            );
            assert_eq!(open, close, "{element}");
        }
        assert_eq!(html.matches("<table>").count(), html.matches("<caption>").count());
        assert_eq!(html.matches("<th").count() - html.matches("<thead").count(), html.matches("<th scope=").count());
        assert!(html.contains("<html lang=\"en\">") && html.contains("role=\"img\""));
    }
}
