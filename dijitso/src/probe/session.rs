//! One session of asking: the compilers, what is known, and the programs that find out the rest.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use super::batch::Batch;
use super::fact::{Class, Fact, Group};
use super::fuse::Fuse;
use super::grounds::Grounds;
use super::job::{Ended, PATIENCE, Trace};
use super::memory::{Disagreement, Memory};
use super::need::{Answered, Called, Known, Need};
use super::pool::{Answers, Pool, Task};
use super::settings::Settings;
use super::surroundings::{Compiler, Linkers, Surroundings, Surrounds};
use super::told::{Problem, Step};
use super::trial::Call;
use super::verdict::Reason;
use crate::cache::{Glance, Store};
use crate::config::origin::Origin;
use crate::config::params::Cpu;
use crate::config::{Config, Sourced};
use crate::fs::{Fs, Scratch};
use crate::process::{Command, Limits};
use crate::signature::Signature;
use crate::stats::Counters;
use crate::toolchain::{Language, Toolchain, which};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: Arc<Config>,
    pub(crate) fs: Fs,
    pub(crate) counters: Arc<Counters>,
    pub(super) store: Option<Store>,
    limits: Limits,
    pub(super) memory: Memory,
    named: BTreeMap<Language, Sourced<Vec<String>>>,
    flags: BTreeMap<Language, Settings>,
    found: Mutex<BTreeMap<Language, Result<Compiler, Reason>>>,
    surrounds: Arc<Mutex<Surrounds>>,
    linkers: Arc<Mutex<Linkers>>,
    /// Where programs are.
    located: Mutex<HashMap<String, Located>>,
    /// What is signed of a compiler that is asked with these settings.
    signed: Mutex<HashMap<Language, Vec<(Settings, Signature)>>>,
    known: Mutex<HashMap<Signature, Known>>,
    disagreements: Mutex<Vec<Disagreement>>,
    pub(super) grounds: Grounds,
    sweep: Once,
    /// Where programs are run, if not here.
    pub(super) batch: Option<Batch>,
    /// Answers of programs that somebody gave, by the names of the questions.
    pub(super) given: BTreeMap<String, (i32, String)>,
}

/// Where a program is, and where an earlier one would be; else why it is nowhere.
type Located = Result<(PathBuf, Vec<PathBuf>), (String, Vec<PathBuf>)>;

/// Facts that are one text.
type Together = (Group, Vec<(Signature, Fact)>);

/// What somebody chose for a session.
#[derive(Debug)]
pub(crate) struct Choices {
    pub(crate) config: Config,
    pub(crate) memory: Memory,
    pub(crate) named: BTreeMap<Language, Sourced<Vec<String>>>,
    pub(crate) flags: BTreeMap<Language, Settings>,
    pub(crate) batch: Option<Batch>,
    pub(crate) given: BTreeMap<String, (i32, String)>,
}

impl Session {
    pub(crate) fn new(choices: Choices) -> crate::error::Result<Session> {
        let Choices { mut config, memory, named, flags, batch, given } = choices;
        // A question has the flags that it was given, and no kernel's: the compiler is asked what this processor is only
        // where the environment's flags want to know.
        config.build.cpu = Sourced { value: Cpu::Generic, origin: Origin::Default };
        let counters: Arc<Counters> = Arc::default();
        let fs = Fs::new(counters.clone());
        let store = match memory {
            Memory::None => None,
            _ => Some(Store::open(&config.cache.root.value, &fs, &config.cache)?),
        };
        let jobs = config.build.jobs.as_ref().map(|jobs| jobs.value);
        // Something may have been installed since this process looked last.
        crate::cache::look_again();
        Ok(Session {
            limits: Limits::new(jobs, config.build.memory_per_job.value / 8),
            config: Arc::new(config),
            fs,
            counters,
            store,
            memory,
            named,
            flags,
            found: Mutex::default(),
            surrounds: Arc::default(),
            linkers: Arc::default(),
            located: Mutex::default(),
            signed: Mutex::default(),
            known: Mutex::default(),
            disagreements: Mutex::default(),
            grounds: Grounds::default(),
            sweep: Once::new(),
            batch,
            given,
        })
    }

    /// How many programs may run at once.
    pub(crate) fn jobs(&self) -> usize {
        self.limits.jobs()
    }

