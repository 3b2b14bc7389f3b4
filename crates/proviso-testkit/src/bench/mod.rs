//! What the benchmark measures with: contests of interleaved passes, loads, floors, medians.
//!
//! Rules (`docs/src/reference/benchmark.md`): the programs that are compared run on one core and
//! the load on another, they are interleaved in one run, figures are medians of at least seven
//! passes beside the least of them, processor time comes from the kernel's per-task counters, a
//! 99th percentile comes from arrivals at a fixed rate only, and a table whose baseline moved more
//! than a quarter from its own median is not printed.

pub mod cerbos;
pub mod contest;
pub mod decisions;
pub mod floor;
pub mod fronts;
pub mod hello;
pub mod hostile;
pub mod index;
pub mod load;
pub mod machine;
pub mod open_loop;
pub mod policies;
pub mod recorder;
pub mod table;

use std::fs;

/// Processor time of a process and all its threads so far, in nanoseconds
/// (`/proc/PID/task/*/schedstat`, first field).
pub fn cpu_nanos(process: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
    tasks
        .filter_map(Result::ok)
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// Resident memory of a process in bytes (`/proc/PID/status`, `VmRSS`).
pub fn resident_bytes(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

/// The middle of a list of figures; 0 for an empty one.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(upper), 0) => {
            let lower = sorted.get(middle.wrapping_sub(1)).copied().unwrap_or(*upper);
            f64::midpoint(lower, *upper)
        }
        (Some(figure), _) => *figure,
    }
}
