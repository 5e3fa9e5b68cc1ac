//! The graph of modules, as it comes to be: who runs, who is done, who waits for whom.

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::cx::Cx;
use super::failed::{Failed, FailureKind};
use super::log::Log;
use super::module::{Child, Module, Order};
use super::options::{Given, Options, Sources};
use super::outputs::Outputs;
use crate::config::env::COMPILER_VARIABLES;
use crate::probe::Probes;

/// By type, and for children by key.
pub(super) type Node = (TypeId, Option<String>);

/// A value, and who gives it.
pub(super) type Provided = (Arc<dyn Any + Send + Sync>, String);

/// Everything of one configuration while it runs.
pub(super) struct Framework {
    pub(super) project: String,
    pub(super) dir: Option<PathBuf>,
    /// Its name among others in that directory.
    pub(super) name: Option<String>,
    /// The file that options were read from, if one was named.
    pub(super) options_file: Option<PathBuf>,
    pub(super) probes: Probes,
    pub(super) options: Options,
    pub(super) given: Given,
    pub(super) log: Log,
    pub(super) outputs: Mutex<Outputs>,
    pub(super) provided: Mutex<HashMap<TypeId, Provided>>,
    nodes: Mutex<HashMap<Node, State>>,
    /// Whose a name is.
    names: Mutex<HashMap<String, (TypeId, &'static str)>>,
    /// Modules that nobody may begin any more, because of who was to come after them.
    late: Mutex<HashMap<TypeId, String>>,
    /// In the order in which they were done.
    results: Mutex<Vec<(String, Json)>>,
    edges: Mutex<Vec<(String, String)>>,
    /// The first failure of something that the user asked for, whoever can do without it.
    demanded: Mutex<Option<Failed>>,
    /// What modules read themselves.
    reads: Mutex<Reads>,
    registered: Vec<Registered>,
}

/// Variables of the environment, and files.
#[derive(Default)]
struct Reads {
    variables: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
    places: BTreeSet<PathBuf>,
}

#[derive(Clone)]
enum State {
    Running,
    Done(Arc<dyn Any + Send + Sync>),
    Failed(Failed),
}

/// A module that the program named.
#[derive(Clone)]
pub(super) struct Registered {
    pub(super) type_id: TypeId,
    pub(super) name: &'static str,
    pub(super) optional: bool,
    pub(super) run: fn(&Framework, &[String]) -> Result<(), Failed>,
    pub(super) order: fn(&mut Order),
    pub(super) options: fn(&mut Options),
}

impl Registered {
    pub(super) fn of<M: Module>(optional: bool) -> Registered {
        Registered {
            type_id: TypeId::of::<M>(),
            name: M::NAME,
            optional,
            run: |framework, stack| framework.module::<M>(stack).map(|_| ()),
            order: M::order,
            options: |options| options.of_module::<M>(),
        }
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).field("optional", &self.optional).finish()
    }
}

