//! The machine and the versions that a measurement was made with. Nothing that names the machine.

use std::fs;

use serde_json::{Value, json};

/// Cores, processor, memory, system; null where the system does not say.
#[must_use]
pub fn describe() -> Value {
    json!({
        "cores": std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        "cpu": field("/proc/cpuinfo", "model name"),
        "memory_mb": memory_mb(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    })
}

fn memory_mb() -> Option<u64> {
    let kilobytes: u64 = field("/proc/meminfo", "MemTotal")?.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024 / 1_000_000)
}

/// The first `key: value` of a file in /proc.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

/// This version of oblink and those of the libraries that do the work, as the lock file has them.
#[must_use]
pub fn versions() -> Value {
    json!({
        "oblink": env!("CARGO_PKG_VERSION"),
        "optimised": !cfg!(debug_assertions),
        "curve25519-dalek": locked("curve25519-dalek"),
        "sha2": locked("sha2"),
        "quinn": locked("quinn"),
        "rustls": locked("rustls"),
    })
}

/// The newest locked version of a package: others of the name are there for tests alone.
fn locked(name: &str) -> Option<&'static str> {
    let named = format!("[[package]]\nname = \"{name}\"\nversion = \"");
    let lock = include_str!("../../Cargo.lock");
    lock.rsplit_once(&named).and_then(|(_, rest)| rest.split_once('"')).map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_is_understood() {
        assert!(locked("curve25519-dalek").is_some_and(|version| version.starts_with("5.")));
        assert_eq!(locked("no-such-package"), None);
    }
}
