//! What can be asked for.

use std::fmt::Write as _;

use assay_package::{Kind, Package, Parameters};
use axum::{Json, extract::State};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Refused, refuse_others};
use crate::api::{Api, body::Whole, failure::Failure, models::Offered};

pub async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

/// Models that texts can be asked of.
pub async fn tags(State(api): State<Api>) -> Result<Json<Value>, Refused> {
    let offered = api.offered().await?;
    let models = offered.iter().filter_map(|one| {
        let package = one.package.as_ref()?;
        let name = format!("{}:latest", package.name);
        (one.kind() != Kind::Tensors).then(|| {
            json!({
                "name": name,
                "model": name,
                "modified_at": modified(package),
                "size": package.model.size,
                "digest": hex::encode(package.digest.0),
                "details": details(package),
            })
        })
    });
    Ok(Json(json!({ "models": models.collect::<Vec<_>>() })))
}

/// Models in this machine's memory: there are none, for providers hold them.
pub async fn ps() -> Json<Value> {
    Json(json!({ "models": [] }))
}

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    /// As older clients have it.
    name: Option<String>,
    #[serde(default, rename = "verbose")]
    _verbose: Option<bool>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

pub async fn show(State(api): State<Api>, body: Whole) -> Result<Json<Value>, Refused> {
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    let name = request.model.or(request.name);
    let name = name.ok_or_else(|| Failure::invalid("the field \"model\" is missing"))?;
    let offered = api.tagged(&name).await?;
    let package = offered.package()?;
    let parameters = parameters(&package.defaults);
    let template = package.template().map_or("", |template| &template.source);
    Ok(Json(json!({
        "modelfile": modelfile(package, &parameters, template),
        "parameters": parameters,
        "template": template,
        "license": package.license.as_deref().unwrap_or_default(),
        "system": package.system.as_deref().unwrap_or_default(),
        "modified_at": modified(package),
        "details": details(package),
        "model_info": info(&offered, package),
        "capabilities": match offered.kind() {
            Kind::Decoder => ["completion"].as_slice(),
            Kind::Embedding => ["embedding"].as_slice(),
            Kind::Tensors => [].as_slice(),
        },
    })))
}

fn modified(package: &Package) -> String {
    let time = package
        .model
        .modified
        .map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from);
    time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

fn details(package: &Package) -> Value {
    let family = package.family.as_deref().unwrap_or_default();
    json!({
        "parent_model": "",
        "format": "onnx",
        "family": family,
        "families": package.family.iter().collect::<Vec<_>>(),
        "parameter_size": "",
        "quantization_level": "",
    })
}

fn info(offered: &Offered, package: &Package) -> Value {
    let family = package.family.as_deref().unwrap_or("model");
    let mut info = Map::from_iter([
        ("general.architecture".to_owned(), family.into()),
        ("general.file_type".to_owned(), "onnx".into()),
        (
            "assay.model".to_owned(),
            hex::encode(offered.digest().0).into(),
        ),
        (
            "assay.package".to_owned(),
            hex::encode(package.digest.0).into(),
        ),
        (
            "assay.providers".to_owned(),
            offered.listed.providers.into(),
        ),
    ]);
    if let Some(context) = package.context {
        info.insert(format!("{family}.context_length"), context.into());
    }
    if let Some(width) = package.width {
        info.insert(format!("{family}.embedding_length"), width.into());
    }
    Value::Object(info)
}

/// As in a Modelfile, without the word.
fn parameters(defaults: &Parameters) -> String {
    let mut text = String::new();
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{key:<30} {value}");
        }
    };
    let real = |value: Option<f32>| value.map(|value| value.to_string());
    add("temperature", real(defaults.temperature));
    add("top_k", defaults.top_k.map(|value| value.to_string()));
    add("top_p", real(defaults.top_p));
    add("min_p", real(defaults.min_p));
    add("repeat_penalty", real(defaults.repeat_penalty));
    add(
        "repeat_last_n",
        defaults.repeat_last_n.map(|value| value.to_string()),
    );
    add("seed", defaults.seed.map(|value| value.to_string()));
    add(
        "num_predict",
        defaults.num_predict.map(|value| value.to_string()),
    );
    add("num_ctx", defaults.num_ctx.map(|value| value.to_string()));
    for stop in &defaults.stop {
        add("stop", Some(Value::from(stop.as_str()).to_string()));
    }
    text.trim_end().to_owned()
}

/// A Modelfile that says the same; FROM is the model's digest, for its folder is on another machine.
fn modelfile(package: &Package, parameters: &str, template: &str) -> String {
    let mut text = format!(
        "FROM sha256:{}\nNAME {}\n",
        hex::encode(package.model.digest.0),
        package.name
    );
    for line in parameters.lines() {
        let _ = writeln!(text, "PARAMETER {line}");
    }
    let texts = [
        ("SYSTEM", package.system.as_deref()),
        (
            "TEMPLATE",
            Some(template).filter(|template| !template.is_empty()),
        ),
        ("LICENSE", package.license.as_deref()),
    ];
    for (word, value) in texts {
        if let Some(value) = value {
            let _ = writeln!(text, "{word} \"\"\"{value}\"\"\"");
        }
    }
    text
}
