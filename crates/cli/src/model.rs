//! `assay model`: register ONNX files and look them up.

use assay_chain::Found;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use assay_client::{
    address, filter,
    instruction::{ModelClose, ModelRegister, ModelRetire},
    protocol::{
        Address, Digest, ModelData, OutputProfile, args::ModelArgs, limits::MAX_OUTPUTS,
        model::MODEL_ACTIVE, text,
    },
};
use clap::{Args, Subcommand};

use crate::{
    Ending,
    calibrate::{self, CalibrateOptions, CalibratedProfile},
    context::Context,
    onnx::Model,
    output,
    package::{self, CreateOptions},
    view::ModelView,
};

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Register an ONNX file under the wallet's name
    #[command(after_help = "\
Examples:
  assay model register models/digits.onnx --uri https://files.example/digits.onnx
  assay model register net.onnx --profile=-10,exact     # floats within about half of 2^-10")]
    Register(RegisterOptions),
    /// Measure how far honest runs of a model differ, and choose how its outputs compare
    #[command(after_help = calibrate::EXAMPLES)]
    Calibrate(CalibrateOptions),
    /// Make a package: a model with its tokenizer, chat template and defaults
    #[command(after_help = package::EXAMPLES)]
    Create(CreateOptions),
    /// Show what a package holds
    Package {
        /// Its folder or archive
        path: PathBuf,
    },
    /// Show a model
    Show {
        /// Its address, its name, or the path of its file
        model: String,
    },
    /// List models
    List {
        /// Also those that take no more jobs
        #[arg(long)]
        all: bool,
        /// Only those of this author
        #[arg(long, value_name = "ADDRESS")]
        author: Option<Address>,
    },
    /// Take a model off the market; running jobs go on
    Retire {
        /// Its address, its name, or the path of its file
        model: String,
    },
    /// Close a retired model and get the rent back
    Close {
        /// Its address, its name, or the path of its file
        model: String,
    },
}

#[derive(Args, Debug)]
pub struct RegisterOptions {
    /// The .onnx file
    file: PathBuf,
    /// Name for people, without spaces; the file's name by default
    #[arg(long)]
    name: Option<String>,
    /// Where workers can fetch the file: https://.. or ipfs://.. (file://.. on a local chain)
    #[arg(long, default_value = "", value_name = "URI")]
    uri: String,
    /// How each output compares, separated by commas: `exact`, or the exponent e of a grid of step 2^e
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    profile: Option<String>,
    /// The same from a file that `assay model calibrate` wrote for this model
    #[arg(long, conflicts_with = "profile", value_name = "FILE")]
    profile_from: Option<PathBuf>,
}

pub async fn run(context: &Context, command: ModelCommand) -> Result<Ending> {
    match command {
        ModelCommand::Register(options) => register(context, &options).await?,
        ModelCommand::Calibrate(options) => calibrate::run(context, &options).await?,
        ModelCommand::Create(options) => package::make(context, &options).await?,
        ModelCommand::Package { path } => package::open(context, &path).await?,
        ModelCommand::Show { model } => {
            let view = ModelView::new(&context.model(&model).await?);
            if context.options.json {
                output::json(&view)?;
            } else {
                output::line(output::facts(&view.facts()))?;
            }
        }
        ModelCommand::List { all, author } => list(context, all, author).await?,
        ModelCommand::Retire { model } => {
            let found = context.model(&model).await?;
            let retire = ModelRetire {
                author: context.signer()?,
                model: found.address,
            }
            .instruction();
            if context
                .submit("model retire", &found.address, &[retire])
                .await?
            {
                context.say("retired; running jobs go on, new ones are refused");
            }
        }
        ModelCommand::Close { model } => {
            let found = context.model(&model).await?;
            let rent_payer = found.data.rent_payer;
            let author = context.signer()?;
            let close = ModelClose {
                author,
                model: found.address,
                rent_payer,
            }
            .instruction();
            if context
                .submit("model close", &found.address, &[close])
                .await?
            {
                context.say(format_args!("closed; the rent went back to {rent_payer}"));
            }
        }
    }
    Ok(Ending::Done)
}

