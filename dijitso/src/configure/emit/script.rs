//! The script that configures again.

use crate::configure::record::Record;

pub(in crate::configure) fn reconfigure(record: &Record) -> String {
    let quote = |word: &String| shlex::try_quote(word).map(|word| word.into_owned()).unwrap_or_default();
    let asks = |argument: &&String| !matches!(argument.as_str(), "--diff" | "--help" | "-h");
    let words: Vec<String> =
        record.program.iter().chain(record.arguments.iter().filter(asks)).map(quote).collect();
    let mut text = format!(
        "#!/bin/sh\n# Configures {} again with the same options; --diff tells what changed.\n",
        record.project
    );
    // Compilers and flags that the environment named are named again, whatever it says now.
    for (name, (value, origin)) in &record.options {
        if let Some(variable) = origin.strip_prefix("environment variable ")
            && value != "(secret)"
        {
            let value = shlex::try_quote(value).map(|value| value.into_owned()).unwrap_or_default();
            text.push_str(&format!("# --{name}\nexport {variable}={value}\n"));
        }
    }
    text.push_str(&format!("exec {} \"$@\"\n", words.join(" ")));
    text
}
