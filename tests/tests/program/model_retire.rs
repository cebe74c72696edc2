//! A retired model takes no new jobs and keeps the old ones.

use assay_client::protocol::{Error, model::MODEL_RETIRED};
use assay_tests::World;

#[test]
fn model_retire_marks_the_model_and_nothing_else() {
    let mut world = World::new();
    let model = world.do_model_register();
    let mut expected = world.model(&model.account);
    world.pass(60);
    world.do_model_retire(&model);
    expected.status = MODEL_RETIRED;
    expected.retired_at = world.now().0;
    expected.sequence += 1;
    assert_eq!(world.model(&model.account), expected);
}

#[test]
fn model_retire_stops_new_jobs_and_lets_old_ones_end() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let old = world.do_job_create(&model);
    world.do_model_retire(&model);
    let new = world.new_job(&model);
    world
        .send(world.job_create(&new))
        .refused(Error::ModelRetired);
    world.do_job_claim(&old, &provider);
    world.do_job_commit(&old, &provider);
    world.do_job_finalize(&old, &provider);
}

#[test]
fn model_retire_twice_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    world.do_model_retire(&model);
    world.pass(1);
    world
        .send(world.model_retire(&model))
        .refused(Error::ModelRetired);
}

#[test]
fn model_retire_by_anyone_else_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    for signer in [model.payer, world.authority] {
        let call = world.model_retire(&model).put("author", signer);
        world.send(call).refused(Error::ModelAuthorMismatch);
    }
}
