//! Times as operators write them: a day, or a time in UTC.

use std::str::FromStr;

use crate::date::Date;

/// A day, or a time to the second, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    day_unix_ms: u64,
    /// Milliseconds into the day; `None` where a day alone was given.
    time_ms: Option<u64>,
}

const DAY_MS: u64 = 86_400_000;

impl Moment {
    /// The time, or the beginning of the day, in milliseconds since 1970.
    #[must_use]
    pub fn first_unix_ms(self) -> u64 {
        self.day_unix_ms + self.time_ms.unwrap_or(0)
    }

    /// The time, or the last millisecond of the day, in milliseconds since 1970.
    #[must_use]
    pub fn last_unix_ms(self) -> u64 {
        self.day_unix_ms + self.time_ms.unwrap_or(DAY_MS - 1)
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    /// Reads `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339, UTC), from 1970 on.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a time is written YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ";
        let (day, clock) = match text.split_once('T') {
            Some((day, clock)) => (day, Some(clock.strip_suffix('Z').ok_or(WRONG)?)),
            None => (text, None),
        };
        let day: Date = day.parse().map_err(|_| WRONG)?;
        let day_unix_ms = day.days_since_1970().ok_or("the years before 1970 are over")? * DAY_MS;
        let time_ms = match clock {
            None => None,
            Some(clock) => {
                let mut parts = clock
                    .split(':')
                    .map(|part| part.parse::<u64>().ok().filter(|_| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())));
                let mut next = || parts.next().flatten().ok_or(WRONG);
                let (hours, minutes, seconds) = (next()?, next()?, next()?);
                if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
                    return Err(WRONG);
                }
                Some(((hours * 60 + minutes) * 60 + seconds) * 1_000)
            }
        };
        Ok(Self { day_unix_ms, time_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole_and_a_time_is_itself() {
        let day: Moment = "2000-02-29".parse().unwrap();
        assert_eq!((day.first_unix_ms(), day.last_unix_ms()), (951_782_400_000, 951_868_799_999));
        let time: Moment = "2000-02-29T12:34:56Z".parse().unwrap();
        assert_eq!((time.first_unix_ms(), time.last_unix_ms()), (951_827_696_000, 951_827_696_000));
        for wrong in [
            "",
            "2000-02-30",
            "1969-12-31",
            "2000-02-29T12:34:56",
            "2000-02-29T12:34Z",
            "2000-02-29T24:00:00Z",
            "2000-02-29T+1:00:00Z",
            "2000-02-29 12:34:56Z",
        ] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
