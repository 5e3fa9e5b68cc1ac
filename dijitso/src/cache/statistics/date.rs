//! Days, as people write them.

use std::time::{Duration, SystemTime};

const DAY: u64 = 24 * 3600;

/// The day of a moment, in UTC: `2026-11-28`.
pub(crate) fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut year, mut left) = (1970, seconds / DAY);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // No clock of ours goes far; years beyond it are all one.
    while year < 9999 && left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while month < 11 && left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, left.min(30) + 1)
}

/// The day so many days before.
pub(super) fn before(time: SystemTime, days: u64) -> String {
    date(time.checked_sub(Duration::from_secs(days * DAY)).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// Whether a text is written as a day is.
pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let at = |seconds: u64| date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(DAY - 1), "1970-01-01");
        assert_eq!(at(951_782_400), "2000-02-29");
        assert_eq!(at(951_868_800), "2000-03-01");
        assert_eq!(at(1_735_603_200), "2024-12-31");
        assert_eq!(at(1_735_689_600), "2025-01-01");
        assert_eq!(at(4_107_542_400), "2100-03-01");
        assert!(
            is_date(&at(u64::MAX / 4)) && is_date(&at(0)) && !is_date("summary") && !is_date("2026-11-2x")
        );
        let day = SystemTime::UNIX_EPOCH + Duration::from_secs(951_868_800);
        assert_eq!((before(day, 1), before(day, 60_000)), ("2000-02-29".into(), "1970-01-01".into()));
    }
}
