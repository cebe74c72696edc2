//! Vectors of texts.

use std::sync::Arc;

use assay_client::session::Port;
use assay_package::{Encoded, Kind, Package, Pooling, normalise, pool};
use bytes::Bytes;
use half::{bf16, f16};
use safetensors::Dtype;

use super::{
    Api,
    failure::{Failure, Why},
    models::Offered,
    tensors::{self, Tensor},
};

/// A text, or its tokens, which begin and end as they are.
#[derive(Clone, Debug)]
pub enum Input {
    Text(String),
    Tokens(Vec<u32>),
}

/// Vectors, one a text, and the tokens of all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    pub vectors: Vec<Vec<f32>>,
    pub tokens: usize,
}

impl Api {
    /// Turns texts into vectors. Those that are too long are cut if they may be.
    pub async fn embed(
        &self,
        offered: &Offered,
        inputs: &[Input],
        cut: bool,
    ) -> Result<Embedded, Failure> {
        let package = embedding(offered)?;
        let sizes = Sizes::of(offered, package)?;
        let texts = inputs
            .iter()
            .map(|input| encoded(package, input, sizes.limit, cut))
            .collect::<Result<Vec<_>, _>>()?;
        let mut vectors = Vec::with_capacity(texts.len());
        let batch = sizes.batch.unwrap_or(self.options.max_batch).max(1);
        for chunk in texts.chunks(batch) {
            let inputs = sizes.inputs(&offered.listed.model.inputs, package, chunk)?;
            let file = tensors::write(&inputs.tensors)?;
            let ran = self.upstream.run(offered.digest(), file).await?;
            vectors.extend(inputs.vectors(package, &ran.outputs)?);
        }
        let tokens = texts.iter().map(|text| text.ids.len()).sum();
        Ok(Embedded { vectors, tokens })
    }
}

fn embedding(offered: &Offered) -> Result<&Arc<Package>, Failure> {
    let package = offered.package()?;
    match offered.kind() {
        Kind::Embedding => Ok(package),
        Kind::Decoder | Kind::Tensors => Err(Failure::invalid(format!(
            "the model {:?} is no embedding model",
            package.name
        ))
        .about("model")),
    }
}

fn encoded(
    package: &Package,
    input: &Input,
    limit: Option<usize>,
    cut: bool,
) -> Result<Encoded, Failure> {
    let tokens = package.tokens()?;
    let too_long = |count: usize| {
        let limit = limit.unwrap_or_default();
        let text = format!("an input has {count} tokens; this model takes at most {limit}");
        Failure::new(Why::TooLong, text).about("input")
    };
    match input {
        Input::Text(text) => match tokens.encode_within(text, limit, cut)? {
            Some(encoded) if encoded.ids.is_empty() => {
                Err(Failure::invalid("an input is empty").about("input"))
            }
            Some(encoded) => Ok(encoded),
            None => Err(too_long(tokens.encode(text, true)?.len())),
        },
        Input::Tokens(ids) => {
            if let Some(unknown) = ids.iter().find(|id| !tokens.knows(**id)) {
                let text = format!("there is no token {unknown} in this model's vocabulary");
                return Err(Failure::invalid(text).about("input"));
            }
            let kept = limit.filter(|_| cut).unwrap_or(usize::MAX).min(ids.len());
            if ids.is_empty() {
                return Err(Failure::invalid("an input is empty").about("input"));
            }
            if limit.is_some_and(|limit| kept > limit) {
                return Err(too_long(ids.len()));
            }
            let ids: Vec<u32> = ids.iter().copied().take(kept).collect();
            let types = vec![0; ids.len()];
            Ok(Encoded { ids, types })
        }
    }
}

/// What a model's ports fix.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Texts in a run.
    batch: Option<usize>,
    /// Tokens of each text.
    length: Option<usize>,
    /// Tokens of a text, at most.
    limit: Option<usize>,
}

impl Sizes {
    fn of(offered: &Offered, package: &Package) -> Result<Self, Failure> {
        let ports = &offered.listed.model.inputs;
        let ids = ports.iter().find(|port| port.name == "input_ids");
        let ids = ids.ok_or_else(|| {
            Failure::invalid("the model has no input `input_ids`, which texts would go into")
        })?;
        let fixed = |place: usize| {
            let size = ids.shape.as_ref()?.get(place)?;
            usize::try_from(*size).ok().filter(|size| *size > 0)
        };
        let (batch, length) = (fixed(0), fixed(1));
        let context = package
            .context
            .and_then(|limit| usize::try_from(limit).ok());
        let limit = [length, context].into_iter().flatten().min();
        Ok(Self {
            batch,
            length,
            limit,
        })
    }

