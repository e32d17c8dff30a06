//! A clock that jumps: a small library in C, compiled where a C compiler is, that is loaded before the system's and shifts the wall clock of a
//! program by what a file says. The programs know nothing of it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// The wall clock alone: what programs measure times by goes on undisturbed.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift_ms;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("OBLINK_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *at = mmap(NULL, sizeof *shift_ms, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) shift_ms = at;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    long failed = syscall(SYS_clock_gettime, clock, t);
    if (failed == 0 && shift_ms && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + *shift_ms * 1000000;
        t->tv_sec = ns / 1000000000;
        t->tv_nsec = ns % 1000000000;
    }
    return (int)failed;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *t) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
"#;

/// The wall clock of whatever programs are started with [`env`](Self::env).
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: File,
    path: PathBuf,
    _folder: TempDir,
}

impl Clock {
    /// A clock that is right. `None`, and why, where such a library cannot be made or has no effect.
    ///
    /// # Errors
    /// A line that says why.
    ///
    /// # Panics
    /// Where there is no room for it.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let (source, library, path) = (folder.path().join("clock.c"), folder.path().join("clock.so"), folder.path().join("shift"));
        std::fs::write(&source, SHIM).unwrap();
        std::fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let made = Command::new(compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).stdin(Stdio::null()).output();
        match made {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(format!("the clock's library does not compile: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) => return Err(format!("there is no C compiler: {error}")),
        }
        let file = File::options().write(true).open(&path).unwrap();
        let clock = Self { library, file, path, _folder: folder };
        clock.works().then_some(clock).ok_or_else(|| "this system loads no library before its own".to_owned())
    }

    /// Whether a program of the system's sees it: the year 2100 is far from any test.
    fn works(&self) -> bool {
        const CENTURY_MS: i64 = 3_200_000_000_000;
        self.shift(CENTURY_MS);
        let mut date = Command::new("date");
        date.arg("+%s").envs(self.env()).stdin(Stdio::null());
        let seen = date.output().ok().and_then(|said| String::from_utf8(said.stdout).ok()?.trim().parse::<i64>().ok());
        self.shift(0);
        seen.is_some_and(|seconds| seconds > CENTURY_MS / 1_000)
    }

    /// What a program is started with so that it goes by this clock.
    ///
    /// # Panics
    /// Where a path is not UTF-8.
    #[must_use]
    pub fn env(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", self.library.to_str().unwrap()), ("OBLINK_TEST_CLOCK", self.path.to_str().unwrap())]
    }

    /// From now on it is off by so many milliseconds, also in programs that run.
    ///
    /// # Panics
    /// Where the file cannot be written.
    pub fn shift(&self, ms: i64) {
        self.file.write_all_at(&ms.to_ne_bytes(), 0).unwrap();
    }

    /// Likewise, ahead.
    ///
    /// # Panics
    /// Likewise.
    pub fn ahead(&self, by: Duration) {
        self.shift(by.as_millis() as i64);
    }

    /// Likewise, behind.
    ///
    /// # Panics
    /// Likewise.
    pub fn behind(&self, by: Duration) {
        self.shift(-(by.as_millis() as i64));
    }
}