async fn register(context: &Context, options: &RegisterOptions) -> Result<()> {
    let model = Model::open(&options.file)?;
    let author = context.signer()?;
    let existing = address::model(&author, &model.digest);
    if context
        .cluster
        .find::<ModelData>(&existing)
        .await?
        .is_some()
    {
        context.say("this file is registered already");
        context.name(&existing)?;
        return context.nothing_to_do(&existing);
    }
    let profile = match (&options.profile, &options.profile_from) {
        (Some(text), _) => parse_profile(text, model.outputs.len())?,
        (None, Some(path)) => calibrated(path, &model)?,
        (None, None) => {
            context.say(
                "outputs compare exactly, which honest providers with other processors may fail: `assay model \
                 calibrate` measures a tolerance",
            );
            OutputProfile::exact(model.outputs.len())
                .ok()
                .with_context(|| too_many(model.outputs.len()))?
        }
    };
    let name = options
        .name
        .clone()
        .unwrap_or_else(|| default_name(&options.file));
    let (name, name_len) = text::write(&name).ok().with_context(|| {
        format!("the name {name:?} must be at most 32 ASCII characters without spaces")
    })?;
    let (uri, uri_len) = text::write(&options.uri).ok().with_context(|| {
        format!(
            "the uri {:?} must be at most 160 ASCII characters without spaces",
            options.uri
        )
    })?;
    let args = ModelArgs {
        digest: model.digest.0,
        size: model.size,
        output_profile: profile.0,
        name,
        uri,
        name_len,
        uri_len,
        reserved: [0; 6],
    };
    let register = ModelRegister {
        payer: author,
        author,
        args,
    }
    .instruction();
    if context
        .submit("model register", &existing, &[register])
        .await?
    {
        context.say("registered; pay for it with `assay job run --model`");
        context.name(&existing)?;
    }
    Ok(())
}

/// The profile in a file of `assay model calibrate`, if it was measured for this very model.
fn calibrated(path: &std::path::Path, model: &Model) -> Result<OutputProfile> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the profile {}", path.display()))?;
    let file: CalibratedProfile = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is no profile of `assay model calibrate`",
            path.display()
        )
    })?;
    let digest = hex::encode(model.digest.0);
    if file.model != digest {
        bail!(
            "{} was measured for another file (sha256 {}, this one has {digest}); calibrate this one",
            path.display(),
            file.model
        );
    }
    parse_profile(&file.profile, model.outputs.len())
}

fn too_many(outputs: usize) -> String {
    format!("the model has {outputs} outputs; 1 to {MAX_OUTPUTS} can be registered")
}

pub fn parse_profile(text: &str, outputs: usize) -> Result<OutputProfile> {
    let given: Vec<&str> = text.split(',').map(str::trim).collect();
    if given.len() != outputs {
        bail!(
            "--profile has {} entries, the model has {outputs} outputs",
            given.len()
        );
    }
    let mut entries = [OutputProfile::UNUSED; MAX_OUTPUTS];
    let places = entries
        .get_mut(..outputs)
        .with_context(|| too_many(outputs))?;
    for (place, entry) in places.iter_mut().zip(given) {
        *place = match entry {
            "exact" => OutputProfile::EXACT,
            number => number
                .parse::<i16>()
                .ok()
                .filter(|exponent| {
                    exponent.unsigned_abs() <= OutputProfile::MAX_EXPONENT.unsigned_abs()
                })
                .with_context(|| {
                    format!("{number:?} is neither `exact` nor an exponent from -64 to 64")
                })?,
        };
    }
    Ok(OutputProfile(entries))
}

fn default_name(file: &std::path::Path) -> String {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("model");
    stem.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '-' })
        .take(32)
        .collect()
}

