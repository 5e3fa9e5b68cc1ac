//! A program with kernels, as a user would write one, for tests about processes: cold and warm starts,
//! races, kills, environments. It does what its arguments say and prints an
//! [`Outcome`] as JSON on its last line. Warnings go to stderr.

use std::path::{Path, PathBuf};

use dijitso::{Error, Jit, Kernel};
use dijitso_tests::kernels::{self, Loop, Number};
use dijitso_tests::protocol::{Loaded, Outcome};
use dijitso_tests::{corpus, small_forms};

fn main() {
    log::set_logger(&Stderr).expect("the only logger");
    log::set_max_level(log::LevelFilter::Warn);
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = args.iter().map(String::as_str).collect();
    if words.first() == Some(&"--deleted-cwd") {
        words.remove(0);
        let gone = tempfile::tempdir().expect("a directory");
        std::env::set_current_dir(gone.path()).expect("enter it");
    }
    let mut outcome = Outcome::default();
    match Jit::builder().build() {
        Ok(jit) => {
            if let Err(error) = run(&jit, &words, &mut outcome.kernels) {
                outcome.error = Some(error);
            }
            outcome.stats = jit.stats();
        }
        Err(error) => outcome.error = Some(error.report()),
    }
    println!("{}", serde_json::to_string(&outcome).expect("JSON"));
}

/// Takes up room in the process's table of mappings: neighbours that differ in what is allowed are two.
fn crowd(mappings: u32) -> Result<(), String> {
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
    let page = rustix::param::page_size();
    let all = mappings as usize * page;
    if all == 0 {
        return Ok(());
    }
    // SAFETY: nobody has an address in it.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), all, ProtFlags::READ, MapFlags::PRIVATE) };
    let start = start.map_err(|error| error.to_string())?;
    for at in (0..all).step_by(2 * page) {
        // SAFETY: a page of the above, which is used by nobody.
        match unsafe { mprotect(start.byte_add(at), page, MprotectFlags::empty()) } {
            // It has all that it may have, but for one that `mmap` allows more.
            Err(rustix::io::Errno::NOMEM) => {
                let last = ProtFlags::WRITE | ProtFlags::EXEC;
                // SAFETY: nobody has an address in it.
                let last = unsafe { mmap_anonymous(std::ptr::null_mut(), page, last, MapFlags::PRIVATE) };
                return last.map(drop).map_err(|error| error.to_string());
            }
            changed => changed.map_err(|error| error.to_string())?,
        }
    }
    Ok(())
}

