//! `assay-worker models list`.

use std::fmt::Write;

use chrono::DateTime;
use indicatif::HumanBytes;
use serde::Serialize;

use super::{Ended, is_allowed, print, print_json, shelf::Shelf};
use crate::config::Config;

#[derive(Serialize)]
struct List {
    models: Vec<Line>,
    /// Bytes of all files in the cache, and the most that it may hold.
    used: u64,
    limit: u64,
}

#[derive(Serialize)]
struct Line {
    /// Sha256 in hex.
    digest: String,
    size: u64,
    /// Unix seconds of the file's time: when it came.
    changed_at: Option<u64>,
    /// Whether policy.models takes jobs for it.
    allowed: bool,
}

pub fn list(config: &Config, json: bool) -> Result<(), Ended> {
    let shelf = Shelf::new(config);
    let mut models = Vec::new();
    for held in shelf.models()? {
        models.push(Line {
            digest: hex::encode(held.digest.0),
            size: held.size,
            changed_at: held.changed_at,
            allowed: is_allowed(config, &held.digest)?,
        });
    }
    let list = List {
        models,
        used: shelf.used()?,
        limit: shelf.limit(),
    };
    if json {
        print_json(&list)?;
    } else {
        print(&list.text())?;
    }
    Ok(())
}

impl List {
    /// A digest has 64 of the 80 columns, and must be whole to be copied.
    fn text(&self) -> String {
        let mut out = String::new();
        for model in &self.models {
            let seconds = model.changed_at.and_then(|at| i64::try_from(at).ok());
            let time = seconds.and_then(|at| DateTime::from_timestamp(at, 0));
            let time = time.map_or("unknown".to_owned(), |time| {
                time.format("%Y-%m-%d %H:%M").to_string()
            });
            let allowed = if model.allowed {
                "allowed"
            } else {
                "not allowed by policy.models"
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{}\n  {:>10}  since {time}  {allowed}",
                model.digest,
                HumanBytes(model.size).to_string()
            );
        }
        let _ = writeln!(
            out,
            "{} models, {} of {} used",
            self.models.len(),
            HumanBytes(self.used),
            HumanBytes(self.limit)
        );
        out
    }
}
