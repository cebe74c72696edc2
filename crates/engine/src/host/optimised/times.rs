//! What loads of a model took, beside its entry: what is kept but gains nothing is dropped, and not kept
//! again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// What these files end with.
pub const ENDING: &str = ".times";
/// Most that there are in a folder.
const MOST: usize = 1_024;
/// Smaller graphs cost next to nothing to read, and are kept whatever a short time says.
const JUDGED: u64 = 8 << 20;
/// So often a graph is loaded before that is judged: one load may have had bad luck.
const USES: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Of the graph.
    bytes: u64,
    /// From handing over the model as its author made it until it was loaded and warmed up.
    cold_micros: u64,
    /// The least from looking for the graph until it was; none before the first use.
    warm_micros: Option<u64>,
    uses: u32,
}

impl Times {
    pub fn new(bytes: u64, cold: Duration) -> Self {
        Self {
            bytes,
            cold_micros: micros(cold),
            warm_micros: None,
            uses: 0,
        }
    }

    pub fn cold(&self) -> Duration {
        Duration::from_micros(self.cold_micros)
    }

    pub fn used(&mut self, took: Duration) {
        let least = self.warm_micros.unwrap_or(u64::MAX);
        self.warm_micros = Some(micros(took).min(least));
        self.uses = self.uses.saturating_add(1);
    }

    /// Whether to load the graph is not clearly quicker: a quarter at least.
    pub fn gain_nothing(&self) -> bool {
        let Some(warm) = self.warm_micros else {
            return false;
        };
        let slow = warm.saturating_mul(4) > self.cold_micros.saturating_mul(3);
        slow && self.bytes >= JUDGED && self.uses >= USES
    }

    /// None where there are none, or not as they were written.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The oldest of too many files go.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if !path.exists() {
            make_room(path.parent().unwrap_or(path))?;
        }
        fs::write(path, serde_json::to_vec(self)?)
    }
}

fn make_room(folder: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ours = path.to_str().is_some_and(|name| name.ends_with(ENDING));
        if let Ok(metadata) = path.metadata()
            && ours
        {
            files.push((metadata.modified()?, path));
        }
    }
    files.sort_unstable();
    let surplus = files.len().saturating_add(1).saturating_sub(MOST);
    for (_, path) in files.iter().take(surplus) {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: u64, warm_millis: &[u64]) -> bool {
        let mut times = Times::new(bytes, Duration::from_millis(100));
        for millis in warm_millis {
            times.used(Duration::from_millis(*millis));
        }
        times.gain_nothing()
    }

    #[test]
    fn large_graph_that_is_no_quarter_quicker_twice_gains_nothing() {
        assert!(after(JUDGED, &[76, 120]));
        assert!(!after(JUDGED, &[120]), "once may be bad luck");
        assert!(!after(JUDGED, &[120, 75]), "the other was");
        assert!(!after(JUDGED - 1, &[120, 120]), "it costs little");
        assert!(!after(JUDGED, &[]));
    }

    #[test]
    fn times_come_back_and_what_is_no_times_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.times");
        assert_eq!(Times::read(&path), None);
        let mut times = Times::new(7, Duration::from_micros(5));
        times.used(Duration::from_micros(3));
        times.write(&path).unwrap();
        assert_eq!(Times::read(&path), Some(times));
        fs::write(&path, b"{").unwrap();
        assert_eq!(Times::read(&path), None);
    }

    #[test]
    fn oldest_of_too_many_times_goes() {
        let folder = tempfile::tempdir().unwrap();
        let times = Times::new(7, Duration::ZERO);
        let path = |number: usize| folder.path().join(format!("{number}{ENDING}"));
        for number in 0..MOST {
            times.write(&path(number)).unwrap();
        }
        let old = fs::File::open(path(3)).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        times.write(&path(MOST)).unwrap();
        assert!(!path(3).exists() && path(4).exists() && path(MOST).exists());
        times.write(&path(4)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MOST);
    }
}
