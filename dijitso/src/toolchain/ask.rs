//! The questions put to a compiler that is met for the first time, and to a known one about new flags.
//!
//! Few processes, side by side: every one of them is a start-up that a cold run waits for.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Language;
use super::driver::{Driver, Found, Transcript, is_cc1, which};
use super::flags::Asked;
use super::loader;
use super::native::{CPU_FLAG, Native, asks_for_native, host_name};
use super::predefined::{Predefined, question};
use super::programs::{Programs, named_by};
use super::record::{Family, Record};
use super::template::{INPUT, LinkTemplate, OUTPUT, is_wrapper, linker_name};
use super::tools::Tools;
use crate::config::Config;
use crate::cxx;
use crate::error::human;
use crate::fs::Fs;
use crate::process::{Command, Output, Running, Status};
use crate::signature::Signature;
use crate::stats::Counters;

/// A compiler that says nothing for so long will not compile either. Generous, because the first start from
/// a cold file server takes seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything needed to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) driver: &'a Driver,
    pub(super) config: &'a Config,
    pub(super) fs: &'a Fs,
    pub(super) counters: &'a Counters,
}

impl Asker<'_> {
    fn timeout(&self) -> Duration {
        PATIENCE.min(self.config.build.timeout.value)
    }

    fn start<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Result<Running, String> {
        let mut command = self.driver.command(Path::new("/"), self.timeout());
        // The names of temporary files stand in the answers, which are read by the line.
        if self.config.tmpdir.as_os_str().as_bytes().contains(&b'\n') {
            command = command.set("TMPDIR", None::<&str>);
        }
        self.spawn(command.args(args.into_iter().map(|arg| arg.as_ref().to_owned())))
    }

    fn start_program(&self, program: &Path, args: &[&str]) -> Result<Running, String> {
        self.spawn(self.driver.program(program, Path::new("/"), self.timeout()).args(args))
    }

    fn spawn(&self, command: Command) -> Result<Running, String> {
        command.spawn(self.counters).map_err(|error| format!("cannot be started: {error}"))
    }

    /// The output of a question that was answered; else why it is none.
    fn answer(&self, running: Running) -> Result<Output, String> {
        self.answered(running.into_output())
    }

    fn answered(&self, output: Output) -> Result<Output, String> {
        match output.status {
            status if status.success() => Ok(output),
            Status::TimedOut => {
                Err(format!("did not answer within {} and was killed", human(self.timeout())))
            }
            status => {
                let transcript = Transcript::new(&output.stderr);
                let said = transcript.complaint().map(|line| format!(": {}", shortened(line)));
                Err(format!("{}{}", status.describe(), said.unwrap_or_default()))
            }
        }
    }

    /// What `-march=native` means on this machine, and what is predefined for it.
    pub(super) fn native(&self) -> Result<(Native, Predefined), String> {
        let output = self.start(compile_question(self.driver.language, true))?.into_output();
        let words = match output.status {
            // A compiler that knows no `native` has its default; one that was killed has not said so.
            Status::Exited(code) if code != 0 => Vec::new(),
            _ => Transcript::new(&self.answered(output)?.stderr).compiler().unwrap_or_default(),
        };
        let mut native = self.this_processor(&words);
        let running =
            self.start(predefined_question(&predefined_key(self.driver.language, Some(&native))))?;
        let predefined = self.settle(&mut native, running)?;
        Ok((native, predefined))
    }

    /// The processor in a command that compiles for it.
    fn this_processor(&self, words: &[String]) -> Native {
        let native = Native::read(words).unwrap_or_else(unknown_native);
        if native.arch.is_empty() {
            log::warn!(
                "{} cannot say what this processor is; kernels are compiled for its default one",
                self.driver.words.join(" ")
            );
        }
        native
    }

    /// The answer about a newly resolved processor. clang lists features that it has no flag for; without
    /// those it is asked once more.
    fn settle(&self, native: &mut Native, running: Running) -> Result<Predefined, String> {
        let output = running.into_output();
        if output.status.success() {
            return Predefined::read(
                predefined_key(self.driver.language, Some(native)),
                &output,
                self.config,
            );
        }
        let said = String::from_utf8_lossy(&output.stderr);
        native.arch.retain(|flag| !said.contains(&format!("'{flag}'")));
        self.predefined(predefined_key(self.driver.language, Some(native)))
            .map_err(|error| format!("cannot preprocess: it {error}"))
    }

    /// What is predefined and searched with these flags; the first one of `key` is the language.
    pub(super) fn predefined(&self, key: Vec<String>) -> Result<Predefined, String> {
        let output = self.answer(self.start(predefined_question(&key))?)?;
        Predefined::read(key, &output, self.config)
    }

    /// The same with flags that make code for another machine (`-m32`), under another name: no kernel may find it.
    pub(super) fn predefined_elsewhere(
        &self,
        key: &[String],
        name: Vec<String>,
    ) -> Result<Predefined, String> {
        let output = self.answer(self.start(predefined_question(key))?)?;
        Ok(Predefined::of_any_target(name, &output, self.config))
    }

    /// How the driver links with these flags; `None` if only the driver can.
    pub(super) fn template(&self, key: Vec<String>, known: &Tools) -> Result<Option<LinkTemplate>, String> {
        let link = self.start(link_question(&key))?;
        let name = linker_name(&[&self.driver.words, &key]);
        let ld = key.iter().cloned().chain([format!("-print-prog-name={name}")]);
        let ld = self.start(ld)?;
        let transcript = Transcript::new(&self.answer(link)?.stderr);
        // clang says so, and then what it does with its default linker.
        if let Some(complaint) = transcript.lines().find(|line| line.contains("error: ")) {
            return Err(complaint.to_owned());
        }
        let ld = self.answer(ld).map(|output| first_line(&output)).unwrap_or_default();
        let Some((mut template, program)) = LinkTemplate::read(key, &transcript) else { return Ok(None) };
        let Some(found) = self.linker(&program, &ld) else { return Ok(None) };
        let (help, libraries) =
            (self.start_program(&found.path, &["--help"])?, self.libraries_of(&found.path));
        template.finish(&found, self.answer(help).ok().as_ref());
        template.tools.must_stay_absent(found.absent);
        self.add(&mut template.tools, "ld", &found.path, known);
        self.add_libraries(&mut template.tools, libraries, known);
        Ok(Some(template))
    }

    /// Where the driver would find the linker that these flags name, as far as nothing is there now.
    pub(super) fn linker_places(&self, key: &[String], target: &str) -> Vec<PathBuf> {
        let words = key.iter().cloned().chain(["-print-search-dirs".to_owned()]);
        let said = self.start(words).and_then(|running| self.answer(running));
        // One that refuses the flags tells where it looks without them.
        let said =
            said.or_else(|_| self.start(["-print-search-dirs"]).and_then(|running| self.answer(running)));
        let said =
            said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let own = said.lines().find_map(|line| line.strip_prefix("programs: =")).unwrap_or_default();
        let dirs = std::env::split_paths(own).chain(std::env::split_paths(&self.driver.path));
        let name = linker_name(&[&self.driver.words, key]);
        let names = [format!("{target}-{name}"), name];
        let places = dirs.flat_map(|dir| names.clone().map(|name| dir.join(name)));
        places.filter(|place| place.is_absolute() && !self.fs.exists(place)).collect()
    }

    /// The linker behind what the driver runs.
    fn linker(&self, program: &str, named: &str) -> Option<Found> {
        let word = if is_wrapper(program) { named } else { program };
        which(word, &self.driver.path, self.fs).ok()
    }

    fn libraries_of(&self, program: &Path) -> Option<Running> {
        let interpreter = loader::interpreter_of(program, self.fs)?;
        self.start_program(&interpreter, &["--list", &program.to_string_lossy()]).ok()
    }

    fn add_libraries(&self, tools: &mut Tools, running: Option<Running>, known: &Tools) {
        let Some(output) = running.and_then(|running| self.answer(running).ok()) else { return };
        for (name, path) in loader::libraries(&output.stdout) {
            self.add(tools, &format!("library {name}"), &path, known);
        }
    }

    /// A tool that cannot be read is no part of the identity; it will fail by itself if it is needed.
    fn add(&self, tools: &mut Tools, role: &str, path: &Path, known: &Tools) {
        if let Err(error) = tools.add(role, path, known, self.fs) {
            log::debug!("cannot read {} of the compiler: {error}", path.display());
        }
    }
}

