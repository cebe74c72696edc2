//! Room on a disk.

use std::path::Path;

/// Bytes that this user may still write below a folder that may not exist yet.
pub fn free_disk(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    free_space(existing)
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_space(folder: &Path) -> Option<u64> {
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let holds = |disk: &&sysinfo::Disk| folder.starts_with(disk.mount_point());
    let disk = disks
        .iter()
        .filter(holds)
        .max_by_key(|disk| disk.mount_point().as_os_str().len())?;
    Some(disk.available_space())
}
