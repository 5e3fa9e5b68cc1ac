//! The script that configures again.

use crate::configure::log::HIDDEN;
use crate::configure::outputs::is_identifier;
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
    let secrets: Vec<&String> = record.secret.values().flatten().collect();
    let unset: Vec<&str> = record
        .unset
        .iter()
        .filter(|name| is_identifier(name) && !variables.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unset.is_empty() {
        text.push_str(&format!("unset {}\n", unset.join(" ")));
    }
    for (variable, value) in variables.iter().filter(|(variable, _)| !secrets.contains(variable)) {
        text.push_str(&match value.contains(HIDDEN) {
            false => format!("export {variable}={}\n", quote(value)),
            true => format!(": \"${{{variable}:?has a secret in it, and must be set}}\"\n"),
        });
    }
    for (name, variable) in &record.secret {
        match variable {
            Some(variable) => {
                text.push_str(&format!(": \"${{{variable}:?is a secret that --{name} needs: set it}}\"\n"));
            }
            None => text.push_str(&given_again(&format!("--{name}"))),
        }
    }
    let asks = |argument: &String| matches!(argument.as_str(), "--diff" | "--help" | "-h");
    let mut arguments: Vec<&String> = Vec::new();
    for argument in record.arguments.iter().filter(|argument| !asks(argument)) {
        if !argument.contains(HIDDEN) {
            arguments.push(argument);
            continue;
        }
        let name = match argument.split_once('=') {
            Some((name, _)) => name.to_owned(),
            // `--name (secret)`: the name goes with it.
            None => arguments.pop().cloned().unwrap_or_default(),
        };
        text.push_str(&given_again(&name));
    }
    let words: Vec<String> = record.program.iter().chain(arguments).map(|word| quote(word)).collect();
    text.push_str(&format!("exec {} \"$@\"\n", words.join(" ")));
    text
}

/// Ends the script unless its arguments have this one.
fn given_again(name: &str) -> String {
    format!(
        "case \" $* \" in *\" {name}=\"*|*\" {name} \"*) ;; *) echo \"{name} was a secret: give it again, $0 {name}=..\" >&2; exit 2;; esac\n"
    )
}
