//! Whether what sessions are to be served is here, and whether requesters see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use assay_client::session::{OFFER_PATH, Offer};
use assay_protocol::Digest;
use sha2::{Digest as _, Sha256};

use super::{Patient, report::Report, service};
use crate::config::{Config, SessionModel};

/// `runs`: whether our own worker answers.
pub async fn check(report: &mut Report, patient: &Patient, runs: bool) {
    let config = &patient.config;
    if !config.sessions.enabled {
        report.skipped(
            "sessions",
            "not enabled: models are served to jobs alone; sessions.enabled",
        );
        return;
    }
    let listed: Vec<(&SessionModel, Digest)> = config
        .sessions
        .models
        .iter()
        // What is no digest has made the file invalid.
        .filter_map(|model| Some((model, model.digest().ok()?)))
        .collect();
    models(report, config, &listed);
    if runs {
        offered(report, patient, &listed).await;
    } else {
        report.skipped("offer", "not asked for, as the worker does not run");
    }
}

/// Whether each model's file lies where the worker reads it.
fn models(report: &mut Report, config: &Config, listed: &[(&SessionModel, Digest)]) {
    let name = "session model";
    let limit = config.engine.limits.model_bytes;
    let mut wanted: BTreeSet<[u8; 32]> = listed.iter().map(|(_, digest)| digest.0).collect();
    let mut found = BTreeMap::new();
    for path in places(config, &wanted) {
        if let Some((digest, size)) = digest_of(&path)
            && wanted.remove(&digest)
        {
            found.insert(digest, (path, size));
        }
        if wanted.is_empty() {
            break;
        }
    }
    for (model, digest) in listed {
        let called = &model.name;
        match found.get(&digest.0) {
            Some((path, size)) if *size > limit => report.broken(
                name,
                format!(
                    "{called} has {size} bytes, more than {limit}: {}",
                    path.display()
                ),
                "raise engine.limits.model_bytes, or take it out of sessions.models",
            ),
            Some((path, _)) => report.good(name, format!("{called}: {}", path.display())),
            None => report.broken(
                name,
                format!("{called} is in no cache and no model folder: it is not served"),
                "assay-worker models pull, or put its file into a folder of artifacts.model_dirs",
            ),
        }
    }
}

/// Files that may be one of these models, as the worker looks for them: its caches, then the operator's folders.
fn places(config: &Config, wanted: &BTreeSet<[u8; 32]>) -> Vec<PathBuf> {
    let caches = ["models", "blobs"].map(|cache| config.data_dir.join(cache));
    let cached = caches
        .iter()
        .flat_map(|cache| wanted.iter().map(|digest| cache.join(hex::encode(digest))));
    let folders = config.artifacts.model_dirs.iter();
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let files = entries.flatten().flatten().map(|entry| entry.path());
    cached.chain(files).filter(|path| path.is_file()).collect()
}

fn digest_of(path: &Path) -> Option<([u8; 32], u64)> {
    let mut file = fs::File::open(path).ok()?;
    let mut hasher = Sha256::new();
    let size = io::copy(&mut file, &mut hasher).ok()?;
    Some((hasher.finalize().into(), size))
}

/// Whether requesters are offered what is configured.
async fn offered(report: &mut Report, patient: &Patient, listed: &[(&SessionModel, Digest)]) {
    let name = "offer";
    let url = &patient.config.api.public_url;
    let offer: Offer = match service::ask(url, OFFER_PATH, patient).await {
        Ok(offer) => offer,
        Err(reason) => {
            return report.broken(
                name,
                format!("{url}{OFFER_PATH}: {reason}"),
                "restart the worker, if sessions were enabled after its start; check that the proxy passes this path on",
            );
        }
    };
    let loaded: BTreeSet<[u8; 32]> = offer.models.iter().map(|model| model.digest.0).collect();
    let lacking: Vec<&str> = listed
        .iter()
        .filter(|(_, digest)| !loaded.contains(&digest.0))
        .map(|(model, _)| model.name.as_str())
        .collect();
    if !lacking.is_empty() {
        return report.notice(
            name,
            format!("not offered: {}", lacking.join(", ")),
            "wait, if the worker has just started; otherwise its log says why they could not be loaded",
        );
    }
    let count = offer.models.len();
    if offer.accepting {
        report.good(name, format!("{count} models are loaded and offered"));
    } else {
        report.notice(
            name,
            format!("{count} models are loaded, and no requests are taken now"),
            "assay-worker ps says why",
        );
    }
}

