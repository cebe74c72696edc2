//! From what a person asks for to a job on the chain.

use assay_chain::Found;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use assay_client::{
    address::{JobAddress, cheap_job},
    instruction::JobCreate,
    protocol::{
        Address, JobData, ModelData, ProviderData, args::JobCreateArgs, market::MarketParams,
        model::MODEL_ACTIVE, terms::JobTerms,
    },
    secret,
};
use clap::Args;
use serde_json::json;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    quote::Quote,
    terms::{TermOptions, terms},
};
use crate::{
    amount::Amount,
    context::Context,
    input::{self, InputFile, Prepared},
    onnx::Model,
    output,
};

/// What to run, on what, and for how much.
#[derive(Args, Debug)]
pub struct JobOptions {
    /// The model: its .onnx file, its address or its name
    #[arg(short, long, value_name = "MODEL")]
    pub model: String,
    /// The model's file, where --model is an address or a name; checks inputs, reads images, names labels
    #[arg(long, value_name = "PATH")]
    pub model_file: Option<PathBuf>,
    /// Input: a .safetensors file, or .npy, .png, .jpg; NAME=FILE for one of several inputs
    #[arg(short, long, required = true, value_name = "[NAME=]FILE")]
    pub input: Vec<InputFile>,
    /// Most that is paid; the rest comes back
    #[arg(short = 'p', long, value_name = "SOL")]
    pub max_price: Amount,
    #[command(flatten, next_help_heading = "Terms")]
    pub terms: TermOptions,
}

#[derive(Args, Debug)]
pub struct CreateOptions {
    #[command(flatten)]
    job: JobOptions,
}

/// A job that could be created.
pub struct Plan {
    pub model: Found<ModelData>,
    /// The model's file, if it is at hand.
    pub file: Option<Model>,
    pub input: Prepared,
    /// Complete but for the secret's hash, which follows from the address.
    pub terms: JobTerms,
    pub exclusive: Option<Found<ProviderData>>,
    /// The market's parameters, which the job will keep.
    pub params: MarketParams,
    wallet: Keypair,
}

pub async fn run(context: &Context, options: CreateOptions) -> Result<()> {
    let plan = Plan::new(context, &options.job).await?;
    let quote = Quote::new(context, &plan).await?;
    quote.show(context)?;
    context.confirm("Create the job?")?;
    let created = plan.create(context).await?;
    if context.options.json {
        return output::json(&json!({
            "job": created.job.to_string(),
            "quote": quote,
            "transaction": created.sent,
        }));
    }
    context.say("created; `assay job watch` verifies and acknowledges the result");
    output::line(created.job)
}

impl Plan {
    /// Reads model and input, chooses the terms and checks them. Sends nothing.
    pub async fn new(context: &Context, options: &JobOptions) -> Result<Self> {
        if context.options.unsigned {
            bail!("a job needs its wallet here, for the job's secret too; leave --unsigned out");
        }
        let wallet = context.wallet()?;
        let market = context.cluster.market().await?;
        let (model, file) = find_model(context, options).await?;
        if model.data.status != MODEL_ACTIVE {
            bail!(
                "the model {} is retired and takes no new jobs; see `assay model list`",
                model.address
            );
        }
        let input = input::prepare(&options.input, file.as_ref())?;
        let exclusive = match options.terms.provider {
            Some(address) => Some(context.cluster.provider(&address).await?),
            None => None,
        };
        let terms = terms(
            options.max_price,
            &options.terms,
            &market.params,
            &input,
            exclusive.as_ref().map(|found| found.address),
        )?;
        Ok(Self {
            model,
            file,
            input,
            terms,
            exclusive,
            params: market.params,
            wallet,
        })
    }

    /// The instruction at a slot, and the job's address.
    pub fn instruction(&self, slot: u64) -> Result<(Address, Instruction)> {
        let requester = self.wallet.pubkey();
        let mut start = [0; 4];
        getrandom::fill(&mut start).map_err(|error| anyhow!("no randomness: {error}"))?;
        let JobAddress { address, index } = cheap_job(&requester, slot, u32::from_le_bytes(start));
        let secret = secret::for_job(&self.wallet, &address)
            .context("the wallet does not sign the job's secret")?;
        let terms = JobTerms {
            requester_secret_hash: secret::hash(&secret).0,
            ..self.terms
        };
        let args = JobCreateArgs {
            open_slot: slot,
            index,
            reserved: [0; 4],
            terms,
        };
        let create = JobCreate {
            requester,
            model: self.model.address,
            args,
        };
        Ok((address, create.instruction()))
    }

    pub fn requester(&self) -> Address {
        self.wallet.pubkey()
    }
}

/// The registered model, and its file if that is at hand.
async fn find_model(
    context: &Context,
    options: &JobOptions,
) -> Result<(Found<ModelData>, Option<Model>)> {
    let as_file = PathBuf::from(&options.model);
    let file = match &options.model_file {
        Some(path) => Some(Model::open(path)?),
        None if as_file.is_file() => Some(Model::open(&as_file)?),
        None => None,
    };
    let found = match &file {
        Some(model) if options.model_file.is_none() => context.model_of(&model.digest).await?,
        _ => context.model(&options.model).await?,
    };
    if let Some(model) = file
        .as_ref()
        .filter(|model| model.digest.0 != found.data.digest)
    {
        bail!(
            "the file's sha256 is {}, the registered model's {}; it is another file",
            hex::encode(model.digest.0),
            hex::encode(found.data.digest)
        );
    }
    Ok((found, file))
}

/// Bytes of a job's account.
pub const JOB_BYTES: usize = <JobData as assay_client::account::Layout>::SIZE;
