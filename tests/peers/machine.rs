//! Where and when the table was made.

use crate::programs::said;

/// Lines for the head of the table.
pub(crate) fn description() -> Vec<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let unknown = || "unknown".to_owned();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or_default();
    vec![
        format!("date: {}", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(unknown)),
        format!(
            "processor: {}, {cores} cores, {:.0} GB of memory",
            model.map_or("unknown", |(_, name)| name.trim()),
            kilobytes / 1e6
        ),
        format!("compiler: {}", said("c++", &["--version"]).unwrap_or_else(unknown)),
        format!("kernel: {}", said("uname", &["-sr"]).unwrap_or_else(unknown)),
        format!("rustc: {}", said("rustc", &["--version"]).unwrap_or_else(unknown)),
        format!("Python dijitso: {}", python_package().unwrap_or_else(unknown)),
        format!("load before: {}", load()),
    ]
}

fn python_package() -> Option<String> {
    let format = "-f=${Package} ${Version}";
    let package = said("dpkg-query", &["-W", format, "python3-dijitso"])?;
    Some(format!("{package}, {}", said("/usr/bin/python3", &["--version"])?))
}

/// How busy the machine is with other things, too: processes that want to run, mean of a minute.
pub(crate) fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or_default().to_owned()
}
