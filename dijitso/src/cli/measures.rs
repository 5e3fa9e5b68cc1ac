//! Sizes and times as people read and write them.

use std::time::{Duration, SystemTime};

use super::text::line;

/// `1.4 kB`, `37.2 MB`: as `ls -h --si`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    for unit in UNITS {
        if value < 999.95 {
            return format!("{value:.1} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} EB")
}

/// How long ago: `12 s`, `3 min`, `5 h`, `12 d`.
pub(super) fn ago(when: SystemTime) -> String {
    // What claims to come from the future is new.
    let seconds = SystemTime::now().duration_since(when).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `1.52 s`, `87 ms`.
pub(super) fn duration(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 60.0 => format!("{} min {} s", seconds as u64 / 60, seconds as u64 % 60),
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.0} ms", seconds * 1000.0),
    }
}

/// Seconds since 1970, for programs.
pub(super) fn unix(when: SystemTime) -> u64 {
    when.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// An age on the command line: `90s`, `15m`, `12h`, `30d`, `2w`.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{}` is no length of time; write a number and s, m, h, d or w, such as 12h or 30d",
            line(text)
        )
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let seconds =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale)).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// A size on the command line, as in the configuration: `500M`, `5G`, `2 GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{}` is no size; write a number and K, M, G or T, such as 500M or 5G", line(text));
    crate::config::raw::bytes(text).ok_or_else(wrong)
}

/// How many of what.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_or_four_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (15_432, "15.4 kB"),
            (999_949, "999.9 kB"),
            (999_951, "1.0 MB"),
            (5 << 30, "5.4 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(
            ["0", "500M", "5g", "2 GiB", "10kB", "1.5G", "1.4 GB"].map(bytes),
            [0, 500 << 20, 5 << 30, 2 << 30, 10_000, 3 << 29, 1_400_000_000].map(Ok)
        );
        for wrong in ["", "G", "5X", "-1", "99999999T", "1.G", ".5G", "1.2.3G", "1.2345G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ages_are_read_and_shown() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("90 s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "d", "30", "-1d", "1y", "99999999999999999w", "1.5h", "3dd"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        let before = |seconds| ago(SystemTime::now() - Duration::from_secs(seconds));
        assert_eq!([before(5), before(600), before(7300), before(400_000)], ["5 s", "10 min", "2 h", "4 d"]);
        assert_eq!(ago(SystemTime::now() + Duration::from_secs(5)), "0 s");
        assert_eq!(duration(Duration::from_millis(1520)), "1.52 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
    }
}
