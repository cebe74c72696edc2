//! `assay model create` and `assay model package`: packages of a model and what turns text into its tokens.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use assay_gateway::templates::{Processes, Renderer as _};
use assay_package::{Kind, Package, Parameters, Tokens, create};
use clap::Args;
use serde::Serialize;

use crate::{context::Context, output, plain::plain};

pub const EXAMPLES: &str = "\
A Modelfile names the folder of an export to ONNX, as Hugging Face has them, and what else is to hold:

  FROM ./export
  NAME tiny-chat
  PARAMETER temperature 0.7
  PARAMETER stop \"<|end|>\"
  SYSTEM You are brief.

Known besides: TEMPLATE (Jinja), LICENSE, POOLING mean|cls|last|none, NORMALIZE true|false, and of PARAMETER top_k, \
top_p, min_p, repeat_penalty, repeat_last_n, seed, num_predict and num_ctx.

Examples:
  assay model create                       # ./Modelfile to NAME.tar
  assay model create -f Modelfile -o tiny-chat/";

#[derive(Args, Debug)]
pub struct CreateOptions {
    /// The Modelfile
    #[arg(short, long, default_value = "Modelfile", value_name = "FILE")]
    file: PathBuf,
    /// Archive (.tar) or folder to write, which must not exist; NAME.tar by default
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
}

pub async fn make(context: &Context, options: &CreateOptions) -> Result<()> {
    let draft = create(&options.file)?;
    check(&renderer()?, &draft.package).await?;
    let path = draft.write(options.out.as_deref())?;
    context.say(format_args!(
        "{} is written; serve its texts with `assay gateway --package {0}`",
        path.display()
    ));
    show(context, &draft.package)
}

pub async fn open(context: &Context, path: &std::path::Path) -> Result<()> {
    let package = Package::open(path)?;
    check(&renderer()?, &package).await?;
    show(context, &package)
}

/// What renders chat templates: this executable.
pub fn renderer() -> Result<Processes> {
    Processes::of_this_executable().context("this executable cannot be found again")
}

/// Whether the chat template is one.
pub async fn check(renderer: &Processes, package: &Package) -> Result<()> {
    if let Some(template) = package.template() {
        renderer.render(template.check()).await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    kind: Kind,
    /// Over all files that count.
    digest: String,
    /// sha256 of the model's file.
    model: String,
    model_bytes: u64,
    context_tokens: Option<u32>,
    end_tokens: &'a [u32],
    has_tokenizer: bool,
    has_chat_template: bool,
    defaults: &'a Parameters,
    system: Option<&'a str>,
    license: Option<&'a str>,
}

fn show(context: &Context, package: &Package) -> Result<()> {
    let view = View {
        name: &package.name,
        kind: package.kind,
        digest: hex::encode(package.digest.0),
        model: hex::encode(package.model.digest.0),
        model_bytes: package.model.size,
        context_tokens: package.context,
        end_tokens: &package.ends,
        has_tokenizer: package.tokens().is_ok(),
        has_chat_template: package.template().is_some(),
        defaults: &package.defaults,
        system: package.system.as_deref(),
        license: package.license.as_deref(),
    };
    if context.options.json {
        return output::json(&view);
    }
    let mut facts = vec![
        ("name", plain(view.name)),
        ("kind", kind(package.kind).to_owned()),
        ("package", view.digest),
        ("model", view.model),
        ("model size", format!("{} bytes", view.model_bytes)),
    ];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add(
        "context",
        view.context_tokens.map(|tokens| format!("{tokens} tokens")),
    );
    if let (Kind::Decoder, Ok(tokens)) = (package.kind, package.tokens()) {
        add("ends at", Some(ends(tokens, view.end_tokens)));
        add("chats", Some(yes_no(view.has_chat_template)));
    }
    if package.kind == Kind::Embedding {
        let pooling = format!("{:?}", package.pooling).to_lowercase();
        add("pooling", Some(pooling));
        add("normalised", Some(yes_no(package.normalize)));
    }
    // By way of text, which writes floats as short as they were given.
    let defaults: serde_json::Value = serde_json::from_str(&serde_json::to_string(view.defaults)?)?;
    let defaults = defaults.as_object().into_iter().flatten();
    let defaults: Vec<String> = defaults
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    add(
        "defaults",
        (!defaults.is_empty()).then(|| plain(&defaults.join(", "))),
    );
    add("system", view.system.map(plain));
    add("license", view.license.map(plain));
    output::line(output::facts(&facts))
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Decoder => "decoder (goes on from a text)",
        Kind::Embedding => "embedding (turns texts into vectors)",
        Kind::Tensors => "tensors",
    }
}

fn ends(tokens: &Arc<Tokens>, ids: &[u32]) -> String {
    let name = |id: &u32| plain(&String::from_utf8_lossy(&tokens.bytes(*id)));
    ids.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
