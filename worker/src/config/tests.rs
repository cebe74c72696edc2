use super::*;

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

fn load_with(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[&str],
) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    std::fs::write(&file, text).unwrap();
    load(&Layers {
        file,
        environment: environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    })
}

fn minimal() -> String {
    format!("authority = \"{AUTHORITY}\"\n")
}

fn refusal(text: &str, environment: &[(&str, &str)], flags: &[&str]) -> String {
    load_with(text, environment, flags).unwrap_err().to_string()
}

#[test]
fn template_states_every_default() {
    let text = TEMPLATE.replace("{authority}", AUTHORITY);
    let mut written = load_with(&text, &[], &[]).unwrap();
    let mut defaults = load_with(&minimal(), &[], &[]).unwrap();
    // Both lie in a temporary folder of their own.
    for config in [&mut written, &mut defaults] {
        config.operator = config.operator.file_name().unwrap().into();
        config.data_dir = config.data_dir.file_name().unwrap().into();
    }
    let toml = |config: &Config| toml::Value::try_from(config).unwrap();
    assert_eq!(toml(&written), toml(&defaults));
    // What is missing from the template would be set by its default above: compare keys as well.
    let template: toml::Table = toml::from_str(&text).unwrap();
    let toml::Value::Table(all) = toml(&defaults) else {
        unreachable!()
    };
    for (section, values) in &all {
        let stated = template
            .get(section)
            .unwrap_or_else(|| panic!("{section} is not in the template"));
        for key in values.as_table().into_iter().flat_map(toml::Table::keys) {
            assert!(
                stated.get(key).is_some(),
                "{section}.{key} is not in the template"
            );
        }
    }
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let text = minimal() + "[chain]\npoll_ms = 10\nlook_ms = 20\nresend_ms = 30\n";
    let environment = [
        ("ASSAY_WORKER_CHAIN__LOOK_MS", "21"),
        ("ASSAY_WORKER_CHAIN__RESEND_MS", "31"),
    ];
    let config = load_with(&text, &environment, &["chain.resend_ms=32"]).unwrap();
    let chain = &config.chain;
    assert_eq!(
        (
            chain.timeout_secs,
            chain.poll_ms,
            chain.look_ms,
            chain.resend_ms
        ),
        (30, 10, 21, 32)
    );
}

#[test]
fn values_may_be_toml_or_plain_words() {
    let flags = [
        "policy.models=any",
        "chain.rpc=[\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"]",
        "engine.limits.input_bytes=5",
        "api.public_url=http://127.0.0.1:9",
    ];
    let config = load_with(&minimal(), &[("ASSAY_WORKER_LOG__FILTER", "warn")], &flags).unwrap();
    assert_eq!(config.chain.rpc.len(), 2);
    assert_eq!(config.engine.limits.input_bytes, 5);
    assert_eq!(
        (config.log.filter.as_str(), config.api.public_url.as_str()),
        ("warn", "http://127.0.0.1:9")
    );
}

#[test]
fn unknown_keys_are_refused_wherever_they_come_from() {
    assert!(refusal(&(minimal() + "colour = 1\n"), &[], &[]).contains("unknown field `colour`"));
    let variable = refusal(&minimal(), &[("ASSAY_WORKER_CHAIN__POL_MS", "1")], &[]);
    assert!(
        variable.contains("ASSAY_WORKER_CHAIN__POL_MS")
            && variable.contains("unknown field `pol_ms`")
    );
    let flag = refusal(&minimal(), &[], &["chain.pol_ms=1"]);
    assert!(
        flag.contains("--set chain.pol_ms=1") && flag.contains("unknown field"),
        "{flag}"
    );
    assert!(refusal(&minimal(), &[], &["chain"]).contains("section.key=value"));
    assert!(refusal(&minimal(), &[], &["authority.x=1"]).contains("authority"));
    load_with(
        &minimal(),
        &[("ASSAY_WORKER_CONFIG", "x"), ("PATH", "y")],
        &[],
    )
    .unwrap();
}

