//! From what a person asks for to a job on the chain.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use assay_client::{
    address::{JobAddress, cheap_job},
    instruction::JobCreate,
    protocol::{
        Address, JobData, ModelData, ProviderData, args::JobCreateArgs, market::MarketParams,
        model::MODEL_ACTIVE, terms::JobTerms, text,
    },
    secret,
};
use clap::Args;
use serde_json::json;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::quote::Quote;
use crate::{
    amount::{Amount, Span},
    chain::Found,
    context::Context,
    input::{self, InputFile, Prepared},
    onnx::Model,
    output,
    provider::hex32,
};

const DEFAULT_CLAIM_SECS: u32 = 120;
const DEFAULT_COMPUTE_SECS: u32 = 300;
const DEFAULT_CHALLENGE_SECS: u32 = 600;
const DEFAULT_OUTPUT_BYTES: u32 = 1 << 20;
/// The price starts at this part of the most that is paid.
const DEFAULT_FLOOR_PART: u64 = 10;

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

/// Terms that have defaults.
#[derive(Args, Debug)]
pub struct TermOptions {
    /// Where the price starts; a tenth of --max-price by default
    #[arg(long, value_name = "SOL")]
    min_price: Option<Amount>,
    /// How long the price rises from --min-price to --max-price; half the claim window by default
    #[arg(long, value_name = "TIME")]
    ramp: Option<Span>,
    /// How long the job waits for a provider; 2m by default
    #[arg(long, value_name = "TIME")]
    claim_window: Option<Span>,
    /// How long a provider may compute; 5m by default
    #[arg(long, value_name = "TIME")]
    compute_window: Option<Span>,
    /// How long a provider must wait for the acknowledgement; 10m by default
    #[arg(long, value_name = "TIME")]
    challenge_window: Option<Span>,
    /// Reserved from the provider's stake, the bound of its slashes; --max-price by default
    #[arg(long, value_name = "SOL")]
    collateral: Option<Amount>,
    /// Most bytes of outputs; 1 MiB by default
    #[arg(long, value_name = "BYTES")]
    output_limit: Option<u32>,
    /// Only this provider (or its authority) may take the job
    #[arg(long, value_name = "ADDRESS")]
    provider: Option<Address>,
    /// Only providers of this runtime class may take the job
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    runtime_class: Option<[u8; 32]>,
    /// Where workers fetch the input; without it the input is handed to the workers
    #[arg(long, value_name = "URI")]
    input_uri: Option<String>,
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
    pub fee_bps: u16,
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
        let market = context.market().await?;
        let (model, file) = find_model(context, options).await?;
        if model.data.status != MODEL_ACTIVE {
            bail!(
                "the model {} is retired and takes no new jobs; see `assay model list`",
                model.address
            );
        }
        let input = input::prepare(&options.input, file.as_ref())?;
        let exclusive = match options.terms.provider {
            Some(address) => Some(context.provider(&address).await?),
            None => None,
        };
        let terms = terms(options, &market.params, &input, exclusive.as_ref())?;
        let fee_bps = market.params.fee_bps;
        Ok(Self {
            model,
            file,
            input,
            terms,
            exclusive,
            fee_bps,
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

fn terms(
    options: &JobOptions,
    params: &MarketParams,
    input: &Prepared,
    exclusive: Option<&Found<ProviderData>>,
) -> Result<JobTerms> {
    let ceiling = options.max_price.0;
    let chosen = &options.terms;
    let window = |given: Option<Span>, default: u32, min: u32, max: u32| {
        given.map_or_else(|| default.clamp(min, max), |span| span.0)
    };
    let claim_secs = window(
        chosen.claim_window,
        DEFAULT_CLAIM_SECS,
        params.min_claim_secs,
        params.max_claim_secs,
    );
    let uri = chosen.input_uri.as_deref().unwrap_or_default();
    let (input_uri, input_uri_len) = text::write(uri).ok().with_context(|| {
        format!("the uri {uri:?} must be at most 96 printable ASCII characters without spaces")
    })?;
    let terms = JobTerms {
        ceiling,
        floor: chosen
            .min_price
            .map_or(ceiling / DEFAULT_FLOOR_PART, |price| price.0),
        collateral: chosen.collateral.map_or(ceiling, |collateral| collateral.0),
        audit_fee: 0,
        ramp_secs: chosen.ramp.map_or(claim_secs / 2, |ramp| ramp.0),
        claim_secs,
        compute_secs: window(
            chosen.compute_window,
            DEFAULT_COMPUTE_SECS,
            params.min_compute_secs,
            params.max_compute_secs,
        ),
        challenge_secs: window(
            chosen.challenge_window,
            DEFAULT_CHALLENGE_SECS,
            params.min_challenge_secs,
            params.max_challenge_secs,
        ),
        input_bytes: u32::try_from(input.bytes.len()).unwrap_or(u32::MAX),
        output_limit: chosen
            .output_limit
            .unwrap_or_else(|| DEFAULT_OUTPUT_BYTES.min(params.max_output_bytes)),
        audit_bps: 0,
        panel_size: 0,
        input_uri_len,
        reserved: [0; 4],
        input_digest: input.digest.0,
        // Stands in until the address is known; a zero would not pass the check.
        requester_secret_hash: [1; 32],
        runtime_class: chosen.runtime_class.unwrap_or_default(),
        exclusive_provider: exclusive.map(|found| found.address).unwrap_or_default(),
        input_uri,
    };
    terms
        .check(params)
        .map_err(|error| anyhow!("{} `assay market show` lists the limits", error.message()))?;
    Ok(terms)
}

/// Bytes of a job's account.
pub const JOB_BYTES: usize = <JobData as assay_client::account::Layout>::SIZE;

#[cfg(test)]
mod tests {
    use assay_client::protocol::Digest;

    use super::*;

    fn options(max_price: u64) -> JobOptions {
        JobOptions {
            model: "digits".into(),
            model_file: None,
            input: Vec::new(),
            max_price: Amount(max_price),
            terms: TermOptions {
                min_price: None,
                ramp: None,
                claim_window: None,
                compute_window: None,
                challenge_window: None,
                collateral: None,
                output_limit: None,
                provider: None,
                runtime_class: None,
                input_uri: None,
            },
        }
    }

    fn input() -> Prepared {
        Prepared {
            bytes: vec![1; 100],
            digest: Digest([5; 32]),
            notes: Vec::new(),
        }
    }

    #[test]
    fn default_terms_pass_every_market() {
        for params in [MarketParams::PUBLIC, MarketParams::LOCAL] {
            let terms = terms(&options(1_000_000), &params, &input(), None).unwrap();
            assert_eq!((terms.floor, terms.collateral), (100_000, 1_000_000));
            assert_eq!((terms.ramp_secs, terms.claim_secs), (60, 120));
            assert!(!terms.is_audited());
        }
        let narrow = MarketParams {
            max_claim_secs: 30,
            max_output_bytes: 10,
            ..MarketParams::PUBLIC
        };
        let terms = terms(&options(1), &narrow, &input(), None).unwrap();
        assert_eq!(
            (terms.claim_secs, terms.ramp_secs, terms.output_limit),
            (30, 15, 10)
        );
    }

    #[test]
    fn terms_outside_the_market_are_refused_with_words() {
        let refused = |options: &JobOptions| {
            terms(options, &MarketParams::PUBLIC, &input(), None)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&options(0)).contains("ceiling"));
        let mut dear = options(1_000);
        dear.terms.min_price = Some(Amount(1_001));
        assert!(refused(&dear).contains("floor"));
        let mut long = options(1_000);
        long.terms.claim_window = Some(Span(1_000_000));
        assert!(refused(&long).contains("claim window"));
        let mut blank = options(1_000);
        blank.terms.input_uri = Some("https://x y".into());
        assert!(refused(&blank).contains("uri"));
    }
}
