//! A script that repeats a build, beside the files it reads: for failures and for extracted kernels.

use std::fmt::Write as _;

use crate::config::env::COMPILER_VARIABLES;

/// `what` continues "Repeats ..". The commands run where the script lies, with the environment that
/// compilers saw; the first one that fails ends it.
pub(crate) fn script(what: &str, environment: &[(String, String)], commands: &[String]) -> String {
    let mut text = format!(
        "#!/bin/sh\n# Repeats {}\ncd \"$(dirname \"$0\")\" || exit 1\nexport LC_ALL=C\n",
        what.replace(['\n', '\r'], " ")
    );
    for name in COMPILER_VARIABLES.iter().filter(|name| environment.iter().all(|(n, _)| n != *name)) {
        let _ = writeln!(text, "unset {name}");
    }
    for (name, value) in environment {
        let value = shlex::try_quote(value).unwrap_or_default();
        let _ = writeln!(text, "export {name}={value}");
    }
    if let Some((last, before)) = commands.split_last() {
        for command in before {
            let _ = writeln!(text, "{command} || exit");
        }
        let _ = writeln!(text, "exec {last}");
    }
    text
}

/// The commands with the build's own directory, which is gone when somebody reads them, as `.`.
pub(crate) fn without_directory(commands: &[String], directory: &str) -> Vec<String> {
    let here = |command: &String| match directory {
        "" => command.clone(),
        _ => command.replace(directory, "."),
    };
    commands.iter().map(here).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_sets_what_the_compiler_saw_and_stops_at_the_first_failure() {
        let environment = [("CPATH".to_owned(), "/a b".to_owned())];
        let commands = ["c++ -c x.cpp".to_owned(), "ld x.o".to_owned()];
        let text = script("the build of\nx", &environment, &commands);
        assert!(text.starts_with("#!/bin/sh\n# Repeats the build of x\n"), "{text}");
        assert!(text.contains("export CPATH='/a b'\n") && !text.contains("unset CPATH\n"), "{text}");
        assert!(text.contains("unset LIBRARY_PATH\n"), "{text}");
        assert!(text.ends_with("c++ -c x.cpp || exit\nexec ld x.o\n"), "{text}");
    }

    #[test]
    fn the_directory_of_the_build_is_here() {
        let commands = ["c++ -ffile-prefix-map=/tmp/b=. -c /tmp/b/x.cpp".to_owned()];
        assert_eq!(without_directory(&commands, "/tmp/b"), ["c++ -ffile-prefix-map=.=. -c ./x.cpp"]);
        assert_eq!(without_directory(&commands, ""), commands);
    }
}