#[test]
fn unusable_values_are_refused_by_name() {
    for (setting, word) in [
        ("authority = \"x\"", "authority"),
        ("chain.rpc = []", "chain.rpc"),
        ("chain.rpc = [\"ftp://127.0.0.1\"]", "chain.rpc"),
        ("chain.websocket = \"http://127.0.0.1\"", "chain.websocket"),
        ("chain.websocket = [\"ws://a\", \"b\"]", "chain.websocket"),
        ("chain.poll_ms = 0", "chain.poll_ms"),
        ("chain.genesis = \"11111\"", "chain.genesis"),
        ("chain.requests_per_second = 0", "chain.requests_per_second"),
        ("chain.fee_percentile = 101", "chain.fee_percentile"),
        (
            "api.public_url = \"http://127.0.0.1/?a=b\"",
            "api.public_url",
        ),
        ("control.listen = \"0.0.0.0:8951\"", "control.listen"),
        ("control.listen = \"192.168.0.2:8951\"", "control.listen"),
        ("control.listen = \"[::]:8951\"", "control.listen"),
        ("control.listen = \"localhost:8951\"", "control.listen"),
        ("control.listen = \"8951\"", "control.listen"),
        ("policy.models = \"all\"", "policy.models"),
        ("policy.models = [\"12\"]", "policy.models"),
        ("policy.concurrent_jobs = 0", "policy.concurrent_jobs"),
        ("limits.gpu_temperature_c = 8", "limits.gpu_temperature_c"),
        ("limits.gpu_power_w = 5", "limits.gpu_power_w"),
        ("limits.cpu_percent = 100", "limits.cpu_percent"),
        ("limits.cpu_percent = 4", "limits.cpu_percent"),
        ("limits.sample_secs = 0", "limits.sample_secs"),
        (
            "artifacts.blob_cache_bytes = 1000",
            "artifacts.blob_cache_bytes",
        ),
    ] {
        let text = if setting.starts_with("authority") {
            setting.to_owned()
        } else {
            minimal() + setting
        };
        let reason = refusal(&text, &[], &[]);
        assert!(reason.starts_with(word), "{setting}: {reason}");
    }
    let wrong_type = refusal(&minimal(), &[], &["chain.poll_ms=soon"]);
    assert!(
        wrong_type.contains("--set chain.poll_ms=soon"),
        "{wrong_type}"
    );
}

#[test]
fn websockets_may_be_none_one_or_several() {
    let urls = |value: &str| {
        let text = format!("{}chain.websocket = {value}\n", minimal());
        load_with(&text, &[], &[]).unwrap().chain.websocket.urls()
    };
    assert!(urls("\"\"").is_empty() && urls("[]").is_empty());
    assert_eq!(urls("\"ws://a\""), ["ws://a"]);
    assert_eq!(urls("[\"ws://a\", \"wss://b\"]"), ["ws://a", "wss://b"]);
    let flag = ["chain.websocket=ws://c:1"];
    let config = load_with(&minimal(), &[], &flag).unwrap();
    assert_eq!(config.chain.websocket.urls(), ["ws://c:1"]);
}

#[test]
fn control_listens_on_loopback_or_not_at_all() {
    let address = |flag: &str| {
        let config = load_with(&minimal(), &[], &[flag]).unwrap();
        config.control.address().unwrap().map(|at| at.to_string())
    };
    assert_eq!(address("control.listen="), None);
    assert_eq!(address("control.listen=[::1]:0"), Some("[::1]:0".into()));
    let default = load_with(&minimal(), &[], &[]).unwrap().control.address();
    assert_eq!(default.unwrap().unwrap().port(), 8_951);
}

#[test]
fn paths_are_meant_from_the_files_folder() {
    let config = load_with(&(minimal() + "data_dir = \"/var/lib/assay\"\n"), &[], &[]).unwrap();
    assert!(config.operator.is_absolute() && config.operator.ends_with("operator.json"));
    assert_eq!(config.data_dir, Path::new("/var/lib/assay"));
    let flags = ["engine.program=bin/engine", "engine.library=/lib/x.so"];
    let config = load_with(&minimal(), &[], &flags).unwrap();
    let program = config.engine.program.clone().unwrap();
    assert!(program.is_absolute() && program.ends_with("bin/engine"));
    let library = config.engine.library.clone().unwrap();
    assert_eq!(library, Path::new("/lib/x.so"));
}

#[test]
fn sessions_need_models_and_take_no_model_twice() {
    let with = |lines: &str| format!("{}[sessions]\n{lines}", minimal());
    let text = refusal(&with("enabled = true\n"), &[], &[]);
    assert!(text.contains("sessions.models"), "{text}");
    let model = format!("{{ model = \"{}\", name = \"a\" }}", "ab".repeat(32));
    let once = load_with(
        &with(&format!("enabled = true\nmodels = [{model}]\n")),
        &[],
        &[],
    );
    let digest = once.unwrap().sessions.models[0].digest().unwrap();
    assert_eq!(digest.0, [0xab; 32]);
    let twice = with(&format!("models = [{model}, {model}]\n"));
    assert!(refusal(&twice, &[], &[]).contains("listed twice"));
    let short = with("models = [{ model = \"abcd\", name = \"a\" }]\n");
    assert!(refusal(&short, &[], &[]).contains("no sha256 digest"));
    let none = with(&format!(
        "models = [{}, max_tokens = 0 }}]\n",
        model.trim_end_matches(" }")
    ));
    assert!(refusal(&none, &[], &[]).contains("max_tokens = 0"));
    assert!(refusal(&with("min_grace_secs = 60\n"), &[], &[]).contains("86400"));
    let margin = |voucher| with(&format!("min_voucher_secs = {voucher}\npoll_secs = 30\n"));
    assert!(
        refusal(&margin(299), &[], &[]).contains("must be at least 300, twice sessions.poll_secs")
    );
    assert!(load_with(&margin(300), &[], &[]).is_ok());
}
