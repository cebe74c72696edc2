//! What is served, and for how much.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use assay_client::{
    outputs::dtype_name,
    protocol::Digest,
    session::{OfferedModel, Port, Price, Usage},
};
use assay_engine::{Dimension, ModelInfo, TensorInfo};

use crate::{
    config::{ConfigError, SessionModel, SessionsConfig},
    serving::Serve,
};

/// Between two tries to load a model.
const PAUSE: Duration = Duration::from_secs(60);

/// The models of the configuration; those that are loaded are offered.
pub struct Offering {
    wanted: Vec<(Digest, SessionModel)>,
    max_tokens: u32,
    ready: RwLock<BTreeMap<Digest, Arc<OfferedModel>>>,
}

/// Of every run and of every generation.
pub const RUN: Usage = Usage {
    input_bytes: 1,
    input_tokens: 0,
    output_tokens: 0,
};
pub const GENERATION: Usage = Usage {
    input_bytes: 0,
    input_tokens: 1,
    output_tokens: 1,
};

/// Whether a model that has a price would cost nothing if it is asked for in this way. It is not served so: who sets a
/// price has forgotten this way, and does not mean to give the model away.
pub fn is_forgotten(price: &Price, way: Usage) -> bool {
    *price != Price::default() && price.of(way) == Some(0)
}

/// How a model stands.
pub enum Offered {
    Ready(Arc<OfferedModel>),
    /// Not yet.
    Loading,
    Never,
}

impl Offering {
    pub fn new(config: &SessionsConfig) -> Result<Self, ConfigError> {
        let wanted = config.models.iter();
        let wanted = wanted.map(|model| Ok((model.digest()?, model.clone())));
        Ok(Self {
            wanted: wanted.collect::<Result<_, ConfigError>>()?,
            max_tokens: config.max_tokens,
            ready: RwLock::default(),
        })
    }

    /// Loads one model after the other, and again those that could not be.
    pub async fn load(&self, serve: &dyn Serve) {
        let mut left: Vec<&(Digest, SessionModel)> = self.wanted.iter().collect();
        while !left.is_empty() {
            let mut failed = Vec::new();
            for wanted in left {
                let (digest, model) = wanted;
                match serve.info(*digest).await {
                    Ok(info) => {
                        let generates = serve.generates(&info);
                        let room = serve.room(&info);
                        if generates && room.is_none() && model.max_tokens.is_none() {
                            tracing::warn!(
                                model = %model.model, name = model.name,
                                "the model does not say how many tokens it has room for, and fails beyond them: set its max_tokens in sessions.models"
                            );
                        }
                        warn_of_forgotten(model, generates);
                        self.add(*digest, model, &info, (generates, room));
                        tracing::info!(model = %model.model, name = model.name, generates, "a model is served to sessions");
                    }
                    Err(error) => {
                        tracing::warn!(model = %model.model, name = model.name, %error, "a model is not served to sessions; trying again");
                        failed.push(wanted);
                    }
                }
            }
            left = failed;
            if !left.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    pub fn get(&self, digest: &Digest) -> Offered {
        let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
        match ready.get(digest) {
            Some(model) => Offered::Ready(Arc::clone(model)),
            None if self.wanted.iter().any(|(wanted, _)| wanted == digest) => Offered::Loading,
            None => Offered::Never,
        }
    }

    /// Those that are loaded, in the configuration's order.
    pub fn ready(&self) -> Vec<OfferedModel> {
        let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.wanted.iter();
        wanted
            .filter_map(|(digest, _)| ready.get(digest).map(|model| OfferedModel::clone(model)))
            .collect()
    }

    fn add(
        &self,
        digest: Digest,
        model: &SessionModel,
        info: &ModelInfo,
        (generates, room): (bool, Option<usize>),
    ) {
        let longest = model.longest(self.max_tokens);
        let room = room.and_then(|room| u32::try_from(room).ok());
        let offered = OfferedModel {
            digest,
            name: model.name.clone(),
            price: model.price,
            inputs: info.inputs.iter().map(port).collect(),
            outputs: info.outputs.iter().map(port).collect(),
            generates,
            max_tokens: room.map_or(longest, |room| room.min(longest)),
        };
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        ready.insert(digest, Arc::new(offered));
    }
}

fn warn_of_forgotten(model: &SessionModel, generates: bool) {
    if is_forgotten(&model.price, RUN) {
        tracing::warn!(
            model = %model.model, name = model.name,
            "runs of the model would be free, and are refused: set request or input_kib in its price"
        );
    }
    if generates && is_forgotten(&model.price, GENERATION) {
        tracing::warn!(
            model = %model.model, name = model.name,
            "generations of the model would be free, and are refused: set request, input_token or output_token in its price"
        );
    }
}

fn port(tensor: &TensorInfo) -> Port {
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => i64::try_from(*size).unwrap_or(i64::MAX),
        Dimension::Named(_) | Dimension::Any => -1,
    };
    Port {
        name: tensor.name.clone(),
        dtype: dtype_name(tensor.dtype).to_owned(),
        shape: tensor
            .shape
            .as_ref()
            .map(|shape| shape.iter().map(size).collect()),
    }
}
