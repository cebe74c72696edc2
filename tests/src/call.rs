//! One instruction in its valid form, and the ways a test spoils it.

use assay_client::{
    PROGRAM_ID,
    instruction::{self, InstructionSpec},
    protocol::Address,
};
use solana_instruction::{AccountMeta, Instruction};

/// An instruction of the program with the names of its accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub spec: &'static InstructionSpec,
    pub instruction: Instruction,
    /// What must stand directly before it in its transaction.
    pub ahead: Option<Instruction>,
}

impl Call {
    /// The account that stands at this name.
    pub fn account(&self, name: &str) -> Address {
        self.instruction.accounts[self.position(name)].pubkey
    }

    /// Puts another account at this name.
    #[must_use]
    pub fn put(mut self, name: &str, account: Address) -> Self {
        self.meta(name).pubkey = account;
        self
    }

    /// Takes the signature of the account at this name away.
    #[must_use]
    pub fn unsigned(mut self, name: &str) -> Self {
        self.meta(name).is_signer = false;
        self
    }

    /// Marks the account at this name as read-only.
    #[must_use]
    pub fn readonly(mut self, name: &str) -> Self {
        self.meta(name).is_writable = false;
        self
    }

    /// Puts the program's id at this name, which stands for no account.
    #[must_use]
    pub fn absent(mut self, name: &str) -> Self {
        *self.meta(name) = AccountMeta::new_readonly(PROGRAM_ID, false);
        self
    }

    /// Puts an instruction directly before it.
    #[must_use]
    pub fn behind(mut self, ahead: Instruction) -> Self {
        self.ahead = Some(ahead);
        self
    }

    /// Leaves the last account out.
    #[must_use]
    pub fn short_of_one(mut self) -> Self {
        self.instruction.accounts.pop();
        self
    }

    /// Replaces the instruction's data behind the discriminator.
    #[must_use]
    pub fn arguments(mut self, bytes: &[u8]) -> Self {
        self.instruction.data.truncate(8);
        self.instruction.data.extend_from_slice(bytes);
        self
    }

    fn meta(&mut self, name: &str) -> &mut AccountMeta {
        let position = self.position(name);
        &mut self.instruction.accounts[position]
    }

    fn position(&self, name: &str) -> usize {
        let found = self
            .spec
            .accounts
            .iter()
            .position(|account| account.name == name);
        found.unwrap_or_else(|| panic!("{} has no account named {name}", self.spec.name))
    }
}

macro_rules! calls {
    ($($name:ident)*) => { $(
        impl From<instruction::$name> for Call {
            fn from(from: instruction::$name) -> Self {
                Self { spec: &instruction::$name::SPEC, instruction: from.instruction(), ahead: None }
            }
        }
        impl Batch for instruction::$name {
            fn instructions(self) -> Vec<Instruction> {
                vec![self.instruction()]
            }
        }
    )* };
}

calls! {
    MarketInit MarketUpdate MarketPause AuthorityPropose AuthorityAccept TreasuryWithdraw
    ProviderRegister ProviderUpdate ProviderDeregister
    StakeDeposit StakeUnbond StakeWithdraw EarningsWithdraw
    ModelRegister ModelRetire ModelClose
    JobCreate JobCancel JobClaim JobRelease JobCommit JobFinalize JobExpire JobClose
    JobDispute JobReveal
    PanelOpen PanelRetarget PanelJoin PanelCommit PanelReveal PanelResolve SeatSettle PanelClose
    SessionOpen SessionTopUp SessionSettle SessionCloseRequest SessionClose
}

/// What one transaction can carry: a call, an instruction, or several of either.
pub trait Batch {
    fn instructions(self) -> Vec<Instruction>;
}

impl Batch for Call {
    fn instructions(self) -> Vec<Instruction> {
        self.ahead.into_iter().chain([self.instruction]).collect()
    }
}

impl Batch for &Call {
    fn instructions(self) -> Vec<Instruction> {
        self.clone().instructions()
    }
}

impl Batch for Instruction {
    fn instructions(self) -> Vec<Instruction> {
        vec![self]
    }
}

impl<B: Batch> Batch for Vec<B> {
    fn instructions(self) -> Vec<Instruction> {
        self.into_iter().flat_map(Batch::instructions).collect()
    }
}

impl<B: Batch, const N: usize> Batch for [B; N] {
    fn instructions(self) -> Vec<Instruction> {
        self.into_iter().flat_map(Batch::instructions).collect()
    }
}