/// Asks a compiler everything; the error says why it is refused.
///
/// What is predefined is asked about the processor that the configuration names without more words: this machine's
/// own, or the compiler's default. Either tells the directories that the identity is made of.
pub(super) fn characterise(
    driver: &Driver,
    found: &Found,
    old: Option<&Record>,
    config: &Config,
    fs: &Fs,
    counters: &Counters,
) -> Result<Record, String> {
    let ask = Asker { driver, config, fs, counters };
    let known = old.map(Record::all_tools).unwrap_or_default();
    // Flags that are refused are told of by whoever wants them.
    let asked = Asked::collect(config, driver, cxx::Language::Cxx, None);
    let for_native = asked.map_or(true, |asked| asks_for_native(&asked.compile));

    let compile = ask.start(compile_question(driver.language, for_native))?;
    let link = ask.start(link_question(&[]))?;
    let ld = format!("-print-prog-name={}", linker_name(&[&driver.words]));
    let (ld, cc1) = (ask.start([ld])?, ask.start(["-print-prog-name=cc1"])?);

    let mut tools = Tools::default();
    for (n, word) in driver.words.iter().enumerate() {
        let program = if n == 0 { Ok(found.clone()) } else { which(word, &driver.path, fs) };
        // `ccache g++`: the second word is a program too. Flags are not, and resolve to nothing.
        if let Ok(program) = program
            && !word.starts_with('-')
        {
            ask.add(&mut tools, "driver", &program.path, &known);
            tools.must_stay_absent(program.absent);
        }
    }

    let mut compile = compile.into_output();
    // Some compilers do not know this processor, or know no `native` at all.
    if for_native && matches!(compile.status, Status::Exited(code) if code != 0) {
        compile = ask.start(compile_question(driver.language, false))?.into_output();
    }
    let compile = ask.answered(compile)?;
    let transcript = Transcript::new(&compile.stderr);
    let Some(compile_line) = transcript.compiler() else {
        let said =
            transcript.complaint().map_or("nothing".to_owned(), |line| format!("`{}`", shortened(line)));
        return Err(format!("is neither gcc nor clang: asked how it compiles (-###) it said {said}"));
    };
    let family = if is_cc1(&compile_line) { Family::Clang } else { Family::Gcc };
    let mut native = for_native.then(|| ask.this_processor(&compile_line));
    let key = predefined_key(driver.language, native.as_ref());
    let predefined = ask.start(predefined_question(&key))?;
    let mut programs = Programs::default();
    programs.of_compile(&ask, &transcript, &compile_line);
    let of_compiler = programs.compiler.as_deref().and_then(|path| ask.libraries_of(path));
    let of_assembler = programs.assembler.as_deref().and_then(|path| ask.libraries_of(path));
    // To read 35 MB takes longer than any answer, and these come meanwhile: first what is known so far, then the rest.
    for (role, path) in programs.files.drain(..) {
        ask.add(&mut tools, &role, &path, &known);
    }

    let link = Transcript::new(&ask.answer(link)?.stderr);
    let ld = ask.answer(ld).map(|output| first_line(&output)).unwrap_or_default();
    let template = LinkTemplate::read(Vec::new(), &link);
    let linker = template.as_ref().and_then(|(_, program)| ask.linker(program, &ld));
    let help = linker.as_ref().and_then(|found| ask.start_program(&found.path, &["--help"]).ok());
    let of_linker = linker.as_ref().and_then(|found| ask.libraries_of(&found.path));
    if let Ok(output) = ask.answer(cc1)
        && family == Family::Gcc
    {
        programs.found("cc1", &first_line(&output), &ask);
    }
    programs.of_link(&ask, &link);
    let target = transcript.value("Target:").unwrap_or(std::env::consts::ARCH).to_owned();
    programs.of_variables(&ask, &target);

    for (role, path) in &programs.files {
        ask.add(&mut tools, role, path, &known);
    }
    tools.must_stay_absent(programs.absent);
    for dir in &programs.dirs {
        tools.must_stay_unchanged(dir, fs);
    }
    for libraries in [of_compiler, of_assembler] {
        ask.add_libraries(&mut tools, libraries, &known);
    }
    let mut templates = Vec::new();
    if let (Some((mut template, _)), Some(found)) = (template, linker) {
        template.finish(&found, help.and_then(|help| ask.answer(help).ok()).as_ref());
        template.tools.must_stay_absent(found.absent);
        ask.add(&mut template.tools, "ld", &found.path, &known);
        ask.add_libraries(&mut template.tools, of_linker, &known);
        templates.push(template);
    }

    let predefined = match &mut native {
        Some(native) => ask.settle(native, predefined)?,
        // Who was in trouble once is asked once more.
        None => match ask.answer(predefined) {
            Ok(output) => Predefined::read(key, &output, config)?,
            Err(_) => ask.predefined(key).map_err(|error| format!("cannot preprocess: it {error}"))?,
        },
    };
    let mut record = Record {
        family,
        version: transcript.version().unwrap_or("unknown version").to_owned(),
        target,
        identity: Signature::from_bytes([0; 32]),
        tools,
        natives: native.into_iter().collect(),
        predefined: Vec::new(),
        templates,
        named: Tools::default(),
    };
    record.identify(
        driver,
        &lasting_words(&compile_line),
        &predefined.search,
        &named_by(config, "LIBRARY_PATH"),
    );
    record.predefined.push(predefined);
    Ok(record)
}

