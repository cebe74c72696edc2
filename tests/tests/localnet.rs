//! The local chain itself: ports, clock, money, and deployments through the loader's own instructions.

use std::{fs, net::TcpListener, path::PathBuf};

use assay_client::protocol::market::MarketParams;
use assay_localnet::{
    AssayConfig, Localnet, LocalnetConfig, LocalnetError, ProgramSource, SlotMode,
    deploy::{self, DeployError, Deployment, Outcome, Progress},
};
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_sdk::pubkey::Pubkey;
use solana_signer::Signer;

const SOL: u64 = 1_000_000_000;

fn elf_path() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/deploy/assay.so");
    assert!(
        path.exists(),
        "{} is missing: build it with `make program`",
        path.display()
    );
    path
}

fn chain() -> Localnet {
    Localnet::start(&per_transaction()).unwrap()
}

fn per_transaction() -> LocalnetConfig {
    LocalnetConfig {
        slots: SlotMode::PerTransaction,
        ..LocalnetConfig::default()
    }
}

/// What passes for a program until the loader reads it.
fn broken_program() -> Vec<u8> {
    let mut elf = b"\x7fELF".to_vec();
    elf.resize(20_000, 7);
    elf
}

/// The keys of one deployment; the payer is funded.
struct Keys {
    program: Keypair,
    authority: Keypair,
    payer: Keypair,
}

impl Keys {
    fn new(chain: &Localnet) -> Self {
        let payer = Keypair::new();
        chain.fund(&payer.pubkey(), 100 * SOL).unwrap();
        Self {
            program: Keypair::new(),
            authority: Keypair::new(),
            payer,
        }
    }

    fn deployment<'a>(&'a self, elf: &'a [u8]) -> Deployment<'a> {
        Deployment {
            elf,
            program_id: self.program.pubkey(),
            program_key: Some(&self.program),
            authority: &self.authority,
            payer: &self.payer,
            compute_unit_price: 0,
        }
    }
}

/// Deploys and returns the outcome and every report of progress.
fn run(
    chain: &Localnet,
    deployment: &Deployment<'_>,
) -> (Result<Outcome, DeployError>, Vec<Progress>) {
    let mut reports = Vec::new();
    let outcome = deploy::deploy(chain.rpc(), deployment, &mut |progress| {
        reports.push(progress);
    });
    (outcome, reports)
}

fn balance(chain: &Localnet, address: &Pubkey) -> u64 {
    chain.rpc().get_balance(address).unwrap()
}

#[test]
fn chain_with_a_program_runs_it_under_its_authority() {
    let source = ProgramSource {
        elf: elf_path(),
        program: Keypair::new(),
        authority: Keypair::new(),
    };
    let (id, authority) = (source.program.pubkey(), source.authority.pubkey());
    let chain = Localnet::start(&LocalnetConfig {
        slots: SlotMode::Clock,
        program: Some(source),
        ..LocalnetConfig::default()
    })
    .unwrap();

    let program = deploy::deployed_program(chain.rpc(), &id).unwrap().unwrap();
    assert_eq!(program.authority, Some(authority));
    assert!(program.runs(&fs::read(elf_path()).unwrap()));
    assert!(chain.rpc().get_account(&id).unwrap().executable);
}

#[test]
fn assay_chain_has_a_market_of_the_upgrade_authority() {
    let mut config = AssayConfig::new(elf_path()).unwrap();
    config.slots = SlotMode::PerTransaction;
    let authority = config.authority.insecure_clone();
    let wallet = Pubkey::new_unique();
    config.funded = vec![(wallet, 7 * SOL)];
    let chain = Localnet::start_assay(config).unwrap();

    let market = assay_localnet::market(chain.rpc()).unwrap().unwrap();
    assert_eq!(market.authority, authority.pubkey());
    assert_eq!(market.params, MarketParams::LOCAL);
    assert_eq!(balance(&chain, &wallet), 7 * SOL);

    // Opening it a second time changes nothing, whoever asks.
    let opened = assay_localnet::open_market(chain.rpc(), &Keypair::new(), MarketParams::PUBLIC);
    assert!(!opened.unwrap());
    assert_eq!(assay_localnet::market(chain.rpc()).unwrap(), Some(market));
}

