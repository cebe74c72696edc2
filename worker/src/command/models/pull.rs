//! `assay-worker models pull`.
//!
//! The worker may be running and has its cache's index in memory. So nothing is written into its
//! folder and nothing removed there: the file comes into a folder of its own beside it, is checked,
//! and is moved in at last. The worker takes up what it finds.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use assay_engine::inspect;
use assay_protocol::Digest;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::time::interval;

use super::{Ended, Target, is_allowed, print, print_json, registry, shelf::Shelf};
use crate::{
    args::Pull,
    artifacts::{Artifacts, Wanted},
    command::block_on,
    config::Config,
    run::{artifacts, private_folder},
};

/// How often the bar moves.
const DRAW_EVERY: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct Pulled {
    digest: String,
    size: u64,
    /// "pulled", "present" in the cache before, or in a folder of artifacts.model_dirs: "local".
    state: &'static str,
    /// Whether policy.models takes jobs for it.
    allowed: bool,
}

pub fn pull(config: &Config, flags: &Pull) -> Result<(), Ended> {
    let target = Target::read(&flags.model)?;
    if flags.size.is_some() && !matches!(target, Target::Digest(_)) {
        return Err(Ended::usage(
            "--uri and --size go with a sha256; a registered model and a file have theirs",
        ));
    }
    let (digest, size, state) = block_on(bring(config, &target, flags))?;
    let pulled = Pulled {
        digest: hex::encode(digest.0),
        size,
        state,
        allowed: is_allowed(config, &digest)?,
    };
    if flags.json {
        print_json(&pulled)?;
    } else {
        print(&pulled.text())?;
    }
    if !pulled.allowed {
        eprintln!("policy.models does not list it: no jobs for it are taken until it does");
    }
    Ok(())
}

impl Pulled {
    fn text(&self) -> String {
        let state = match self.state {
            "present" => "is in the cache already",
            "local" => "is in a folder of artifacts.model_dirs already",
            _ => "is in the cache now",
        };
        format!("{}\n  {state}, {}\n", self.digest, HumanBytes(self.size))
    }
}

/// Returns the digest, the size and how the model came to be there.
async fn bring(
    config: &Config,
    target: &Target,
    flags: &Pull,
) -> anyhow::Result<(Digest, u64, &'static str)> {
    let shelf = Shelf::new(config);
    let candidates = match target {
        Target::File(path) => return copy(config, &shelf, path),
        Target::Digest(digest) => {
            if let Some(bytes) = shelf.read(digest)? {
                return present(config, *digest, &bytes);
            }
            named(config, digest, flags).await?
        }
        Target::Address(address) => {
            let registered = registry::at(config, address).await?;
            if let Some(bytes) = shelf.read(&registered.digest)? {
                return present(config, registered.digest, &bytes);
            }
            vec![wanted(
                config,
                registered.digest,
                registered.size,
                registered.uri,
            )]
        }
    };
    let staging = Staging::open(config)?;
    let mut failure = None;
    for wanted in &candidates {
        match fetch(&staging, &shelf, wanted).await {
            Ok(state) => return Ok((wanted.digest, wanted.size, state)),
            Err(error) => {
                if let Some(earlier) = failure.replace(error) {
                    eprintln!("{earlier:#}");
                }
            }
        }
    }
    Err(failure.unwrap_or_else(|| anyhow!("there is nothing to pull")))
}

/// Where a file of this sha256 may be.
async fn named(config: &Config, digest: &Digest, flags: &Pull) -> anyhow::Result<Vec<Wanted>> {
    if let Some(size) = flags.size {
        let uri = flags.uri.clone().unwrap_or_default();
        return Ok(vec![wanted(config, *digest, size, uri)]);
    }
    let registered = registry::with(config, digest).await.context(
        "where the file is and how large is asked of the chain; or give --size, and --uri",
    )?;
    if registered.is_empty() {
        bail!(
            "no model of this sha256 is registered on this chain; give --size, and --uri for where it is, or the file \
             itself"
        );
    }
    let wanted = registered
        .into_iter()
        .map(|model| wanted(config, *digest, model.size, model.uri));
    Ok(wanted.collect())
}

fn wanted(config: &Config, digest: Digest, size: u64, uri: String) -> Wanted {
    Wanted {
        digest,
        size,
        uri,
        limit: config.engine.limits.model_bytes,
    }
}

