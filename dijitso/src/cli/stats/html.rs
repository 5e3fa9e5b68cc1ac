//! The page that `dijitso stats --html` writes: one file, without scripts, that asks nobody for anything.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::by_number;
use super::chart::{Series, area, bars, columns, html};
use crate::cache::{Activity, Cache, Listing, Statistics, date};
use crate::cli::measures::{duration, size};
use crate::cli::text::line;

/// So many kernels are called the slowest.
const SLOWEST: usize = 15;
/// There is no room for columns of more.
const MOST_DAYS: usize = 400;
const DAY: Duration = Duration::from_secs(24 * 3600);

const STYLE: &str = "\
:root{--ink:#1d2530;--faint:#6b7685;--paper:#fff;--card:#f5f7f9;--grid:#dde3e9;--hit:#2f7d6b;--built:#d9822b;--saved:#3b6fb6}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaee;--faint:#94a0ad;--paper:#14181d;--card:#1d232a;--grid:#313a44;--hit:#4fb39b;--built:#e59a4a;--saved:#6b9de0}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:800px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .4rem}p{color:var(--faint);margin:.2rem 0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(200px,40%),1fr));gap:.8rem;margin:1.2rem 0}
.facts div{background:var(--card);border-radius:8px;padding:.7rem .9rem}.facts b{display:block;font-size:1.35rem}.facts span{color:var(--faint)}
svg{width:100%;height:auto}.grid{stroke:var(--grid)}.label{fill:var(--faint);font-size:11px}
rect.hit,i.hit{fill:var(--hit);background:var(--hit)}rect.built,i.built{fill:var(--built);background:var(--built)}rect.saved,i.saved{fill:var(--saved);background:var(--saved)}
.area{fill:var(--saved);opacity:.18}.line{fill:none;stroke:var(--saved);stroke-width:2}.dot{fill:var(--saved)}
.legend span{margin-right:1.2rem}.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
table.bars{width:100%;border-collapse:collapse}.bars th{width:40%;font-weight:normal;text-align:left;max-width:300px;overflow-wrap:anywhere;padding:.15rem .8rem .15rem 0}
.bars td{width:50%;padding:.15rem 0}.bars .number{width:1%;white-space:nowrap;text-align:right;padding-left:.8rem;font-variant-numeric:tabular-nums}
.bar{background:var(--built);height:.9em;border-radius:2px}
";

/// What such a page begins with.
const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
                         content=\"width=device-width\">\n<title>dijitso: ";

/// Whether a file is a page of ours, by its beginning.
pub(super) fn is_page(bytes: &[u8]) -> bool {
    bytes.starts_with(BEGINNING.as_bytes())
}

pub(super) fn page(cache: &Cache, statistics: &Statistics) -> String {
    let listing = cache.list();
    let dir = html(&line(&cache.dir().to_string_lossy()));
    let total = statistics.total();
    let mut page = format!(
        "{BEGINNING}{dir}</title>\n<style>\n{STYLE}</style></head><body>\n<h1>dijitso</h1><p>{dir}</p>\n"
    );
    page += &facts(&total, &listing);
    if statistics.days.is_empty() {
        page += "<p>Nothing was counted yet.</p>\n";
    } else {
        page += &by_day(statistics);
    }
    page += &growth(&listing);
    page += &slowest(&listing);
    page += &misses(&total);
    page + "</body></html>\n"
}

fn facts(total: &Activity, listing: &Listing) -> String {
    let asked = total.hits() + total.built;
    let rate = if asked == 0 { 0.0 } else { 100.0 * total.hits() as f64 / asked as f64 };
    let bytes = listing.entries.iter().map(|entry| entry.bytes).sum();
    let facts = [
        ("of the kernels found", format!("{rate:.1} %")),
        ("built", total.built.to_string()),
        ("compiled for", duration(total.compile_time())),
        ("saved", duration(total.saved_time())),
        ("kernels in the cache", listing.entries.len().to_string()),
        ("in the cache", size(bytes)),
    ];
    let one =
        |(name, value): &(&str, String)| format!("<div><b>{}</b><span>{name}</span></div>", html(value));
    format!("<div class=\"facts\">{}</div>\n", facts.iter().map(one).collect::<String>())
}

