//! What a model's author sends.

use assay_client::{
    address,
    instruction::{ModelClose, ModelRegister, ModelRetire},
    protocol::{Address, Digest, args::ModelArgs, profile::OutputProfile, text},
};

use crate::{Call, Outcome, World};

/// A model's parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    pub account: Address,
    pub author: Address,
    pub digest: Digest,
    /// Paid the rent.
    pub payer: Address,
}

impl Model {
    /// The model of this author with this digest, whose rent the author pays.
    pub fn of(author: Address, digest: Digest) -> Self {
        Self {
            account: address::model(&author, &digest),
            author,
            digest,
            payer: author,
        }
    }

    /// The arguments it registers with: one output, compared on a grid, so that there are hints.
    pub fn args(&self) -> ModelArgs {
        let (name, name_len) = text::write("digits").expect("short ASCII");
        let (uri, uri_len) = text::write("https://models.test/digits.onnx").expect("short ASCII");
        let mut profile = OutputProfile::exact(1).expect("one output is allowed");
        profile.0[0] = -7;
        ModelArgs {
            digest: self.digest.0,
            size: 150_000,
            output_profile: profile.0,
            name,
            uri,
            name_len,
            uri_len,
            reserved: [0; 6],
        }
    }
}

impl World {
    /// The parties of a model yet to be registered, the rent paid by a third wallet.
    pub fn new_model(&mut self) -> Model {
        let (author, payer) = (self.wallet(), self.wallet());
        Model {
            payer,
            ..Model::of(author, Digest::of(&[b"model", author.as_ref()]))
        }
    }

    pub fn model_register(&self, model: &Model) -> Call {
        ModelRegister {
            payer: model.payer,
            author: model.author,
            args: model.args(),
        }
        .into()
    }

    #[track_caller]
    pub fn do_model_register(&mut self) -> Model {
        let model = self.new_model();
        self.send(self.model_register(&model)).accepted();
        model
    }

    pub fn model_retire(&self, model: &Model) -> Call {
        ModelRetire {
            author: model.author,
            model: model.account,
        }
        .into()
    }

    #[track_caller]
    pub fn do_model_retire(&mut self, model: &Model) -> Outcome {
        self.send(self.model_retire(model)).accepted()
    }

    pub fn model_close(&self, model: &Model) -> Call {
        let Model {
            author,
            account,
            payer,
            ..
        } = *model;
        ModelClose {
            author,
            model: account,
            rent_payer: payer,
        }
        .into()
    }

    #[track_caller]
    pub fn do_model_close(&mut self, model: &Model) -> Outcome {
        self.send(self.model_close(model)).accepted()
    }
}
