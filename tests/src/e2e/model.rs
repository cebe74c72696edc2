//! Model files and their registration.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use assay_client::{
    address,
    instruction::ModelRegister,
    outputs::digest,
    protocol::{Address, Digest, OutputProfile, args::ModelArgs, text},
};
use bytemuck::Zeroable as _;
use serde_json::Value;
use solana_signer::Signer;

use super::{Landed, SOL, Stage, broken, root};

/// A model as somebody registers it: what it is said to be need not be true.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: &'static str,
    pub file: PathBuf,
    pub digest: Digest,
    pub size: u64,
    pub profile: OutputProfile,
    pub uri: String,
}

impl Model {
    /// The digit classifier with the profile that `assay model calibrate` measured for it.
    pub fn digits() -> Result<Self> {
        let path = root().join("docs/calibration/digits.json");
        let measured = fs::read(&path).with_context(|| format!("{} is missing", path.display()))?;
        let measured: Value = serde_json::from_slice(&measured)?;
        let outputs = measured["profile"].as_str().context("a profile")?;
        let outputs: Vec<&str> = outputs.split(',').collect();
        let mut profile = OutputProfile::exact(outputs.len()).map_err(broken)?;
        for (place, output) in profile.0.iter_mut().zip(outputs) {
            if output != "exact" {
                *place = output.parse().context("a grid exponent")?;
            }
        }
        Self::of("digits", "models/digits.onnx", profile)
    }

    /// One of `models/odd`, every output exact.
    pub fn odd(name: &'static str, outputs: usize) -> Result<Self> {
        Self::of(
            name,
            &format!("models/odd/{name}.onnx"),
            OutputProfile::exact(outputs).map_err(broken)?,
        )
    }

    fn of(name: &'static str, path: &str, profile: OutputProfile) -> Result<Self> {
        let file = root().join(path);
        let bytes = fs::read(&file).with_context(|| format!("{} is missing", file.display()))?;
        let uri = format!("file://{}", fs::canonicalize(&file)?.display());
        let size = u64::try_from(bytes.len())?;
        Ok(Self {
            name,
            file,
            digest: digest(&bytes),
            size,
            profile,
            uri,
        })
    }

    /// Registers it under a new author, so that no two tests meet; returns the model's account.
    pub fn register(&self, stage: &Stage) -> Result<Address> {
        self.register_showing(stage).map(|(model, _)| model)
    }

    /// As [`Model::register`], with the transaction.
    pub fn register_showing(&self, stage: &Stage) -> Result<(Address, Landed)> {
        let author = stage.wallet(SOL)?;
        let (name, name_len) = text::write(self.name).map_err(broken)?;
        let (uri, uri_len) = text::write(&self.uri).map_err(broken)?;
        let args = ModelArgs {
            digest: self.digest.0,
            size: self.size,
            output_profile: self.profile.0,
            name,
            uri,
            name_len,
            uri_len,
            ..ModelArgs::zeroed()
        };
        let instruction = ModelRegister {
            payer: author.pubkey(),
            author: author.pubkey(),
            args,
        };
        let landed = stage.send("model_register", instruction.instruction(), &[&author])?;
        Ok((address::model(&author.pubkey(), &self.digest), landed))
    }
}
