//! Days and seconds of the proleptic Gregorian calendar, in UTC.

/// Seconds of a day.
pub(crate) const DAY_S: u64 = 86_400;
/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// Days from 1970-01-01 to a date of the years 1 to 9999, negative before it; `None` for what is no date.
pub(crate) fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = *LENGTHS.get(month.checked_sub(1)? as usize)? + u32::from(leap && month == 2);
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // 719,468 days from 0000-03-01 to 1970-01-01.
    Some(i64::from(days) - 719_468)
}

/// Days from 1970-01-01 to a date written as the integer yyyymmdd.
pub(crate) fn days_of(yyyymmdd: u32) -> Option<i64> {
    days(yyyymmdd / 10_000, yyyymmdd / 100 % 100, yyyymmdd % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_each_other_for_400_years() {
        let mut next = days(1, 1, 1).unwrap();
        for year in 1..=2400 {
            for month in 1..=12 {
                for day in 0..=32 {
                    if let Some(count) = days(year, month, day) {
                        assert_eq!(count, next, "{year}-{month}-{day}");
                        next += 1;
                    }
                }
            }
        }
        assert_eq!(days_of(19_700_101), Some(0));
        assert_eq!(days_of(20_240_229), Some(19_782));
        assert_eq!(next, days(2400, 12, 31).unwrap() + 1);
        for none in [0, 20_230_229, 21_000_229, 20_241_301, 20_240_001, 20_240_100, 1_231, u32::MAX] {
            assert_eq!(days_of(none), None, "{none}");
        }
    }
}
