//! Compiling what is not on the shelf, with as many compilers as cargo's jobserver and the memory allow.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::cargo::Cargo;
use super::compiler::{Answer, Compilers, TIMEOUT, cannot_start};
use super::jobserver::{JobServer, Token};
use super::plan::Plan;
use super::searched::watchable;
use super::shelf::{Record, Shelf};
use crate::compile::symbol_name;
use crate::error::{Error, Result};
use crate::process::{Command, Limits, Output, Running, wait_any};
use crate::signature::{Sign as _, Signature, Signer};
use crate::source::render;
use crate::toolchain::{CpuFeatures, Trouble, depfile, dialect, trouble};

/// One kernel, compiled for one processor.
#[derive(Debug)]
pub(super) struct Object {
    /// Its number in the plan.
    pub(super) kernel: usize,
    pub(super) cpu: Option<String>,
    /// The entry's; also what everything of this object is named after.
    pub(super) symbol: String,
    pub(super) features: CpuFeatures,
    pub(super) bytes: Vec<u8>,
}

/// What is to be compiled.
struct Task {
    object: usize,
    key: Signature,
    command: Command,
    answer: Answer,
    /// What is compiled, as it was written.
    texts: Vec<String>,
}

const DEPENDENCIES: &str = "unit.d";
/// How often to look whether another job has given back its token.
const LOOK: Duration = Duration::from_millis(20);
/// What a compiler may take, as in the engine's default configuration.
const MEMORY: u64 = 1 << 30;

/// All kernels of the plan for all processors: those on the shelf, and the others compiled.
pub(super) fn objects(
    cargo: &Cargo,
    plan: &Plan,
    compilers: &mut Compilers<'_>,
    shelf: &Shelf,
) -> Result<Vec<Object>, Vec<Error>> {
    let mut all = All {
        cargo,
        plan,
        shelf,
        objects: Vec::new(),
        inputs: BTreeSet::new(),
        dirs: BTreeSet::new(),
        errors: Vec::new(),
    };
    let mut tasks = VecDeque::new();
    for cpu in compilers.cpus() {
        for kernel in 0..plan.kernels.len() {
            match all.take_or_task(compilers, kernel, cpu) {
                Ok(task) => tasks.extend(task),
                // The compiler is missing, or refuses the flags of all: once is enough.
                Err(error @ Error::NoCompiler { .. }) => return Err(vec![error]),
                Err(error) => all.errors.push((kernel, error)),
            }
        }
    }
    run(cargo, tasks, |task, started, output| all.ended(task, started, output));
    cargo.rerun_for_files(&all.inputs);
    cargo.rerun_for_files(&watchable(cargo, &all.dirs));
    if all.errors.is_empty() {
        return Ok(all.objects);
    }
    all.errors.sort_by_key(|(kernel, _)| *kernel);
    // Whatever is wrong with it is wrong for every processor.
    all.errors.dedup_by_key(|(kernel, _)| *kernel);
    let mut errors: Vec<Error> = all.errors.into_iter().map(|(_, error)| error).collect();
    // And so are flags that everybody has.
    let mut told = HashSet::new();
    errors.retain(|error| !matches!(error, Error::Config { .. }) || told.insert(error.to_string()));
    Err(errors)
}

struct All<'a> {
    cargo: &'a Cargo,
    plan: &'a Plan,
    shelf: &'a Shelf,
    objects: Vec<Object>,
    /// Files that were read, of all kernels.
    inputs: BTreeSet<PathBuf>,
    /// Where others may appear.
    dirs: BTreeSet<PathBuf>,
    errors: Vec<(usize, Error)>,
}