fn run(jit: &Jit, words: &[&str], loaded: &mut Vec<Loaded>) -> Result<(), String> {
    let (command, args) = words.split_first().ok_or("a command is missing")?;
    match (*command, args) {
        ("nothing", []) => {}
        ("axpy", steps) => {
            for step in steps {
                let kernel = jit.load(&kernels::axpy(Loop::Unrolled(number(step)?))).map_err(report)?;
                let x: Vec<f64> = (0..11).map(f64::from).collect();
                let mut y = vec![1.0; x.len()];
                // SAFETY: both have `len` elements.
                unsafe { kernel.call(x.len(), 2.0, x.as_ptr(), y.as_mut_ptr()) };
                let (name, origin) = (format!("axpy {step}"), kernel.origin());
                loaded.push(Loaded { name, origin, value: y.iter().sum() });
            }
        }
        // What is in the cache: entries as 1, what is damaged as 0.
        ("browse", []) => {
            for entry in jit.cache().entries() {
                let (name, value) = match entry {
                    Ok(entry) => (entry.name().to_owned(), 1.0),
                    Err(damaged) => (damaged.to_string(), 0.0),
                };
                loaded.push(Loaded { name, origin: dijitso::KernelOrigin::Disk, value });
            }
        }
        // One after the other; what was loaded before a failure is reported.
        ("numbers", [from, to]) => {
            for i in number(from)?..number(to)? {
                let kernel = jit.load(&kernels::number(i)).map_err(report)?;
                loaded.push(called(format!("{i}"), &kernel));
            }
        }
        // The same, each with so many bytes of ballast.
        ("heavy", [from, to, bytes]) => {
            for i in number(from)?..number(to)? {
                let kernel = jit.load(&kernels::heavy(i, number(bytes)?)).map_err(report)?;
                loaded.push(called(format!("{i}"), &kernel));
            }
        }
        // In batches, until the process can hold no more. It behaves as if it had so many mappings already.
        ("many", [from, to, mappings @ ..]) => {
            mappings.iter().try_for_each(|mappings| crowd(number(mappings)?))?;
            let all: Vec<u32> = (number(from)?..number(to)?).collect();
            for part in all.chunks(500) {
                let specs: Vec<_> = part.iter().map(|i| kernels::number(*i)).collect();
                // A failure of the batch comes again, for the kernel it belongs to.
                let _ = jit.load_all(&specs);
                for (spec, i) in specs.iter().zip(part) {
                    loaded.push(called(format!("{i}"), &jit.load(spec).map_err(report)?));
                }
            }
        }
        ("batch", [from, to]) => {
            let numbers: Vec<u32> = (number(from)?..number(to)?).collect();
            let specs: Vec<_> = numbers.iter().map(|i| kernels::number(*i)).collect();
            let kernels = jit.load_all(&specs).map_err(report)?;
            loaded.extend(numbers.iter().zip(&kernels).map(|(i, kernel)| called(format!("{i}"), kernel)));
        }
        ("threads", [threads, from, to]) => {
            let (from, to) = (number(from)?, number(to)?);
            let all = std::thread::scope(|scope| {
                let each = || -> Result<Vec<Loaded>, String> {
                    (from..to)
                        .map(|i| Ok(called(format!("{i}"), &jit.load(&kernels::number(i)).map_err(report)?)))
                        .collect()
                };
                let running: Vec<_> = (0..number(threads).unwrap_or(1)).map(|_| scope.spawn(each)).collect();
                running.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
            });
            for one in all {
                loaded.extend(one?);
            }
        }
        ("successor", [i]) => {
            let kernel = jit.load(&kernels::successor(number(i)?)).map_err(report)?;
            loaded.push(called(format!("successor {i}"), &kernel));
        }
        ("state", [dir, how, repeat]) => {
            for _ in 0..number(repeat)? {
                let spec = kernels::state(PathBuf::from(dir), *how == "quoted");
                loaded.push(called("state".to_owned(), &jit.load(&spec).map_err(report)?));
            }
        }
        ("unkeyed", [file]) => {
            let kernel = jit.load(&kernels::unkeyed(PathBuf::from(file))).map_err(report)?;
            loaded.push(called("unkeyed".to_owned(), &kernel));
        }
        ("text", [name, text]) => {
            let kernel = jit.load(&kernels::text(name, text)).map_err(report)?;
            loaded.push(called((*name).to_owned(), &kernel));
        }
        ("unit", [name, text]) => {
            let kernel = jit.load(&kernels::unit(name, text)).map_err(report)?;
            loaded.push(called((*name).to_owned(), &kernel));
        }
        ("export", [path, what, args @ ..]) => export(jit, Path::new(path), what, args)?,
        ("small", []) => {
            for origin in small_forms::check(jit)? {
                loaded.push(Loaded { name: "small form".to_owned(), origin, value: 0.0 });
            }
        }
        ("corpus", [part, root]) => loaded.extend(corpus::check(part, Path::new(root), jit)?),
        _ => return Err(format!("client does not know `{}`", words.join(" "))),
    }
    Ok(())
}

/// Writes kernels into a site cache.
fn export(jit: &Jit, path: &Path, what: &str, args: &[&str]) -> Result<(), String> {
    let exported = match (what, args) {
        ("numbers", [from, to]) => {
            let specs: Vec<_> = (number(from)?..number(to)?).map(kernels::number).collect();
            jit.export(&specs, path)
        }
        ("corpus", [part, root]) => return corpus::export(part, Path::new(root), jit, path),
        _ => return Err(format!("client does not know how to export `{what}`")),
    };
    exported.map(|_| ()).map_err(report)
}

fn called(name: String, kernel: &Kernel<Number>) -> Loaded {
    Loaded { name, origin: kernel.origin(), value: f64::from(kernel.call()) }
}

fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}

fn report(error: Error) -> String {
    error.report()
}

/// Warnings, where a test can count them.
struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{}: {}", record.level(), record.args());
        }
    }

    fn flush(&self) {}
}
