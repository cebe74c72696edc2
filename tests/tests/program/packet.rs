//! Every transaction of the client fits a packet: arguments are fixed arrays, so every length is the longest.

use assay_client::{budget::Budget, instruction, protocol::Address};
use assay_tests::{Batch, PACKET_BYTES, World, transaction_bytes};
use solana_instruction::Instruction;

use super::bypass::scene;

/// With the compute budget's three instructions, and a fee payer that is no party to it.
#[test]
fn every_instruction_fits_a_packet_with_its_budget() {
    let payer = Address::new_from_array([0xfe; 32]);
    for spec in instruction::ALL {
        let mut batch = Budget::generous(1).instructions();
        batch.extend(scene::of(spec.name).call.instructions());
        let bytes = transaction_bytes(&payer, &batch);
        assert!(bytes <= PACKET_BYTES, "{}: {bytes} bytes", spec.name);
    }
}

#[test]
fn claim_and_commit_fit_one_packet() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_job_create(&model);
    let parts: Vec<Instruction> = [
        Budget::generous(1).instructions(),
        vec![world.job_claim(&job, &provider).instruction],
        vec![world.job_commit(&job, &provider).instruction],
    ]
    .concat();
    world.send_from(provider.operator, parts.clone()).accepted();
    assert!(transaction_bytes(&provider.operator, &parts) <= PACKET_BYTES);
}
