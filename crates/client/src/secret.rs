//! The requester's secret for a job: recoverable from the wallet alone.

use assay_protocol::{
    Address, Digest,
    commitment::{requester_secret, requester_secret_message, secret_hash},
};
use solana_signer::{Signer, SignerError};

use crate::program::PROGRAM_ID;

/// Derives the secret from the wallet's signature over a message that names program and job.
///
/// # Errors
/// When the wallet cannot or will not sign.
pub fn for_job(wallet: &dyn Signer, job: &Address) -> Result<[u8; 32], SignerError> {
    let signature = wallet.try_sign_message(&requester_secret_message(&PROGRAM_ID, job))?;
    Ok(requester_secret(signature.as_array()))
}

/// The hash under which the job's terms fix the secret.
pub fn hash(secret: &[u8; 32]) -> Digest {
    secret_hash(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_keypair::Keypair;

    #[test]
    fn secret_is_recoverable_and_bound_to_wallet_and_job() {
        let (wallet, other) = (
            Keypair::new_from_array([1; 32]),
            Keypair::new_from_array([2; 32]),
        );
        let (job, another) = (
            Address::new_from_array([3; 32]),
            Address::new_from_array([4; 32]),
        );
        let secret = for_job(&wallet, &job).unwrap();
        assert_eq!(secret, for_job(&wallet, &job).unwrap());
        assert_ne!(secret, for_job(&wallet, &another).unwrap());
        assert_ne!(secret, for_job(&other, &job).unwrap());
    }
}