impl All<'_> {
    /// Takes a kernel from the shelf, or says how to compile it.
    fn take_or_task(
        &mut self,
        compilers: &mut Compilers<'_>,
        kernel: usize,
        cpu: Option<&str>,
    ) -> Result<Option<Task>> {
        let planned = &self.plan.kernels[kernel];
        let (spec, parts) = (&planned.spec, &planned.parts);
        let name = spec.name();
        let symbol = symbol_name(name, &self.identity(kernel, cpu).to_hex());
        let dir = self.shelf.dir(&symbol);
        let command = compilers.command(planned, cpu, &dir)?;
        let headers = self.headers_below(kernel)?;

        let mut signer = Signer::quiet("dijitso prebuilt object 1");
        // Text with the lines of the Rust file would be another one after an edit above the generator.
        render(parts, name, &symbol, false).sign(&mut signer);
        signer.field("headers", &headers);
        let compiler = compilers.of(parts.language)?;
        compiler.sign(&mut signer, &self.cargo.fs);
        self.inputs.extend(compiler.files(&self.cargo.fs));
        signer.field("command", &command.args);
        for (variable, value) in &command.env {
            signer.field("variable", variable);
            signer.field("value", value);
        }
        for (variable, value) in &self.cargo.compiler_environment {
            signer.field(variable, value);
        }
        let key = signer.finish();

        let object = Object {
            kernel,
            cpu: cpu.map(str::to_owned),
            symbol,
            features: CpuFeatures::NONE,
            bytes: Vec::new(),
        };
        if let Some((record, bytes)) = self.shelf.get(&object.symbol, &key) {
            self.objects.push(object);
            self.fill(self.objects.len() - 1, record, bytes);
            return Ok(None);
        }
        let Some(answer) = compilers.ask(&command, parts.language, &spec.at())? else {
            return Ok(None);
        };
        let rendered = render(parts, name, &object.symbol, true);
        let files = headers.iter().chain(&rendered.files);
        let files: Vec<(&str, &str)> = files.map(|(name, text)| (name.as_str(), text.as_str())).collect();
        self.shelf.prepare(&object.symbol, &files)?;
        let words =
            ["-MD", "-MF", DEPENDENCIES, "-x", dialect(parts.language), "-c", &rendered.main, "-o", "unit.o"];
        self.objects.push(object);
        let texts = files.into_iter().map(|(_, text)| text.to_owned()).collect();
        Ok(Some(Task { object: self.objects.len() - 1, key, command: command.args(words), answer, texts }))
    }

    /// What names the kernel among all kernels of all crates that a program may consist of.
    fn identity(&self, kernel: usize, cpu: Option<&str>) -> Signature {
        let mut signer = Signer::quiet("dijitso prebuilt symbol 1");
        signer.field("spec", &self.plan.kernels[kernel].spec.signature());
        signer.field("package", &self.cargo.package);
        signer.field("version", &self.cargo.version);
        signer.field("archive", &self.cargo.name);
        signer.field("cpu", &cpu);
        signer.finish()
    }

    /// The headers of all kernels below, which may be included by name.
    fn headers_below(&self, kernel: usize) -> Result<Vec<(String, String)>> {
        let planned = &self.plan.kernels[kernel];
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut owners: HashMap<&str, usize> = HashMap::new();
        for number in self.plan.below(kernel) {
            for (header, text) in &self.plan.kernels[number].parts.headers {
                let own = planned.parts.headers.iter().any(|(own, _)| own == header);
                let known = headers.iter().find(|(known, _)| known == header);
                if let Some((_, other)) = known
                    && (other != text && !own)
                {
                    let first = owners.get(header.as_str()).map_or("", |&n| self.plan.kernels[n].spec.name());
                    return Err(Error::Declaration {
                        kernel: planned.spec.at(),
                        problem: format!(
                            "it depends on `{first}` and `{}`, which bring two different headers `{header}`; give one \
                             of them another name",
                            self.plan.kernels[number].spec.name()
                        ),
                    });
                }
                if known.is_none() {
                    owners.insert(header, number);
                    headers.push((header.clone(), text.clone()));
                }
            }
        }
        Ok(headers)
    }

    fn fill(&mut self, object: usize, record: Record, bytes: Vec<u8>) {
        self.inputs.extend(record.inputs.into_iter().map(|(path, _)| path));
        self.dirs.extend(record.dirs);
        self.objects[object].features = record.features;
        self.objects[object].bytes = bytes;
    }

    fn ended(&mut self, task: &Task, started: SystemTime, output: std::io::Result<Output>) {
        let object = &self.objects[task.object];
        let kernel = object.kernel;
        let result = self.finished(task, object.symbol.clone(), started, output);
        match result {
            Ok((record, bytes)) => self.fill(task.object, record, bytes),
            Err(error) => self.errors.push((kernel, error)),
        }
    }

    fn finished(
        &mut self,
        task: &Task,
        symbol: String,
        started: SystemTime,
        output: std::io::Result<Output>,
    ) -> Result<(Record, Vec<u8>)> {
        let at = self.plan.kernels[self.objects[task.object].kernel].spec.at();
        let output = output.map_err(|error| cannot_start(&task.command, &error, &at))?;
        let dir = self.shelf.dir(&symbol);
        let rule = self.cargo.fs.read(&dir.join(DEPENDENCIES)).unwrap_or_default();
        let read =
            depfile::parse(&rule).into_iter().filter(|path| path.is_absolute() && !path.starts_with(&dir));
        let read: Vec<PathBuf> = read.collect();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        let problem = match trouble("compiler", &output, TIMEOUT) {
            None => {
                // Somebody asked for warnings (`-Wall`), and cargo shows them.
                log.lines().for_each(|line| println!("cargo::warning={line}"));
                let Answer { features, searched } = &task.answer;
                let texts: Vec<&str> = task.texts.iter().map(String::as_str).collect();
                let vain = searched.in_vain(&self.cargo.fs, &read, &texts, started);
                return self.shelf.put(&symbol, task.key, read, vain, *features, started);
            }
            Some(Trouble::Text) => None,
            Some(Trouble::Space(problem) | Trouble::Machine(problem)) => Some(problem),
        };
        // What it read so far may be what is wrong with it.
        self.inputs.extend(read);
        self.dirs.extend(task.answer.searched.named().cloned());
        let bundle = self.leave_script(task, &dir, &log);
        let command = task.command.to_string();
        Err(match problem {
            None => Error::Compile { kernel: at, log, command, bundle },
            Some(problem) => Error::Compiler { kernel: at, problem, log, bundle },
        })
    }

    /// The sources stay; beside them goes what repeats the failure.
    fn leave_script(&self, task: &Task, dir: &std::path::Path, log: &str) -> Option<PathBuf> {
        let script = format!(
            "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 1\nexport LC_ALL=C\nexec {}\n",
            task.command
        );
        let written = self.cargo.fs.write(&dir.join("command.sh"), script.as_bytes());
        written.and_then(|()| self.cargo.fs.write(&dir.join("error.log"), log.as_bytes())).ok()?;
        use std::os::unix::fs::PermissionsExt as _;
        let _ = std::fs::set_permissions(dir.join("command.sh"), std::fs::Permissions::from_mode(0o755));
        Some(dir.to_owned())
    }
}

