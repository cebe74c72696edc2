//! What became of a transaction, and what a test expects of it.

use std::fmt;

use assay_client::protocol::Error;
use litesvm::types::TransactionMetadata;
use solana_instruction::error::InstructionError;
use solana_transaction_error::TransactionError;

/// A transaction's result with what it cost.
#[derive(Debug)]
pub struct Outcome {
    pub result: Result<(), Refusal>,
    /// The refusal in the chain's own words.
    pub error: Option<TransactionError>,
    pub logs: Vec<String>,
    pub compute_units: u64,
    /// Lamports the fee payer paid.
    pub fee: u64,
    /// Bytes of the transaction with its signatures.
    pub bytes: usize,
    /// Accounts the transaction names.
    pub accounts: usize,
}

impl Outcome {
    pub(crate) fn of(
        error: Option<TransactionError>,
        meta: TransactionMetadata,
        bytes: usize,
        accounts: usize,
    ) -> Self {
        Self {
            result: error.as_ref().map_or(Ok(()), |error| Err(error.into())),
            error,
            logs: meta.logs,
            compute_units: meta.compute_units_consumed,
            fee: meta.fee,
            bytes,
            accounts,
        }
    }

    /// Fails the test unless the transaction was accepted.
    #[track_caller]
    pub fn accepted(self) -> Self {
        if let Err(refusal) = &self.result {
            panic!(
                "refused with {refusal}, but expected to be accepted:\n{}",
                self.logs.join("\n")
            );
        }
        self
    }

    /// Fails the test unless the transaction was refused for exactly this reason. That nothing changed is checked on
    /// every refusal by the ledger.
    #[track_caller]
    pub fn refused(self, expected: impl Into<Refusal>) {
        let expected = expected.into();
        match self.result {
            Ok(()) => panic!("accepted, but expected {expected}"),
            Err(refusal) => assert_eq!(refusal, expected, "logs:\n{}", self.logs.join("\n")),
        }
    }

    pub fn is_accepted(&self) -> bool {
        self.result.is_ok()
    }
}

/// Why a transaction was refused: a fact of the protocol, or the framework's or the runtime's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// One of the program's own errors.
    Fact(Error),
    /// An account that must sign does not.
    NotSigner,
    /// An account that must be writable is not.
    NotWritable,
    /// A fixed address is expected.
    WrongAddress,
    /// A sysvar's or derived account's address is expected.
    WrongSeeds,
    /// A program's address is expected.
    WrongProgram,
    /// A program is expected, this is no executable account.
    NotExecutable,
    /// The account belongs to another program.
    WrongOwner,
    /// The account does not exist.
    NoAccount,
    /// The account's discriminator is another type's.
    WrongType,
    /// The account has too few bytes for its type.
    TooSmall,
    /// A writable account is given twice.
    Duplicate,
    /// Fewer accounts than the instruction needs.
    TooFewAccounts,
    /// The data is no instruction's.
    BadData,
    /// The address is in use already (the system program's word).
    InUse,
    /// The paying wallet holds too little (the system program's word).
    TooPoor,
    /// An account would be left above zero and below its rent minimum.
    RentUnpaid,
    /// Anything else, in the chain's words.
    Other(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Fact(error)
    }
}

impl fmt::Display for Refusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other variants' names say it all"
    )]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(error) => write!(out, "{} ({})", error.name(), error.message()),
            other => write!(out, "{other:?}"),
        }
    }
}

impl From<&TransactionError> for Refusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest stays in the chain's words"
    )]
    fn from(error: &TransactionError) -> Self {
        match error {
            TransactionError::InstructionError(_, error) => Self::from(error),
            TransactionError::InsufficientFundsForRent { .. } => Self::RentUnpaid,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

impl From<&InstructionError> for Refusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest stays in the chain's words"
    )]
    #[expect(deprecated, reason = "the framework still answers with it")]
    fn from(error: &InstructionError) -> Self {
        match error {
            InstructionError::Custom(code) => Self::from_code(*code),
            InstructionError::MissingRequiredSignature => Self::NotSigner,
            InstructionError::InvalidSeeds => Self::WrongSeeds,
            InstructionError::IncorrectProgramId => Self::WrongProgram,
            InstructionError::IllegalOwner => Self::WrongOwner,
            InstructionError::UninitializedAccount => Self::NoAccount,
            InstructionError::InvalidAccountData => Self::WrongType,
            InstructionError::AccountDataTooSmall => Self::TooSmall,
            InstructionError::NotEnoughAccountKeys => Self::TooFewAccounts,
            InstructionError::InvalidInstructionData => Self::BadData,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

impl Refusal {
    /// Custom numbers: 0 and 1 are the system program's, 2000 on the framework's, 6000 on the program's.
    fn from_code(code: u32) -> Self {
        match code {
            0 => Self::InUse,
            1 => Self::TooPoor,
            2_000 => Self::NotWritable,
            2_007 => Self::NotExecutable,
            2_012 => Self::WrongAddress,
            2_040 => Self::Duplicate,
            code => match Error::from_code(code) {
                Some(error) => Self::Fact(error),
                None => Self::Other(format!("Custom({code})")),
            },
        }
    }
}
