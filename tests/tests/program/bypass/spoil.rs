//! The ways an account is spoiled.

use std::fmt;

use assay_client::{
    account::Layout,
    discriminator,
    instruction::{AccountSpec, InstructionSpec},
    protocol::{ModelData, SessionData},
};
use assay_tests::{Call, World};

use super::{
    role::{Role, access},
    scene::Scene,
};

/// One way to spoil one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// It does not sign.
    Unsigned,
    /// It is not writable.
    Readonly,
    /// Another program owns it: a copy of the program's account elsewhere, or the wallet itself.
    WrongOwner,
    /// Another type's discriminator: a copy elsewhere that the program itself owns.
    WrongType,
    /// An account of another type that the program really made.
    OtherType,
    /// Another account of the same kind.
    Sibling,
    /// Another address than the one its seeds or the runtime give.
    WrongAddress,
    /// None, where the program's id stands for that.
    Absent,
    /// The same account as another one of the instruction.
    Same(&'static str),
}

impl fmt::Display for Spoil {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unsigned => "unsigned",
            Self::Readonly => "readonly",
            Self::WrongOwner => "wrong owner",
            Self::WrongType => "wrong discriminator",
            Self::OtherType => "account of another type",
            Self::Sibling => "sibling",
            Self::WrongAddress => "wrong address",
            Self::Absent => "absent",
            Self::Same(other) => return write!(out, "same as {other}"),
        })
    }
}

impl Spoil {
    /// Every way for this account of this instruction.
    pub fn all(spec: &InstructionSpec, account: &AccountSpec) -> Vec<Self> {
        let mut all = vec![
            Self::Unsigned,
            Self::Readonly,
            Self::WrongOwner,
            Self::WrongType,
            Self::OtherType,
            Self::Sibling,
            Self::WrongAddress,
            Self::Absent,
        ];
        let others = spec
            .accounts
            .iter()
            .filter(|other| other.name != account.name);
        all.extend(others.map(|other| Self::Same(other.name)));
        all
    }

    /// The spoiled instruction; none where the way means nothing for the account's role.
    pub fn apply(
        self,
        world: &mut World,
        scene: &Scene,
        account: &str,
        role: Role,
    ) -> Option<Call> {
        let call = scene.call.clone();
        let access = access(call.spec, account);
        let at = call.account(account);
        match (self, role) {
            (Self::Absent, _) => access.is_optional().then(|| call.absent(account)),
            (Self::Unsigned, _) => access.is_signer().then(|| call.unsigned(account)),
            (Self::Readonly, _) => access.is_writable().then(|| call.readonly(account)),
            // A sysvar's, a program's or the incinerator's owner cannot be another at the same address.
            (Self::WrongOwner, Role::Fixed) => None,
            (Self::WrongOwner, Role::State) => {
                let mut copy = world.account(&at)?;
                copy.owner = world.key();
                Some(Self::forge(world, call, account, copy))
            }
            (Self::WrongOwner, _) => {
                let mut other = world.account(&at).unwrap_or_default();
                other.owner = world.key();
                other.lamports = other.lamports.max(world.rent(other.data.len()));
                world.put_account(at, other);
                Some(call)
            }
            (Self::WrongType, Role::State) => {
                let mut copy = world.account(&at)?;
                let other = if account == "session" {
                    ModelData::NAME
                } else {
                    SessionData::NAME
                };
                copy.data[..8].copy_from_slice(&discriminator::account(other));
                Some(Self::forge(world, call, account, copy))
            }
            (Self::WrongType, Role::ProgramData) => {
                let mut copy = world.account(&at)?;
                copy.data[0] = 2;
                world.put_account(at, copy);
                Some(call)
            }
            (Self::OtherType, Role::State) => {
                let other = scene.other_type(account)?;
                Some(call.put(account, other))
            }
            (Self::WrongType | Self::OtherType, _) => None,
            (Self::Sibling, _) => scene
                .sibling(account)
                .map(|sibling| call.put(account, sibling)),
            // Genuine accounts lie at the address of their seeds only: the ledger holds every creation against that.
            (Self::WrongAddress, Role::State) => None,
            // Wallets have no address that is theirs by rule: see `Sibling`.
            (Self::WrongAddress, Role::Party | Role::Payer | Role::Payee | Role::Free) => None,
            (Self::WrongAddress, Role::New | Role::ProgramData) => {
                Some(call.put(account, world.key()))
            }
            (Self::WrongAddress, Role::Fixed) => Some(call.put(account, world.wallet())),
            // Derived accounts and the runtime's cannot sign, so they cannot stand for a signer.
            (Self::Same(other), _) => {
                let other_role = Role::of(call.spec, other);
                let possible = !access.is_signer() || other_role.is_wallet();
                let at = call.account(other);
                (possible && at != call.account(account)).then(|| call.put(account, at))
            }
        }
    }

    fn forge(
        world: &mut World,
        call: Call,
        account: &str,
        copy: impl Into<solana_account::Account>,
    ) -> Call {
        let at = world.key();
        world.forge_account(at, copy.into());
        call.put(account, at)
    }
}
