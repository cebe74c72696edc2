//! The accounts of the upgradeable loader, read from their bytes.

use solana_client::rpc_client::RpcClient;
use solana_loader_v3_interface::{get_program_data_address, state::UpgradeableLoaderState};
use solana_sdk::{account::Account, pubkey::Pubkey};
use solana_sdk_ids::bpf_loader_upgradeable;

use super::DeployError;

const BUFFER_TAG: u32 = 1;
const PROGRAM_TAG: u32 = 2;
const PROGRAM_DATA_TAG: u32 = 3;
/// Tag and slot precede the authority in ProgramData, the tag alone in a buffer.
const PROGRAM_DATA_AUTHORITY: usize = 12;
const BUFFER_AUTHORITY: usize = 4;

/// A program as it is on the chain now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployedProgram {
    pub program_data: Pubkey,
    /// Who may upgrade it; `None` means that nobody can, for ever.
    pub authority: Option<Pubkey>,
    /// The slot of the last deployment or upgrade.
    pub slot: u64,
    /// The program file, followed by zeros up to the space that is reserved for it.
    pub space: Vec<u8>,
}

impl DeployedProgram {
    /// Whether this file is what runs.
    #[must_use]
    pub fn runs(&self, elf: &[u8]) -> bool {
        starts_with_then_zeros(&self.space, elf)
    }
}

/// Reads a program of the upgradeable loader; `None` if nothing is deployed at the address.
///
/// # Errors
/// When the cluster does not answer, or the address belongs to something else.
pub fn deployed_program(
    rpc: &RpcClient,
    program_id: &Pubkey,
) -> Result<Option<DeployedProgram>, DeployError> {
    let Some(program) = account(rpc, program_id)? else {
        return Ok(None);
    };
    let foreign = |found: String| DeployError::NotAProgram {
        address: *program_id,
        found,
    };
    if program.owner != bpf_loader_upgradeable::ID {
        return Err(foreign(format!("an account owned by {}", program.owner)));
    }
    let program_data = get_program_data_address(program_id);
    if tag(&program.data) != Some(PROGRAM_TAG) || address_at(&program.data, 4) != Some(program_data)
    {
        return Err(foreign("another account of the loader".to_owned()));
    }
    let data = account(rpc, &program_data)?
        .ok_or_else(|| foreign("a program that was closed for good".to_owned()))?
        .data;
    let header = UpgradeableLoaderState::size_of_programdata_metadata();
    match (tag(&data), u64_at(&data, 4), data.get(header..)) {
        (Some(PROGRAM_DATA_TAG), Some(slot), Some(space)) => Ok(Some(DeployedProgram {
            program_data,
            authority: authority_at(&data, PROGRAM_DATA_AUTHORITY),
            slot,
            space: space.to_vec(),
        })),
        _ => Err(foreign(format!("{program_data} without a program in it"))),
    }
}

/// The bytes of a buffer that this authority may write to and that has the wanted size.
pub(super) fn buffer_content(
    account: &Account,
    authority: &Pubkey,
    length: usize,
) -> Option<Vec<u8>> {
    let data = &account.data;
    let ours = account.owner == bpf_loader_upgradeable::ID
        && tag(data) == Some(BUFFER_TAG)
        && authority_at(data, BUFFER_AUTHORITY) == Some(*authority)
        && data.len() == UpgradeableLoaderState::size_of_buffer(length);
    let content = data.get(UpgradeableLoaderState::size_of_buffer_metadata()..)?;
    ours.then(|| content.to_vec())
}

pub(super) fn account(rpc: &RpcClient, address: &Pubkey) -> Result<Option<Account>, DeployError> {
    rpc.get_account_with_commitment(address, rpc.commitment())
        .map(|response| response.value)
        .map_err(|error| DeployError::rpc("getAccountInfo", error))
}

fn starts_with_then_zeros(space: &[u8], elf: &[u8]) -> bool {
    space
        .strip_prefix(elf)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

fn tag(data: &[u8]) -> Option<u32> {
    data.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    data.get(offset..)?
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
}

fn address_at(data: &[u8], offset: usize) -> Option<Pubkey> {
    data.get(offset..)?
        .first_chunk::<32>()
        .map(|bytes| Pubkey::new_from_array(*bytes))
}

fn authority_at(data: &[u8], offset: usize) -> Option<Pubkey> {
    (*data.get(offset)? == 1).then(|| address_at(data, offset + 1))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_followed_by_zeros_is_the_same_program() {
        assert!(starts_with_then_zeros(&[1, 2, 0, 0], &[1, 2]));
        assert!(!starts_with_then_zeros(&[1, 2, 3, 0], &[1, 2]));
        assert!(!starts_with_then_zeros(&[1], &[1, 2]));
    }

    #[test]
    fn buffer_of_another_authority_or_size_is_not_resumed() {
        let authority = Pubkey::new_unique();
        let mut data = vec![1, 0, 0, 0, 1];
        data.extend(authority.to_bytes());
        data.extend([7, 8, 9]);
        let buffer = Account {
            owner: bpf_loader_upgradeable::ID,
            data,
            ..Account::default()
        };
        assert_eq!(buffer_content(&buffer, &authority, 3), Some(vec![7, 8, 9]));
        assert_eq!(buffer_content(&buffer, &authority, 4), None);
        assert_eq!(buffer_content(&buffer, &Pubkey::new_unique(), 3), None);
    }
}
