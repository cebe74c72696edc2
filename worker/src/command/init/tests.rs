use super::*;

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

fn flags() -> args::Init {
    args::Init {
        yes: true,
        authority: Some(AUTHORITY.into()),
        no_benchmark: true,
        ..args::Init::default()
    }
}

fn load(file: &Path) -> Config {
    let layers = crate::config::Layers {
        file: file.to_owned(),
        ..Default::default()
    };
    crate::config::load(&layers).unwrap()
}

#[test]
fn init_writes_a_valid_configuration_and_a_private_key_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("etc/worker.toml");
    show(&file, &flags()).unwrap();
    let config = load(&file);
    assert_eq!(config.authority().unwrap().to_string(), AUTHORITY);
    let operator = keys::load(&config.operator).unwrap().pubkey();
    let again = show(&file, &flags());
    assert!(matches!(again, Err(Ended::Failed(_))), "{again:?}");

    fs::remove_file(&file).unwrap();
    show(&file, &flags()).unwrap();
    let kept = keys::load(&load(&file).operator).unwrap().pubkey();
    assert_eq!(kept, operator, "a key is never overwritten");
}

#[test]
fn answers_become_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    let answers = args::Init {
        rpc: vec!["https://a.example".into(), "https://b.example".into()],
        public_url: Some("https://worker.example".into()),
        models: vec![folder.path().to_owned()],
        threads: Some(2),
        concurrency: Some(3),
        min_price: Some(77),
        ..flags()
    };
    show(&file, &answers).unwrap();
    let config = load(&file);
    assert_eq!(config.chain.rpc, ["https://a.example", "https://b.example"]);
    assert_eq!(config.chain.websocket.urls(), ["wss://a.example"]);
    assert_eq!(config.api.public_url, "https://worker.example");
    assert_eq!(config.artifacts.model_dirs, [folder.path()]);
    assert_eq!((config.engine.threads, config.engine.concurrency), (2, 3));
    assert_eq!(config.policy.concurrent_jobs, 3);
    assert_eq!(config.policy.min_price_lamports, 77);
}

#[test]
fn bad_answers_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    let bad = [
        args::Init {
            authority: Some("me".into()),
            ..flags()
        },
        args::Init {
            rpc: vec!["gopher://a".into()],
            ..flags()
        },
        args::Init {
            public_url: Some(format!("https://{}", "a".repeat(96))),
            ..flags()
        },
        args::Init {
            models: vec!["/nowhere/at/all".into()],
            ..flags()
        },
        args::Init {
            provider: Some("abacus".into()),
            ..flags()
        },
        args::Init {
            concurrency: Some(0),
            ..flags()
        },
    ];
    for answers in bad {
        let ended = show(&file, &answers);
        assert!(matches!(ended, Err(Ended::Usage(_))), "{ended:?}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{answers:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    keys::create(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = keys::load(&path).unwrap_err().to_string();
    assert!(
        error.contains(&format!("chmod 600 {}", path.display())),
        "{error}"
    );
    assert!(matches!(keys::create(&path), Err(KeyError::Write { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
