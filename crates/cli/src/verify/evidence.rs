//! What a receipt and its files say, once they agree with each other.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};
use assay_client::{
    PROGRAM_ID,
    delivery::{Delivery, Outcome},
    outputs::{canonical, digest},
    protocol::{
        Address, Digest, OutputProfile,
        commitment::{Opening, Role, empty_hints_digest, error_root},
    },
};
use assay_engine::{Tensor, from_safetensors};
use serde::Deserialize;

use crate::model::parse_profile;

/// A receipt, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub job: Address,
    pub model_digest: [u8; 32],
    pub input_digest: [u8; 32],
    pub output_limit: u32,
    pub profile: OutputProfile,
    pub delivery: Delivery,
    /// Name of the outputs file beside it.
    pub outputs_file: String,
}

/// The file; older ones lack the profile and the name of the outputs.
#[derive(Deserialize)]
struct File {
    version: u32,
    program: String,
    job: Job,
    profile: Option<Vec<String>>,
    outputs_file: Option<String>,
    delivery: Delivery,
    root: String,
    hints_digest: String,
    commitment: String,
}

#[derive(Deserialize)]
struct Job {
    address: String,
    provider: Option<String>,
    attempt: u8,
    model_digest: String,
    input_digest: String,
    output_limit: u32,
    runtime_class: Option<String>,
    commitment: Option<String>,
    hints_digest: Option<String>,
}

impl Receipt {
    /// Reads a receipt and holds that it opens the commitment which it names.
    pub fn read(path: &Path, profile: Option<&str>) -> Result<Self> {
        let text = fs::read(path).with_context(|| {
            format!("cannot read the receipt {}; check the path", path.display())
        })?;
        Self::parse(&text, profile)
            .with_context(|| format!("the receipt {} is not usable", path.display()))
    }

    pub fn parse(text: &[u8], profile: Option<&str>) -> Result<Self> {
        let file: File = serde_json::from_slice(text)
            .context("it is not a receipt of `assay job run` or `assay job watch`")?;
        if !(1..=2).contains(&file.version) {
            bail!(
                "it has the format {}, this tool knows 1 and 2; update it",
                file.version
            );
        }
        if file.program != PROGRAM_ID.to_string() {
            bail!("it is for another program, {}", file.program);
        }
        let entries = match (profile, &file.profile) {
            (Some(given), _) => given.to_owned(),
            (None, Some(named)) => named.join(","),
            (None, None) => bail!(
                "it does not name the model's comparison profile, as older receipts do not; `assay model show` tells \
                 it, give it with --profile"
            ),
        };
        let outputs = entries.split(',').count();
        let receipt = Self {
            job: file
                .job
                .address
                .parse()
                .map_err(|_| anyhow!("its job {:?} is no address", file.job.address))?,
            model_digest: hex32(&file.job.model_digest)?,
            input_digest: hex32(&file.job.input_digest)?,
            output_limit: file.job.output_limit,
            profile: parse_profile(&entries, outputs)?,
            outputs_file: file
                .outputs_file
                .clone()
                .unwrap_or_else(|| format!("{}.safetensors", file.job.address)),
            delivery: file.delivery.clone(),
        };
        receipt.agree(&file)?;
        Ok(receipt)
    }

