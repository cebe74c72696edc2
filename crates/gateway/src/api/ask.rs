//! What is asked of a decoder, with all defaults filled in.

use std::sync::Arc;

use assay_client::session::{GenerateRequest, Sampling};
use assay_package::{Kind, Package};

use super::{
    Api,
    failure::{Failure, Why},
    models::Offered,
};

/// What a request says; what it leaves open is the package's affair, and then the API's.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub temperature: Option<f32>,
    pub top_k: Option<u32>,
    pub top_p: Option<f32>,
    pub min_p: Option<f32>,
    pub repeat_penalty: Option<f32>,
    /// 0 turns the penalty off, -1 looks at everything.
    pub repeat_last_n: Option<i32>,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    pub logit_bias: Vec<(u32, f32)>,
    pub seed: Option<u64>,
    /// Below 1 for all that there is room for.
    pub max_tokens: Option<i32>,
    /// Tokens of prompt and answer together, at most.
    pub context: Option<u32>,
    /// In place of the package's, if there is one.
    pub stop: Option<Vec<String>>,
    pub logprobs: u8,
}

/// What an API does where nobody says anything.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub temperature: f32,
    pub top_k: u32,
    pub top_p: f32,
    pub repeat_penalty: f32,
}

/// A request for a decoder, and what its text stops at.
#[derive(Clone, Debug)]
pub struct Ask {
    pub offered: Offered,
    pub package: Arc<Package>,
    pub request: GenerateRequest,
    pub stops: Vec<String>,
}

/// The decoder's package.
pub fn decoder(offered: &Offered) -> Result<&Arc<Package>, Failure> {
    let package = offered.package()?;
    match offered.kind() {
        Kind::Decoder => Ok(package),
        Kind::Embedding | Kind::Tensors => Err(Failure::invalid(format!(
            "the model {:?} does not generate text",
            package.name
        ))
        .about("model")),
    }
}

/// Tokens of prompt and answer together, if anything limits them.
pub fn context(offered: &Offered, package: &Package, wish: &Wish) -> Option<u32> {
    let offer = Some(offered.listed.model.max_tokens).filter(|limit| *limit > 0);
    [package.context, offer, wish.context]
        .into_iter()
        .flatten()
        .min()
}

impl Api {
    /// Fills in what is left open.
    pub fn ask(
        &self,
        offered: &Offered,
        tokens: Vec<u32>,
        wish: Wish,
        habits: Habits,
    ) -> Result<Ask, Failure> {
        let package = decoder(offered)?;
        if tokens.is_empty() {
            return Err(Failure::invalid("the prompt is empty").about("prompt"));
        }
        let context = context(offered, package, &wish);
        let prompt = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let room = match context {
            None => u32::MAX,
            Some(context) => context.saturating_sub(prompt),
        };
        if room == 0 {
            return Err(Failure::new(
                Why::TooLong,
                format!(
                    "the prompt has {prompt} tokens; this model takes at most {} for prompt and answer together",
                    context.unwrap_or_default()
                ),
            ));
        }
        let max_tokens = match wish.max_tokens.or(package.defaults.num_predict) {
            Some(number) => u32::try_from(number)
                .ok()
                .filter(|number| *number > 0)
                .unwrap_or_else(|| context.map_or(self.options.max_answer_tokens, |_| room)),
            None => self.options.max_answer_tokens,
        };
        let stops = wish.stop.clone();
        Ok(Ask {
            request: GenerateRequest {
                tokens,
                max_tokens: max_tokens.min(room),
                stop_tokens: package.ends.clone(),
                logprobs: wish.logprobs,
                sampling: sampling(package, wish, habits)?,
            },
            stops: stops.unwrap_or_else(|| package.defaults.stop.clone()),
            offered: offered.clone(),
            package: package.clone(),
        })
    }
}

fn sampling(package: &Package, wish: Wish, habits: Habits) -> Result<Sampling, Failure> {
    let own = &package.defaults;
    let temperature = wish.temperature.or(own.temperature);
    let temperature = temperature.unwrap_or(habits.temperature);
    let penalty = wish.repeat_penalty.or(own.repeat_penalty);
    let (repeat_penalty, repeat_last) = match wish.repeat_last_n.or(own.repeat_last_n) {
        Some(0) => (1.0, 0),
        last => (
            penalty.unwrap_or(habits.repeat_penalty),
            // Below 0 is everything.
            last.map_or(64, |last| u32::try_from(last).unwrap_or(0)),
        ),
    };
    let seed = match wish.seed.or(own.seed) {
        Some(seed) => seed,
        None if temperature > 0.0 => getrandom::u64()
            .map_err(|error| Failure::new(Why::Unavailable, format!("no randomness: {error}")))?,
        None => 0,
    };
    Ok(Sampling {
        temperature,
        top_k: wish.top_k.or(own.top_k).unwrap_or(habits.top_k),
        top_p: wish.top_p.or(own.top_p).unwrap_or(habits.top_p),
        min_p: wish.min_p.or(own.min_p).unwrap_or(0.0),
        repeat_penalty,
        repeat_last,
        presence_penalty: wish.presence_penalty,
        frequency_penalty: wish.frequency_penalty,
        logit_bias: wish.logit_bias,
        seed,
    })
}
