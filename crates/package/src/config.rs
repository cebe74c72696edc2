//! What Hugging Face's configuration files say. Every field is optional, for exports leave out what they like.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    error::PackageError,
    files::Files,
    manifest::{Parameters, Pooling},
};

/// `model_max_length` of a tokenizer that knows none is 1e30.
const LONGEST: u64 = 1 << 30;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    pub architectures: Option<Vec<String>>,
    pub model_type: Option<String>,
    pub hidden_size: Option<u32>,
    max_position_embeddings: Option<u32>,
    n_positions: Option<u32>,
    n_ctx: Option<u32>,
    eos_token_id: Option<Ids>,
    pub pad_token_id: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GenerationConfig {
    eos_token_id: Option<Ids>,
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenizerConfig {
    pub chat_template: Option<Value>,
    pub bos_token: Option<Word>,
    pub eos_token: Option<Word>,
    pub pad_token: Option<Word>,
    model_max_length: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SpecialTokens {
    pub bos_token: Option<Word>,
    pub eos_token: Option<Word>,
    pub pad_token: Option<Word>,
}

/// Of sentence-transformers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// One token or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

/// A token's text, by itself or with how it is cut.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Word {
    Text(String),
    Added { content: String },
}

impl Word {
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}

impl Ids {
    fn all(&self) -> &[u32] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Configs {
    pub model: Config,
    pub generation: Option<GenerationConfig>,
    pub tokenizer: TokenizerConfig,
    pub special: SpecialTokens,
    pub pooling: Option<PoolingConfig>,
}

impl Configs {
    pub fn read(files: &Files) -> Result<Self, PackageError> {
        Ok(Self {
            model: json(files, "config.json")?.unwrap_or_default(),
            generation: json(files, "generation_config.json")?,
            tokenizer: json(files, "tokenizer_config.json")?.unwrap_or_default(),
            special: json(files, "special_tokens_map.json")?.unwrap_or_default(),
            pooling: json(files, "1_Pooling/config.json")?,
        })
    }

    /// Tokens that end an answer, by number.
    pub fn end_ids(&self) -> Vec<u32> {
        let of = |ids: &Option<Ids>| ids.as_ref().map_or(Vec::new(), |ids| ids.all().to_vec());
        let mut ids = of(&self.model.eos_token_id);
        if let Some(generation) = &self.generation {
            ids.extend(of(&generation.eos_token_id));
        }
        ids
    }

    pub fn bos(&self) -> Option<&str> {
        let word = self.tokenizer.bos_token.as_ref();
        word.or(self.special.bos_token.as_ref()).map(Word::text)
    }

    pub fn eos(&self) -> Option<&str> {
        let word = self.tokenizer.eos_token.as_ref();
        word.or(self.special.eos_token.as_ref()).map(Word::text)
    }

    pub fn pad(&self) -> Option<&str> {
        let word = self.tokenizer.pad_token.as_ref();
        word.or(self.special.pad_token.as_ref()).map(Word::text)
    }

    /// Tokens that fit the model, if anything says so.
    pub fn context(&self) -> Option<u32> {
        let model = &self.model;
        [
            model.max_position_embeddings,
            model.n_positions,
            model.n_ctx,
            self.tokenizer.longest(),
        ]
        .into_iter()
        .flatten()
        .filter(|length| *length > 0)
        .min()
    }

    /// What the export says of generation, for what the manifest leaves open.
    pub fn fill(&self, parameters: &mut Parameters) {
        let Some(generation) = &self.generation else {
            return;
        };
        let greedy = (generation.do_sample == Some(false)).then_some(0.0);
        let or = |own: Option<f32>, theirs: Option<f32>| own.or(theirs);
        parameters.temperature = or(parameters.temperature, greedy.or(generation.temperature));
        parameters.top_p = or(parameters.top_p, generation.top_p);
        parameters.min_p = or(parameters.min_p, generation.min_p);
        if parameters.repeat_penalty.is_none() && generation.repetition_penalty.is_some() {
            parameters.repeat_penalty = generation.repetition_penalty;
            // There it looks at everything.
            parameters.repeat_last_n.get_or_insert(-1);
        }
        parameters.top_k = parameters.top_k.or(generation.top_k);
    }
}

impl TokenizerConfig {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 2^30"
    )]
    fn longest(&self) -> Option<u32> {
        let length = self.model_max_length?;
        (1.0..LONGEST as f64)
            .contains(&length)
            .then_some(length as u32)
    }
}

impl PoolingConfig {
    /// The one mode that is on.
    ///
    /// # Errors
    /// When none or several are, or one that is not built.
    pub fn mode(&self) -> Result<Pooling, PackageError> {
        let other = self.pooling_mode_max_tokens
            || self.pooling_mode_mean_sqrt_len_tokens
            || self.pooling_mode_weightedmean_tokens;
        let modes = (
            self.pooling_mode_cls_token,
            self.pooling_mode_mean_tokens,
            self.pooling_mode_lasttoken,
        );
        match modes {
            (true, false, false) if !other => Ok(Pooling::Cls),
            (false, true, false) if !other => Ok(Pooling::Mean),
            (false, false, true) if !other => Ok(Pooling::Last),
            _ => Err(PackageError::Invalid {
                file: "1_Pooling/config.json".to_owned(),
                reason: "exactly one of the modes cls, mean and last token must be on; set POOLING in the Modelfile"
                    .to_owned(),
            }),
        }
    }
}

fn json<T: DeserializeOwned>(files: &Files, name: &str) -> Result<Option<T>, PackageError> {
    let Some(bytes) = files.text(name) else {
        return Ok(None);
    };
    let read = serde_json::from_slice(bytes);
    read.map(Some).map_err(|error| PackageError::Invalid {
        file: name.to_owned(),
        reason: error.to_string(),
    })
}
