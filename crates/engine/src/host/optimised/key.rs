//! What an optimised model depends on.

use std::{fmt, fs, time::UNIX_EPOCH};

use assay_protocol::Digest;
use serde_json::json;

use crate::{
    config::{EngineConfig, Optimization, Provider},
    host::ps::Hex,
    runtime::{self, Runtime},
    settings::Settings,
};

/// Changes with the form of the files, and with what is done to a session that its settings do not tell.
const FORM: u32 = 2;

/// The model, and the digest of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub model: Digest,
    pub facts: Digest,
}

impl Key {
    /// None where a model is not to be kept: with other providers than the CPU's, whose graphs hold what
    /// they have compiled for one device; where nothing is optimised; and where no sample is run after
    /// loading, by which a kept model is known to be the same.
    pub fn new(
        model: Digest,
        runtime: &Runtime,
        config: &EngineConfig,
        settings: &Settings,
    ) -> Option<Self> {
        let optimises = settings.optimization != Optimization::Off;
        if settings.provider != Provider::Cpu || !optimises || !config.warm_up {
            return None;
        }
        // Its version and build are in `runtime`; this tells a file of one's own making from another.
        let path = runtime::locate(config.library.as_deref()).ok()?;
        let library = fs::metadata(&path).ok()?;
        let changed = library.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let facts = json!({
            "form": FORM,
            "system": [std::env::consts::OS, std::env::consts::ARCH],
            "library": [path.to_string_lossy(), library.len(), changed.as_nanos().to_string()],
            "runtime": runtime,
            "settings": settings,
        });
        let facts = Digest::of(&[facts.to_string().as_bytes()]);
        Some(Self { model, facts })
    }
}

/// A file's name: all of the model's digest, by which it is found, and enough of the other.
impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-", Hex(&self.model))?;
        self.facts
            .0
            .iter()
            .take(8)
            .try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Mode;

    fn runtime() -> Runtime {
        Runtime {
            version: "1.31.1".into(),
            build: "a build".into(),
            providers: vec![Provider::Cpu],
            instruction_sets: vec!["avx2".into(), "fma".into()],
        }
    }

    fn key(runtime: &Runtime, config: &EngineConfig, mode: Mode) -> Option<Key> {
        Key::new(Digest([1; 32]), runtime, config, &config.settings(mode))
    }

    #[test]
    fn everything_that_a_graph_depends_on_is_in_its_name() {
        let config = EngineConfig::default();
        let mut keys = vec![key(&runtime(), &config, Mode::Audited).unwrap()];
        let changes: [fn(&mut Runtime); 3] = [
            |runtime| runtime.version = "1.31.2".into(),
            |runtime| runtime.build.push('!'),
            |runtime| runtime.instruction_sets.push("avx512f".into()),
        ];
        for change in changes {
            let mut runtime = runtime();
            change(&mut runtime);
            keys.push(key(&runtime, &config, Mode::Audited).unwrap());
        }
        let changes: [fn(&mut EngineConfig); 3] = [
            |config| config.optimization = Optimization::Extended,
            |config| config.deterministic = false,
            |config| config.threads = 7,
        ];
        for change in changes {
            let mut config = config.clone();
            change(&mut config);
            keys.push(key(&runtime(), &config, Mode::Audited).unwrap());
        }
        keys.push(key(&runtime(), &config, Mode::Fast).unwrap());
        let copied = tempfile::tempdir()
            .unwrap()
            .keep()
            .join("libonnxruntime.so");
        fs::write(&copied, "another library").unwrap();
        let other = EngineConfig {
            library: Some(copied),
            ..config.clone()
        };
        keys.push(key(&runtime(), &other, Mode::Audited).unwrap());
        let mut names: Vec<String> = keys.iter().map(Key::to_string).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), keys.len());
        assert_eq!(
            key(&runtime(), &config, Mode::Audited).unwrap(),
            keys[0],
            "and nothing else"
        );
    }

    #[test]
    fn what_cannot_be_kept_has_no_name() {
        let changes: [fn(&mut EngineConfig); 3] = [
            |config| config.provider = Provider::Cuda,
            |config| config.optimization = Optimization::Off,
            |config| config.warm_up = false,
        ];
        for change in changes {
            let mut config = EngineConfig::default();
            change(&mut config);
            assert_eq!(key(&runtime(), &config, Mode::Audited), None);
        }
    }
}
