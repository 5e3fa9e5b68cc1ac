//! What ranks say while they wait for one that is late.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dijitso::{BuildOn, Communicator, JitBuilder};

use crate::kernels::number;
use crate::matrix::REQUEST;

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Listener;

impl log::Log for Listener {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// From now on warnings are kept. Once in a process.
pub fn listen() {
    log::set_logger(&Listener).expect("the only logger");
    log::set_max_level(log::LevelFilter::Warn);
}

/// The warnings that there were since.
pub fn heard() -> Vec<String> {
    std::mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Takes part in a load as one rank, where rank `late` comes so much too late to its step number `moment`; after how long the
/// others lose their patience is up to them if it is `None`.
pub fn take_part<C: Communicator + ?Sized>(
    comm: &C,
    build_on: BuildOn,
    builder: JitBuilder,
    (late, moment, by): (usize, usize, Duration),
    patience: Option<Duration>,
) {
    let jit = builder.build().expect("a Jit");
    let steps = Cell::new(0);
    let probe = |_: &str| {
        if comm.rank() == late && steps.replace(steps.get() + 1) == moment {
            std::thread::sleep(by);
        }
        Ok(())
    };
    let collective = jit.on(comm).build_on(build_on).probe(&probe);
    let collective = match patience {
        Some(patience) => collective.patience(patience),
        None => collective,
    };
    collective.load_all(&REQUEST.map(number)).expect("kernels");
}

/// Whether somebody said for whom they wait, for what, and for which kernels. Before the step `step` that rank was late.
///
/// # Errors
/// What is missing, in words.
pub fn judge(late: usize, step: &str, warnings: &[String]) -> Result<(), String> {
    let doing: &[&str] = match step {
        "Agree" => &["agreeing on what is asked for"],
        "Share" => &["finding out who shares a cache directory"],
        "LookUp" => &["looking into the caches"],
        "Plan" => &["planning who builds what"],
        "Build" => &["hearing what became of the builds"],
        "Move" => &["moving binaries between machines", "handing out binaries"],
        "HandOut" => &["handing out binaries"],
        "Load" => &["loading"],
        other => return Err(format!("what is the step {other}?")),
    };
    let says_all = |warning: &&String| {
        warning.contains("has been waiting for rank")
            && warning.contains(&format!("rank {late}"))
            && warning.contains("k0000")
            && doing.iter().any(|words| warning.contains(words))
    };
    match warnings.iter().find(says_all) {
        Some(_) => Ok(()),
        None => Err(format!("rank {late} was late before {step}, and all that was said is {warnings:#?}")),
    }
}