fn compile_question(language: Language, native: bool) -> Vec<String> {
    let native = native.then(|| format!("{CPU_FLAG}native"));
    let words = ["-###", "-x", language.dialect(), "-c", INPUT, "-o", "/dev/null"];
    native.into_iter().chain(words.map(str::to_owned)).collect()
}

fn link_question(key: &[String]) -> Vec<String> {
    key.iter().cloned().chain(["-###", "-shared", "-o", OUTPUT, INPUT].map(str::to_owned)).collect()
}

fn predefined_question(key: &[String]) -> Vec<String> {
    let language = key.first().map(String::as_str).unwrap_or("c++");
    key.iter().skip(1).map(String::as_str).chain(question(language)).map(str::to_owned).collect()
}

/// The question that nearly every kernel will ask.
fn predefined_key(language: Language, native: Option<&Native>) -> Vec<String> {
    let words = native.into_iter().flat_map(Native::flags).cloned();
    std::iter::once(language.dialect().to_owned()).chain(words).collect()
}

fn unknown_native() -> Native {
    Native { host: host_name(), arch: Vec::new(), tune: None }
}

/// The words of the compile command that do not depend on the machine, the moment or the question.
fn lasting_words(line: &[String]) -> Vec<String> {
    let mut lasting = Vec::new();
    let mut words = line.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--param" | "-target-cpu" | "-tune-cpu" | "-target-feature" => drop(words.next()),
            // What gfortran preprocesses goes through a file with a new name each time.
            _ if word.starts_with("-m") || word.starts_with("-cpp=") => {}
            _ => lasting.push(word.clone()),
        }
    }
    lasting
}

fn first_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned()
}

fn shortened(line: &str) -> String {
    let mut text: String = line.chars().take(200).collect();
    if text.len() < line.len() {
        text.push_str(" ..");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_of_the_moment_is_no_part_of_a_compiler() {
        let line = ["f951", "-cpp=/tmp/ccVUT6Hu.f90", "-quiet", "-march=x86-64", "-o", "/tmp/a.s"];
        assert_eq!(super::lasting_words(&line.map(str::to_owned)), ["f951", "-quiet"]);
    }
}
