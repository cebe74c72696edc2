//! What is found on a chain as it is told, fault by fault.

use assay_client::{
    account::encode,
    protocol::{MarketData, ProviderData, market::MarketParams, text},
};
use bytemuck::Zeroable as _;
use solana_signer::Signer as _;

use super::{report::State, *};
use crate::{
    chain::fake::{Account, Node, Trouble, World, chain},
    config::Websockets,
};

const AUTHORITY: Address = Address::new_from_array([50; 32]);
const URL: &str = "http://127.0.0.1:8950";

fn account(data: Vec<u8>) -> Account {
    Account {
        owner: assay_client::PROGRAM_ID,
        lamports: 1_000_000,
        data,
        executable: false,
    }
}

fn registered(operator: Address, change: impl FnOnce(&mut ProviderData)) -> Account {
    let mut provider = ProviderData::zeroed();
    (provider.version, provider.status) = (1, 1);
    (provider.authority, provider.operator) = (AUTHORITY, operator);
    (provider.endpoint, provider.endpoint_len) = text::write(URL).unwrap();
    provider.stake = 3_000_000_000;
    change(&mut provider);
    account(encode(&provider))
}

/// A healthy world, spoilt by `spoil`; what the doctor finds of it.
async fn examined(spoil: impl FnOnce(&mut World, Address)) -> Report {
    let node = Node::start().await;
    let key = Keypair::new();
    let operator = key.pubkey();
    {
        let mut world = node.world();
        world.time = crate::wall_clock();
        let market = MarketData::new(AUTHORITY, 1, MarketParams::PUBLIC);
        let market = account(encode(&market));
        world.accounts.insert(address::market(), market);
        let provider = registered(operator, |_| ());
        world
            .accounts
            .insert(address::provider(&AUTHORITY), provider);
        let purse = Account {
            owner: Address::default(),
            lamports: 50_000_000,
            data: Vec::new(),
            executable: false,
        };
        world.accounts.insert(operator, purse);
        spoil(&mut world, operator);
    }
    let mut config = Config {
        authority: AUTHORITY.to_string(),
        ..Config::default()
    };
    config.chain.websocket = Websockets::One(String::new());
    let patient = Patient {
        authority: Some(AUTHORITY),
        config,
        operator: Some(key),
        chain: Some(chain(&[&node])),
        patience: Duration::from_secs(5),
    };
    let mut report = Report::new(false);
    let clock = network::check(&mut report, &patient).await;
    standing::check(&mut report, &patient, clock, Some([0; 32]), false).await;
    report
}

/// The names of what is not good.
fn ill(report: &Report) -> Vec<(&str, State)> {
    let ill = report
        .checks
        .iter()
        .filter(|check| check.state != State::Good);
    ill.map(|check| (check.name.as_str(), check.state))
        .collect()
}

#[tokio::test]
async fn healthy_provider_has_nothing_broken() {
    let report = examined(|_, _| ()).await;
    assert_eq!(ill(&report), [("websocket", State::Notice)], "{report:#?}");
    let stake = report.checks.iter().find(|check| check.name == "stake");
    assert!(stake.unwrap().finding.contains("3 tickets"), "{stake:?}");
    assert!(!report.is_broken());
}

#[tokio::test]
async fn each_fault_is_found_and_has_its_fix() {
    type Spoil = fn(&mut World, Address);
    let cases: [(Spoil, &str, State, &str); 9] = [
        (
            |world, _| drop(world.accounts.remove(&address::provider(&AUTHORITY))),
            "account",
            State::Broken,
            "assay provider register",
        ),
        (
            |world, _| drop(world.accounts.remove(&address::market())),
            "market",
            State::Broken,
            "chain.rpc",
        ),
        (
            |world, _| {
                let other = registered(Address::new_from_array([7; 32]), |_| ());
                world.accounts.insert(address::provider(&AUTHORITY), other);
            },
            "operator",
            State::Broken,
            "assay provider update --operator",
        ),
        (
            |world, operator| {
                let moved = registered(operator, |provider| {
                    (provider.endpoint, provider.endpoint_len) = text::write("https://a").unwrap();
                });
                world.accounts.insert(address::provider(&AUTHORITY), moved);
            },
            "endpoint",
            State::Broken,
            "assay provider update --endpoint",
        ),
        (
            |world, operator| {
                let poor = registered(operator, |provider| provider.stake = 250_000_000);
                world.accounts.insert(address::provider(&AUTHORITY), poor);
            },
            "stake",
            State::Broken,
            "assay stake deposit 0.750000000",
        ),
        (
            |world, operator| {
                let young = registered(operator, |provider| provider.aged_at = crate::wall_clock());
                world.accounts.insert(address::provider(&AUTHORITY), young);
            },
            "stake's age",
            State::Notice,
            "wait",
        ),
        (
            |world, operator| world.accounts.get_mut(&operator).unwrap().lamports = 40_000,
            "fees",
            State::Notice,
            "assay provider fund",
        ),
        (
            |world, _| world.time -= 3_600,
            "clock",
            State::Broken,
            "set-ntp",
        ),
        (
            |world, _| {
                world.simulated = serde_json::json!({
                    "err": "AccountNotFound", "logs": [], "unitsConsumed": 0
                });
            },
            "landing",
            State::Broken,
            "assay provider fund",
        ),
    ];
    for (spoil, name, state, fix) in cases {
        let report = examined(spoil).await;
        let found = report.checks.iter().find(|check| check.name == name);
        let found = found.unwrap_or_else(|| panic!("no {name}: {report:#?}"));
        assert_eq!(found.state, state, "{found:?}");
        let said = found.fix.as_deref().unwrap_or_default();
        assert!(said.contains(fix), "{found:?}");
    }
}

