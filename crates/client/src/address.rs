//! Derived addresses of the program's accounts.

use assay_protocol::{Address, Digest, seeds};

use crate::program::{PROGRAM_ID, UPGRADEABLE_LOADER};

/// The market's account.
pub fn market() -> Address {
    derive(&[seeds::MARKET]).0
}

/// The treasury's account.
pub fn treasury() -> Address {
    derive(&[seeds::TREASURY]).0
}

/// The account of the provider that this authority holds.
pub fn provider(authority: &Address) -> Address {
    derive(&[seeds::PROVIDER, authority.as_ref()]).0
}

/// The account of a model: one for each author and file.
pub fn model(author: &Address, digest: &Digest) -> Address {
    derive(&[seeds::MODEL, author.as_ref(), &digest.0]).0
}

/// The account of a job.
pub fn job(requester: &Address, open_slot: u64, index: u32) -> Address {
    job_with_bump(requester, open_slot, index).0
}

/// The account of a job's panel.
pub fn panel(job: &Address, level: u8) -> Address {
    derive(&[seeds::PANEL, job.as_ref(), &[level]]).0
}

/// The account of a session.
pub fn session(requester: &Address, provider: &Address, open_slot: u64, index: u32) -> Address {
    session_with_bump(requester, provider, open_slot, index).0
}

/// The loader's account that holds the program's code and names its upgrade authority.
pub fn program_data() -> Address {
    Address::find_program_address(&[PROGRAM_ID.as_ref()], &UPGRADEABLE_LOADER).0
}

/// A job's address together with the index that leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobAddress {
    pub address: Address,
    pub index: u32,
}

/// The first job index from `start` on whose address needs no bump search on chain.
///
/// The program looks for the bump from 255 downwards and pays compute units for every miss; about every second index
/// hits at once, so this tries two on average.
pub fn cheap_job(requester: &Address, open_slot: u64, start: u32) -> JobAddress {
    let mut index = start;
    loop {
        let (address, bump) = job_with_bump(requester, open_slot, index);
        if bump == u8::MAX {
            return JobAddress { address, index };
        }
        index = index.wrapping_add(1);
    }
}

/// A session's address together with the index that leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionAddress {
    pub address: Address,
    pub index: u32,
}

/// The first session index from `start` on whose address needs no bump search on chain.
pub fn cheap_session(
    requester: &Address,
    provider: &Address,
    open_slot: u64,
    start: u32,
) -> SessionAddress {
    let mut index = start;
    loop {
        let (address, bump) = session_with_bump(requester, provider, open_slot, index);
        if bump == u8::MAX {
            return SessionAddress { address, index };
        }
        index = index.wrapping_add(1);
    }
}

fn session_with_bump(
    requester: &Address,
    provider: &Address,
    open_slot: u64,
    index: u32,
) -> (Address, u8) {
    derive(&[
        seeds::SESSION,
        requester.as_ref(),
        provider.as_ref(),
        &open_slot.to_le_bytes(),
        &index.to_le_bytes(),
    ])
}

fn job_with_bump(requester: &Address, open_slot: u64, index: u32) -> (Address, u8) {
    derive(&[
        seeds::JOB,
        requester.as_ref(),
        &open_slot.to_le_bytes(),
        &index.to_le_bytes(),
    ])
}

fn derive(seeds: &[&[u8]]) -> (Address, u8) {
    Address::find_program_address(seeds, &PROGRAM_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_job_has_bump_255_and_its_own_address() {
        for start in 0..20 {
            let requester = Address::new_from_array([7; 32]);
            let found = cheap_job(&requester, 1_000, start);
            assert!(found.index >= start);
            let (address, bump) = job_with_bump(&requester, 1_000, found.index);
            assert_eq!((address, bump), (found.address, 255));
        }
    }

    #[test]
    fn cheap_session_has_bump_255_and_its_own_address() {
        let (requester, provider) = (
            Address::new_from_array([7; 32]),
            Address::new_from_array([8; 32]),
        );
        for start in 0..20 {
            let found = cheap_session(&requester, &provider, 1_000, start);
            assert!(found.index >= start);
            let (address, bump) = session_with_bump(&requester, &provider, 1_000, found.index);
            assert_eq!((address, bump), (found.address, 255));
        }
    }

    #[test]
    fn accounts_of_different_parties_differ() {
        let (one, other) = (
            Address::new_from_array([1; 32]),
            Address::new_from_array([2; 32]),
        );
        assert_ne!(provider(&one), provider(&other));
        assert_ne!(model(&one, &Digest([1; 32])), model(&one, &Digest([2; 32])));
        assert_ne!(job(&one, 1, 2), job(&one, 2, 1));
        assert_ne!(session(&one, &other, 1, 2), session(&other, &one, 1, 2));
        assert_ne!(panel(&one, 1), panel(&one, 2));
        assert_ne!(market(), treasury());
    }
}