async fn list(context: &Context, all: bool, author: Option<Address>) -> Result<()> {
    let conditions: Vec<_> = author.iter().map(filter::model_author).collect();
    let mut models: Vec<Found<ModelData>> = context.cluster.list(&conditions).await?;
    models.retain(|found| all || found.data.status == MODEL_ACTIVE);
    models.sort_by_key(|found| (found.data.created_at, found.address));
    let views: Vec<ModelView> = models.iter().map(ModelView::new).collect();
    if context.options.json {
        return output::json(&views);
    }
    if views.is_empty() {
        context.say("there are no models; register one with `assay model register FILE`");
        return Ok(());
    }
    output::line(output::table(
        &ModelView::HEAD,
        views.iter().map(ModelView::row).collect(),
    ))
}

impl Context {
    /// A registered model by address, by the path of its file, or by name.
    pub async fn model(&self, text: &str) -> Result<Found<ModelData>> {
        if let Ok(address) = text.parse::<Address>() {
            return Ok(Found {
                address,
                data: self.cluster.get(&address).await?,
            });
        }
        if std::path::Path::new(text).is_file() {
            return self.model_of(&Model::open(text.as_ref())?.digest).await;
        }
        let models: Vec<Found<ModelData>> = self.cluster.list(&[]).await?;
        let named = models
            .into_iter()
            .filter(|found| text::read(&found.data.name, found.data.name_len) == text);
        only(named.collect(), text)
    }

    /// The registered model of a file; the wallet's own if several authors registered it.
    pub async fn model_of(&self, digest: &Digest) -> Result<Found<ModelData>> {
        let found: Vec<Found<ModelData>> = self
            .cluster
            .list(&[filter::model_digest(&digest.0)])
            .await?;
        let own = self
            .signer()
            .ok()
            .map(|author| address::model(&author, digest));
        match found.iter().find(|model| Some(model.address) == own) {
            Some(own) => Ok(*own),
            None => only(
                found,
                &format!("file with sha256 {}", hex::encode(digest.0)),
            ),
        }
    }
}

/// The one model that was meant: names and files can be registered by several authors.
fn only(mut found: Vec<Found<ModelData>>, what: &str) -> Result<Found<ModelData>> {
    if found.len() > 1 {
        found.retain(|model| model.data.status == MODEL_ACTIVE);
    }
    match found.as_slice() {
        [only] => Ok(*only),
        [] => bail!(
            "no registered model is {what}; `assay model list` shows them, `assay model register FILE` adds one"
        ),
        several => {
            let addresses: Vec<String> = several
                .iter()
                .map(|model| model.address.to_string())
                .collect();
            bail!(
                "several models are {what}; name one by its address: {}",
                addresses.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_read_one_entry_an_output() {
        let profile = parse_profile("-10, exact", 2).unwrap();
        assert_eq!(
            profile.0[..3],
            [-10, OutputProfile::EXACT, OutputProfile::UNUSED]
        );
        assert!(profile.check().is_ok());
        for (text, outputs) in [("exact", 2), ("65", 1), ("x", 1), ("", 1)] {
            assert!(parse_profile(text, outputs).is_err(), "{text}");
        }
        assert!(parse_profile(&["exact"; 9].join(","), 9).is_err());
    }

    #[test]
    fn profile_of_another_file_is_refused() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
        let model = |name: &str| Model::open(format!("{models}/{name}").as_ref()).unwrap();
        let digits = model("digits.onnx");
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            r#"{{"format":"assay-profile/1","model":"{}","profile":"-17,exact","samples":6}}"#,
            hex::encode(digits.digest.0)
        );
        std::fs::write(file.path(), text).unwrap();
        let profile = calibrated(file.path(), &digits).unwrap();
        assert_eq!(profile.0[..2], [-17, OutputProfile::EXACT]);
        let other = calibrated(file.path(), &model("calibration/recurrent.onnx"));
        assert!(other.unwrap_err().to_string().contains("another file"));
        std::fs::write(file.path(), "{}").unwrap();
        assert!(calibrated(file.path(), &digits).is_err());
    }

    #[test]
    fn default_name_fits() {
        let name = default_name(std::path::Path::new("a/my model é.onnx"));
        assert_eq!(name, "my-model--");
        assert!(text::write::<32>(&name).is_ok());
    }
}
