//! The machine: what was measured on, and which core does what.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

const TASKSET: [&str; 2] = ["/usr/bin/taskset", "/bin/taskset"];

/// Which core the measured programs run on, and which one the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cores {
    /// One for every measured program, another for this one.
    Apart {
        /// Every measured program.
        programs: u32,
        /// The load, and what is measured inside this program.
        load: u32,
    },
    /// Everything anywhere, for this reason.
    Shared(&'static str),
}

impl Cores {
    /// Puts this process on the core of the load, and with it every thread and program that it
    /// starts from now on. To be called before it has a second thread.
    ///
    /// # Errors
    /// When `taskset` is there and fails.
    pub fn part() -> anyhow::Result<Self> {
        if !TASKSET.iter().any(|path| Path::new(path).is_file()) {
            return Ok(Self::Shared("taskset of util-linux is not installed"));
        }
        let allowed = allowed_cores(&read("/proc/self/status"));
        let (Some(programs), Some(load)) = (allowed.first().copied(), allowed.last().copied())
        else {
            return Ok(Self::Shared("the kernel does not say which cores there are"));
        };
        if programs == load {
            return Ok(Self::Shared("there is only one core"));
        }
        pin(std::process::id(), load)?;
        Ok(Self::Apart { programs, load })
    }

    /// Puts a running program and all its threads on the core of the measured ones. It was started
    /// on one core, so that it made as many threads as one core is for.
    ///
    /// # Errors
    /// When `taskset` fails.
    pub fn place(&self, process: u32) -> anyhow::Result<()> {
        match self {
            Self::Apart { programs, .. } => pin(process, *programs),
            Self::Shared(_) => Ok(()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Apart { programs, load } => {
                format!("measured programs on core {programs}, load on core {load}")
            }
            Self::Shared(why) => format!("NOT pinned to cores: {why}"),
        }
    }
}

fn pin(process: u32, core: u32) -> anyhow::Result<()> {
    let program = TASKSET.into_iter().find(|path| Path::new(path).is_file()).context("taskset")?;
    let status = Command::new(program)
        .args(["-a", "-c", "-p", &core.to_string(), &process.to_string()])
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "taskset could not place process {process}");
    Ok(())
}

/// `Cpus_allowed_list` of `/proc/PID/status`, such as `0-1,4`.
fn allowed_cores(status: &str) -> Vec<u32> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mut cores = Vec::new();
    for part in list.unwrap_or("").trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

/// What was measured on, so that a figure can be doubted properly.
pub fn describe(cores: &Cores) -> serde_json::Value {
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let count = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let load = load_average();
    let profile = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    let versions = serde_json::json!({
        "proviso": env!("CARGO_PKG_VERSION"),
        "build": profile,
        "sqlite": rusqlite::version(),
        "nginx": version_of("/usr/sbin/nginx", "-v"),
        "node": version_of("node", "--version"),
    });
    println!("{model}, {count} cores; kernel {kernel}; load average {load}");
    println!("{}", cores.text());
    let named: Vec<String> = versions
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("not installed")))
        .collect();
    println!("{}", named.join(", "));
    if cfg!(debug_assertions) {
        println!("THIS IS A DEBUG BUILD: it shows that the benchmark works, and no speed");
    }
    serde_json::json!({
        "title": "machine", "cpu": model, "cores": count, "placement": cores.text(),
        "kernel": kernel, "load_average": load, "versions": versions,
    })
}

/// The load average now, as `/proc/loadavg` has it.
pub fn load_average() -> String {
    read("/proc/loadavg").trim().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a program says about its version; nginx says it on standard error.
fn version_of(program: &str, flag: &str) -> Option<String> {
    let said = Command::new(program).arg(flag).output().ok()?;
    let text = if said.stdout.is_empty() { said.stderr } else { said.stdout };
    let text = String::from_utf8(text).ok()?;
    let version = text.trim().rsplit(['/', ' ']).next()?.trim_start_matches('v');
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cores_that_may_be_used_are_read_from_the_kernel() {
        for (list, cores) in [
            ("Cpus_allowed_list:\t0-1\n", vec![0, 1]),
            ("Name:\tx\nCpus_allowed_list:\t0,2-3\n", vec![0, 2, 3]),
            ("Cpus_allowed_list:\t5\n", vec![5]),
            ("", vec![]),
        ] {
            assert_eq!(allowed_cores(list), cores, "{list}");
        }
    }
}
