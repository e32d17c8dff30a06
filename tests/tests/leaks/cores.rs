//! No core of any of the three programs is left: it would hold keys and rows.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oblink_tests::{Agencies, Program, eventually};

/// Starts a program that waits: for its standard input, or for dialers.
fn waiting(program: Program, agencies: &Agencies, folder: &Path) -> Child {
    let mut command = Command::new(program.path());
    match program {
        Program::Holder => command.args(["seal", "--input", "-", "--home"]).arg(&agencies.holder.home),
        Program::Verifier => {
            command.args(["check", "--holder", "127.0.0.1:1", "--input", "-", "--output", "r.csv", "--home"]).arg(&agencies.verifier.home)
        }
        Program::Demo => command
            .args(["verifier", "check", "--holder", "127.0.0.1:1", "--input", "-", "--output", "r.csv", "--home"])
            .arg(&agencies.verifier.home),
    };
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn end(mut child: Child) -> std::process::ExitStatus {
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(pid, Signal::SIGABRT).unwrap();
    child.wait().unwrap()
}

/// The limit on a core's size is 0, and a program that is made to abort dumps none, where the system would let it.
#[test]
fn no_core_is_dumped() {
    let agencies = Agencies::new();
    let folder = agencies.at("here");
    fs::create_dir(&folder).unwrap();
    // What this process may have, its children may: as much as an operator's shell could.
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    setrlimit(Resource::RLIMIT_CORE, hard, hard).unwrap();
    let sleeper = Command::new("sleep").arg("100").current_dir(&folder).spawn().unwrap();
    let dumps_here = end(sleeper).core_dumped();
    if !dumps_here {
        // Not skipped: the limit is looked at all the same.
        println!("this system dumps no cores, so that the programs' missing ones say nothing");
    }
    for file in fs::read_dir(&folder).unwrap().flatten() {
        fs::remove_file(file.path()).unwrap();
    }
    for program in [Program::Holder, Program::Verifier, Program::Demo] {
        let child = waiting(program, &agencies, &folder);
        let limits = format!("/proc/{}/limits", child.id());
        eventually("the limit on cores to be 0", || {
            let text = fs::read_to_string(&limits).unwrap();
            let line = text.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            (line.split_whitespace().skip(4).take(2).eq(["0", "0"])).then_some(())
        });
        // The kernel gives what a process has to root once it must not be dumped: where the tests are not root, it shows.
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{}/mem", child.id())).unwrap());
        assert_eq!(owner, 0, "{program:?}: its memory is open to the user's other processes");
        let status = end(child);
        assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::SIGABRT as i32), false), "{program:?}: {status}");
        // One that dies while it tries whether it may write its results leaves a name of its own there, which the next run sweeps.
        let left = fs::read_dir(&folder).unwrap().flatten().map(|file| file.file_name().into_string().unwrap());
        let left: Vec<String> = left.filter(|name| !(name.contains("r.csv") || name.contains("r.meta.json"))).collect();
        assert!(left.is_empty(), "{program:?} has left a core: {left:?}");
    }
}
