//! Commitments bind every field; draws select the stated share.

use assay_protocol::{
    Address, Digest,
    commitment::{
        Opening, Role, draw_seed, empty_hints_digest, error_root, is_drawn, requester_secret,
        requester_secret_message, secret_hash,
    },
};
use proptest::prelude::*;

/// The bytes under a commitment, written out independently of `Opening`.
fn preimage(parts: &[[u8; 32]; 7], attempt: u8, role: u8, generation: u64) -> Vec<u8> {
    let [program, job, provider, salt, root, hints, class] = parts;
    [
        b"assay/commit/1".as_slice(),
        program,
        job,
        &[attempt, role],
        provider,
        &generation.to_le_bytes(),
        salt,
        root,
        hints,
        class,
    ]
    .concat()
}

fn commitment(parts: &[[u8; 32]; 7], attempt: u8, role: Role, generation: u64) -> Digest {
    let [program, job, provider, salt, root, hints, class] = parts;
    Opening {
        program_id: &Address::new_from_array(*program),
        job: &Address::new_from_array(*job),
        attempt,
        role,
        provider: &Address::new_from_array(*provider),
        generation,
        salt,
        root: &Digest(*root),
        hints_digest: &Digest(*hints),
        runtime_class: class,
    }
    .commitment()
}

fn sha256(bytes: &[u8]) -> Digest {
    use sha2::{Digest as _, Sha256};
    Digest(Sha256::digest(bytes).into())
}

proptest! {
    #[test]
    fn commitment_is_the_documented_hash(parts: [[u8; 32]; 7], attempt: u8, generation: u64) {
        for (role, byte) in [(Role::Primary, 0), (Role::PanelLevel1, 1), (Role::PanelLevel2, 2)] {
            let expected = sha256(&preimage(&parts, attempt, byte, generation));
            prop_assert_eq!(commitment(&parts, attempt, role, generation), expected);
        }
    }

    #[test]
    fn commitment_changes_with_every_field(
        parts: [[u8; 32]; 7],
        attempt: u8,
        generation: u64,
        byte in 0_usize..32,
        flip in 1_u8..,
    ) {
        let original = commitment(&parts, attempt, Role::Primary, generation);
        for field in 0..parts.len() {
            let mut other = parts;
            other[field][byte] ^= flip;
            prop_assert_ne!(commitment(&other, attempt, Role::Primary, generation), original);
        }
        prop_assert_ne!(commitment(&parts, attempt ^ flip, Role::Primary, generation), original);
        prop_assert_ne!(commitment(&parts, attempt, Role::PanelLevel1, generation), original);
        prop_assert_ne!(commitment(&parts, attempt, Role::Primary, generation ^ u64::from(flip)), original);
    }

    #[test]
    fn draws_are_the_documented_threshold(seed: [u8; 32], rate in 0_u16..=10_000) {
        let point = u128::from(u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]])) * 10_000 / (1 << 32);
        prop_assert_eq!(is_drawn(&Digest(seed), rate), point < u128::from(rate));
        prop_assert!(!is_drawn(&Digest(seed), 0));
        prop_assert!(is_drawn(&Digest(seed), 10_000));
    }

    #[test]
    fn draw_needs_both_secrets(job: [u8; 32], attempt: u8, worker: [u8; 32], requester: [u8; 32]) {
        let key = Address::new_from_array(job);
        let expected = sha256(&[b"assay/draw/1".as_slice(), &job, &[attempt], &worker, &requester].concat());
        prop_assert_eq!(draw_seed(&key, attempt, &worker, &requester), expected);
        prop_assert!(worker == requester || draw_seed(&key, attempt, &requester, &worker) != expected);
    }

    #[test]
    fn secrets_hash_under_their_own_prefix(secret: [u8; 32], program: [u8; 32], job: [u8; 32]) {
        prop_assert_eq!(secret_hash(&secret), sha256(&[b"assay/secret/1".as_slice(), &secret].concat()));
        prop_assert_ne!(secret_hash(&secret), sha256(&secret));
        let message = requester_secret_message(&Address::new_from_array(program), &Address::new_from_array(job));
        prop_assert_eq!(message.to_vec(), [b"assay/requester-secret/".as_slice(), &program, &job].concat());
        let signature = [program, job].concat().try_into().unwrap();
        let expected = sha256(&[b"assay/requester-secret/1".as_slice(), &program, &job].concat());
        prop_assert_eq!(requester_secret(&signature), expected.0);
    }
}

#[test]
fn fixed_roots_are_those_of_the_specification() {
    assert_eq!(error_root(), sha256(b"assay/error/1"));
    assert_eq!(empty_hints_digest(), sha256(b""));
    assert!(Digest::ZERO.is_zero() && !error_root().is_zero());
}

/// 20,000 seeds at 5 %: 1,000 expected, standard deviation 31; six of them on either side.
#[test]
fn draws_select_the_stated_share() {
    let job = Address::new_from_array([3; 32]);
    let drawn = (0_u64..20_000)
        .filter(|round| {
            let mut secret = [0; 32];
            secret[..8].copy_from_slice(&round.to_le_bytes());
            is_drawn(&draw_seed(&job, 0, &secret, &[7; 32]), 500)
        })
        .count();
    assert!((815..=1_185).contains(&drawn), "{drawn} of 20,000");
}
