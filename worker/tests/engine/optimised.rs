//! Models kept on disk as they were optimised: quicker to load, and the same to the last bit.

use std::fs;

use assay_engine::{EngineConfig, Host, Model, OptimisedModels, kept_of};
use assay_protocol::{Digest, OutputProfile};
use tempfile::{TempDir, tempdir};

use crate::{
    jobs::jobs,
    kit::{LONG, host_with, keeping, model},
};

/// What the engine that holds the model says of how it came to have it.
fn was_kept(host: &Host, model: &Model) -> bool {
    let engines = host.ps().engines;
    let holder = engines
        .iter()
        .find(|engine| engine.model == Some(model.digest()));
    holder.unwrap().optimised
}

/// A folder in which the model is kept.
async fn kept(model: &Model) -> TempDir {
    let folder = tempdir().unwrap();
    let host = keeping(folder.path(), EngineConfig::default());
    host.load(model).await.unwrap();
    assert!(!was_kept(&host, model));
    host.settled().await;
    assert_eq!(kept_of(folder.path(), &model.digest()).unwrap().len(), 1);
    folder
}

fn only_file(folder: &TempDir, model: &Model) -> std::path::PathBuf {
    kept_of(folder.path(), &model.digest()).unwrap().remove(0).0
}

#[tokio::test]
async fn every_model_says_and_computes_the_same_when_it_was_kept() {
    let folder = tempdir().unwrap();
    for job in jobs() {
        let known = !kept_of(folder.path(), &job.model.digest())
            .unwrap()
            .is_empty();
        let mut told = Vec::new();
        for again in [known, true] {
            let host = keeping(folder.path(), EngineConfig::default());
            let info = host.load(&job.model).await.unwrap();
            let exact = OutputProfile::exact(info.outputs.len()).unwrap();
            let outcome = host.run(&job.model, &job.input, LONG).await.unwrap();
            let answer = outcome.answer(&exact).unwrap();
            assert_eq!(was_kept(&host, &job.model), again, "{}", job.name);
            host.settled().await;
            told.push((info, answer.root));
        }
        assert_eq!(told[0], told[1], "{}", job.name);
    }
}

#[tokio::test]
async fn kept_model_of_other_settings_is_not_taken() {
    let digits = model("digits.onnx");
    let folder = kept(&digits).await;
    let other = EngineConfig {
        threads: 2,
        ..EngineConfig::default()
    };
    let host = keeping(folder.path(), other);
    host.load(&digits).await.unwrap();
    assert!(!was_kept(&host, &digits));
    host.settled().await;
    assert_eq!(kept_of(folder.path(), &digits.digest()).unwrap().len(), 2);
}

/// As a model might do that has taken over the engine which kept it.
#[tokio::test]
async fn kept_model_that_computes_something_else_is_dropped_and_the_model_loaded() {
    let digits = model("digits.onnx");
    let folder = kept(&digits).await;
    let path = only_file(&folder, &digits);
    let file = fs::read(&path).unwrap();
    // A weight is another, and the digest right.
    let mut forged = file[..file.len() - 32].to_vec();
    let middle = forged.len() / 2;
    forged[middle..middle + 64].fill(0);
    let digest = Digest::of(&[&forged]).0;
    fs::write(&path, [&forged[..], &digest].concat()).unwrap();

    let host = keeping(folder.path(), EngineConfig::default());
    host.load(&digits).await.unwrap();
    assert!(!was_kept(&host, &digits));
    host.settled().await;
    assert_eq!(
        fs::read(only_file(&folder, &digits)).unwrap(),
        file,
        "kept anew"
    );
}

/// As a disk might do: what is altered says and computes the same, so that its digest alone tells.
#[tokio::test]
async fn kept_model_of_another_digest_is_dropped_though_it_loads() {
    let digits = model("digits.onnx");
    let folder = kept(&digits).await;
    let path = only_file(&folder, &digits);
    let file = fs::read(&path).unwrap();
    let mut altered = file.clone();
    let producer = altered.windows(5).rposition(|name| name == b"assay");
    altered[producer.unwrap()] = b'b';
    let end = altered.len() - 32;
    let sealed = [&altered[..end], &Digest::of(&[&altered[..end]]).0].concat();
    for (written, is_kept) in [(sealed, true), (altered, false)] {
        fs::write(&path, written).unwrap();
        let host = keeping(folder.path(), EngineConfig::default());
        host.load(&digits).await.unwrap();
        assert_eq!(was_kept(&host, &digits), is_kept);
        host.settled().await;
    }
    assert_eq!(fs::read(&path).unwrap(), file, "kept anew");
}

#[tokio::test]
async fn what_is_kept_must_be_a_graph() {
    let digits = model("digits.onnx");
    let folder = kept(&digits).await;
    let path = only_file(&folder, &digits);
    let file = fs::read(&path).unwrap();
    let mut forged = file[..file.len() - 32].to_vec();
    let graph = forged.len() - 4_000;
    forged[graph..].fill(0xff);
    let digest = Digest::of(&[&forged]).0;
    fs::write(&path, [&forged[..], &digest].concat()).unwrap();
    let host = keeping(folder.path(), EngineConfig::default());
    host.load(&digits).await.unwrap();
    assert!(!was_kept(&host, &digits));
}

#[tokio::test]
async fn model_that_finds_no_room_is_loaded_all_the_same_and_not_kept() {
    let digits = model("digits.onnx");
    // Too small for the model; and large enough for it, but not for what is written of it.
    for limit in [10_000, 27_200] {
        let folder = tempdir().unwrap();
        let kept = OptimisedModels::open(folder.path(), limit).unwrap();
        let host = host_with(EngineConfig::default()).keeping(kept);
        let info = host.load(&digits).await.unwrap();
        assert_eq!(
            info,
            host_with(EngineConfig::default())
                .load(&digits)
                .await
                .unwrap()
        );
        host.settled().await;
        assert!(
            kept_of(folder.path(), &digits.digest()).unwrap().is_empty(),
            "{limit}"
        );
    }
}
