//! The APIs that people already use, over whoever answers.
//!
//! | module | does |
//! |---|---|
//! | `oip` | the Open Inference Protocol as Triton and KServe speak it: tensors |
//! | `openai` | OpenAI's chat, completions and embeddings |
//! | `ollama` | Ollama's chat, generation and embeddings |
//! | `text` | an answer's text from its tokens, for the two above |
//! | `ask` | what is asked of a decoder, with all defaults filled in |
//! | `embed` | vectors of texts |
//! | `models` | what a model can be called |
//! | `failure` | why there is no answer, before an API gives it its own shape |
//! | `key` | who may ask |

mod ask;
mod body;
mod embed;
mod failure;
mod key;
mod models;
mod oip;
mod ollama;
mod openai;
mod tensors;
mod text;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::get};

use crate::{templates::Renderer, upstream::Upstream};

pub(crate) use key::carries;
pub use models::{Packages, PackagesError};

/// How the APIs are served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bearer key that every request must carry, if any.
    pub api_key: Option<String>,
    /// Bytes of a request's body, at most, packed or not.
    pub max_body_bytes: usize,
    /// Tokens of an answer when neither the request nor the package says how many; each one is paid for.
    pub max_answer_tokens: u32,
    /// Texts that are turned into vectors in one run, at most.
    pub max_batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_key: None,
            max_body_bytes: 64 * 1024 * 1024,
            max_answer_tokens: 2_048,
            max_batch: 32,
        }
    }
}

/// What every handler has.
#[derive(Clone)]
struct Api {
    upstream: Arc<dyn Upstream>,
    packages: Arc<Packages>,
    renderer: Arc<dyn Renderer>,
    options: Arc<Options>,
}

/// Serves all the APIs.
pub fn router(
    upstream: Arc<dyn Upstream>,
    packages: Arc<Packages>,
    renderer: Arc<dyn Renderer>,
    options: Options,
) -> Router {
    let options = Arc::new(options);
    let api = Api {
        upstream,
        packages,
        renderer,
        options: options.clone(),
    };
    Router::new()
        .route("/", get(|| async { "assay gateway is running\n" }))
        .merge(oip::routes())
        .merge(openai::routes())
        .merge(ollama::routes())
        .layer(middleware::from_fn_with_state(options.clone(), key::check))
        .layer(DefaultBodyLimit::max(options.max_body_bytes))
        .with_state(api)
}
