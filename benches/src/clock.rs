//! Processor time of one thread: on a machine that does other work too, the clock on the wall measures that work as well.

use nix::time::{ClockId, clock_gettime};

/// Processor time of the calling thread since it began, in seconds.
///
/// # Errors
/// The system's, where it has no such clock.
pub fn thread_cpu_s() -> nix::Result<f64> {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(now.tv_sec() as f64 + now.tv_nsec() as f64 / 1e9)
}

/// What `work` gives, and the processor time of this thread that it took, in seconds.
///
/// # Errors
/// As [`thread_cpu_s`].
pub fn timed<T>(work: impl FnOnce() -> T) -> nix::Result<(T, f64)> {
    let began = thread_cpu_s()?;
    let result = work();
    Ok((result, thread_cpu_s()? - began))
}

/// The median; of an even number of values the mean of the middle two. 0 of none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!(median([]).abs() < 1e-9);
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn sleep_costs_no_processor_time_and_work_does() {
        let ((), asleep) = timed(|| std::thread::sleep(std::time::Duration::from_millis(50))).unwrap();
        assert!(asleep < 0.04, "{asleep}");
        let (sum, awake) = timed(|| (0..5_000_000_u64).fold(0, |sum, i| std::hint::black_box(sum ^ i))).unwrap();
        assert!(std::hint::black_box(sum) < u64::MAX && awake > 0.0);
    }
}
