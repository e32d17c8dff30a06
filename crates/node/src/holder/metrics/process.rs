//! What this process uses, under the names that Prometheus's own libraries give it. What the system does not tell is left out.

use std::fs;
use std::time::SystemTime;

use super::page::Page;
use crate::usage::Usage;

/// The size of memory in `/proc/self/status`, in bytes.
fn status_bytes(status: &str, name: &str) -> Option<u64> {
    let kilobytes: u64 = status_number(status, name)?;
    kilobytes.checked_mul(1_024)
}

/// The number after `name:`.
fn status_number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Descriptors that are open. The one that reads the directory is not counted.
fn open_fds() -> Option<u64> {
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Writes them; `began` is when `serve` did.
pub(super) fn write(page: &mut Page<'_>, began: SystemTime) -> Result<(), std::fmt::Error> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    page.counter("process_cpu_seconds_total", "Processor time, user and system", Usage::of_this_process().cpu_s)?;
    page.gauge("process_start_time_seconds", "When serve began, seconds since 1970", seconds(began))?;
    let gauges = [
        ("process_resident_memory_bytes", "Memory resident now", status_bytes(&status, "VmRSS")),
        ("process_resident_memory_max_bytes", "The most memory that was resident at one time", status_bytes(&status, "VmHWM")),
        ("process_threads", "Threads", status_number(&status, "Threads")),
        ("process_open_fds", "Descriptors open", open_fds()),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            page.gauge(name, help, value)?;
        }
    }
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    if let Ok((soft, _)) = limit {
        page.gauge("process_max_fds", "Descriptors that may be open", soft)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_status_are_read() {
        let status = "Name:\toblink\nVmHWM:\t    9000 kB\nVmRSS:\t    8000 kB\nThreads:\t7\n";
        assert_eq!(status_bytes(status, "VmRSS"), Some(8_192_000));
        assert_eq!(status_number(status, "Threads"), Some(7));
        assert_eq!(status_number(status, "Thread"), None);
        assert_eq!(status_bytes("VmRSS:\tmany", "VmRSS"), None);
    }
}
