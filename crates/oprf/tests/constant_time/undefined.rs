//! Secrets as undefined memory, under valgrind.

use core::arch::asm;
use std::process::{Command, Stdio};

use oblink_oprf::Engine;

use super::operations::{ALL, CONTROLS, Session};
use super::{UNAVAILABLE, choose};

/// What valgrind exits with when it has found errors.
const ERRORS: i32 = 99;

/// What is public although it comes of secrets, as valgrind's suppressions: the kind of error, the function, and why. The first frame must
/// match where there are no dots.
const PUBLIC: [(&str, &[&str], &str); 3] = [
    // Elements are compared with the identity's encoding when they are done. Only an input that hashes to it, or a blind that undoes a
    // hash, is found, and is an error that the caller sees: probability 2^-252.
    ("Memcheck:Cond", &["...", "fun:*refuse_identity*"], "that a result is not the identity"),
    // curve25519-dalek asserts that the product it inverts is not zero. Blinds are not, by their type; of coordinates zeros are left out.
    ("Memcheck:Cond", &["fun:*invert_batch*"], "that what is inverted is not zero"),
    // Drawn again if it is zero: probability 2^-252.
    ("Memcheck:Cond", &["fun:*prove*"], "that a proof's nonce is not zero"),
];

/// Memcheck's requests (memcheck.h of valgrind).
const MAKE_UNDEFINED: usize = 0x4d43_0001;
const MAKE_DEFINED: usize = 0x4d43_0002;
const GET_VBITS: usize = 0x4d43_0008;
/// valgrind's own (valgrind.h): more than zero under valgrind.
const RUNNING: usize = 0x1001;

/// Asks valgrind; without it these instructions do nothing, and the answer is 0.
#[allow(unsafe_code)]
fn request(code: usize, a: usize, b: usize, c: usize) -> usize {
    let arguments = [code, a, b, c, 0, 0];
    let answer;
    // SAFETY: rdi is turned by 128 bits in all and rbx exchanged with itself: neither changes. Memory may be read and written, as is taken
    // of assembly unless it says otherwise.
    unsafe {
        asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(), inout("rdx") 0_usize => answer, options(nostack)
        );
    }
    answer
}

/// Where in an object of `len` bytes the secret lies.
#[allow(unsafe_code)]
pub(crate) fn find(place: *const u8, len: usize, secret: &[u8; 32]) -> usize {
    // SAFETY: the caller's object has `len` bytes, and is borrowed for the time of the call. Key pairs consist of bytes and 64-bit words,
    // so none of theirs is padding.
    let bytes = unsafe { core::slice::from_raw_parts(place, len) };
    bytes.windows(secret.len()).position(|window| window == secret).expect("the key's scalar")
}

/// Runs an operation on secrets marked undefined; valgrind counts what depends on them.
pub(crate) fn in_this_process(engine: Engine, operation: &str) {
    assert!(request(RUNNING, 0, 0, 0) > 0, "not under valgrind");
    choose(engine);
    let session = Session::new(1);
    session.run(operation);
    let secrets = session.secrets();
    for (place, len) in &secrets {
        request(MAKE_UNDEFINED, *place as usize, *len, 0);
    }
    let out = session.run(operation);
    for (place, len) in &secrets {
        request(MAKE_DEFINED, *place as usize, *len, 0);
    }
    // Or the marks were lost on the way, and nothing was tested.
    let mut marks = vec![0_u8; out.len()];
    assert_eq!(request(GET_VBITS, out.as_ptr() as usize, marks.as_mut_ptr() as usize, out.len()), 1);
    request(MAKE_DEFINED, marks.as_ptr() as usize, marks.len(), 0);
    assert!(operation.starts_with("control") || marks.iter().any(|mark| *mark != 0), "the results do not depend on the secrets");
}

fn suppressions() -> std::path::PathBuf {
    let mut text = String::new();
    for (kind, frames, why) in PUBLIC {
        text += &format!("{{\n   {why}\n   {kind}\n   {}\n}}\n", frames.join("\n   "));
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("public.supp");
    std::fs::write(&path, text).unwrap();
    path
}

/// `None` where the engine is not available under valgrind; else whether it found nothing.
fn silent(suppressions: &std::path::Path, engine: Engine, operation: &str) -> Option<bool> {
    let output = Command::new("valgrind")
        .args(["-q", "--track-origins=no", "--read-inline-info=yes", "--num-callers=40", "--keep-debuginfo=no"])
        .arg(format!("--error-exitcode={ERRORS}"))
        .arg(format!("--suppressions={}", suppressions.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--undefined", engine.name(), operation])
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => Some(true),
        Some(UNAVAILABLE) => None,
        Some(ERRORS) => {
            if !operation.starts_with("control") {
                println!("{}", String::from_utf8_lossy(&output.stderr));
            }
            Some(false)
        }
        _ => panic!("{engine}, {operation}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// All engines, all operations; then the controls.
pub(crate) fn all(chosen: &[&str]) {
    if !Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: undefined memory, for there is no valgrind here");
        return;
    }
    let suppressions = suppressions();
    for engine in Engine::ALL {
        for operation in ALL.iter().filter(|name| chosen.contains(name)) {
            match silent(&suppressions, engine, operation) {
                None => {
                    println!("skipped: undefined memory on {engine}, which is not available under valgrind");
                    break;
                }
                Some(silent) => {
                    assert!(silent, "{engine}, {operation}: a branch or an address depends on a secret");
                    println!("undefined memory: {engine}, {operation}: silent");
                }
            }
        }
    }
    for control in CONTROLS {
        assert_eq!(silent(&suppressions, Engine::Portable, control), Some(false), "{control} was not noticed");
        println!("undefined memory: {control}: noticed");
    }
    // Decoding by vectors: the marks go through its registers, and out of them.
    if let Some(silent) = silent(&suppressions, Engine::Avx2, "control-decode") {
        assert!(!silent, "control-decode was not noticed on avx2");
        println!("undefined memory: control-decode on avx2: noticed");
    }
}
