//! Values that the command line writes in words of its own.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use oblink_session::limits::SESSION_TOKENS_MAX_DEFAULT;
use oblink_session::request::{check_text, from_hex};

/// A number of bytes: `1G`, `256M`, `512MiB`, `1048576`. All multiples are of 1,024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(
    /// The bytes.
    pub u64,
);

impl FromStr for ByteSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a size is written 1G, 256M, 512MiB or in bytes";
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(at);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(WRONG),
        };
        let number: u64 = digits.parse().map_err(|_| WRONG)?;
        number.checked_mul(1 << shift).map(Self).ok_or("this size is larger than any memory")
    }
}

/// A share of rows: `0.1%`, or `0`. Kept in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    millionths: u32,
}

impl Share {
    /// The share as a fraction, 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }

    /// Whether `part` of `whole` is more than this share allows.
    #[must_use]
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 > u128::from(whole) * u128::from(self.millionths)
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.millionths / 10_000, self.millionths % 10_000);
        let rest = format!("{rest:04}");
        let rest = rest.trim_end_matches('0');
        write!(f, "{whole}{}{rest}%", if rest.is_empty() { "" } else { "." })
    }
}

impl FromStr for Share {
    type Err = &'static str;

    /// Reads 0 to 100 with up to four decimals and a `%`, which only `0` may lack.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a share is written as 0.1%, from 0% to 100%, with at most four decimals";
        let number = match text.strip_suffix('%') {
            Some(number) => number.trim_end(),
            None if text == "0" => text,
            None => return Err(WRONG),
        };
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |s: &str, max: usize| (1..=max).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole, 3) || !is_digits(rest, 4) {
            return Err(WRONG);
        }
        let millionths = format!("{whole}{rest:0<4}").parse().map_err(|_| WRONG)?;
        if millionths > 1_000_000 { Err(WRONG) } else { Ok(Self { millionths }) }
    }
}

/// A count: `700000`, `700_000`, `700k`, `7M`.
pub(super) fn count(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str = "a count is written 700000, 700k or 7M, and is at least 1";
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1_000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let number: u64 = digits.replace('_', "").parse().map_err(|_| WRONG)?;
    number.checked_mul(unit).filter(|n| *n > 0 && *n <= 1 << 40).ok_or(WRONG)
}

/// The most pairs that a list is padded to: no session of more is answered (SPEC TAG-2), and each of them takes memory.
pub(crate) const PAD_TO_MAX: u64 = SESSION_TOKENS_MAX_DEFAULT;

/// How many pairs are asked, padding included: `700000`, `700k`.
pub(super) fn pad_to(text: &str) -> Result<u64, &'static str> {
    count(text).ok().filter(|pairs| *pairs <= PAD_TO_MAX).ok_or("a number of pairs is written as 700000, 700k or 7M, from 1 to 16777216")
}

/// A time in seconds, from 1 to a day.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.strip_suffix('s').unwrap_or(text).parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a time is written in seconds, from 1 to 86400"),
    }
}

/// As [`seconds`], or 0.
pub(super) fn seconds_or_none(text: &str) -> Result<Duration, &'static str> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { seconds(text).map_err(|_| "a time is written in seconds, from 0 to 86400") }
}

/// Free text of an operator's: what officials and auditors read, so it is held to what a request's texts are (SPEC REQ-6).
pub(super) fn text(text: &str) -> Result<String, &'static str> {
    if check_text(text) {
        Ok(text.to_owned())
    } else {
        Err("a text is 1 to 1,024 bytes long, on one line, without invisible characters and without blanks at either end")
    }
}

/// An epoch's id: 32 hexadecimal digits, as `ledger show` prints it.
pub(super) fn epoch_id(text: &str) -> Result<[u8; 16], &'static str> {
    from_hex(&text.to_ascii_lowercase()).ok_or("an epoch's id is 32 hexadecimal digits, as `ledger show --json` prints it")
}