fn check(bytes: &[u8], limit: u64) -> anyhow::Result<()> {
    inspect(bytes, limit).context("the model is refused and not kept")?;
    Ok(())
}

fn present(
    config: &Config,
    digest: Digest,
    bytes: &[u8],
) -> anyhow::Result<(Digest, u64, &'static str)> {
    inspect(bytes, config.engine.limits.model_bytes).context(
        "the model is in the cache, and is refused; `assay-worker models rm` removes it",
    )?;
    Ok((digest, u64::try_from(bytes.len())?, "present"))
}

async fn fetch(staging: &Staging, shelf: &Shelf, wanted: &Wanted) -> anyhow::Result<&'static str> {
    shelf.check_room(wanted.size)?;
    let bytes = watched(&staging.artifacts, wanted).await?;
    let file = staging.path(&wanted.digest);
    if !file.exists() {
        check(&bytes, wanted.limit)?;
        return Ok("local");
    }
    staging.hand_over(shelf, &wanted.digest, &bytes, wanted.limit)?;
    Ok("pulled")
}

/// Fetches with a bar on stderr, if that is a terminal.
async fn watched(artifacts: &Artifacts, wanted: &Wanted) -> anyhow::Result<Vec<u8>> {
    let bar = ProgressBar::new(wanted.size);
    bar.set_style(ProgressStyle::with_template(
        "{bar:24} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left {msg}",
    )?);
    let fetching = artifacts.model(wanted);
    tokio::pin!(fetching);
    let mut draw = interval(DRAW_EVERY);
    let fetched = loop {
        tokio::select! {
            fetched = &mut fetching => break fetched,
            _ = draw.tick() => {
                if let Some(transfer) = artifacts.transfers().into_iter().next() {
                    bar.set_position(transfer.received);
                    bar.set_message(transfer.source);
                }
            }
        }
    };
    bar.finish_and_clear();
    Ok(fetched?)
}

/// A file of the operator's.
fn copy(
    config: &Config,
    shelf: &Shelf,
    path: &Path,
) -> anyhow::Result<(Digest, u64, &'static str)> {
    let unreadable = || format!("{} cannot be read", path.display());
    let limit = config.engine.limits.model_bytes;
    let size = fs::metadata(path).with_context(unreadable)?.len();
    if size > limit {
        bail!(
            "{} has {size} bytes and this worker takes at most {limit}; raise engine.limits.model_bytes",
            path.display()
        );
    }
    let bytes = fs::read(path).with_context(unreadable)?;
    let (digest, size) = (Digest::of(&[&bytes]), u64::try_from(bytes.len())?);
    check(&bytes, limit)?;
    if shelf.read(&digest)?.is_some() {
        return Ok((digest, size, "present"));
    }
    shelf.check_room(size)?;
    let staging = Staging::open(config)?;
    let mut incoming = staging.artifacts.models.incoming(digest, size)?;
    incoming.write(&bytes)?;
    incoming.finish()?;
    staging.hand_over(shelf, &digest, &bytes, limit)?;
    Ok((digest, size, "pulled"))
}

/// The folder where files come to, for one process at a time.
struct Staging {
    folder: PathBuf,
    artifacts: Artifacts,
    _lock: File,
}

impl Staging {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let folder = config.data_dir.join("pull");
        private_folder(&folder)?;
        let path = folder.join("lock");
        let lock =
            File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another `assay-worker models pull` is at work here; wait for its end")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        Ok(Self {
            artifacts: artifacts(config, &folder)?,
            folder,
            _lock: lock,
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("models").join(hex::encode(digest.0))
    }

    /// Moves the file into the cache if the engine would not refuse it by its looks, and removes it
    /// otherwise.
    fn hand_over(
        &self,
        shelf: &Shelf,
        digest: &Digest,
        bytes: &[u8],
        limit: u64,
    ) -> anyhow::Result<()> {
        let file = self.path(digest);
        if let Err(refused) = check(bytes, limit) {
            fs::remove_file(&file)
                .with_context(|| format!("{} cannot be removed", file.display()))?;
            return Err(refused);
        }
        // Others may have come while this one did.
        shelf.check_room(u64::try_from(bytes.len())?)?;
        shelf.put(&file, digest)
    }
}