/// Runs all tasks. The first process at any time runs on the build script's own token.
fn run(
    cargo: &Cargo,
    mut tasks: VecDeque<Task>,
    mut ended: impl FnMut(&Task, SystemTime, std::io::Result<Output>),
) {
    let server = JobServer::of_cargo();
    let limits = Limits::new(server.is_none().then_some(cargo.jobs), MEMORY);
    let limits = if server.is_some() { Limits::new(Some(usize::MAX), MEMORY) } else { limits };
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut running: Vec<Running> = Vec::new();
    let mut under_way: Vec<(Task, SystemTime)> = Vec::new();
    while !(tasks.is_empty() && running.is_empty()) {
        while let Some(task) = tasks.pop_front() {
            let mut may_start = limits.may_start(running.len());
            if may_start
                && !running.is_empty()
                && let Some(server) = &server
            {
                let token = server.token();
                may_start = token.is_some();
                tokens.extend(token);
            }
            if !may_start {
                tasks.push_front(task);
                break;
            }
            let started = SystemTime::now();
            match task.command.spawn(cargo.fs.counters()) {
                Ok(child) => {
                    running.push(child);
                    under_way.push((task, started));
                }
                Err(error) => ended(&task, started, Err(error)),
            }
            tokens.truncate(running.len().saturating_sub(1));
        }
        let patience = if tasks.is_empty() { Duration::from_secs(3600) } else { LOOK };
        if let Some(index) = wait_any(&mut running, patience) {
            let output = running.swap_remove(index).into_output();
            let (task, started) = under_way.swap_remove(index);
            ended(&task, started, Ok(output));
            tokens.truncate(running.len().saturating_sub(1));
        }
    }
}
