//! `dijitso config`

use serde_json::{Value, json};

use super::Global;
use super::screen::{Screen, Tone};
use super::text::line;
use super::trouble::{Answer, DONE, Trouble};
use crate::config::origin::Flag;
use crate::config::settings::Setting;
use crate::config::suggest::nearest;

/// Show the parameters that are in force, each with who set it
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    /// Only this one, and only its value (`build.cxxflags`)
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Config {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let mut settings = global.params()?.resolve()?;
        if let Some(wanted) = &self.key {
            let names: Vec<String> = settings.iter().map(name).collect();
            let at = names.iter().position(|name| name == wanted);
            let unknown = || {
                let near = nearest(wanted, names.iter().map(String::as_str));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Trouble::Usage(format!("there is no parameter `{}`{near}", line(wanted)))
            };
            settings = vec![settings.swap_remove(at.ok_or_else(unknown)?)];
        }
        if screen.is_json() {
            let settings: Vec<Value> = settings.iter().map(as_json).collect();
            screen.answer(&json!({ "settings": settings }))?;
        } else if self.key.is_some() {
            let words = settings.iter().flat_map(|setting| &setting.values).map(|value| line(&value.text));
            screen.line(words.collect::<Vec<_>>().join(" "))?;
        } else {
            show(&settings, screen)?;
        }
        Ok(DONE)
    }
}

fn name(setting: &Setting) -> String {
    format!("{}.{}", setting.section, setting.name)
}

fn as_json(setting: &Setting) -> Value {
    let value = |value: &Flag| json!({ "value": value.text, "origin": value.origin.to_string() });
    let values: Vec<Value> = setting.values.iter().map(value).collect();
    json!({ "key": name(setting), "values": values })
}

fn show(settings: &[Setting], screen: &mut Screen) -> std::io::Result<()> {
    let mut section = "";
    for setting in settings {
        if setting.section != section {
            section = setting.section;
            screen.line(screen.toned(Tone::Head, format_args!("[{section}]")))?;
        }
        if setting.values.is_empty() {
            screen.line(screen.toned(Tone::Faint, format_args!("{} is not set", setting.name)))?;
        }
        // One line for all that come from one place.
        for group in setting.values.chunk_by(|a, b| a.origin == b.origin) {
            let words: Vec<String> =
                group.iter().map(|value| readable(setting, &line(&value.text))).collect();
            let origin = screen.toned(Tone::Faint, format_args!("({})", line(&group[0].origin.to_string())));
            screen.line(format_args!("{} = {}  {origin}", setting.name, words.join(" ")))?;
        }
    }
    Ok(())
}

/// Nobody counts the digits of a number of bytes.
fn readable(setting: &Setting, text: &str) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let bytes = ["max_size", "memory_per_job"].contains(&setting.name);
    let number = text.parse::<u64>().ok().filter(|number| bytes && *number > 0);
    let unit =
        number.and_then(|number| UNITS.into_iter().find(|(scale, _)| number % scale == 0).zip(Some(number)));
    unit.map_or_else(|| text.to_owned(), |((scale, unit), number)| format!("{} {unit}", number / scale))
}
