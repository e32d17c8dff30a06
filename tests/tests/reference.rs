//! The Python reference checks every vector beside SPEC.md, and appendix A of SPEC.md. It needs nothing but Python.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// The oldest Python that can read the reference (`match`, `tomllib`).
const OLDEST: (u32, u32) = (3, 11);

/// The version of `python3`, where there is one.
fn python_version() -> Option<(u32, u32)> {
    let print = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let output = Command::new("python3").args(["-c", print]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[test]
fn the_python_reference_agrees_with_every_vector() {
    match python_version() {
        None => return skip("there is no python3"),
        Some(version) if version < OLDEST => return skip(&format!("python3 is {}.{}", version.0, version.1)),
        Some(_) => {}
    }
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/reference/check.py");
    // Compiled files stay out of the source.
    let output = Command::new("python3").arg("-B").arg(check).output().unwrap();
    let (shown, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let failed: Vec<&str> = shown.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{}\n{complaints}", failed.join("\n"));
    assert!(shown.lines().filter(|line| line.starts_with("ok ")).count() > 500, "it checked next to nothing:\n{shown}");
}

#[expect(clippy::print_stderr, reason = "whoever looks should see that nothing was checked")]
fn skip(why: &str) {
    eprintln!("skipped: {why}; the reference needs Python {}.{} or later", OLDEST.0, OLDEST.1);
}
