//! Plots as SVG, with nothing but what a browser has.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// Left of the plot, for numbers; and below it, for days.
const LEFT: f64 = 70.0;
const BELOW: f64 = 28.0;
const ABOVE: f64 = 12.0;

/// Text that may stand anywhere in a page.
pub(super) fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// One kind of bar, by its class in the style sheet.
pub(super) struct Series<'a> {
    pub(super) class: &'a str,
    pub(super) name: &'a str,
    pub(super) values: Vec<f64>,
}

/// Columns on top of each other, one place for each day.
pub(super) fn columns(days: &[String], series: &[Series<'_>], shown: fn(f64) -> String) -> String {
    let totals = (0..days.len()).map(|day| series.iter().map(|one| one.values[day]).sum::<f64>());
    let top = nice(totals.fold(0.0, f64::max));
    let mut svg = open(&axis(top, shown));
    let step = (WIDTH - LEFT) / days.len().max(1) as f64;
    let width = (step * 0.8).clamp(1.0, 40.0);
    for (number, day) in days.iter().enumerate() {
        let x = LEFT + step * (number as f64 + 0.5);
        let mut below = 0.0;
        for one in series {
            let value = one.values[number];
            if value > 0.0 {
                let (y, height) = (height(top, below + value), value / top * (HEIGHT - ABOVE - BELOW));
                let tip = format!("{day}: {} {}", html(one.name), shown(value));
                let _ = write!(
                    svg,
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{tip}</title></rect>",
                    one.class,
                    x - width / 2.0,
                );
            }
            below += value;
        }
        svg += &day_label(number, days, x);
    }
    svg + "</svg>" + &legend(series)
}

/// A line over days, filled below.
pub(super) fn area(days: &[String], values: &[f64], shown: fn(f64) -> String) -> String {
    let top = nice(values.iter().copied().fold(0.0, f64::max));
    let mut svg = open(&axis(top, shown));
    let step = (WIDTH - LEFT) / days.len().max(1) as f64;
    let x = |number: usize| LEFT + step * (number as f64 + 0.5);
    let points: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(i, value)| format!("{:.1},{:.1}", x(i), height(top, *value)))
        .collect();
    let floor = height(top, 0.0);
    let _ = write!(
        svg,
        "<polygon class=\"area\" points=\"{:.1},{floor:.1} {} {:.1},{floor:.1}\"/><polyline class=\"line\" points=\"{}\"/>",
        x(0),
        points.join(" "),
        x(days.len().saturating_sub(1)),
        points.join(" "),
    );
    for (number, (day, value)) in days.iter().zip(values).enumerate() {
        let tip = format!("{day}: {}", shown(*value));
        let (x, y) = (x(number), height(top, *value));
        let _ = write!(
            svg,
            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{tip}</title></circle>"
        );
        svg += &day_label(number, days, x);
    }
    svg + "</svg>"
}

/// Bars beside their names, the longest first.
pub(super) fn bars(rows: &[(String, f64)], shown: fn(f64) -> String) -> String {
    let top = rows.iter().map(|(_, value)| *value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let mut table = String::from("<table class=\"bars\">");
    for (name, value) in rows {
        let percent = (value / top * 100.0).max(0.5);
        let _ = write!(
            table,
            "<tr><th>{}</th><td><div class=\"bar\" style=\"width:{percent:.1}%\"></div></td><td class=\"number\">{}</td></tr>",
            html(name),
            shown(*value),
        );
    }
    table + "</table>"
}

fn open(axis: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">{axis}")
}

/// Four lines with their values.
fn axis(top: f64, shown: fn(f64) -> String) -> String {
    let mut lines = String::new();
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let y = height(top, value);
        let _ = write!(
            lines,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            shown(value),
        );
    }
    lines
}

/// As many days as there is room for.
fn day_label(number: usize, days: &[String], x: f64) -> String {
    let every = days.len().div_ceil(8).max(1);
    if !number.is_multiple_of(every) {
        return String::new();
    }
    // Month and day; the year is in the heading.
    let text = html(days[number].get(5..).unwrap_or(&days[number]));
    format!(
        "<text class=\"label\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
        HEIGHT - 8.0
    )
}

fn height(top: f64, value: f64) -> f64 {
    HEIGHT - BELOW - value / top * (HEIGHT - ABOVE - BELOW)
}

fn legend(series: &[Series<'_>]) -> String {
    let one =
        |series: &Series<'_>| format!("<span><i class=\"{}\"></i>{}</span>", series.class, html(series.name));
    format!("<p class=\"legend\">{}</p>", series.iter().map(one).collect::<String>())
}

/// The next number that begins with 1, 2, 4 or 8: its quarters are short, too.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 4.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> String {
        format!("{value:.0}")
    }

    #[test]
    fn axes_end_at_short_numbers() {
        assert_eq!([0.0, 1.0, 3.0, 5.0, 79.0, 81.0].map(nice), [4.0, 1.0, 4.0, 8.0, 80.0, 100.0]);
    }

    #[test]
    fn whatever_is_plotted_stays_inside_and_is_escaped() {
        let days: Vec<String> = (0..40).map(|day| format!("2026-11-{day:02}")).collect();
        let values: Vec<f64> = (0..40).map(f64::from).collect();
        let series = [Series { class: "hit", name: "<b>", values: values.clone() }];
        let svg = columns(&days, &series, number);
        assert_eq!(svg.matches("<rect").count(), 39, "nothing for 0");
        assert!(!svg.contains("<b>") && svg.contains("&lt;b&gt;"));
        assert_eq!(area(&days, &values, number).matches("<circle").count(), 40);
        assert!(columns(&[], &[], number).ends_with("</p>") && area(&[], &[], number).ends_with("</svg>"));
        assert!(bars(&[("<script>".to_owned(), 1.0)], number).contains("&lt;script&gt;"));
    }
}