fn by_day(statistics: &Statistics) -> String {
    let done: BTreeMap<String, &Activity> =
        statistics.days.iter().map(|day| (day.date.clone(), &day.activity)).collect();
    let all = every_day(&done);
    let days: Vec<String> = all.iter().map(|day| html(&line(day))).collect();
    let of = |value: fn(&Activity) -> f64| -> Vec<f64> {
        all.iter().map(|day| done.get(day).map_or(0.0, |activity| value(activity))).collect()
    };
    let kernels = [
        Series { class: "hit", name: "found", values: of(|done| done.hits() as f64) },
        Series { class: "built", name: "built", values: of(|done| done.built as f64) },
    ];
    let times = [
        Series { class: "built", name: "compiled for", values: of(|done| done.compile_time().as_secs_f64()) },
        Series { class: "saved", name: "saved", values: of(|done| done.saved_time().as_secs_f64()) },
    ];
    let growth = [
        Series { class: "saved", name: "added", values: of(|done| done.published_bytes as f64) },
        Series { class: "built", name: "evicted", values: of(|done| done.evicted_bytes as f64) },
    ];
    let (first, last) = (&days[0], &days[days.len() - 1]);
    format!(
        "<h2>Kernels that were asked for</h2><p>{first} to {last}</p>\n{}\n<h2>Time of compilers and linkers</h2>\n{}\n\
         <h2>How the cache grew</h2><p>Bytes of kernels that were added, and of what went to make room</p>\n{}\n",
        columns(&days, &kernels, plain),
        columns(&days, &times, seconds),
        columns(&days, &growth, |bytes| size(bytes as u64)),
    )
}

/// What is there now, by the day on which it was built.
fn growth(listing: &Listing) -> String {
    let mut built: BTreeMap<String, f64> = BTreeMap::new();
    for entry in &listing.entries {
        *built.entry(date(entry.built)).or_default() += entry.bytes as f64;
    }
    if built.is_empty() {
        return String::new();
    }
    let days = every_day(&built);
    let mut sum = 0.0;
    let values: Vec<f64> = days
        .iter()
        .map(|day| {
            sum += built.get(day).copied().unwrap_or(0.0);
            sum
        })
        .collect();
    let chart = area(&days, &values, |bytes| size(bytes as u64));
    format!("<h2>What is there now</h2><p>By the day on which it was built</p>\n{chart}\n")
}

/// The days of a map, and those between them: as long as they are not too many for columns, or not of our calendar.
fn every_day<T>(known: &BTreeMap<String, T>) -> Vec<String> {
    let as_known = || known.keys().cloned().collect();
    let (Some(first), Some(last)) = (known.keys().next(), known.keys().next_back()) else {
        return Vec::new();
    };
    let mut days: Vec<String> = Vec::new();
    let mut time = SystemTime::now();
    for _ in 0..MOST_DAYS {
        let day = date(time);
        if day < *first {
            break;
        }
        if day <= *last {
            days.push(day);
        }
        time = time.checked_sub(DAY).unwrap_or(SystemTime::UNIX_EPOCH);
    }
    days.reverse();
    // Some were too long ago, or are to come.
    if days.first() != Some(first) || days.last() != Some(last) { as_known() } else { days }
}

fn slowest(listing: &Listing) -> String {
    let mut slow: Vec<_> = listing.entries.iter().collect();
    slow.sort_by_key(|entry| Reverse(entry.compile_time));
    slow.truncate(SLOWEST);
    if slow.is_empty() {
        return String::new();
    }
    let rows: Vec<(String, f64)> = slow
        .iter()
        .map(|entry| (shortened(&line(&entry.description)), entry.compile_time.as_secs_f64()))
        .collect();
    format!(
        "<h2>The slowest kernels</h2><p>How long the compiler ran for each</p>\n{}\n",
        bars(&rows, seconds)
    )
}

fn misses(total: &Activity) -> String {
    if total.misses.is_empty() {
        return String::new();
    }
    let rows: Vec<(String, f64)> =
        by_number(total).into_iter().map(|(reason, number)| (line(reason), number as f64)).collect();
    let mut text = String::from("<h2>Why kernels were not in the cache</h2>\n");
    let _ = writeln!(text, "{}", bars(&rows, plain));
    text
}

fn shortened(text: &str) -> String {
    crate::cli::screen::cut(text.to_owned(), 80)
}

fn plain(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn seconds(value: f64) -> String {
    duration(Duration::try_from_secs_f64(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_on_which_nothing_was_done_are_days_too() {
        let day = |before: u32| date(SystemTime::now() - DAY * before);
        let of = |days: &[&str]| {
            every_day(&days.iter().map(|day| ((*day).to_owned(), ())).collect::<BTreeMap<_, _>>())
        };
        assert_eq!(of(&[]), Vec::<String>::new());
        assert_eq!(of(&[&day(5), &day(2)]), [day(5), day(4), day(3), day(2)]);
        assert_eq!(of(&["1999-12-31", &day(2)]), ["1999-12-31".to_owned(), day(2)], "too many");
        assert_eq!(of(&[&day(2), "9000-01-01"]), [day(2), "9000-01-01".to_owned()], "to come");
        assert_eq!(of(&["no day", "nor this"]), ["no day", "nor this"]);
    }
}