/// Where a holder serves: `HOST:PORT`, an IPv6 address in brackets.
pub(super) fn host_port(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "the holder's address is written HOST:PORT, as in holder.example.gov:4433 or [2001:db8::1]:4433";
    let (host, port) = text.rsplit_once(':').ok_or(WRONG)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = if bracketed {
        host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty() && !host.contains([':', '/', '[', ']', '@', ' '])
    };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    if is_host && is_port { Ok(text.to_owned()) } else { Err(WRONG) }
}

/// Where to listen: `IP:PORT`.
pub(super) fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an address to listen on is written IP:PORT, as in 127.0.0.1:4433 or [::1]:4433")
}

/// Where to show metrics: `IP:PORT` of this machine's own. They are not encrypted, and nobody has to say who they are.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text.parse().map_err(|_| "an address for metrics is written IP:PORT, as in 127.0.0.1:9464 or [::1]:9464")?;
    let own = address.ip().to_canonical().is_loopback();
    own.then_some(address)
        .ok_or("metrics are shown on a loopback address alone (127.0.0.1 or [::1]): they are neither encrypted nor guarded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let of = |text: &str| text.parse::<ByteSize>().map(|s| s.0);
        assert_eq!(of("1G"), Ok(1 << 30));
        assert_eq!(of("512MiB"), Ok(512 << 20));
        assert_eq!(of("256 m"), Ok(256 << 20));
        assert_eq!(of("1048576"), Ok(1 << 20));
        for wrong in ["", "G", "-1", "1.5G", "1X", "99999999999999999999", "18446744073709551615T"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_of_holders() {
        for right in ["holder.example.gov:4433", "127.0.0.1:1", "[::1]:65535", "localhost:4433"] {
            assert_eq!(host_port(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            ":",
            "h",
            "h:",
            ":4433",
            "h:0",
            "h:65536",
            "h:+1",
            "::1",
            "::1:4433",
            "[::1]",
            "[h]:1",
            "[]:1",
            "[:1",
            "https://h:1",
            "h:1/",
            "a b:1",
        ] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_for_metrics() {
        for right in ["127.0.0.1:0", "127.0.0.1:9464", "[::1]:9464", "127.1.2.3:1"] {
            assert!(loopback(right).is_ok(), "{right}");
        }
        for wrong in ["0.0.0.0:9464", "192.0.2.1:9464", "[::]:9464", "[2001:db8::1]:9464"] {
            assert!(loopback(wrong).unwrap_err().contains("loopback"), "{wrong}");
        }
        for wrong in ["", "9464", "localhost:9464", "127.0.0.1"] {
            assert!(loopback(wrong).unwrap_err().contains("IP:PORT"), "{wrong}");
        }
    }

    #[test]
    fn shares() {
        let of = |text: &str| text.parse::<Share>().map(|s| s.millionths);
        assert_eq!(of("0.1%"), Ok(1_000));
        assert_eq!(of("100%"), Ok(1_000_000));
        assert_eq!(of("0"), Ok(0));
        assert_eq!(of("0.0001%"), Ok(1));
        assert_eq!(of("12.5 %"), Ok(125_000));
        for wrong in ["", "%", "0.1", "101%", "-1%", "0.00001%", ".5%", "1e1%", "100.0001%"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        for text in ["0.1%", "12.5%", "100%", "0%"] {
            assert_eq!(text.parse::<Share>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_share_is_exceeded_only_by_more() {
        let share: Share = "0.1%".parse().unwrap();
        assert!(!share.is_exceeded_by(1, 1_000));
        assert!(share.is_exceeded_by(1, 999));
        assert!(!share.is_exceeded_by(0, 0));
        assert!("0".parse::<Share>().unwrap().is_exceeded_by(1, u64::MAX));
    }

    #[test]
    fn counts_and_times() {
        assert_eq!(count("700k"), Ok(700_000));
        assert_eq!(count("7M"), Ok(7_000_000));
        assert_eq!(count("10_000"), Ok(10_000));
        for wrong in ["", "k", "0", "-1", "1.5M", "99999999999M", "é"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("30"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("30s"), Ok(Duration::from_secs(30)));
        for wrong in ["0", "", "1.5", "86401"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