    /// The compiler for a language; looked for when it is first needed.
    pub(crate) fn compiler(&self, language: Language) -> Result<Compiler, Reason> {
        let mut found = lock(&self.found);
        if let Some(known) = found.get(&language) {
            return known.clone();
        }
        let memo = self.store.as_ref().map(|store| {
            store.create_softly();
            store.toolchains_dir()
        });
        let named = self.named.get(&language);
        let ask = |memo: Option<&Path>| {
            Toolchain::of(language, named, &self.config, &self.fs, &self.counters, memo)
        };
        let mut toolchain = ask(memo.as_deref());
        if self.memory == Memory::Shadow
            && let Ok(remembered) = &toolchain
        {
            // What is remembered of the compiler itself is asked again, too.
            let asked = ask(None);
            if let Ok(asked) = &asked
                && asked.identity() != remembered.identity()
            {
                let told = |it: &Toolchain| format!("{}, {}", it.version(), it.identity().short());
                lock(&self.disagreements).push(Disagreement {
                    question: format!("the {language} compiler {}", asked.words().join(" ")),
                    remembered: told(remembered),
                    now: told(asked),
                });
            }
            toolchain = asked;
        }
        let compiler = match toolchain {
            Ok(toolchain) => {
                // A processor among its words is a flag like any other.
                let of_words = Settings { compile: toolchain.processor().to_vec(), ..Settings::new() };
                let given = self.flags.get(&language);
                Ok(Compiler { flags: given.map_or(of_words.clone(), |given| of_words.and(given)), toolchain })
            }
            Err(candidates) => {
                let tried: Vec<String> =
                    candidates.iter().map(|(name, why)| format!("{name} {why}")).collect();
                let text = format!(
                    "there is no usable {language} compiler: {}; install one, or name it in {}",
                    tried.join("; "),
                    language.variable()
                );
                Err(Reason::new(text).after_trying(candidates))
            }
        };
        found.insert(language, compiler.clone());
        compiler
    }

    /// The compilers that were looked for.
    pub(crate) fn compilers(&self) -> BTreeMap<Language, Compiler> {
        let found = lock(&self.found);
        found.iter().filter_map(|(language, found)| Some((*language, found.clone().ok()?))).collect()
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        let places = [Some(self.config.tmpdir.clone()), self.store.as_ref().map(Store::tmp_dir)];
        Surroundings {
            config: self.config.clone(),
            fs: self.fs.clone(),
            counters: self.counters.clone(),
            places: places.into_iter().flatten().collect(),
            timeout: self.config.build.timeout.value,
            run_timeout: PATIENCE.min(self.config.build.timeout.value),
            compilers: Arc::new(self.compilers()),
            surrounds: self.surrounds.clone(),
            linkers: self.linkers.clone(),
        }
    }

    /// What is signed of a compiler with these settings: made once, since compilers and environment of a session stay.
    pub(crate) fn signed(
        &self,
        language: Language,
        settings: &Settings,
        sign: impl FnOnce(&Session, Language, &Settings) -> Result<Signature, Reason>,
    ) -> Result<Signature, Reason> {
        let with = |known: &Vec<(Settings, Signature)>| {
            known.iter().find(|(known, _)| known == settings).map(|(_, signature)| *signature)
        };
        if let Some(signature) = lock(&self.signed).get(&language).and_then(with) {
            return Ok(signature);
        }
        let signature = sign(self, language, settings)?;
        lock(&self.signed).entry(language).or_default().push((settings.clone(), signature));
        Ok(signature)
    }

    pub(crate) fn known(&self, key: &Signature) -> Option<Known> {
        lock(&self.known).get(key).cloned()
    }

    /// What nobody could say is asked again the next time.
    pub(crate) fn forget_unknown(&self) {
        lock(&self.known).retain(|_, known| known.is_ok());
    }

    pub(crate) fn disagreements(&self) -> Vec<Disagreement> {
        lock(&self.disagreements).clone()
    }

    /// Finds out everything that is needed: remembered, or asked side by side.
    pub(crate) fn find_out(&self, needs: Vec<(Signature, Need)>) {
        self.note_variables(&needs);
        let mut remembered: HashMap<Signature, Arc<Answered>> = HashMap::new();
        let mut open = Vec::new();
        let glance = Glance::shared();
        for (key, need) in needs {
            let answer = self.recall(&key, &glance);
            match (answer, self.memory) {
                (Some(answer), Memory::Used) => self.learn(key, Ok(answer)),
                (answer, _) => {
                    remembered.extend(answer.map(|answer| (key, Arc::new(answer))));
                    open.push((key, need));
                }
            }
        }
        if open.is_empty() {
            return;
        }
        let described: HashMap<Signature, String> = match self.memory {
            Memory::Shadow => open.iter().map(|(key, need)| (*key, need.describe())).collect(),
            _ => HashMap::new(),
        };
        // What a killed session left behind.
        self.sweep.call_once(|| {
            Scratch::sweep(&self.fs, &self.config.tmpdir);
        });
        let programs = self.programs(&mut open, |key, answer| {
            let old = remembered.get(key);
            self.compare(old, described.get(key), answer);
        });
        for (key, result) in self.ask(open) {
            if let (Some(trial), Some(batch)) = (programs.get(&key), &self.batch) {
                let answer = self.linked(batch, &key, trial, result);
                self.learn(key, answer);
                continue;
            }
            match result {
                Ok((answer, trace)) => {
                    self.compare(remembered.get(&key), described.get(&key), &answer);
                    self.keep(&key, &answer, &trace);
                    self.learn(key, Ok(answer));
                }
                Err(problem) => self.learn(key, Err(problem)),
            }
        }
    }

