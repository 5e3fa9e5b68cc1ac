//! `dijitso stats`

mod chart;
mod html;

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Global;
use super::measures::{count, duration, size};
use super::screen::{Screen, Tone};
use super::text::{line, path};
use super::trouble::{Answer, DONE, Trouble};
use crate::cache::{Activity, Cache, Statistics};
use crate::error::Error;
use crate::fs::Fs;

/// Show what programs did with the cache: hits, misses and their reasons, time spent and saved, day by day
#[derive(Debug, clap::Args)]
pub(super) struct Stats {
    /// Begin to count anew
    #[arg(long, conflicts_with = "html")]
    zero: bool,
    /// Write a page with plots to a file, which needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show so many of the last days
    #[arg(long, default_value_t = 14, value_name = "NUMBER")]
    days: usize,
}

impl Stats {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache_that_is_there(screen)?;
        let statistics = cache.statistics();
        if self.zero {
            cache.zero_statistics()?;
        }
        if let Some(file) = &self.html {
            let page = html::page(&cache, &statistics);
            let fs = Fs::new(Default::default());
            let theirs = || fs.read_head(file, 512).is_ok_and(|old| !old.is_empty() && !html::is_page(&old));
            if fs.is_file(file) && theirs() {
                let text = format!("{} is no page of statistics, and is left as it is", path(file));
                return Err(Trouble::Failed(text));
            }
            let written = fs.write(file, page.as_bytes());
            written.map_err(|error| Error::io("cannot write", file, &error))?;
        }
        if screen.is_json() {
            screen.answer(&as_json(&cache, &statistics))?;
            return Ok(DONE);
        }
        match &self.html {
            Some(file) => screen.line(format_args!("Wrote {}", path(file)))?,
            None => self.print(&cache, &statistics, screen)?,
        }
        if self.zero {
            screen.line("From now on, all of this is counted anew.")?;
        }
        Ok(DONE)
    }

    fn print(&self, cache: &Cache, statistics: &Statistics, screen: &mut Screen) -> io::Result<()> {
        let Some(first) = statistics.days.first() else {
            return screen.line(format_args!("Nothing was done with {} yet.", path(cache.dir())));
        };
        let total = statistics.total();
        screen.line(
            screen.toned(Tone::Head, format_args!("{}, since {}", path(cache.dir()), line(&first.date))),
        )?;
        let asked = total.hits() + total.built + total.negative_hits;
        let rate = if asked == 0 { 0.0 } else { 100.0 * total.hits() as f64 / asked as f64 };
        let rows = [
            ("kernels asked for", asked.to_string()),
            ("found", format!("{} ({rate:.1} %)", total.hits())),
            ("  in memory", total.memory_hits.to_string()),
            ("  in the program", total.prebuilt_hits.to_string()),
            ("  in the cache", total.disk_hits.to_string()),
            ("  in site caches", total.site_hits.to_string()),
            ("  from other ranks", total.received.to_string()),
            ("built", total.built.to_string()),
            ("failed as before", total.negative_hits.to_string()),
            ("compiled for", duration(total.compile_time())),
            ("saved", duration(total.saved_time())),
            ("added", format!("{} ({})", total.published, size(total.published_bytes))),
            ("evicted", format!("{} ({})", total.evicted, size(total.evicted_bytes))),
            ("damaged", total.quarantined.to_string()),
        ];
        for (name, value) in rows {
            screen.line(format_args!("  {name:<20} {value}"))?;
        }
        if !total.misses.is_empty() {
            screen.line(screen.toned(Tone::Head, "Misses"))?;
            for (reason, number) in by_number(&total) {
                screen.line(format_args!("  {number:>8}  {}", line(reason)))?;
            }
        }
        screen.line(screen.toned(Tone::Head, "Days"))?;
        screen.line("  DAY            FOUND    BUILT   COMPILED FOR          SAVED")?;
        let days = &statistics.days;
        for day in &days[days.len().saturating_sub(self.days)..] {
            let (done, date) = (&day.activity, line(&day.date));
            let (spent, saved) = (duration(done.compile_time()), duration(done.saved_time()));
            screen.line(format_args!(
                "  {date:<11}{:>9}{:>9}{spent:>15}{saved:>15}",
                done.hits(),
                done.built
            ))?;
        }
        if days.len() > self.days {
            let earlier = count(days.len() - self.days, "earlier day", "earlier days");
            screen.line(format_args!("  and {earlier}; --days shows more"))?;
        }
        Ok(())
    }
}

/// The most frequent first.
fn by_number(activity: &Activity) -> Vec<(&String, u64)> {
    let mut misses: Vec<(&String, u64)> =
        activity.misses.iter().map(|(reason, number)| (reason, *number)).collect();
    misses.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    misses
}

fn as_json(cache: &Cache, statistics: &Statistics) -> Value {
    let days: Vec<Value> = statistics
        .days
        .iter()
        .map(|day| json!({ "date": day.date, "activity": activity(&day.activity) }))
        .collect();
    json!({
        "cache": cache.dir().to_string_lossy(),
        "total": activity(&statistics.total()),
        "days": days,
    })
}

/// With all keys, whatever is 0.
fn activity(done: &Activity) -> Value {
    json!({
        "hits": done.hits(),
        "memory_hits": done.memory_hits,
        "prebuilt_hits": done.prebuilt_hits,
        "disk_hits": done.disk_hits,
        "site_hits": done.site_hits,
        "received": done.received,
        "built": done.built,
        "negative_hits": done.negative_hits,
        "misses": done.misses,
        "compile_seconds": done.compile_time().as_secs_f64(),
        "saved_seconds": done.saved_time().as_secs_f64(),
        "published": done.published,
        "published_bytes": done.published_bytes,
        "evicted": done.evicted,
        "evicted_bytes": done.evicted_bytes,
        "quarantined": done.quarantined,
    })
}
