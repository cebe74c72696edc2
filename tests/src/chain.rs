//! A chain with the real program on it, as `make program` built it.

use std::{path::PathBuf, sync::OnceLock};

use assay_client::{PROGRAM_ID, address, program::UPGRADEABLE_LOADER, protocol::Address};
use litesvm::LiteSVM;
use solana_account::Account;
use solana_clock::Clock;
use solana_program_runtime::solana_sbpf::program::BuiltinFunctionDefinition;

use crate::proxy;

/// Where the chain's clock stands at first: a slot and a moment far from any zero.
const FIRST_SLOT: u64 = 1_000_000;
const FIRST_SECOND: i64 = 1_800_000_000;

/// Holder of the program's upgrade authority on every chain made here.
pub const UPGRADE_AUTHORITY: Address = Address::new_from_array([0xa1; 32]);

/// Offset of the authority's option byte in ProgramData: tag u32, slot u64, option u8, key.
const AUTHORITY_OFFSET: usize = 12;

/// The program's binary, ASSAY_PROGRAM or what `make program` built; building it is a step of its own.
pub fn program_file() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/deploy/assay.so");
    let path = std::env::var_os("ASSAY_PROGRAM").map_or_else(built, PathBuf::from);
    assert!(
        path.exists(),
        "the program is not built: {} is missing; run `make program`",
        path.display()
    );
    path
}

/// A fresh chain with the program deployed. Verifying the program takes most of a test's time, so it is done once a
/// process and the result is copied.
pub fn fresh() -> LiteSVM {
    static TEMPLATE: OnceLock<LiteSVM> = OnceLock::new();
    TEMPLATE.get_or_init(deploy).clone()
}

fn deploy() -> LiteSVM {
    // Signatures prove nothing here: what counts is which accounts a message marks as signers.
    let mut chain = LiteSVM::default()
        .with_mainnet_features()
        .with_builtins()
        .with_sysvars()
        .with_feature_accounts()
        .with_precompiles()
        .with_sigverify(false)
        .with_blockhash_check(false)
        .with_transaction_history(0)
        .with_log_bytes_limit(None);
    chain
        .add_program_from_file(PROGRAM_ID, program_file())
        .expect("the program is loadable");
    chain.add_builtin(proxy::PROXY, proxy::Entrypoint::register);
    let mut data = chain
        .get_account(&address::program_data())
        .expect("ProgramData was deployed");
    name_upgrade_authority(&mut data, Some(UPGRADE_AUTHORITY));
    chain
        .set_account(address::program_data(), data)
        .expect("ProgramData is an account");
    chain.set_sysvar(&Clock {
        slot: FIRST_SLOT,
        unix_timestamp: FIRST_SECOND,
        ..chain.get_sysvar::<Clock>()
    });
    chain
}

/// Writes an upgrade authority into ProgramData, which the chain deploys without one.
pub fn name_upgrade_authority(data: &mut Account, authority: Option<Address>) {
    assert_eq!(data.owner, UPGRADEABLE_LOADER);
    let header = &mut data.data[AUTHORITY_OFFSET..AUTHORITY_OFFSET + 33];
    header.fill(0);
    if let Some(authority) = authority {
        header[0] = 1;
        header[1..].copy_from_slice(authority.as_ref());
    }
}
