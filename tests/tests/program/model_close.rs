//! A model closes once no job can need it any more; its rent goes to who paid it.

use assay_client::protocol::{Error, UnixSeconds};
use assay_tests::{SOL, World};

#[test]
fn model_close_returns_rent_and_gifts_to_the_payer() {
    let mut world = World::new();
    let model = world.do_model_register();
    let stranger = world.wallet();
    world.do_transfer(stranger, model.account, SOL);
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    let (held, before) = (world.balance(&model.account), world.balance(&model.payer));
    world.do_model_close(&model);
    assert!(!world.exists(&model.account));
    assert_eq!(world.balance(&model.payer), before + held);
}

#[test]
fn model_close_whose_payer_is_its_author_is_accepted() {
    let mut world = World::new();
    let author = world.wallet();
    let model = assay_tests::Model::of(author, assay_client::protocol::Digest::of(&[b"file"]));
    let before = world.balance(&author);
    world.send(world.model_register(&model)).accepted();
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_model_close(&model);
    assert_eq!(world.balance(&author), before);
}

#[test]
fn model_close_and_register_again_is_accepted() {
    let mut world = World::new();
    let model = world.do_model_register();
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_model_close(&model);
    world.send(world.model_register(&model)).accepted();
}

#[test]
fn model_close_in_its_last_waiting_second_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    world.do_model_retire(&model);
    let call = world.model_close(&model);
    world.send(&call).refused(Error::ModelStillInUse);
    let wait = i64::from(world.market().params.unbond_secs);
    world.pass_to(UnixSeconds(world.model(&model.account).retired_at + wait));
    world.send(&call).refused(Error::ModelStillInUse);
    world.pass(1);
    world.send(call).accepted();
}

#[test]
fn model_close_of_an_active_model_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    world.pass(world.market().params.unbond_secs + 1);
    world
        .send(world.model_close(&model))
        .refused(Error::ModelNotRetired);
}

#[test]
fn model_close_by_anyone_else_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    for signer in [model.payer, world.authority] {
        let call = world.model_close(&model).put("author", signer);
        world.send(call).refused(Error::ModelAuthorMismatch);
    }
}

#[test]
fn model_close_to_another_wallet_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    let call = world.model_close(&model).put("rent_payer", model.author);
    world.send(call).refused(Error::RentPayerMismatch);
}