#[test]
fn market_is_opened_by_the_upgrade_authority_only() {
    let config = AssayConfig::new(elf_path()).unwrap();
    let chain = Localnet::start(&LocalnetConfig {
        program: Some(ProgramSource {
            elf: config.elf,
            program: config.program,
            authority: config.authority,
        }),
        ..per_transaction()
    })
    .unwrap();
    let thief = Keypair::new();
    chain.fund(&thief.pubkey(), 10 * SOL).unwrap();

    let error = assay_localnet::open_market(chain.rpc(), &thief, MarketParams::LOCAL).unwrap_err();
    assert!(matches!(error, LocalnetError::OpenMarket { .. }), "{error}");
    assert_eq!(assay_localnet::market(chain.rpc()).unwrap(), None);
    assert_eq!(balance(&chain, &thief.pubkey()), 10 * SOL);
}

#[test]
fn deploy_again_sends_nothing_and_another_authority_cannot() {
    let chain = chain();
    let keys = Keys::new(&chain);
    let elf = fs::read(elf_path()).unwrap();

    let (outcome, reports) = run(&chain, &keys.deployment(&elf));
    assert_eq!(outcome.unwrap(), Outcome::Deployed);
    assert_eq!(reports.first().unwrap().bytes_written, 0);
    assert_eq!(reports.last().unwrap().bytes_written, elf.len());

    let before = balance(&chain, &keys.payer.pubkey());
    let (outcome, reports) = run(&chain, &keys.deployment(&elf));
    assert_eq!(outcome.unwrap(), Outcome::Unchanged);
    assert!(reports.is_empty());

    let thief = Keypair::new();
    let other = [elf.as_slice(), b"other"].concat();
    let theft = Deployment {
        authority: &thief,
        ..keys.deployment(&other)
    };
    let error = run(&chain, &theft).0.unwrap_err();
    assert!(matches!(error, DeployError::WrongAuthority { given, .. } if given == thief.pubkey()));
    let program = deploy::deployed_program(chain.rpc(), &keys.program.pubkey());
    assert!(program.unwrap().unwrap().runs(&elf));
    assert_eq!(balance(&chain, &keys.payer.pubkey()), before);
}

#[test]
fn deploy_of_a_longer_file_extends_and_upgrades() {
    let chain = chain();
    let keys = Keys::new(&chain);
    let elf = fs::read(elf_path()).unwrap();
    run(&chain, &keys.deployment(&elf)).0.unwrap();
    let id = keys.program.pubkey();
    let first = deploy::deployed_program(chain.rpc(), &id).unwrap().unwrap();

    // A loader ignores what follows the sections, so this is another file that runs the same.
    let longer = [elf.as_slice(), b"a longer release"].concat();
    let upgrade = Deployment {
        program_key: None,
        ..keys.deployment(&longer)
    };
    assert_eq!(run(&chain, &upgrade).0.unwrap(), Outcome::Upgraded);
    let second = deploy::deployed_program(chain.rpc(), &id).unwrap().unwrap();
    assert!(second.runs(&longer));
    assert!(second.slot > first.slot);
    assert_eq!(second.authority, first.authority);
}

#[test]
fn deploy_that_the_loader_refused_is_not_written_twice() {
    let chain = chain();
    let keys = Keys::new(&chain);
    let broken = broken_program();

    let (outcome, _) = run(&chain, &keys.deployment(&broken));
    assert!(
        matches!(outcome, Err(DeployError::Failed { .. })),
        "{outcome:?}"
    );
    let before = balance(&chain, &keys.payer.pubkey());

    // The buffer is complete, so the second run finds everything written and only asks the loader again.
    let (outcome, reports) = run(&chain, &keys.deployment(&broken));
    assert!(
        matches!(outcome, Err(DeployError::Failed { .. })),
        "{outcome:?}"
    );
    let complete = Progress {
        bytes_written: broken.len(),
        bytes_total: broken.len(),
    };
    assert_eq!(reports, [complete]);
    assert_eq!(balance(&chain, &keys.payer.pubkey()), before);
}

#[test]
fn deploy_with_a_squatted_buffer_uses_the_next_address() {
    let chain = chain();
    let keys = Keys::new(&chain);
    let broken = broken_program();
    let seed = format!("{:.30}00", hex::encode(Sha256::digest(&broken)));
    let loader = solana_sdk_ids::bpf_loader_upgradeable::ID;
    let squatted = Pubkey::create_with_seed(&keys.payer.pubkey(), &seed, &loader).unwrap();
    chain.fund(&squatted, SOL).unwrap();

    // It gets as far as the loader, which only then reads the file.
    let (outcome, reports) = run(&chain, &keys.deployment(&broken));
    assert!(
        matches!(outcome, Err(DeployError::Failed { .. })),
        "{outcome:?}"
    );
    assert_eq!(reports.last().unwrap().bytes_written, broken.len());
    assert_eq!(balance(&chain, &squatted), SOL);
}

