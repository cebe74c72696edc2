//! A model comes to be from its author's hand, one for each file.

use assay_client::{
    instruction::ModelRegister,
    protocol::{
        Digest, Error, ModelData,
        args::ModelArgs,
        limits::{MAX_MODEL_BYTES, MODEL_URI_BYTES, NAME_BYTES},
        profile::OutputProfile,
    },
};
use assay_tests::{Model, Refusal, SOL, World};

#[test]
fn model_register_creates_an_active_model() {
    let mut world = World::new();
    let model = world.new_model();
    let before = (world.balance(&model.payer), world.balance(&model.author));
    world.send(world.model_register(&model)).accepted();
    let (data, args) = (world.model(&model.account), model.args());
    let expected = ModelData {
        digest: args.digest,
        size: args.size,
        output_profile: args.output_profile,
        name: args.name,
        uri: args.uri,
        name_len: args.name_len,
        uri_len: args.uri_len,
        ..ModelData::new(model.author, model.payer, data.bump, world.now())
    };
    assert_eq!(data, expected);
    let rent = world.balance(&model.account);
    assert_eq!(world.balance(&model.payer), before.0 - rent);
    assert_eq!(world.balance(&model.author), before.1);
}

#[test]
fn model_register_paid_by_its_author_is_accepted() {
    let mut world = World::new();
    let author = world.wallet();
    let model = Model::of(author, Digest::of(&[b"file"]));
    world.send(world.model_register(&model)).accepted();
    assert_eq!(world.model(&model.account).rent_payer, author);
}

#[test]
fn model_register_of_one_file_by_two_authors_makes_two_models() {
    let mut world = World::new();
    let digest = Digest::of(&[b"file"]);
    let models = [(); 2].map(|()| Model::of(world.wallet(), digest));
    for model in &models {
        world.send(world.model_register(model)).accepted();
    }
    assert_ne!(models[0].account, models[1].account);
}

#[test]
fn model_register_at_every_bound_is_accepted() {
    let mut world = World::new();
    let model = world.new_model();
    let args = ModelArgs {
        size: MAX_MODEL_BYTES,
        output_profile: [-64, 64, 0, OutputProfile::EXACT, 1, 2, 3, 4],
        name: [b'~'; NAME_BYTES],
        name_len: 32,
        uri: [b'!'; MODEL_URI_BYTES],
        uri_len: 160,
        ..model.args()
    };
    world
        .send(ModelRegister {
            payer: model.payer,
            author: model.author,
            args,
        })
        .accepted();
    let model = world.new_model();
    let args = ModelArgs {
        size: 1,
        name: [0; 32],
        name_len: 0,
        uri: [0; 160],
        uri_len: 0,
        ..model.args()
    };
    world
        .send(ModelRegister {
            payer: model.payer,
            author: model.author,
            args,
        })
        .accepted();
}

#[test]
fn model_register_twice_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    world
        .send(world.model_register(&model))
        .refused(Refusal::InUse);
}

#[test]
fn model_register_without_a_digest_fails() {
    let mut world = World::new();
    let author = world.wallet();
    let model = Model::of(author, Digest::ZERO);
    world
        .send(world.model_register(&model))
        .refused(Error::ModelDigestMissing);
}

#[test]
fn model_register_of_a_size_out_of_bounds_fails() {
    let mut world = World::new();
    for size in [0, MAX_MODEL_BYTES + 1, u64::MAX] {
        refuse(&mut world, Error::ModelSizeInvalid, |args| args.size = size);
    }
}

#[test]
fn model_register_with_an_invalid_profile_fails() {
    let mut world = World::new();
    const U: i16 = OutputProfile::UNUSED;
    for profile in [
        [U; 8],
        [U, 0, U, U, U, U, U, U],
        [0, U, 0, U, U, U, U, U],
        [65, U, U, U, U, U, U, U],
        [-65, U, U, U, U, U, U, U],
        [i16::MIN + 1, U, U, U, U, U, U, U],
        [i16::MAX - 1, U, U, U, U, U, U, U],
    ] {
        refuse(&mut world, Error::ModelProfileInvalid, |args| {
            args.output_profile = profile
        });
    }
}

#[test]
fn model_register_with_malformed_text_fails() {
    let mut world = World::new();
    refuse(&mut world, Error::TextInvalid, |args| args.name[0] = b' ');
    refuse(&mut world, Error::TextInvalid, |args| args.name[31] = b'x');
    refuse(&mut world, Error::TextInvalid, |args| args.name_len = 33);
    refuse(&mut world, Error::TextInvalid, |args| args.uri[0] = b'\n');
    refuse(&mut world, Error::TextInvalid, |args| args.uri[0] = 0xff);
    refuse(&mut world, Error::TextInvalid, |args| args.uri_len += 1);
    refuse(&mut world, Error::TextInvalid, |args| {
        args.uri_len = u8::MAX
    });
}

#[test]
fn model_register_while_paused_fails() {
    let mut world = World::new();
    let model = world.new_model();
    world.do_market_pause(2);
    world
        .send(world.model_register(&model))
        .refused(Error::MarketPaused);
}

#[test]
fn model_register_from_an_empty_wallet_fails() {
    let mut world = World::new();
    let model = Model {
        payer: world.key(),
        ..world.new_model()
    };
    world
        .send(world.model_register(&model))
        .refused(Refusal::TooPoor);
}

#[test]
fn model_register_at_a_pre_funded_address_is_accepted() {
    let mut world = World::new();
    let stranger = world.wallet();
    for gift in [1_000_000, world.rent(0), 5 * SOL] {
        let model = world.new_model();
        world.do_transfer(stranger, model.account, gift);
        world.send(world.model_register(&model)).accepted();
    }
}

#[track_caller]
fn refuse(world: &mut World, error: Error, spoil: impl FnOnce(&mut ModelArgs)) {
    let model = world.new_model();
    let mut args = model.args();
    spoil(&mut args);
    let Model { payer, author, .. } = model;
    world
        .send(ModelRegister {
            payer,
            author,
            args,
        })
        .refused(error);
}
