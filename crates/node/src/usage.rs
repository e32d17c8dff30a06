//! What this process has cost: processor time and memory.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time of all its threads, user and system, in seconds.
    pub cpu_s: f64,
    /// The most memory it had resident at one time, in MB of 10^6 bytes.
    pub peak_rss_mb: f64,
}

impl Usage {
    /// The usage of this process up to now; zeros where the system does not say.
    #[must_use]
    pub fn of_this_process() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Self::default() };
        let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        let rss = usage.max_rss();
        // getrusage gives kilobytes (1,024), but bytes on Apple's systems.
        let rss_bytes = if cfg!(target_vendor = "apple") { rss } else { rss.saturating_mul(1_024) };
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
        Self { cpu_s: cpu_us as f64 / 1e6, peak_rss_mb: peak_of_own_image().unwrap_or(rss_bytes as f64) / 1e6 }
    }
}

/// The peak from /proc, in bytes. On Linux `getrusage` starts a process that was executed from a larger one at that one's peak, which is
/// just what the demo's children would show.
fn peak_of_own_image() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_show() {
        let before = Usage::of_this_process();
        let memory = vec![1_u8; 64 << 20];
        let sum: u64 = (0..20).map(|n| memory.iter().map(|b| u64::from(*b) ^ n).sum::<u64>()).sum();
        assert!(std::hint::black_box(sum) > 0);
        let after = Usage::of_this_process();
        assert!(after.cpu_s > before.cpu_s, "{before:?} {after:?}");
        assert!(after.peak_rss_mb >= 64.0, "{after:?}");
    }
}
