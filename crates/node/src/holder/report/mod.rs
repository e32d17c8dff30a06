//! `ledger report`: one page for people who oversee the holder.

mod budgets;
mod chart;
mod gather;
mod html;
mod page;

use oblink_store::ledger::SqliteLedger;
use serde_json::json;

use super::ledger::verified;
use crate::cli::LedgerReportArgs;
use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::home::Home;
use crate::report::Reporter;

/// Verifies the ledger and writes the page.
pub(super) fn report(args: &LedgerReportArgs, home: &Home, ledger: &SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let whole = verified(home, ledger, &[])?;
    let page = gather::page(home, ledger, &whole)?;
    let html = page::render(&page);
    let path = &args.output;
    write_atomically(path, html.as_bytes())
        .map_err(|error| Failure::input("report_write", format!("cannot write {}: {}", path.display(), io_cause(&error))))?;
    reporter.json(&json!({
        "report": path.display().to_string(), "bytes": html.len(), "requests": page.requests.len(), "entries": whole.head.size,
    }));
    reporter.answer(&format!("{} requests, {} entries\n  {}", page.requests.len(), whole.head.size, path.display()));
    Ok(())
}
