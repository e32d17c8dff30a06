//! Calendar dates and the clock: no time zone but UTC, no dependency.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A date of the proleptic Gregorian calendar from year 1 to 9999, as decimal yyyymmdd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(u32);

impl Date {
    /// The date as decimal yyyymmdd, as a sealed set's header has it (SPEC SET-1).
    #[must_use]
    pub fn yyyymmdd(self) -> u32 {
        self.0
    }

    /// The date that a decimal yyyymmdd stands for; `None` where there is no such day.
    #[must_use]
    pub fn from_yyyymmdd(value: u32) -> Option<Self> {
        let (year, month, day) = (value / 10_000, value / 100 % 100, value % 100);
        let valid = (1..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        valid.then_some(Self(value))
    }

    /// The day of `time` in UTC.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let (year, month, day) = civil(seconds(time) / 86_400);
        Self(year * 10_000 + month * 100 + day)
    }

    /// Whole days from 1970-01-01; `None` before.
    #[must_use]
    pub fn days_since_1970(self) -> Option<u64> {
        let (year, month, day) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        let years = (1970..year).map(|y| 337 + days_in(y, 2)).sum::<u32>();
        let months = (1..month).map(|m| days_in(year, m)).sum::<u32>();
        (year >= 1970).then_some(u64::from(years + months + day - 1))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}

impl FromStr for Date {
    type Err = &'static str;

    /// Reads `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a date is written YYYY-MM-DD";
        let bytes = text.as_bytes();
        let shape =
            bytes.len() == 10 && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
        if !shape {
            return Err(WRONG);
        }
        let value = text.bytes().filter(u8::is_ascii_digit).fold(0, |n, b| n * 10 + u32::from(b - b'0'));
        Self::from_yyyymmdd(value).ok_or("there is no such day in the calendar")
    }
}

/// `time` as `YYYY-MM-DDTHH:MM:SSZ`.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let s = seconds(time);
    format!("{}T{:02}:{:02}:{:02}Z", Date::of(time), s / 3_600 % 24, s / 60 % 60, s % 60)
}

/// Milliseconds since 1970; 0 for a clock set before.
#[must_use]
pub fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// Seconds since 1970, held inside the years that [`Date`] can say.
fn seconds(time: SystemTime) -> u64 {
    (unix_ms(time) / 1_000).min(253_402_300_799)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 as (year, month, day).
fn civil(days: u64) -> (u32, u32, u32) {
    let mut rest = u32::try_from(days).unwrap_or(0);
    let mut year = 1970;
    loop {
        let length = 337 + days_in(year, 2);
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let mut month = 1;
    while rest >= days_in(year, month) {
        rest -= days_in(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_checked_against_the_calendar() {
        assert_eq!("2024-02-29".parse::<Date>().unwrap().yyyymmdd(), 20_240_229);
        for wrong in
            ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "0000-01-01", "24-1-1", "2024/01/01", "2024-01-1x", ""]
        {
            assert!(wrong.parse::<Date>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_clock_is_read_in_utc() {
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        assert_eq!(rfc3339(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(at(951_827_696)), "2000-02-29T12:34:56Z");
        assert_eq!(rfc3339(at(1_704_067_199)), "2023-12-31T23:59:59Z");
        assert_eq!(Date::of(at(u64::MAX / 4)).to_string(), "9999-12-31");
    }
}
