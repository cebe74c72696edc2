//! How much memory a process holds.

/// The process's share of what is in memory: its own pages, and its part of those that several
/// processes map, such as ONNX Runtime's code. None where the system does not tell.
#[cfg(target_os = "linux")]
pub fn of(pid: u32) -> Option<u64> {
    proportional(pid).or_else(|| resident(pid))
}

#[cfg(not(target_os = "linux"))]
pub fn of(_: u32) -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
fn proportional(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

/// The same, but shared pages are counted whole: an upper bound, and quickly read.
#[cfg(target_os = "linux")]
pub fn resident(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    pages.checked_mul(page)
}

#[cfg(not(target_os = "linux"))]
pub fn resident(_: u32) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Other tests of this process take and free memory meanwhile, but what is held here is held.
    #[test]
    fn what_a_process_holds_counts_for_it_and_for_no_other() {
        let size = 256 << 20;
        let held = vec![1_u8; size];
        let mut other = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let both = |pid| [proportional(pid).unwrap(), resident(pid).unwrap()];
        let (ours, theirs) = (both(std::process::id()), both(other.id()));
        other.kill().unwrap();
        other.wait().unwrap();
        let size = u64::try_from(size).unwrap();
        assert!(ours.iter().all(|bytes| *bytes >= size), "{ours:?}");
        let little = |bytes: &u64| (1..size / 4).contains(bytes);
        assert!(theirs.iter().all(little), "{theirs:?}");
        assert_eq!(held.len(), 256 << 20);
        assert_eq!(of(u32::MAX), None);
    }
}