#[cfg(test)]
mod tests {
    use assay_client::{
        PROGRAM_ID,
        protocol::Address,
        session::{OfferedModel, Price},
    };
    use axum::{Json, Router, routing::get};

    use super::*;
    use crate::command::doctor::report::State;

    fn offer(names: &[&str], accepting: bool) -> Offer {
        let models = names.iter().map(|name| OfferedModel {
            digest: Digest(Sha256::digest(name).into()),
            name: (*name).to_owned(),
            price: Price::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            generates: false,
            max_tokens: 0,
        });
        Offer {
            provider: Address::default(),
            operator: Address::default(),
            program_id: PROGRAM_ID,
            version: String::new(),
            accepting,
            min_grace_secs: 86_400,
            min_voucher_secs: 3_600,
            max_body_bytes: 1,
            models: models.collect(),
        }
    }

    /// What is found where a worker with two models to serve gives this offer, or none.
    async fn found(given: Option<Offer>) -> (State, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::default();
        config.api.public_url = format!("http://{}", listener.local_addr().unwrap());
        let mut router = Router::new();
        if let Some(given) = given {
            router = router.route(OFFER_PATH, get(|| async { Json(given) }));
        }
        let serving = tokio::spawn(async { axum::serve(listener, router).await });
        let models = ["digits", "chat"].map(listed);
        let listed: Vec<(&SessionModel, Digest)> = models
            .iter()
            .map(|model| (model, model.digest().unwrap()))
            .collect();
        let patient = Patient {
            authority: None,
            config,
            operator: None,
            chain: None,
            patience: std::time::Duration::from_secs(5),
        };
        let mut report = Report::new(false);
        offered(&mut report, &patient, &listed).await;
        serving.abort();
        let check = report.checks.remove(0);
        (check.state, check.finding)
    }

    fn listed(name: &str) -> SessionModel {
        SessionModel {
            model: hex::encode(Sha256::digest(name)),
            name: name.into(),
            price: Price::default(),
            max_tokens: None,
        }
    }

    #[tokio::test]
    async fn offer_must_have_all_models_and_be_there() {
        let (state, finding) = found(Some(offer(&["digits"], true))).await;
        assert_eq!((state, &*finding), (State::Notice, "not offered: chat"));
        let both = ["digits", "chat"];
        assert_eq!(found(Some(offer(&both, true))).await.0, State::Good);
        assert_eq!(found(Some(offer(&both, false))).await.0, State::Notice);
        let (state, finding) = found(None).await;
        assert!(finding.ends_with("404 Not Found"), "{finding}");
        assert_eq!(state, State::Broken);
    }

    fn checked(config: &Config) -> Vec<(State, String)> {
        let mut report = Report::new(false);
        let listed: Vec<(&SessionModel, Digest)> = config
            .sessions
            .models
            .iter()
            .map(|model| (model, model.digest().unwrap()))
            .collect();
        models(&mut report, config, &listed);
        let checks = report.checks.into_iter();
        checks.map(|check| (check.state, check.finding)).collect()
    }

    #[test]
    fn session_models_are_looked_for_by_their_digest() {
        let folder = tempfile::tempdir().unwrap();
        let (data, own) = (folder.path().join("data"), folder.path().join("own"));
        fs::create_dir_all(data.join("models")).unwrap();
        fs::create_dir(&own).unwrap();
        let mut config = Config {
            data_dir: data.clone(),
            ..Config::default()
        };
        config.artifacts.model_dirs = vec![own.clone(), folder.path().join("gone")];
        for name in ["cached", "own", "spoilt", "missing"] {
            config.sessions.models.push(listed(name));
        }
        let cached = |name: &str| data.join("models").join(hex::encode(Sha256::digest(name)));
        fs::write(cached("cached"), "cached").unwrap();
        fs::write(cached("spoilt"), "something else").unwrap();
        fs::write(own.join("any.onnx"), "own").unwrap();

        let found = checked(&config);
        let states: Vec<State> = found.iter().map(|(state, _)| *state).collect();
        let (good, broken) = (State::Good, State::Broken);
        assert_eq!(states, [good, good, broken, broken], "{found:?}");
        assert!(found[1].1.ends_with("any.onnx"), "{found:?}");
        assert!(
            found[3].1.starts_with("missing is in no cache"),
            "{found:?}"
        );

        config.engine.limits.model_bytes = 4;
        let found = checked(&config);
        assert!(found[0].1.contains("has 6 bytes, more than 4"), "{found:?}");
        assert_eq!(found[1].0, State::Good, "{found:?}");
    }
}
