//! The same instructions for all secrets: the program, one step at a time.

use core::arch::asm;
use core::ffi::{c_int, c_long, c_ulong};
use core::hash::Hasher;
use std::hash::DefaultHasher;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use oblink_oprf::Engine;

use super::choose;
use super::operations::{ALL, Session};

/// Secrets are made of these; all have as many digits.
const SECRETS: [&str; 2] = ["11", "12"];

const PTRACE_TRACEME: c_int = 0;
const PTRACE_PEEKUSER: c_int = 3;
const PTRACE_CONT: c_int = 7;
const PTRACE_SINGLESTEP: c_int = 9;
/// Where `struct user` has the instruction pointer.
const RIP: usize = 16 * 8;
const ADDR_NO_RANDOMIZE: c_ulong = 0x0004_0000;
const SIGTRAP: c_int = 5;

#[allow(unsafe_code)]
// SAFETY: as the C library declares them.
unsafe extern "C" {
    fn ptrace(request: c_int, pid: c_int, address: usize, data: usize) -> c_long;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn personality(persona: c_ulong) -> c_int;
}

/// Stops where it is called: always at the same address.
#[inline(never)]
#[allow(unsafe_code)]
fn stop() {
    // SAFETY: a trap, which the tracing process sees and takes away.
    unsafe { asm!("int3") };
}

/// Runs the operation between two stops.
pub(crate) fn in_this_process(engine: Engine, operation: &str, secret: u64) {
    choose(engine);
    let session = Session::new(secret);
    // Tables made once, pages and lazily bound symbols.
    session.run(operation);
    stop();
    let out = session.run(operation);
    stop();
    drop(core::hint::black_box(out));
}

/// A process that waits to be traced.
#[allow(unsafe_code)]
fn start(engine: Engine, operation: &str, secret: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--steps", engine.name(), operation, secret]).env_clear().stdout(Stdio::null());
    // SAFETY: both are system calls, which may be made between fork and exec. Addresses are not randomised, for memory copies and the
    // allocator take another path where an address is aligned otherwise.
    unsafe {
        command.pre_exec(|| {
            personality(ADDR_NO_RANDOMIZE);
            if ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    command.spawn().unwrap()
}

/// Lets the process go on; whether it stopped at a trap, or else its exit status.
#[allow(unsafe_code)]
fn go_on(pid: c_int, request: c_int) -> Result<(), i32> {
    let mut status = 0;
    // SAFETY: the process is this one's child and stopped; `status` is a place for an int.
    unsafe {
        assert_eq!(ptrace(request, pid, 0, 0), 0);
        assert_eq!(waitpid(pid, &raw mut status, 0), pid);
    }
    match (status & 0xff, status >> 8) {
        (0x7f, SIGTRAP) => Ok(()),
        (_, code) => Err(code),
    }
}

#[allow(unsafe_code)]
fn instruction_pointer(pid: c_int) -> u64 {
    // SAFETY: the process is this one's child and stopped.
    unsafe { ptrace(PTRACE_PEEKUSER, pid, RIP, 0) }.cast_unsigned()
}

/// How many instructions the operation took and a digest of their addresses.
#[allow(unsafe_code)]
fn path(engine: Engine, operation: &str, secret: &str) -> (u64, u64) {
    let mut child = start(engine, operation, secret);
    let pid = child.id().cast_signed();
    let mut status = 0;
    // SAFETY: `status` is a place for an int. It stops once at exec.
    unsafe { assert_eq!(waitpid(pid, &raw mut status, 0), pid) };
    go_on(pid, PTRACE_CONT).expect("the first stop");
    let begin = instruction_pointer(pid);
    let (mut steps, mut digest) = (0_u64, DefaultHasher::new());
    loop {
        go_on(pid, PTRACE_SINGLESTEP).unwrap();
        let at = instruction_pointer(pid);
        if at == begin {
            break;
        }
        steps += 1;
        digest.write_u64(at);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (steps, digest.finish())
}

/// What valgrind cannot run, and a control.
pub(crate) fn all(chosen: &[&str]) {
    let engine = Engine::Ifma;
    if !engine.is_available() {
        println!("skipped: single steps on {engine}, which is not available on this processor");
        return;
    }
    for operation in ALL.iter().copied().filter(|name| chosen.contains(name)) {
        let paths = SECRETS.map(|secret| path(engine, operation, secret));
        assert!(paths.iter().all(|path| *path == paths[0]), "{engine}, {operation}: a branch depends on a secret: {paths:?}");
        println!("single steps: {engine}, {operation}: the same {} instructions", paths[0].0);
    }
    // It takes another branch for each byte that is even.
    let paths = SECRETS.map(|secret| path(engine, "control-branch", secret));
    assert!(paths.iter().any(|path| *path != paths[0]), "control-branch was not noticed");
    println!("single steps: control-branch: noticed");
}
