use assay_protocol::{
    Digest,
    args::{JobFinalizeArgs, ModelArgs, ProviderArgs},
    market::MarketParams,
};
use bytemuck::Zeroable;
use solana_instruction::Instruction;

use super::*;
use crate::{address, discriminator, program::SYSTEM_PROGRAM};

mod every;

use every::{create_args, every_one, key};

#[test]
fn every_instruction_has_the_accounts_of_its_specification() {
    let instructions = every_one();
    assert_eq!(instructions.len(), ALL.len());
    for (built, spec) in instructions.iter().zip(ALL) {
        assert_eq!(
            built.data[..8],
            discriminator::instruction(spec.name),
            "{}",
            spec.name
        );
        assert_eq!(built.accounts.len(), spec.accounts.len(), "{}", spec.name);
        for (meta, account) in built.accounts.iter().zip(spec.accounts) {
            assert_eq!(
                meta.is_signer,
                account.access.is_signer(),
                "{}",
                account.name
            );
            assert_eq!(
                meta.is_writable,
                account.access.is_writable(),
                "{}",
                account.name
            );
        }
    }
}

#[test]
fn data_of_every_argument_is_its_borsh_encoding() {
    let data = |instruction: Instruction| instruction.data[8..].to_vec();
    let (a, b) = (key(1), key(2));
    let create = create_args();
    assert_eq!(
        data(
            JobCreate {
                requester: a,
                model: b,
                args: create
            }
            .instruction()
        ),
        borsh::to_vec(&create).unwrap()
    );
    let params = MarketParams::LOCAL;
    assert_eq!(
        data(
            MarketUpdate {
                authority: a,
                params
            }
            .instruction()
        ),
        borsh::to_vec(&params).unwrap()
    );
    let args = ModelArgs {
        digest: [9; 32],
        size: 3,
        output_profile: [-7; 8],
        ..ModelArgs::zeroed()
    };
    assert_eq!(
        data(
            ModelRegister {
                payer: a,
                author: b,
                args
            }
            .instruction()
        ),
        borsh::to_vec(&args).unwrap()
    );
    let args = ProviderArgs {
        operator: b,
        endpoint: [3; 96],
        endpoint_len: 9,
        ..ProviderArgs::zeroed()
    };
    assert_eq!(
        data(ProviderUpdate { authority: a, args }.instruction()),
        borsh::to_vec(&args).unwrap()
    );
    let args = JobFinalizeArgs {
        worker_secret: [1; 32],
        requester_secret: [2; 32],
        acknowledged: 1,
    };
    assert_eq!(
        data(
            JobFinalize {
                operator: a,
                provider: b,
                job: a,
                requester: b,
                args
            }
            .instruction()
        ),
        borsh::to_vec(&args).unwrap()
    );
    assert_eq!(
        data(
            AuthorityPropose {
                authority: a,
                pending: b
            }
            .instruction()
        ),
        borsh::to_vec(&b).unwrap()
    );
}

/// Golden bytes: what another language's client must produce too.
#[test]
fn job_claim_bytes_are_pinned() {
    let (operator, provider, job) = (key(1), key(2), key(3));
    let built = JobClaim {
        operator,
        provider,
        job,
        min_price: 1_000,
    }
    .instruction();
    assert_eq!(hex::encode(&built.data), "a9d8e58d6ecd929be803000000000000");
    let metas: Vec<_> = built
        .accounts
        .iter()
        .map(|m| (m.pubkey, m.is_signer, m.is_writable))
        .collect();
    assert_eq!(
        metas,
        [
            (operator, true, false),
            (provider, false, true),
            (job, false, true)
        ]
    );
    assert_eq!(built.program_id, PROGRAM_ID);
}

#[test]
fn derived_accounts_follow_from_the_fields() {
    let (requester, model) = (key(1), key(2));
    let args = create_args();
    let built = JobCreate {
        requester,
        model,
        args,
    }
    .instruction();
    let expected = [
        requester,
        address::market(),
        model,
        address::job(&requester, args.open_slot, args.index),
        SYSTEM_PROGRAM,
    ];
    assert_eq!(
        built
            .accounts
            .iter()
            .map(|meta| meta.pubkey)
            .collect::<Vec<_>>(),
        expected
    );
    let args = ModelArgs {
        digest: [9; 32],
        ..ModelArgs::zeroed()
    };
    let built = ModelRegister {
        payer: requester,
        author: model,
        args,
    }
    .instruction();
    assert_eq!(
        built.accounts[3].pubkey,
        address::model(&model, &Digest([9; 32]))
    );
}

#[test]
fn job_expire_without_provider_names_the_program_in_its_place() {
    let built = JobExpire {
        job: key(1),
        requester: key(2),
        provider: None,
    }
    .instruction();
    let place = &built.accounts[2];
    assert_eq!((place.pubkey, place.is_writable), (PROGRAM_ID, false));
}

#[test]
fn accounts_about_panels_follow_from_the_job_and_the_level() {
    let job = key(3);
    let metas = |instruction: Instruction| -> Vec<_> {
        let flags = |m: &AccountMeta| (m.pubkey, m.is_signer, m.is_writable);
        instruction.accounts.iter().map(flags).collect()
    };
    let opened = PanelOpen {
        payer: key(1),
        job,
        level: 2,
        entry: 0x0102,
    }
    .instruction();
    assert_eq!(opened.data[8..], [2, 1]);
    assert_eq!(
        metas(opened),
        [
            (key(1), true, true),
            (job, false, true),
            (address::panel(&job, 2), false, true),
            (SYSTEM_PROGRAM, false, false),
        ]
    );
    let joined = PanelJoin {
        operator: key(1),
        provider: key(2),
        job,
        level: 2,
        other_panel: Some(address::panel(&job, 1)),
        evicted: None,
        ticket: 5,
    }
    .instruction();
    assert_eq!(joined.data[8..], [5, 0, 0, 0]);
    assert_eq!(
        metas(joined),
        [
            (key(1), true, false),
            (key(2), false, true),
            (job, false, false),
            (address::panel(&job, 2), false, true),
            (address::panel(&job, 1), false, false),
            (PROGRAM_ID, false, false),
        ]
    );
}

/// Arguments have one size each, so these are the bounds; the priority fee is in.
#[test]
fn every_transaction_fits_a_packet() {
    let budget = crate::budget::Budget::generous(u64::MAX).instructions();
    for (built, spec) in every_one().into_iter().zip(ALL) {
        let payer = key(200);
        let instructions = [budget.clone(), vec![built]].concat();
        let message = solana_message::Message::new(&instructions, Some(&payer));
        let signatures = usize::from(message.header.num_required_signatures);
        let bytes = 1 + signatures * 64 + message.serialize().len();
        assert!(bytes <= 1_232, "{} takes {bytes} bytes", spec.name);
    }
}
