//! The program's id and the addresses it knows by heart.

use assay_protocol::Address;

/// The id that the program declares; `make program-id` changes both.
pub const PROGRAM_ID: Address =
    Address::from_str_const("AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc");

/// Lamports sent here are burned at the end of the block.
pub const INCINERATOR: Address =
    Address::from_str_const("1nc1nerator11111111111111111111111111111111");
/// The sysvar through which the program sees the whole transaction.
pub const INSTRUCTIONS_SYSVAR: Address =
    Address::from_str_const("Sysvar1nstructions1111111111111111111111111");
/// The sysvar with the chain's slot and time; deadlines are judged by it.
pub const CLOCK_SYSVAR: Address =
    Address::from_str_const("SysvarC1ock11111111111111111111111111111111");
/// The sysvar with the hashes of recent slots; they seed panels.
pub const SLOT_HASHES_SYSVAR: Address =
    Address::from_str_const("SysvarS1otHashes111111111111111111111111111");
/// The precompile that checks Ed25519 signatures before any program of the transaction runs.
pub const ED25519_PROGRAM: Address =
    Address::from_str_const("Ed25519SigVerify111111111111111111111111111");
/// Creates accounts and moves lamports out of wallets.
pub const SYSTEM_PROGRAM: Address = Address::from_str_const("11111111111111111111111111111111");
/// Owns the account that names the program's upgrade authority.
pub const UPGRADEABLE_LOADER: Address =
    Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_the_one_that_the_program_declares() {
        let source = include_str!("../../../programs/assay/src/lib.rs");
        assert!(
            source.contains(&format!("declare_id!(\"{PROGRAM_ID}\")")),
            "{PROGRAM_ID}"
        );
    }
}
