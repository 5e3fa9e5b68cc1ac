//! POSIX threads.

use serde::{Deserialize, Serialize};

use crate::config::origin::Origin;
use crate::configure::{Cx, Failed, Module};
use crate::probe::{FirstOf, Language, Link, Question as _, Settings};

/// POSIX threads: what to compile and link with, which may be nothing. They come with the C library: there is no place where they
/// might be installed, and nothing to download.
///
/// BuildSystem: `config.packages.pthread`.
///
/// ```no_run
/// use dijitso::configure::{Configure, Threads};
///
/// # fn main() -> Result<(), dijitso::configure::Failed> {
/// let configuration = Configure::new("Demo").with::<Threads>().run()?;
/// println!("{}", configuration.get::<Threads>().unwrap().settings);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Threads {
    /// What to compile and link with.
    pub settings: Settings,
}

impl Module for Threads {
    const NAME: &'static str = "packages.threads";

    fn configure(cx: &Cx<'_>) -> Result<Threads, Failed> {
        let candidates = [Settings::new(), Settings::new().flag("-pthread"), Settings::new().lib("pthread")];
        let includes = "#include <pthread.h>\nstatic void *f(void *x) { return x; }";
        let body = "pthread_t t; return pthread_create(&t, 0, f, 0) || pthread_join(t, 0);";
        let text = |settings: &Settings| {
            let text = Link::body(Language::C, includes, body).with(settings);
            text.named(format!("program with threads {settings}").trim_end().to_owned())
        };
        let (which, _) = cx.need(&FirstOf::new(candidates.iter().map(text)))?;
        let chosen = &candidates[which];
        let settings = chosen.clone().asked_by(Origin::Probe(format!(
            "{}, by {}",
            text(chosen).describe(),
            cx.module()
        )));
        cx.settings(None, &settings);
        cx.define("HAVE_THREADS", true, "a program with threads is linked");
        let shown = if settings.is_empty() { "nothing is needed".to_owned() } else { settings.to_string() };
        cx.summary("Threads", shown);
        Ok(Threads { settings })
    }
}
