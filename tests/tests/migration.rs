//! `migrations/deploy.ts` as people run it: by Node.js, and by the script that `anchor migrate` writes.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::OnceLock,
};

use assay_client::{address, protocol::market::MarketParams};
use assay_localnet::{AssayConfig, Localnet, LocalnetConfig, ProgramSource, SlotMode};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;
use tempfile::TempDir;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Installs what the script imports, as the lock file says, unless that was done before.
fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = root().join("migrations");
        let lock = fs::read(folder.join("package-lock.json")).unwrap();
        let mark = folder.join("node_modules/.installed");
        if fs::read(&mark).is_ok_and(|installed| installed == lock) {
            return;
        }
        let npm = Command::new("npm")
            .arg("ci")
            .current_dir(&folder)
            .output()
            .expect("npm is missing: `scripts/bootstrap.sh node` installs it");
        assert!(npm.status.success(), "npm ci failed: {}", shown(&npm));
        fs::write(mark, lock).unwrap();
    });
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A chain with the program but without a market, and the keypair file of its upgrade authority.
struct Stage {
    chain: Localnet,
    authority: Keypair,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        install();
        let config = AssayConfig::new(root().join("target/deploy/assay.so")).unwrap();
        let authority = config.authority.insecure_clone();
        let chain = Localnet::start(&LocalnetConfig {
            slots: SlotMode::Clock,
            program: Some(ProgramSource {
                elf: config.elf,
                program: config.program,
                authority: config.authority,
            }),
            ..LocalnetConfig::default()
        })
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            chain,
            authority,
            folder,
        }
    }

    fn keypair_file(&self, name: &str, key: &Keypair) -> PathBuf {
        let path = self.folder.path().join(name);
        let numbers = serde_json::to_string(&key.to_bytes().to_vec()).unwrap();
        fs::write(&path, numbers).unwrap();
        path
    }

    fn migrate(&self, key: &Keypair, arguments: &[&str]) -> Output {
        Command::new("node")
            .arg("migrations/deploy.ts")
            .args(["--url", &self.chain.rpc_url(), "--keypair"])
            .arg(self.keypair_file("wallet.json", key))
            .args(arguments)
            .current_dir(root())
            .output()
            .unwrap()
    }

    fn params(&self) -> Option<MarketParams> {
        let market = assay_localnet::market(self.chain.rpc()).unwrap()?;
        assert_eq!(market.authority, self.authority.pubkey());
        Some(market.params)
    }
}

fn reported(output: &Output) -> Value {
    assert!(output.status.success(), "{}", shown(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn migration_opens_the_local_market_once() {
    let stage = Stage::new();
    let thief = Keypair::new();
    let refused = stage.migrate(&thief, &[]);
    assert!(!refused.status.success());
    assert!(
        shown(&refused).contains("upgrade authority"),
        "{}",
        shown(&refused)
    );
    assert_eq!(stage.params(), None);

    let first = reported(&stage.migrate(&stage.authority, &[]));
    assert_eq!(first["created"], json!(true));
    assert_eq!(first["market"], json!(address::market().to_string()));
    assert_eq!(stage.params(), Some(MarketParams::LOCAL));

    let again = stage.migrate(&stage.authority, &[]);
    assert_eq!(reported(&again)["created"], json!(false));
    assert_eq!(reported(&again)["params_match"], json!(true));
    assert!(shown(&again).contains("is there already"));

    // Other parameters are not forced on a market that exists.
    let other = stage.migrate(&stage.authority, &["--params", "public"]);
    assert_eq!(reported(&other)["params_match"], json!(false));
    assert_eq!(stage.params(), Some(MarketParams::LOCAL));
}

#[test]
fn migration_by_the_anchor_command_opens_the_public_market() {
    let stage = Stage::new();
    // What `anchor migrate` writes and runs: it makes the provider and hands it to deploy.js.
    let host = format!(
        "const anchor = require('@anchor-lang/core');
         const connection = new anchor.web3.Connection({:?}, anchor.AnchorProvider.defaultOptions().commitment);
         const provider = new anchor.AnchorProvider(connection, anchor.Wallet.local());
         require({:?})(provider).then(() => process.exit(0));",
        stage.chain.rpc_url(),
        root().join("migrations/deploy.js"),
    );
    let script = stage.folder.path().join("deploy.js");
    fs::write(&script, host).unwrap();
    let output = Command::new("node")
        .arg(&script)
        .env("NODE_PATH", root().join("migrations/node_modules"))
        .env(
            "ANCHOR_WALLET",
            stage.keypair_file("wallet.json", &stage.authority),
        )
        .env("ASSAY_PARAMS", "public")
        .output()
        .unwrap();
    assert_eq!(reported(&output)["created"], json!(true));
    assert_eq!(stage.params(), Some(MarketParams::PUBLIC));
}

#[test]
fn migration_that_cannot_work_says_what_to_do() {
    install();
    let chain = Localnet::start(&LocalnetConfig::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage {
        chain,
        authority: Keypair::new(),
        folder,
    };
    let refused = stage.migrate(&stage.authority, &[]);
    assert!(!refused.status.success());
    assert!(
        shown(&refused).contains("deploy it first"),
        "{}",
        shown(&refused)
    );

    let Stage { chain, folder, .. } = stage;
    let url = chain.rpc_url();
    drop(chain);
    let node = |keypair: &str| {
        let output = Command::new("node")
            .args(["migrations/deploy.ts", "--url", &url, "--keypair", keypair])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(!output.status.success());
        shown(&output)
    };
    assert!(node("migrations/package.json").contains("no keypair file"));
    let wallet = folder.path().join("wallet.json");
    assert!(node(wallet.to_str().unwrap()).contains("no cluster answers"));
}
