//! The script that configures again.

use crate::configure::log::HIDDEN;
use crate::configure::record::Record;

/// It runs where the configuration ran, in the environment that it had, with the same arguments.
pub(in crate::configure) fn reconfigure(record: &Record) -> String {
    let quote = |word: &str| shlex::try_quote(word).map(|word| word.into_owned()).unwrap_or_default();
    let mut text = format!(
        "#!/bin/sh\n# Configures {} again with the same options; with --diff it only tells what changed.\n",
        record.project
    );
    text.push_str(&format!("cd {} || exit 1\n", quote(&record.directory)));
    let mut variables = record.environment.clone();
    // Compilers and flags that the environment named are named again, whatever it says now.
    for (value, origin) in record.options.values() {
        if let Some(variable) = origin.strip_prefix("environment variable ") {
            variables.insert(variable.to_owned(), value.clone());
        }
    }
    for (variable, value) in variables.iter().filter(|(_, value)| !value.contains(HIDDEN)) {
        text.push_str(&format!("export {variable}={}\n", quote(value)));
    }
    for (name, variable) in &record.secret {
        text.push_str(&match variable {
            Some(variable) => format!(": \"${{{variable}:?is a secret that --{name} needs: set it}}\"\n"),
            None => format!(
                "case \" $*\" in *\" --{name}\"*) ;; *) echo \"--{name} was a secret: give it again, $0 --{name}=..\" >&2; exit 2;; esac\n"
            ),
        });
    }
    let asks = |argument: &&String| !matches!(argument.as_str(), "--diff" | "--help" | "-h");
    let arguments = record.arguments.iter().filter(asks).filter(|argument| !argument.contains(HIDDEN));
    let words: Vec<String> = record.program.iter().chain(arguments).map(|word| quote(word)).collect();
    text.push_str(&format!("exec {} \"$@\"\n", words.join(" ")));
    text
}