    fn inputs(
        self,
        ports: &[Port],
        package: &Package,
        texts: &[Encoded],
    ) -> Result<Inputs, Failure> {
        let longest = texts.iter().map(|text| text.ids.len()).max().unwrap_or(0);
        let length = self.length.unwrap_or(longest);
        let rows = self.batch.unwrap_or(texts.len());
        // Rows beyond the texts of a fixed batch are padding through and through.
        let row = |at: usize, value: fn(&Encoded) -> Vec<u32>, pad: u32| {
            let mut row = texts.get(at).map(value).unwrap_or_default();
            row.resize(length, pad);
            row
        };
        let table = |value: fn(&Encoded) -> Vec<u32>, pad| {
            (0..rows)
                .flat_map(|at| row(at, value, pad))
                .collect::<Vec<u32>>()
        };
        let mask = table(|text| vec![1; text.ids.len()], 0);
        let tensors = ports.iter().map(|port| {
            let values = match port.name.as_str() {
                "input_ids" => table(|text| text.ids.clone(), package.pad),
                "attention_mask" => mask.clone(),
                "token_type_ids" => table(|text| text.types.clone(), 0),
                "position_ids" => {
                    let width = u32::try_from(length).unwrap_or(u32::MAX);
                    (0..rows).flat_map(|_| 0..width).collect()
                }
                other => {
                    return Err(Failure::invalid(format!(
                        "the model has an input {other:?}, which no text gives; ask with tensors instead"
                    )));
                }
            };
            Ok(Tensor {
                name: port.name.clone(),
                dtype: tensors::dtype(&port.dtype).unwrap_or(Dtype::I64),
                shape: vec![rows, length],
                data: integers(&values, &port.dtype)?,
            })
        });
        Ok(Inputs {
            tensors: tensors.collect::<Result<_, _>>()?,
            count: texts.len(),
            rows,
            length,
            mask,
        })
    }
}

fn integers(values: &[u32], dtype: &str) -> Result<Bytes, Failure> {
    let bytes: Vec<u8> = match dtype {
        "I64" => values
            .iter()
            .flat_map(|value| i64::from(*value).to_le_bytes())
            .collect(),
        "I32" | "U32" => values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        other => {
            return Err(Failure::invalid(format!(
                "the model takes tokens as {other}, which no tokenizer gives"
            )));
        }
    };
    Ok(Bytes::from(bytes))
}

/// A run's inputs.
struct Inputs {
    tensors: Vec<Tensor>,
    /// Texts among the rows.
    count: usize,
    rows: usize,
    length: usize,
    mask: Vec<u32>,
}

impl Inputs {
    /// The texts' vectors in a run's outputs.
    fn vectors(&self, package: &Package, file: &Bytes) -> Result<Vec<Vec<f32>>, Failure> {
        let outputs = tensors::read(file)?;
        let named = |name: &str| outputs.iter().find(|output| output.name == name);
        let whole = named("sentence_embedding").or(match outputs.as_slice() {
            [only] if only.shape.len() == 2 => Some(only),
            _ => None,
        });
        let mut vectors = match whole {
            Some(output) => self
                .parts(output, 2)?
                .into_iter()
                .take(self.count)
                .collect(),
            None => {
                let states = named("last_hidden_state")
                    .or_else(|| named("token_embeddings"))
                    .or_else(|| outputs.iter().find(|output| output.shape.len() == 3));
                self.pooled(package, states.ok_or_else(unpooled)?)?
            }
        };
        if vectors.len() != self.count {
            return Err(unpooled());
        }
        if package.normalize {
            for vector in &mut vectors {
                normalise(vector);
            }
        }
        Ok(vectors)
    }

    /// A tensor's numbers, one part for each row that was sent.
    fn parts(&self, tensor: &Tensor, dimensions: usize) -> Result<Vec<Vec<f32>>, Failure> {
        let fits = tensor.shape.len() == dimensions && tensor.shape.first() == Some(&self.rows);
        let values = floats(tensor).filter(|_| fits).ok_or_else(unpooled)?;
        let width = values
            .len()
            .checked_div(self.rows)
            .filter(|width| *width > 0);
        let parts = values.chunks(width.ok_or_else(unpooled)?);
        Ok(parts.map(<[f32]>::to_vec).collect())
    }

    fn pooled(&self, package: &Package, states: &Tensor) -> Result<Vec<Vec<f32>>, Failure> {
        if package.pooling == Pooling::None {
            return Err(Failure::invalid(
                "the model gives a vector for each token, and the package's POOLING is none; make it with mean, cls \
                 or last",
            ));
        }
        let width = states.shape.last().copied().unwrap_or(0);
        let texts = self.parts(states, 3)?;
        let masks = self.mask.chunks(self.length.max(1));
        let vectors = texts
            .iter()
            .zip(masks)
            .take(self.count)
            .map(|(text, mask)| pool(package.pooling, text, mask, width).ok_or_else(unpooled));
        vectors.collect()
    }
}

fn unpooled() -> Failure {
    Failure::broken("the model's outputs hold no vector for each text that was sent")
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "vectors of doubles are given as floats, as both APIs have them"
)]
fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    let data = &tensor.data;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the foreign enum is non-exhaustive"
    )]
    let values = match tensor.dtype {
        Dtype::F32 => each(data, f32::from_le_bytes),
        Dtype::F16 => each(data, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => each(data, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F64 => each(data, |bytes| f64::from_le_bytes(bytes) as f32),
        _ => return None,
    };
    Some(values)
}

fn each<const N: usize>(data: &[u8], value: fn([u8; N]) -> f32) -> Vec<f32> {
    let (values, _) = data.as_chunks::<N>();
    values.iter().map(|bytes| value(*bytes)).collect()
}
