//! A compiler for tests: records its arguments, then does what its configuration says.
//!
//! The configuration lies beside the program (`<path>.json`) and the record too (`<path>.log`), so
//! that tests make a misbehaving compiler by copying one file, and change its mood while it is in use.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use dijitso_tests::protocol::{ShimConfig, ShimMode, ShimStep};

fn main() {
    let own = std::env::current_exe().expect("own path");
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    record(&beside(&own, "log"), &args);
    let config = std::fs::read(beside(&own, "json")).expect("a configuration beside the shim");
    let config: ShimConfig = serde_json::from_slice(&config).expect("a valid configuration");
    let concerned = match config.on {
        ShimStep::Every => true,
        ShimStep::Compile => has(&args, "-c") && !has(&args, "-###"),
        ShimStep::Link => has(&args, "-shared") && !has(&args, "-c") && !has(&args, "-###"),
    };
    if concerned {
        misbehave(&config, &own, &args);
    }
    real(&config, &args);
}

fn misbehave(config: &ShimConfig, own: &Path, args: &[OsString]) {
    match &config.mode {
        ShimMode::Pass => {}
        ShimMode::Fail { status, stderr } => {
            let _ = std::io::stderr().write_all(stderr);
            exit(*status);
        }
        ShimMode::Hang => {
            let mut child = Command::new("/bin/sleep").arg("600").spawn().expect("sleep");
            std::fs::write(beside(own, "child"), child.id().to_string()).expect("child file");
            let _ = child.wait();
            exit(1);
        }
        ShimMode::Slow { milliseconds } => {
            std::thread::sleep(std::time::Duration::from_millis(*milliseconds));
        }
        ShimMode::Nothing => exit(0),
        ShimMode::Flood { bytes } => {
            let line = "error: the compiler has a lot to say about this\n".repeat(1000);
            let mut left = *bytes;
            let mut stderr = std::io::stderr().lock();
            while left > 0 {
                let now = left.min(line.len() as u64);
                if stderr.write_all(&line.as_bytes()[..now as usize]).is_err() {
                    break;
                }
                left -= now;
            }
            exit(1);
        }
        ShimMode::Die { signal } => {
            let status =
                Command::new("/bin/sh").args(["-c", "kill -\"$0\" \"$PPID\"", &signal.to_string()]).status();
            // Some signals take a moment to arrive.
            std::thread::sleep(std::time::Duration::from_secs(5));
            panic!("signal {signal} did not end the shim: {status:?}");
        }
        ShimMode::Native { march } => {
            let native = format!("-march={march}");
            let other =
                |word: &OsString| if word == "-march=native" { native.clone().into() } else { word.clone() };
            let args: Vec<OsString> = args.iter().map(other).collect();
            real(config, &args);
        }
        ShimMode::Stamp => stamp(config, own, args),
    }
}

fn real(config: &ShimConfig, args: &[OsString]) -> ! {
    let error = Command::new(&config.real).args(args).exec();
    eprintln!("shim: cannot run {}: {error}", config.real.display());
    exit(127);
}

/// Writes the object without compiling: the one of the first call with symbol and number exchanged.
fn stamp(config: &ShimConfig, own: &Path, args: &[OsString]) {
    let input = Path::new(after(args, "-c").expect("an input"));
    let output = after(args, "-o").expect("an output");
    let unit = std::fs::read_to_string(input).expect("the unit");
    let generated = input.with_file_name(input.file_name().unwrap().to_str().unwrap().replace("_unit", ""));
    let text = std::fs::read_to_string(&generated).expect("the generated text");
    if unit.starts_with("#include \"0/") {
        eprintln!("shim: several kernels at once have no template");
        exit(1);
    }
    let symbol = symbol(&unit);
    let value = between(&text, "return ", ";");
    let Ok(number) = value.parse::<i32>() else {
        eprintln!("error: '{value}' was not declared in this scope");
        exit(1);
    };

    let (object, key) = (beside(own, "o"), beside(own, "key"));
    let Ok(known) = std::fs::read_to_string(&key) else {
        let status = Command::new(&config.real).args(args).status().expect("the compiler");
        if status.success() {
            std::fs::copy(output, &object).expect("copy of the object");
            // The key last: it says that the object is there.
            std::fs::write(&key, format!("{symbol} {number}")).expect("key");
        }
        exit(status.code().unwrap_or(1));
    };
    let (old_symbol, old_number) = known.split_once(' ').expect("symbol and number");
    assert_eq!(old_symbol.len(), symbol.len(), "names must have one length");
    let old_number: i32 = old_number.parse().expect("a number");
    let mut bytes = std::fs::read(&object).expect("the object");
    replace(&mut bytes, old_symbol.as_bytes(), symbol.as_bytes());
    replace(&mut bytes, &old_number.to_le_bytes(), &number.to_le_bytes());
    std::fs::write(output, bytes).expect("the output");
    if let Some(depfile) = after(args, "-MF") {
        let rule = format!("out.o: {} {}\n", input.display(), generated.display());
        std::fs::write(depfile, rule).expect("the dependency file");
    }
    exit(0);
}

/// `dijitso_<name>_<64 hex>`.
fn symbol(unit: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    unit.split(|c| !is_part(c))
        .find(|word| {
            let hex = word.rsplit('_').next().unwrap_or_default();
            word.starts_with("dijitso_") && hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())
        })
        .expect("an entry symbol")
        .to_owned()
}

fn between<'a>(text: &'a str, before: &str, end: &str) -> &'a str {
    let rest = text.split_once(before).expect("the text before").1;
    rest.split_once(end).expect("the text behind").0
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let mut at = 0;
    let mut found = 0;
    while let Some(next) = bytes[at..].windows(old.len()).position(|w| w == old) {
        at += next;
        bytes[at..at + new.len()].copy_from_slice(new);
        at += new.len();
        found += 1;
    }
    assert!(found > 0, "the template does not contain what is to be replaced");
}

fn record(log: &Path, args: &[OsString]) {
    let words: Vec<String> =
        args.iter().map(|a| String::from_utf8_lossy(a.as_bytes()).into_owned()).collect();
    let mut line = serde_json::to_string(&words).expect("JSON");
    line.push('\n');
    let file = std::fs::OpenOptions::new().append(true).create(true).open(log);
    // One write, so that lines of parallel compilers do not mix.
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the record");
}

fn has(args: &[OsString], word: &str) -> bool {
    args.iter().any(|a| a == word)
}

fn after<'a>(args: &'a [OsString], word: &str) -> Option<&'a OsString> {
    let at = args.iter().position(|a| a == word)?;
    args.get(at + 1)
}

fn beside(own: &Path, extension: &str) -> PathBuf {
    let mut path = own.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}
