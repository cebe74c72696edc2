use std::fs;

use super::*;
use crate::config::Optimization;

fn runtime() -> Runtime {
    Runtime {
        version: "1.31.1".into(),
        build: "ORT Build Info: git-commit-id=6af1a93".into(),
        providers: vec![Provider::Cpu],
        instruction_sets: vec!["avx".into(), "avx2".into()],
    }
}

/// A file stands for the library: the class does not load it.
fn class(config: &EngineConfig, runtime: &Runtime) -> Class {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so");
    fs::write(&library, "library").unwrap();
    let config = EngineConfig {
        library: Some(library),
        ..config.clone()
    };
    Class::of(&config, runtime).unwrap()
}

#[test]
fn class_is_the_digest_of_a_text_of_facts() {
    let class = class(&EngineConfig::default(), &runtime());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    // `printf library | sha256sum`
    let expected = format!(
        "assay runtime class 1\n\
         runtime: ONNX Runtime 1.31.1\n\
         build: ORT Build Info: git-commit-id=6af1a93\n\
         library: sha256 b718f1354f7247312eca086d9a024afe5fa717ddea5adeddd6f12bcf945b2e8c\n\
         system: {os} {arch}\n\
         instruction sets: avx avx2\n\
         provider: cpu\n\
         optimization: all\n\
         threads: 1\n\
         deterministic: yes\n\
         precise quantized: yes\n"
    );
    assert_eq!(class.text, expected);
    assert_eq!(class.digest, Digest::of(&[expected.as_bytes()]).0);
    let json = serde_json::to_value(&class).unwrap();
    assert_eq!(json["digest"].as_str().map(str::len), Some(64));
}

#[test]
fn every_fact_that_changes_a_result_changes_the_class() {
    let standard = class(&EngineConfig::default(), &runtime());
    let configs = [
        EngineConfig {
            threads: 2,
            ..EngineConfig::default()
        },
        EngineConfig {
            deterministic: false,
            ..EngineConfig::default()
        },
        EngineConfig {
            optimization: Optimization::Basic,
            ..EngineConfig::default()
        },
    ];
    let mut runtimes = [runtime(), runtime(), runtime()];
    runtimes[0].version = "1.31.2".into();
    runtimes[1].build.push_str(" debug");
    runtimes[2].instruction_sets.push("avx512f".into());
    let mut digests = vec![standard.digest];
    digests.extend(
        configs
            .iter()
            .map(|config| class(config, &runtime()).digest),
    );
    digests.extend(
        runtimes
            .iter()
            .map(|runtime| class(&EngineConfig::default(), runtime).digest),
    );
    let all = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), all);
    // What fast work is set to, and what only costs time, is no part of it.
    let other = EngineConfig {
        fast_threads: 7,
        concurrency: 9,
        warm_up: false,
        ..EngineConfig::default()
    };
    assert_eq!(class(&other, &runtime()), standard);
}

#[test]
fn value_with_line_breaks_makes_no_second_fact() {
    let mut forged = runtime();
    forged.build = "x\nthreads: 9\r\n".into();
    let class = class(&EngineConfig::default(), &forged);
    assert!(
        class.text.contains("build: x threads: 9\n"),
        "{}",
        class.text
    );
    assert_eq!(class.text.lines().count(), 11);
}

#[test]
fn class_of_what_is_not_there_is_an_error() {
    let config = EngineConfig {
        library: Some("/nowhere/libonnxruntime.so".into()),
        ..EngineConfig::default()
    };
    assert!(matches!(
        Class::of(&config, &runtime()),
        Err(ClassError::Runtime(_))
    ));
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so");
    fs::write(&library, "library").unwrap();
    let with = |provider| {
        let config = EngineConfig {
            library: Some(library.clone()),
            provider,
            ..EngineConfig::default()
        };
        Class::of(&config, &runtime())
    };
    assert!(matches!(with(Provider::Auto), Err(ClassError::Auto)));
    // No provider's library lies beside it.
    let missing = with(Provider::Cuda).unwrap_err();
    assert!(
        missing.to_string().contains("onnxruntime_providers_cuda"),
        "{missing}"
    );
}
