use assay_chain::Found;
use assay_client::protocol::{
    ModelData, OutputProfile, model::MODEL_ACTIVE, profile::Comparison, text,
};
use serde::Serialize;

use crate::{
    amount::{bytes, grouped, moment},
    plain::plain,
};

/// A registered model.
#[derive(Serialize)]
pub struct ModelView {
    pub address: String,
    pub name: String,
    pub status: &'static str,
    pub author: String,
    pub rent_payer: String,
    /// sha256 of the file, in hex.
    pub digest: String,
    pub size_bytes: u64,
    pub uri: String,
    /// One entry an output: `exact`, or the exponent of its grid.
    pub profile: Vec<String>,
    pub created_at: i64,
    /// 0 while active.
    pub retired_at: i64,
    pub sequence: u32,
}

impl ModelView {
    pub const HEAD: [&'static str; 6] = ["MODEL", "NAME", "STATUS", "SIZE", "DIGEST", "URI"];

    pub fn new(found: &Found<ModelData>) -> Self {
        let model = &found.data;
        Self {
            address: found.address.to_string(),
            name: plain(text::read(&model.name, model.name_len)),
            status: if model.status == MODEL_ACTIVE {
                "active"
            } else {
                "retired"
            },
            author: model.author.to_string(),
            rent_payer: model.rent_payer.to_string(),
            digest: hex::encode(model.digest),
            size_bytes: model.size,
            uri: plain(text::read(&model.uri, model.uri_len)),
            profile: profile(&OutputProfile(model.output_profile)),
            created_at: model.created_at,
            retired_at: model.retired_at,
            sequence: model.sequence,
        }
    }

    pub fn row(&self) -> Vec<String> {
        vec![
            self.address.clone(),
            dash(&self.name),
            self.status.to_owned(),
            bytes(self.size_bytes),
            self.digest.get(..16).unwrap_or_default().to_owned(),
            dash(&self.uri),
        ]
    }

    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let size = format!(
            "{} ({} bytes)",
            bytes(self.size_bytes),
            grouped(self.size_bytes)
        );
        vec![
            ("model", self.address.clone()),
            ("name", dash(&self.name)),
            ("status", self.status.to_owned()),
            ("author", self.author.clone()),
            ("sha256", self.digest.clone()),
            ("size", size),
            ("uri", dash(&self.uri)),
            ("outputs compare", self.profile.join(", ")),
            ("registered", moment(self.created_at)),
            ("retired", moment(self.retired_at)),
            ("rent goes back to", self.rent_payer.clone()),
        ]
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.to_owned()
    }
}

fn profile(profile: &OutputProfile) -> Vec<String> {
    (0..profile.len())
        .filter_map(|position| profile.get(position))
        .map(|comparison| match comparison {
            Comparison::Exact => "exact".to_owned(),
            Comparison::Grid(exponent) => format!("2^{exponent}"),
        })
        .collect()
}
