//! Files for whoever sends them on, their bytes checked: a disk can rot, but not anew for every stranger that asks.

use std::{
    fs::File,
    io::{self, Seek as _},
    sync::PoisonError,
};

use assay_protocol::Digest;

use super::{Cache, CacheError, hash};

impl Cache {
    /// The file with its size. What this process has not checked is read once before, part by part and one file at a
    /// time.
    pub fn open_checked(&self, digest: &Digest) -> Result<Option<(File, u64)>, CacheError> {
        let Some((mut file, size)) = self.open_file(digest)? else {
            return Ok(None);
        };
        let failed = |source: io::Error| CacheError::Io {
            path: self.path(&digest.0),
            source,
        };
        if !self.is_checked(digest) {
            let _turn = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody else may have done it meanwhile.
            if !self.is_checked(digest) {
                if hash(&mut file).map_err(failed)? != digest.0 {
                    self.has_rotted(digest);
                    return Ok(None);
                }
                file.rewind().map_err(failed)?;
                self.state().checked.insert(digest.0);
            }
        }
        let mut state = self.state();
        let used = state.next_use();
        state.entries.touch(&digest.0, used);
        Ok(Some((file, size)))
    }

    fn is_checked(&self, digest: &Digest) -> bool {
        self.state().checked.contains(&digest.0)
    }
}