impl Framework {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        project: String,
        dir: Option<PathBuf>,
        probes: Probes,
        options: Options,
        given: Given,
        log: Log,
        outputs: Outputs,
        registered: Vec<Registered>,
    ) -> Framework {
        Framework {
            project,
            dir,
            name: None,
            options_file: None,
            probes,
            options,
            given,
            log,
            outputs: Mutex::new(outputs),
            provided: Mutex::default(),
            nodes: Mutex::default(),
            names: Mutex::default(),
            late: Mutex::default(),
            results: Mutex::default(),
            edges: Mutex::default(),
            demanded: Mutex::default(),
            reads: Mutex::default(),
            registered,
        }
    }

    /// The modules that the program named, each after those that it said come before.
    ///
    /// # Errors
    /// The first failure of one that is not optional, or of what the user asked for, or one that is no plain No: what nobody
    /// could say is nothing to do without. All others are configured nevertheless, because a person who has one thing to
    /// mend wants to know the others.
    pub(super) fn run(&self) -> Result<(), Failed> {
        let mut first = None;
        for registered in &self.registered {
            if let Err(failed) = (registered.run)(self, &[])
                && !(registered.optional && failed.is_absence())
            {
                first.get_or_insert(failed);
            }
        }
        first.or_else(|| lock(&self.demanded).clone()).map_or(Ok(()), Err)
    }

    pub(super) fn module<M: Module>(&self, stack: &[String]) -> Result<Arc<M>, Failed> {
        let node = (TypeId::of::<M>(), None);
        self.earlier::<M>(stack)?;
        self.node(node, M::NAME.to_owned(), stack, M::configure)
    }

    pub(super) fn child<C: Child>(&self, key: &C::Key, stack: &[String]) -> Result<Arc<C>, Failed> {
        let text = key.to_string();
        let name = format!("{}[{text}]", C::NAME);
        self.node((TypeId::of::<C>(), Some(text)), name, stack, |cx| C::configure(key, cx))
    }

    /// What must come before a module, without being part of its result.
    fn earlier<M: Module>(&self, stack: &[String]) -> Result<(), Failed> {
        if lock(&self.nodes).contains_key(&(TypeId::of::<M>(), None)) {
            return Ok(());
        }
        let mut order = Order::default();
        M::order(&mut order);
        self.in_time::<M>(&order, stack)?;
        for registered in &self.registered {
            let mut theirs = Order::default();
            (registered.order)(&mut theirs);
            let first =
                order.after.contains(&registered.type_id) || theirs.before.contains(&TypeId::of::<M>());
            if first && registered.type_id != TypeId::of::<M>() {
                let mut path = stack.to_vec();
                path.push(M::NAME.to_owned());
                if path.iter().any(|name| name == registered.name) {
                    return Err(circle(&path, registered.name));
                }
                self.edge(registered.name, M::NAME);
                // Whether it fails is no matter of this one, unless that is this one's fault.
                match (registered.run)(self, &path) {
                    Err(failed) if failed.kind() == FailureKind::Circle => return Err(failed),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The program's own modules are put into order; one that is only required may begin when it is too late for that.
    fn in_time<M: Module>(&self, order: &Order, stack: &[String]) -> Result<(), Failed> {
        let too_late = |first: &str, then: &str| {
            let advice =
                format!("name {first} where the configuration is described, with `optional` or `with`");
            let text = format!("{first} comes before {then}, which was configured already: {advice}");
            Err(Failed::new(FailureKind::Program, text))
        };
        let has_begun = |kind: &TypeId| lock(&self.nodes).contains_key(&(*kind, None));
        let named = |kind: &TypeId| {
            let names = lock(&self.names);
            names.iter().find(|(_, (known, _))| known == kind).map(|(name, _)| name.clone())
        };
        for then in order.before.iter().filter(|kind| has_begun(kind)) {
            let then = named(then).unwrap_or_default();
            if !stack.contains(&then) {
                return too_late(M::NAME, &then);
            }
        }
        if let Some(then) = lock(&self.late).get(&TypeId::of::<M>()).filter(|then| !stack.contains(then)) {
            return too_late(M::NAME, then);
        }
        let is_registered = |kind: &&TypeId| self.registered.iter().any(|known| known.type_id == **kind);
        for first in order.after.iter().filter(|kind| !has_begun(kind) && !is_registered(kind)) {
            lock(&self.late).entry(*first).or_insert_with(|| M::NAME.to_owned());
        }
        Ok(())
    }

    /// Results, logs and records go by names.
    fn claim<R: Any>(&self, name: &str) -> Result<(), Failed> {
        let (kind, text) = (TypeId::of::<R>(), std::any::type_name::<R>());
        let (known, theirs) = *lock(&self.names).entry(name.to_owned()).or_insert((kind, text));
        match known == kind {
            true => Ok(()),
            false => Err(Failed::new(
                FailureKind::Program,
                format!("{theirs} and {text} both have the name {name}: give one of them another NAME"),
            )),
        }
    }

    fn node<R: Any + Send + Sync + Serialize + DeserializeOwned>(
        &self,
        node: Node,
        name: String,
        stack: &[String],
        configure: impl FnOnce(&Cx<'_>) -> Result<R, Failed>,
    ) -> Result<Arc<R>, Failed> {
        if let Some(above) = stack.last() {
            self.edge(&name, above);
        }
        self.claim::<R>(&name)?;
        let state = lock(&self.nodes).get(&node).cloned();
        match state {
            Some(State::Done(result)) => {
                return result
                    .downcast()
                    .map_err(|_| Failed::new(FailureKind::Program, "a result of another type"));
            }
            Some(State::Failed(failed)) => return Err(failed),
            Some(State::Running) => return Err(circle(stack, &name)),
            None => {}
        }
        lock(&self.nodes).insert(node.clone(), State::Running);
        let mut path = stack.to_vec();
        path.push(name.clone());
        self.log.begin(&name);
        let cx = Cx::new(self, path);
        let configured = configure(&cx).and_then(|result| match written_down(&result) {
            Ok(json) => Ok((result, json)),
            Err(error) => Err(Failed::new(
                FailureKind::Program,
                format!("its result cannot be written down and read again: {error}"),
            )),
        });
        let puts = cx.into_puts();
        let outcome = match configured {
            Ok((result, json)) => {
                for put in puts {
                    if let Err(mistake) = put(&mut lock(&self.outputs)) {
                        self.log.mistake(&name, mistake.within(&name));
                    }
                }
                let result = Arc::new(result);
                lock(&self.results).push((name.clone(), json));
                lock(&self.nodes).insert(node, State::Done(result.clone()));
                Ok(result)
            }
            Err(failed) => {
                let failed = failed.within(&name);
                // What it wanted written goes with it, and what it gave to others.
                lock(&self.provided).retain(|_, (_, by)| *by != name);
                if failed.is_demanded() {
                    lock(&self.demanded).get_or_insert_with(|| failed.clone());
                }
                lock(&self.nodes).insert(node, State::Failed(failed.clone()));
                Err(failed)
            }
        };
        self.log.end(&name, outcome.as_ref().err());
        outcome
    }

    fn edge(&self, first: &str, then: &str) {
        let edge = (first.to_owned(), then.to_owned());
        let mut edges = lock(&self.edges);
        if !edges.contains(&edge) {
            edges.push(edge);
        }
    }

    pub(super) fn reads_variable(&self, name: &str) {
        lock(&self.reads).variables.insert(name.to_owned());
    }

    /// All variables that answers may depend on, by their names.
    pub(super) fn variables(&self, sources: &Sources) -> Vec<String> {
        let declared = self.options.all().flat_map(|declared| declared.variables(&sources.prefix));
        let compilers = COMPILER_VARIABLES.iter().map(|name| (*name).to_owned());
        let paths = ["PATH", "LD_LIBRARY_PATH"].map(str::to_owned);
        let mut all: Vec<String> = declared.chain(compilers).chain(paths).collect();
        all.extend(self.probes.session().read_variables());
        all.extend(self.read_variables());
        all.sort();
        all.dedup();
        all
    }

    /// A directory that was looked into for what may come later; if it is not there, the nearest one above it.
    pub(super) fn looks_into(&self, dir: &Path) {
        let fs = &self.probes.session().fs;
        let there = dir.ancestors().filter(|dir| dir.is_absolute());
        if let Some(dir) = there.into_iter().find(|dir| matches!(fs.directory(dir), Ok(Some(_)))) {
            lock(&self.reads).places.insert(dir.to_owned());
        }
    }

    pub(super) fn places(&self) -> Vec<PathBuf> {
        lock(&self.reads).places.iter().cloned().collect()
    }

    pub(super) fn reads_file(&self, path: PathBuf) {
        lock(&self.reads).files.insert(path);
    }

    pub(super) fn read_variables(&self) -> Vec<String> {
        lock(&self.reads).variables.iter().cloned().collect()
    }

    pub(super) fn read_files(&self) -> Vec<PathBuf> {
        lock(&self.reads).files.iter().cloned().collect()
    }

    /// Names and results, in the order in which they were done.
    pub(super) fn results(&self) -> Vec<(String, Json)> {
        lock(&self.results).clone()
    }

    /// Who had to come before whom.
    pub(super) fn edges(&self) -> Vec<(String, String)> {
        lock(&self.edges).clone()
    }
}

/// As other processes and the next configuration will read it.
fn written_down<R: Serialize + DeserializeOwned>(result: &R) -> serde_json::Result<Json> {
    let json = serde_json::to_value(result)?;
    R::deserialize(&json).map(|_| json)
}

fn circle(path: &[String], name: &str) -> Failed {
    let from = path.iter().position(|above| above == name).unwrap_or(0);
    let mut circle: Vec<&str> = path[from..].iter().map(String::as_str).collect();
    circle.push(name);
    Failed::new(
        FailureKind::Circle,
        format!(
            "modules require each other in a circle: {}; break it by moving what they share into a third module",
            circle.join(" -> ")
        ),
    )
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is wrong although no module failed.
pub(super) fn checked(framework: &Framework) -> Result<(), Failed> {
    let mistakes = framework.log.mistakes();
    match &mistakes[..] {
        [] => {}
        [mistake] => return Err(mistake.clone()),
        [first, ..] => {
            let each: Vec<String> = mistakes.iter().map(|mistake| mistake.text().to_owned()).collect();
            let text = format!("{} mistakes:\n{}", each.len(), each.join("\n"));
            return Err(first
                .path()
                .iter()
                .fold(Failed::new(FailureKind::Program, text), |failed, module| failed.within(module)));
        }
    }
    let wrong = framework.probes.disagreements();
    if !wrong.is_empty() {
        let each: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let text = format!("{} remembered answers are wrong:\n{}", each.len(), each.join("\n"));
        return Err(Failed::new(FailureKind::Stale, text));
    }
    Ok(())
}