    /// Every place that names the same thing names it alike, and the opening gives the commitment.
    fn agree(&self, file: &File) -> Result<()> {
        let delivery = &self.delivery;
        let opening = Opening {
            program_id: &PROGRAM_ID,
            job: &self.job,
            attempt: delivery.attempt,
            role: Role::Primary,
            provider: &delivery.provider,
            generation: delivery.generation,
            salt: &delivery.salt,
            root: &Digest(delivery.root),
            hints_digest: &Digest(delivery.hints_digest),
            runtime_class: &delivery.runtime_class,
        };
        let hex = |bytes: &[u8; 32]| hex::encode(bytes);
        let class = file.job.runtime_class.clone();
        let facts = [
            ("job", delivery.job == self.job),
            ("attempt", delivery.attempt == file.job.attempt),
            (
                "provider",
                file.job.provider == Some(delivery.provider.to_string()),
            ),
            (
                "runtime class",
                class.unwrap_or_else(|| hex(&[0; 32])) == hex(&delivery.runtime_class),
            ),
            ("root", hex(&delivery.root) == file.root),
            (
                "hints digest",
                hex(&delivery.hints_digest) == file.hints_digest
                    && file.job.hints_digest == Some(hex(&delivery.hints_digest)),
            ),
            (
                "commitment",
                hex(&delivery.commitment) == file.commitment
                    && file.job.commitment == Some(hex(&delivery.commitment)),
            ),
            (
                "salt, root and commitment",
                opening.commitment().0 == delivery.commitment,
            ),
        ];
        if let Some((what, _)) = facts.into_iter().find(|(_, agrees)| !agrees) {
            bail!(
                "it does not agree with itself about the {what}: it was changed or damaged after it was written, and \
                 proves nothing"
            );
        }
        Ok(())
    }
}

/// The files that belong to a receipt, as far as they are at hand.
#[derive(Default)]
pub struct Files {
    pub outputs: Option<Vec<u8>>,
    pub hints: Option<Vec<u8>>,
}

/// What the provider claims.
#[derive(Debug)]
pub enum Evidence {
    /// The model fails on the input.
    Failure,
    Outputs {
        /// In the model's order; none where the file is lost.
        delivered: Option<Vec<Tensor>>,
        /// None where neither the outputs nor the hints are at hand.
        hints: Option<Vec<u8>>,
    },
}

impl Evidence {
    /// Holds that the files are those of the receipt.
    pub fn new(receipt: &Receipt, files: Files) -> Result<Self> {
        let delivery = &receipt.delivery;
        if let Some(hints) = &files.hints
            && digest(hints).0 != delivery.hints_digest
        {
            bail!("the hints file is not this job's: it has another sha256 than the receipt says");
        }
        if let Some(outputs) = &files.outputs
            && digest(outputs).0 != delivery.outputs_digest
        {
            bail!(
                "the outputs file is not this job's: it has another sha256 than the receipt says"
            );
        }
        if delivery.outcome == Outcome::ModelError {
            if delivery.root != error_root().0 {
                bail!(
                    "the receipt says that the model failed, and its root is not that of a failure; it proves nothing"
                );
            }
            return Ok(Self::Failure);
        }
        let mut hints = files.hints;
        let mut delivered = None;
        if let Some(file) = &files.outputs {
            let order: Vec<&str> = delivery
                .outputs
                .iter()
                .map(|info| info.name.as_str())
                .collect();
            let canonical = canonical(file, &order, &receipt.profile)?;
            if canonical.root.0 != delivery.root
                || canonical.hints_digest().0 != delivery.hints_digest
            {
                bail!(
                    "the outputs do not give the receipt's root and hints under this comparison profile; the profile \
                     or the receipt is not the job's"
                );
            }
            hints = Some(canonical.hints);
            delivered = Some(ordered(file, &order)?);
        }
        if delivery.hints_digest == empty_hints_digest().0 {
            hints = Some(Vec::new());
        }
        Ok(Self::Outputs { delivered, hints })
    }
}

fn ordered(file: &[u8], order: &[&str]) -> Result<Vec<Tensor>> {
    let mut tensors = from_safetensors(file)?;
    order
        .iter()
        .map(|name| {
            let position = tensors.iter().position(|tensor| tensor.name == **name);
            let position = position.with_context(|| format!("the outputs lack {name:?}"))?;
            Ok(tensors.swap_remove(position))
        })
        .collect()
}

fn hex32(text: &str) -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .with_context(|| format!("{text:?} is not the hex of 32 bytes"))?;
    Ok(bytes)
}
