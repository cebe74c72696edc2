//! What can be asked for.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::Refused;
use crate::api::{Api, models::Offered};

pub async fn list(State(api): State<Api>) -> Result<Json<Value>, Refused> {
    let offered = api.offered().await?;
    let models: Vec<Value> = offered.iter().map(|one| entry(one, one.name())).collect();
    Ok(Json(json!({ "object": "list", "data": models })))
}

pub async fn show(
    State(api): State<Api>,
    Path(model): Path<String>,
) -> Result<Json<Value>, Refused> {
    Ok(Json(entry(&api.model(&model).await?, &model)))
}

/// An entry. `kind`, `digest`, `package` and `providers` are no fields of OpenAI's, and clients pass over them.
fn entry(offered: &Offered, name: &str) -> Value {
    let package = offered.package.as_ref();
    let created = package
        .and_then(|package| package.model.modified)
        .map(|time| chrono::DateTime::<chrono::Utc>::from(time).timestamp());
    json!({
        "id": name,
        "object": "model",
        "created": created.unwrap_or(0),
        "owned_by": "assay",
        "kind": offered.kind(),
        "digest": hex::encode(offered.digest().0),
        "package": package.map(|package| hex::encode(package.digest.0)),
        "providers": offered.listed.providers,
    })
}
