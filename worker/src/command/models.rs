//! `assay-worker models`: the models on this machine.

use std::path::{Path, PathBuf};

use assay_client::protocol::Address;
use assay_protocol::Digest;

use super::{Ended, print, print_json};
use crate::{
    args::Models,
    config::{Config, ConfigError},
};

mod list;
mod pull;
mod registry;
mod remove;
mod shelf;
mod show;

/// Does one of them.
pub fn act(config: &Config, action: &Models) -> Result<(), Ended> {
    match action {
        Models::Pull(flags) => pull::pull(config, flags),
        Models::List { json } => list::list(config, *json),
        Models::Rm(flags) => remove::remove(config, flags),
        Models::Show(flags) => show::show(config, flags),
    }
}

/// Which model is meant.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Digest(Digest),
    /// Registered there.
    Address(Address),
    File(PathBuf),
}

impl Target {
    fn read(text: &str) -> Result<Self, Ended> {
        if let Some(digest) = digest(text) {
            return Ok(Self::Digest(digest));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if Path::new(text).is_file() {
            return Ok(Self::File(text.into()));
        }
        Err(Ended::usage(format!(
            "{text:?} is no model's address, no sha256 of 64 hex digits, and no file is there; `assay model list` shows \
             what is registered"
        )))
    }
}

fn digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(Digest(bytes))
}

/// Whether jobs for it are taken.
fn is_allowed(config: &Config, digest: &Digest) -> Result<bool, ConfigError> {
    let listed = config.policy.models.digests()?;
    Ok(listed.is_none_or(|listed| listed.contains(&digest.0)))
}

/// Text of strangers, without what moves a terminal's cursor.
fn plain(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_a_digest_an_address_or_a_file_that_exists() {
        let hex = "ab".repeat(32);
        assert_eq!(
            Target::read(&hex).unwrap(),
            Target::Digest(Digest([0xab; 32]))
        );
        let address = Address::new_from_array([7; 32]);
        assert_eq!(
            Target::read(&address.to_string()).unwrap(),
            Target::Address(address)
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        std::fs::write(&path, b"x").unwrap();
        let text = path.to_str().unwrap();
        assert_eq!(Target::read(text).unwrap(), Target::File(path.clone()));
        for wrong in [&hex[..62], "nothing.onnx", "", "."] {
            assert!(matches!(Target::read(wrong), Err(Ended::Usage(_))));
        }
    }

    #[test]
    fn text_of_strangers_moves_no_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
