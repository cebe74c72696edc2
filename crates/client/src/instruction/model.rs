//! What a model's author sends.

use assay_protocol::{Address, Digest, args::ModelArgs};

use super::instruction;
use crate::{address, program::SYSTEM_PROGRAM};

instruction! {
    /// Registers an ONNX file by its digest.
    ModelRegister = "model_register" {
        payer: Address,
        author: Address,
        args: ModelArgs,
    }
    accounts |this| {
        payer: WritableSigner = this.payer,
        author: Signer = this.author,
        market: Readonly = address::market(),
        model: Writable = address::model(&this.author, &Digest(this.args.digest)),
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { args }
}

instruction! {
    /// Takes a model off the market; running jobs are not touched.
    ModelRetire = "model_retire" {
        author: Address,
        model: Address,
    }
    accounts |this| {
        author: Signer = this.author,
        model: Writable = this.model,
    }
    data { }
}

instruction! {
    /// Closes a model that was retired long enough ago; its rent goes back to who paid it.
    ModelClose = "model_close" {
        author: Address,
        model: Address,
        rent_payer: Address,
    }
    accounts |this| {
        author: Signer = this.author,
        market: Readonly = address::market(),
        model: Writable = this.model,
        rent_payer: Writable = this.rent_payer,
    }
    data { }
}
