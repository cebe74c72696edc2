//! An opened package.

use std::{path::Path, sync::Arc};

use assay_client::protocol::Digest;
use serde_json::Value;

use crate::{
    chat::{ChatTemplate, Message, Rendering},
    config::Configs,
    error::{PackageError, TextError},
    files::{Files, ModelFile},
    manifest::{Kind, MANIFEST, Manifest, Parameters, Pooling},
    tokens::Tokens,
};

/// A model with what turns text into its tokens and back.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    /// Over all the files that count.
    pub digest: Digest,
    pub model: ModelFile,
    pub kind: Kind,
    /// The manifest's, filled up by the export's.
    pub defaults: Parameters,
    /// The first message of a chat that has no system message of its own.
    pub system: Option<String>,
    pub license: Option<String>,
    pub pooling: Pooling,
    /// Whether vectors of texts are brought to length 1.
    pub normalize: bool,
    /// The family of models, as the export calls it.
    pub family: Option<String>,
    /// Length of a vector, if the export says.
    pub width: Option<u32>,
    /// Tokens of prompt and answer together that fit, if anything says.
    pub context: Option<u32>,
    /// Tokens that end an answer.
    pub ends: Vec<u32>,
    /// Fills up shorter texts beside longer ones.
    pub pad: u32,
    tokens: Option<Arc<Tokens>>,
    template: Option<ChatTemplate>,
    words: (Option<String>, Option<String>),
}

impl Package {
    /// Opens a folder, or a tar archive of one. Reads the whole model once, for its digest.
    ///
    /// # Errors
    /// When there is no model, or a file in it is not what its name says.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        Self::of(&Files::read(path)?, path)
    }

    /// What these files are; the path gives the name if nothing else does.
    pub(crate) fn of(files: &Files, path: &Path) -> Result<Self, PackageError> {
        let manifest = files.text(MANIFEST).map(Manifest::parse).transpose()?;
        let manifest = manifest.unwrap_or_default();
        let configs = Configs::read(files)?;
        let tokens = files
            .text("tokenizer.json")
            .map(Tokens::parse)
            .transpose()?;
        let template = template(files, &manifest, &configs)?;
        let mut defaults = manifest.parameters;
        configs.fill(&mut defaults);
        let kind = match manifest.kind {
            Some(kind) => kind,
            None if tokens.is_none() => Kind::Tensors,
            None if manifest.pooling.is_some() => Kind::Embedding,
            None => guessed(&configs, template.is_some()),
        };
        let pooling = match (manifest.pooling, &configs.pooling) {
            (Some(pooling), _) => pooling,
            (None, Some(config)) => config.mode()?,
            (None, None) => Pooling::Mean,
        };
        let id = |word: Option<&str>| word.zip(tokens.as_ref()).and_then(|(word, t)| t.id(word));
        let mut ends = configs.end_ids();
        ends.extend(id(configs.eos()));
        ends.sort_unstable();
        ends.dedup();
        let owned = |word: Option<&str>| word.map(str::to_owned);
        Ok(Self {
            name: manifest.name.unwrap_or_else(|| stem(path)),
            digest: files.digest(),
            model: files.model.clone(),
            kind,
            system: manifest.system,
            license: manifest.license,
            pooling,
            normalize: manifest.normalize.unwrap_or(true),
            context: [defaults.num_ctx, configs.context()]
                .into_iter()
                .flatten()
                .min(),
            defaults,
            ends,
            pad: id(configs.pad())
                .or(configs.model.pad_token_id)
                .unwrap_or(0),
            words: (owned(configs.bos()), owned(configs.eos())),
            family: configs.model.model_type,
            width: configs.model.hidden_size,
            tokens: tokens.map(Arc::new),
            template,
        })
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// When the package has none.
    pub fn tokens(&self) -> Result<&Arc<Tokens>, TextError> {
        self.tokens.as_ref().ok_or(TextError::NoTokenizer)
    }

    /// The template of chats, if there is one.
    pub const fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// Another template in place of its own.
    pub fn other_template(&self, source: String) -> ChatTemplate {
        let text = |word: &Option<String>| word.clone().unwrap_or_default();
        ChatTemplate {
            file: "template".to_owned(),
            source,
            bos: text(&self.words.0),
            eos: text(&self.words.1),
        }
    }

    /// The prompt that asks for an answer in a chat. Who gives no system message gets the package's.
    ///
    /// # Errors
    /// When the package has no template.
    pub fn prompt(&self, messages: &[Message]) -> Result<Rendering, TextError> {
        let template = self.template.as_ref().ok_or(TextError::NoTemplate)?;
        Ok(template.prompt(self.with_system(messages)))
    }

    /// The messages after the package's system message, unless they have one.
    pub fn with_system(&self, messages: &[Message]) -> Vec<Message> {
        let own = messages.first().is_some_and(|first| first.role == "system");
        let system = self.system.iter().filter(|_| !own).map(|content| Message {
            role: "system".to_owned(),
            content: content.clone(),
        });
        system.chain(messages.iter().cloned()).collect()
    }
}

/// The manifest's template, the file's, or the tokenizer's.
fn template(
    files: &Files,
    manifest: &Manifest,
    configs: &Configs,
) -> Result<Option<ChatTemplate>, PackageError> {
    const FILE: &str = "chat_template.jinja";
    let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
    let written = |file: &str, source: &str| ChatTemplate {
        file: file.to_owned(),
        source: source.to_owned(),
        bos: text(configs.bos()),
        eos: text(configs.eos()),
    };
    if let Some(source) = &manifest.template {
        return Ok(Some(written(MANIFEST, source)));
    }
    if let Some(bytes) = files.text(FILE) {
        let source = std::str::from_utf8(bytes).map_err(|error| PackageError::Invalid {
            file: FILE.to_owned(),
            reason: error.to_string(),
        })?;
        return Ok(Some(written(FILE, source)));
    }
    let source = match &configs.tokenizer.chat_template {
        Some(Value::String(source)) => Some(source.as_str()),
        // Several, each with a name.
        Some(Value::Array(named)) => named
            .iter()
            .find(|one| one.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|one| one.get("template")?.as_str()),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => None,
    };
    Ok(source.map(|source| written("tokenizer_config.json", source)))
}

/// What an export with a tokenizer is for, when its manifest does not say.
fn guessed(configs: &Configs, template: bool) -> Kind {
    let architectures = configs.model.architectures.as_deref().unwrap_or_default();
    let named = |end: &str| architectures.iter().any(|name| name.ends_with(end));
    if configs.pooling.is_some() {
        Kind::Embedding
    } else if template
        || configs.generation.is_some()
        || named("ForCausalLM")
        || named("LMHeadModel")
    {
        Kind::Decoder
    } else if named("Model") || named("ForMaskedLM") {
        Kind::Embedding
    } else {
        Kind::Tensors
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or("model").to_owned()
}