#[test]
fn deploy_with_a_priority_fee_pays_it_for_every_piece() {
    let chain = chain();
    let broken = broken_program();
    let spent = |compute_unit_price| {
        let keys = Keys::new(&chain);
        let before = balance(&chain, &keys.payer.pubkey());
        let deployment = Deployment {
            compute_unit_price,
            ..keys.deployment(&broken)
        };
        // All pieces land; the loader then refuses the whole, before it costs anything.
        let (outcome, reports) = run(&chain, &deployment);
        assert!(matches!(outcome, Err(DeployError::Failed { .. })));
        assert_eq!(reports.last().unwrap().bytes_written, broken.len());
        before - balance(&chain, &keys.payer.pubkey())
    };
    // A lamport for each compute unit; a piece is allowed 3,000 and at least 20 of them hold the file.
    assert!(spent(1_000_000) - spent(0) > 20 * 3_000);
}

#[test]
fn deploy_without_money_says_how_much_is_missing() {
    let chain = chain();
    let keys = Keys {
        payer: Keypair::new(),
        ..Keys::new(&chain)
    };
    let elf = fs::read(elf_path()).unwrap();
    let error = run(&chain, &keys.deployment(&elf)).0.unwrap_err();
    assert!(matches!(error, DeployError::TooPoor { balance: 0, .. }));
    assert!(error.to_string().contains("solana airdrop"));
}

#[test]
fn deploy_of_something_else_than_a_program_fails() {
    let chain = chain();
    let keys = Keys::new(&chain);
    let error = run(&chain, &keys.deployment(b"not a program")).0;
    assert!(matches!(error, Err(DeployError::NotAnElf { length: 13 })));

    let elf = fs::read(elf_path()).unwrap();
    let wallet = Deployment {
        program_id: keys.payer.pubkey(),
        ..keys.deployment(&elf)
    };
    let error = run(&chain, &wallet).0;
    assert!(matches!(error, Err(DeployError::NotAProgram { .. })));
}

#[test]
fn time_travel_moves_the_clock_forward_only() {
    let chain = chain();
    let before = chain.time().unwrap();
    let after = chain.time_travel_by(3_600).unwrap();
    assert_eq!(after.unix_seconds, before.unix_seconds + 3_600);
    assert!(after.slot > before.slot);

    let error = chain.time_travel_to(before.unix_seconds).unwrap_err();
    assert!(matches!(error, LocalnetError::TimeTravelBackwards { .. }));
    assert_eq!(chain.time().unwrap(), after);
}

#[test]
fn fund_adds_exactly_or_refuses() {
    let wallet = Pubkey::new_unique();
    let chain = Localnet::start(&LocalnetConfig {
        funded: vec![(wallet, 3 * SOL + 1)],
        ..per_transaction()
    })
    .unwrap();
    assert_eq!(balance(&chain, &wallet), 3 * SOL + 1);
    chain.fund(&wallet, SOL).unwrap();
    assert_eq!(balance(&chain, &wallet), 4 * SOL + 1);

    // Less than the rent minimum cannot be granted.
    let error = chain.fund(&wallet, 5).unwrap_err();
    assert!(matches!(error, LocalnetError::Fund { lamports: 5, .. }));
    assert_eq!(balance(&chain, &wallet), 4 * SOL + 1);
}

#[test]
fn port_given_is_where_the_chain_listens_until_it_is_dropped() {
    let port = {
        let address = chain().rpc_url();
        let port = address.trim_end_matches('/').rsplit(':').next().unwrap();
        port.parse::<u16>().unwrap()
    };
    let config = LocalnetConfig {
        port: Some(port),
        ..per_transaction()
    };
    let chain = Localnet::start(&config).unwrap();
    assert_eq!(chain.rpc_url(), format!("http://127.0.0.1:{port}"));
    assert_eq!(chain.ws_url(), format!("ws://127.0.0.1:{}", port + 1));
    chain.rpc().get_version().unwrap();

    let error = Localnet::start(&config).err().unwrap();
    assert!(matches!(error, LocalnetError::PortTaken { port: taken, .. } if taken == port));
    drop(chain);
    TcpListener::bind(("127.0.0.1", port)).unwrap();
    TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
}
