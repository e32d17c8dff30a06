//! `ledger export` for other programs, `ledger extract` for one verifier's audit.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use oblink_quic::Fingerprint;
use oblink_session::request::to_hex;
use oblink_store::ledger::{LogEntry, NO_PARTY, SqliteLedger};
use serde_json::json;

use super::{signed_now, time};
use crate::cli::{ExportFormat, LedgerExportArgs, LedgerExtractArgs};
use crate::failure::{Failure, io_cause};
use crate::files::Pending;
use crate::home::Home;
use crate::report::Reporter;

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::input("export_write", format!("cannot write {}: {}", path.display(), io_cause(error)))
}

/// Fingerprint of an entry's party; empty where it concerns no verifier.
fn party(entry: &LogEntry<'_>) -> String {
    if entry.party == NO_PARTY { String::new() } else { Fingerprint::from_bytes(entry.party).to_string() }
}

/// One entry of the log on a line of JSON. Its body is canonical JSON, and goes in as it is.
fn json_line(entry: &LogEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{{\"seq\":{},\"kind\":\"{}\",\"at\":\"{}\",\"unix_ms\":{},\"party\":\"{}\",\"body\":{}}}",
        entry.seq,
        entry.kind.name(),
        time(entry.unix_ms),
        entry.unix_ms,
        party(entry),
        entry.body
    )
}

fn write_all(format: ExportFormat, ledger: &SqliteLedger, out: &mut dyn Write) -> Result<u64, Failure> {
    match format {
        ExportFormat::Json => Ok(ledger.entries(0, &mut |entry| json_line(entry, out))?),
        ExportFormat::Csv => {
            let mut rows = csv::Writer::from_writer(out);
            let failed = |error: csv::Error| Failure::input("export_write", format!("cannot write the export: {error}"));
            rows.write_record(["seq", "kind", "at", "unix_ms", "party", "body"]).map_err(failed)?;
            let count = ledger.entries(0, &mut |entry| {
                let (seq, unix_ms) = (entry.seq.to_string(), entry.unix_ms.to_string());
                let row = [seq.as_str(), entry.kind.name(), &time(entry.unix_ms), &unix_ms, &party(entry), entry.body];
                rows.write_record(row).map_err(io::Error::other)
            })?;
            rows.flush().map_err(|error| Failure::input("export_write", format!("cannot write the export: {}", io_cause(&error))))?;
            Ok(count)
        }
    }
}

/// Every entry, to a file (0600) or to standard output.
pub(super) fn export(args: &LedgerExportArgs, ledger: &SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let Some(path) = &args.output else {
        if reporter.is_json() && args.format == ExportFormat::Csv {
            return Err(
                Failure::usage("usage", "under --json standard output carries JSON only").with_hint("give --output FILE, or --format json")
            );
        }
        let mut out = BufWriter::with_capacity(1 << 16, Stdout(reporter));
        write_all(args.format, ledger, &mut out)?;
        return out.flush().map_err(|error| cannot_write(Path::new("standard output"), &error));
    };
    let mut pending = Pending::create(path).map_err(|error| cannot_write(path, &error))?;
    let mut out = BufWriter::new(pending.file().map_err(|error| cannot_write(path, &error))?);
    let entries = write_all(args.format, ledger, &mut out)?;
    out.flush().map_err(|error| cannot_write(path, &error))?;
    drop(out);
    pending.keep().map_err(|error| cannot_write(path, &error))?;
    let format = match args.format {
        ExportFormat::Json => "json",
        ExportFormat::Csv => "csv",
    };
    reporter.json(&json!({ "export": path.display().to_string(), "format": format, "entries": entries }));
    reporter.answer(&format!("{entries} entries\n  {}", path.display()));
    Ok(())
}

/// Standard output as the reporter has it.
struct Stdout<'a>(&'a Reporter);

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.raw(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What one verifier needs for its audit: its own entries whole, of the others what the proof needs, under a head signed now.
pub(super) fn extract(args: &LedgerExtractArgs, home: &Home, ledger: &mut SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let party = match args.peer.parse::<Fingerprint>() {
        // Of one that is trusted no longer.
        Ok(fingerprint) => fingerprint,
        Err(_) => home.peers()?.select(Some(&args.peer))?.1,
    };
    let head = signed_now(home, ledger)?;
    let path = &args.output;
    let mut pending = Pending::create(path).map_err(|error| cannot_write(path, &error))?;
    let mut out = BufWriter::new(pending.file().map_err(|error| cannot_write(path, &error))?);
    let certificate = *home.statement_key().certificate();
    let open = ledger.extract(party.as_bytes(), home.fingerprint().as_bytes(), &head, &certificate, &mut out)?;
    out.flush().map_err(|error| cannot_write(path, &error))?;
    drop(out);
    pending.keep().map_err(|error| cannot_write(path, &error))?;
    reporter.json(&json!({
        "extract": path.display().to_string(), "verifier": party.to_string(), "entries": head.head.size, "open": open,
        "root": to_hex(&head.head.root),
    }));
    reporter.answer(&format!("{open} of {} entries open for {}\n  {}", head.head.size, args.peer, path.display()));
    Ok(())
}