#[tokio::test]
async fn silent_chain_leaves_the_rest_unlooked_at() {
    let report = examined(|world, _| {
        world.trouble.insert("", Trouble::Status(503));
    })
    .await;
    assert!(report.is_broken());
    let broken = ill(&report);
    assert!(broken.contains(&("rpc", State::Broken)), "{broken:?}");
    for name in ["market", "account", "stake", "fees", "landing"] {
        assert!(broken.contains(&(name, State::Skipped)), "{broken:?}");
    }
    // Urls hold keys.
    let text = format!("{report:?}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn disk_that_caches_or_outputs_may_outgrow_is_told() {
    let data = tempfile::tempdir().unwrap();
    let found = |change: fn(&mut Config)| {
        let mut config = Config {
            data_dir: data.path().to_owned(),
            ..Config::default()
        };
        config.artifacts.model_cache_bytes = 0;
        config.artifacts.blob_cache_bytes = 0;
        config.engine.optimised_cache_bytes = 0;
        config.policy.retention_bytes = 0;
        config.engine.limits.output_bytes = 0;
        change(&mut config);
        let patient = Patient {
            authority: None,
            config,
            operator: None,
            chain: None,
            patience: Duration::ZERO,
        };
        let mut report = Report::new(false);
        storage::check(&mut report, &patient);
        let disk = report.checks.into_iter().find(|check| check.name == "disk");
        disk.unwrap().state
    };
    assert_eq!(found(|_| ()), State::Good);
    let much: [fn(&mut Config); 5] = [
        |config| config.artifacts.model_cache_bytes = 1 << 60,
        |config| config.artifacts.blob_cache_bytes = 1 << 60,
        |config| config.engine.optimised_cache_bytes = 1 << 60,
        |config| config.policy.retention_bytes = 1 << 60,
        |config| config.engine.limits.output_bytes = 1 << 60,
    ];
    assert_eq!(much.map(found), [State::Notice; 5]);
}

#[cfg(target_os = "linux")]
#[test]
fn engines_whose_memory_cannot_be_read_are_told_and_no_unit_of_ours_hides_them() {
    let mut report = Report::new(false);
    machine::held(&mut report, Some(7 << 20));
    machine::held(&mut report, None);
    let states: Vec<_> = report.checks.iter().map(|check| check.state).collect();
    assert_eq!(states, [State::Good, State::Notice]);
    let fix = report.checks[1].fix.as_deref().unwrap_or_default();
    assert!(fix.contains("ProtectProc="), "{fix}");
    let unit = include_str!("../../../../packaging/systemd/assay-worker.service");
    let hides = |line: &str| line.starts_with("ProtectProc=") || line.starts_with("ProcSubset=");
    assert!(!unit.lines().any(hides));
}

#[test]
fn lines_fit_a_terminal_and_commands_stay_whole() {
    let mut report = Report::new(false);
    let command = format!(
        "assay provider update --endpoint https://{}",
        "a".repeat(60)
    );
    report.broken(
        "a",
        "word ".repeat(60),
        format!("prose {command}\n{command}"),
    );
    let text = report.checks[0].text();
    let short = |line: &&str| line.contains(&command) || line.chars().count() <= 80;
    assert!(
        text.lines().filter(|line| !short(line)).count() <= 1,
        "{text}"
    );
    assert!(text.starts_with("  \u{2717} a              word"), "{text}");
    assert!(
        text.contains("fix: prose assay provider update --endpoint\n"),
        "{text}"
    );
    assert!(text.contains(&format!("     {command}\n")), "{text}");
}