    /// Notes that what was remembered is wrong.
    fn compare(&self, remembered: Option<&Arc<Answered>>, question: Option<&String>, answer: &Answered) {
        if let Some(old) = remembered.filter(|old| !old.agrees(answer)) {
            lock(&self.disagreements).push(Disagreement {
                question: question.cloned().unwrap_or_default(),
                remembered: old.describe(),
                now: answer.describe(),
            });
        }
    }

    pub(super) fn learn(&self, key: Signature, answer: Result<Answered, Problem>) {
        lock(&self.known).insert(key, answer.map(Arc::new));
    }

    /// Asks, with as many programs side by side as the cores allow.
    fn ask(&self, open: Vec<(Signature, Need)>) -> Answers {
        let mut tasks: Vec<Task> = Vec::new();
        let mut fused: BTreeMap<(Signature, Class), Together> = BTreeMap::new();
        let mut answers = Vec::new();
        for (key, need) in open {
            match need {
                Need::Trial(trial) => tasks.push(Task::Trial(key, trial)),
                Need::Fact(group, fact) => {
                    let class = fact.class();
                    let (_, facts) =
                        fused.entry((group.signature(), class)).or_insert_with(|| (group, Vec::new()));
                    facts.push((key, fact));
                }
                Need::CMake(call) => match self.locate("cmake") {
                    Ok((cmake, absent)) => tasks.push(Task::CMake(key, call, cmake, absent)),
                    Err((why, absent)) => {
                        let called = Called { path: None, why, step: Step::default() };
                        answers.push((key, Ok((Answered::Call(called), Trace::of(Vec::new(), absent)))));
                    }
                },
                Need::Call(call) => match self.locate(&call.program) {
                    // Whether it is there is all that is asked.
                    Ok((path, absent)) if call.args.is_empty() => {
                        let text = Some(path.to_string_lossy().into_owned());
                        let called = Called { path: text, why: String::new(), step: Step::default() };
                        answers.push((key, Ok((Answered::Call(called), Trace::of(vec![path], absent)))));
                    }
                    Ok((path, absent)) => tasks.push(self.call(key, &call, path, absent)),
                    Err((why, absent)) => {
                        let called = Called { path: None, why, step: Step::default() };
                        answers.push((key, Ok((Answered::Call(called), Trace::of(Vec::new(), absent)))));
                    }
                },
            }
        }
        for ((_, class), (group, mut facts)) in fused {
            // So that the text is the same whatever the order in which they were asked.
            facts.sort_by(|one, two| one.1.cmp(&two.1));
            tasks.push(Task::Facts(Fuse::new(group, class, facts)));
        }
        answers.extend(Pool::new(self.surroundings(), &self.limits, &self.counters).run(tasks));
        answers
    }

    /// Where a program is, and where an earlier one would be. It is looked for once in a session.
    pub(crate) fn locate(&self, program: &str) -> Located {
        if let Some(known) = lock(&self.located).get(program) {
            return known.clone();
        }
        let located = self.look_for(program);
        lock(&self.located).insert(program.to_owned(), located.clone());
        located
    }

    fn look_for(&self, program: &str) -> Located {
        let path = self.config.path.clone().unwrap_or_default();
        match which(program, &path, &self.fs) {
            Ok(found) => Ok((found.path, found.absent)),
            Err(why) => {
                let dirs = std::env::split_paths(&path).filter(|dir| dir.is_absolute());
                let absent = match program.contains('/') {
                    true => vec![PathBuf::from(program)],
                    false => dirs.map(|dir| dir.join(program)).collect(),
                };
                Err((why, absent))
            }
        }
    }

    fn call(&self, key: Signature, call: &Call, path: PathBuf, absent: Vec<PathBuf>) -> Task {
        const TIMEOUT: Duration = Duration::from_secs(20);
        let mut command = Command::new(&path, std::path::Path::new("/"), TIMEOUT).alone().args(&call.args);
        // A wrapper of MPI that was moved finds its own files by them.
        let compilers =
            self.config.compiler_env.iter().map(|(name, value)| (name.into(), Some(value.clone())));
        for (name, value) in self.surroundings().run_environment(&[]).into_iter().chain(compilers) {
            command = command.set(name, value);
        }
        let reads = call.reads.iter().map(PathBuf::from);
        let is_script = self.fs.read_head(&path, 2).is_ok_and(|head| head == b"#!");
        let mut trace = Trace::of(vec![path], absent.into_iter().chain(reads).collect());
        // What a script starts only it knows, or whoever asks.
        trace.incomplete = is_script && call.reads.is_empty();
        Task::Call(key, command.with_all_it_started(), trace)
    }
}

/// The answer to a trial.
pub(super) fn told(ended: Ended) -> Result<(Answered, Trace), Problem> {
    ended.told.map(|told| (Answered::Trial(told), ended.trace))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
