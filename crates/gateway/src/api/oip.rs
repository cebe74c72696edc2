//! The Open Inference Protocol over HTTP, version 2, with Triton's extensions for binary tensors and the list of
//! models: what `tritonclient.http` speaks. Every model has one version, "1".

mod answer;
mod data;
mod describe;
mod packing;
mod request;
mod types;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::{Value, json};

use super::{
    Api,
    body::Whole,
    failure::{Failure, Why},
    models::Offered,
    tensors,
};

/// The only version of a model.
const VERSION: &str = "1";

/// A failure in Triton's shape.
pub struct Refused(pub Failure);

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.plain_response()
    }
}

pub fn routes() -> Router<Api> {
    let with_version = "/v2/models/{model}/versions/{version}";
    Router::new()
        .route("/v2", get(describe::server))
        .route("/v2/", get(describe::server))
        .route("/v2/health/live", get(|| async { StatusCode::OK }))
        .route("/v2/health/ready", get(ready))
        .route("/v2/models/{model}", get(model))
        .route("/v2/models/{model}/ready", get(model_ready))
        .route("/v2/models/{model}/config", get(model_config))
        .route("/v2/models/{model}/infer", post(infer))
        .route(with_version, get(model))
        .route(&format!("{with_version}/ready"), get(model_ready))
        .route(&format!("{with_version}/config"), get(model_config))
        .route(&format!("{with_version}/infer"), post(infer))
        .route("/v2/repository/index", post(index))
        .route("/v2/{*path}", any(not_built))
}

/// A model's name, and its version if the path has one.
#[derive(serde::Deserialize)]
struct Named {
    model: String,
    version: Option<String>,
}

impl Api {
    async fn named(&self, named: &Named) -> Result<Offered, Failure> {
        match named.version.as_deref() {
            None | Some(VERSION) => self.model(&named.model).await,
            Some(other) => Err(Failure::new(
                Why::ModelUnknown,
                format!(
                    "the model {:?} has no version {other:?}; every model here has the one version \"1\", for its \
                     digest says which it is",
                    named.model
                ),
            )),
        }
    }
}

async fn ready(State(api): State<Api>) -> Result<StatusCode, Refused> {
    api.offered().await?;
    Ok(StatusCode::OK)
}

async fn model(State(api): State<Api>, Path(named): Path<Named>) -> Result<Json<Value>, Refused> {
    Ok(Json(describe::model(
        &api.named(&named).await?,
        &named.model,
    )))
}

async fn model_ready(
    State(api): State<Api>,
    Path(named): Path<Named>,
) -> Result<StatusCode, Refused> {
    api.named(&named).await?;
    Ok(StatusCode::OK)
}

async fn model_config(
    State(api): State<Api>,
    Path(named): Path<Named>,
) -> Result<Json<Value>, Refused> {
    Ok(Json(describe::config(
        &api.named(&named).await?,
        &named.model,
    )))
}

async fn index(State(api): State<Api>) -> Result<Json<Value>, Refused> {
    let models = api.offered().await?;
    let entry = |one: &Offered| json!({ "name": one.name(), "version": VERSION, "state": "READY", "reason": "" });
    Ok(Json(models.iter().map(entry).collect()))
}

async fn infer(
    State(api): State<Api>,
    Path(named): Path<Named>,
    headers: HeaderMap,
    body: Whole,
) -> Result<Response, Refused> {
    let began = std::time::Instant::now();
    let offered = api.named(&named).await?;
    let body = packing::unpack(&headers, body.0?, api.options.max_body_bytes)?;
    let request = request::Request::parse(&headers, &body)?;
    let wanted = request.outputs(&offered.listed.model)?;
    let inputs = request.inputs(&offered.listed.model)?;
    let ran = api
        .upstream
        .run(offered.digest(), tensors::write(&inputs)?)
        .await?;
    let outputs = tensors::read(&ran.outputs)?;
    let answer = answer::Answer {
        model: &named.model,
        id: request.id(),
        outputs: answer::chosen(&outputs, &wanted, &offered.listed.model.outputs)?,
    };
    let response = answer.response(&headers)?;
    tracing::debug!(
        model = %hex::encode(offered.digest().0),
        lamports = ran.price,
        micros = Duration::as_micros(&began.elapsed()),
        "run"
    );
    Ok(response)
}

async fn not_built(Path(path): Path<String>) -> Refused {
    let what = match path.split('/').next().unwrap_or_default() {
        "systemsharedmemory" | "cudasharedmemory" => {
            "shared memory reaches no other machine; send the tensors in the request"
        }
        "repository" => "models are loaded by their providers, not through this gateway",
        "trace" | "logging" | "stats" => "this gateway has no such settings or statistics",
        _ => "there is no such path here",
    };
    Refused(Failure::new(
        Why::PathUnknown,
        format!("/v2/{path}: {what}"),
    ))
}
