//! `assay.json`: what a package adds to the files of an export.

use serde::{Deserialize, Serialize};

use crate::error::PackageError;

/// The manifest's name in a package.
pub const MANIFEST: &str = "assay.json";

/// The only form so far.
pub const FORMAT: u32 = 1;

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Goes on from a text.
    Decoder,
    /// Turns texts into vectors.
    Embedding,
    /// Takes and gives tensors.
    Tensors,
}

/// How the vectors of a text's tokens become the text's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean, without padding.
    Mean,
    /// The first one's.
    Cls,
    /// The last one's that is no padding.
    Last,
    /// The model gives one vector a text.
    None,
}

/// Defaults of generation. What is absent is left to the API that is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// 0 takes the likeliest token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// 0 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_penalty: Option<f32>,
    /// 0 turns the penalty off, -1 looks at everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_last_n: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Tokens of an answer, at most; below 1 for all that there is room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_predict: Option<i32>,
    /// Tokens of prompt and answer together, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_ctx: Option<u32>,
    /// Texts that end an answer and are not shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// The manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    #[serde(default)]
    pub parameters: Parameters,
    /// The first message of a chat that has no system message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// A Jinja template in place of the tokenizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Whether vectors of texts are brought to length 1; they are unless this says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
}

impl Manifest {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is no manifest, or one of a later form.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        let invalid = |reason: String| PackageError::Invalid {
            file: MANIFEST.to_owned(),
            reason,
        };
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        if manifest.format == FORMAT {
            Ok(manifest)
        } else {
            Err(invalid(format!(
                "its format is {}, this version knows {FORMAT}; update assay",
                manifest.format
            )))
        }
    }

    /// The file.
    ///
    /// # Errors
    /// When a number in it is none, as NaN.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackageError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| PackageError::Invalid {
            file: MANIFEST.to_owned(),
            reason: error.to_string(),
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
