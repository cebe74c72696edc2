//! Why a transaction failed, by name.

use std::fmt;

use assay_protocol::Error as MarketError;
use solana_instruction::error::InstructionError;
use solana_transaction_error::TransactionError;

/// A failed transaction: where it failed and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Index of the failed instruction in its transaction.
    pub instruction: Option<u8>,
    pub cause: Cause,
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A rule of the market.
    Market(MarketError),
    /// A check of the program's framework.
    Framework(FrameworkError),
    /// The system program's account or balance checks, called by the program.
    System(SystemError),
    /// One of the runtime's own errors of an instruction.
    Instruction(InstructionError),
    /// The transaction as a whole.
    Transaction(TransactionError),
}

/// What the program's framework refuses with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameworkError {
    pub code: u32,
    pub name: &'static str,
    pub message: &'static str,
}

/// What the system program refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemError {
    pub code: u32,
    pub name: &'static str,
    pub message: &'static str,
}

const FRAMEWORK: &[(u32, &str, &str)] = &[
    (
        2_000,
        "ConstraintMut",
        "An account that must be writable is not.",
    ),
    (
        2_001,
        "ConstraintHasOne",
        "An account is not the one that another account names.",
    ),
    (
        2_003,
        "ConstraintRaw",
        "An account violates a condition of the instruction.",
    ),
    (
        2_005,
        "ConstraintRentExempt",
        "An account does not hold its rent.",
    ),
    (
        2_007,
        "ConstraintExecutable",
        "An account that must be a program is none.",
    ),
    (
        2_011,
        "ConstraintClose",
        "An account cannot be closed into itself.",
    ),
    (
        2_012,
        "ConstraintAddress",
        "An account does not have the address it must have.",
    ),
    (
        2_013,
        "ConstraintZero",
        "An account that must be empty is not.",
    ),
    (2_019, "ConstraintSpace", "An account has the wrong size."),
    (
        2_020,
        "ConstraintAccountIsNone",
        "An account is missing that is needed here.",
    ),
    (
        2_040,
        "ConstraintDuplicateMutableAccount",
        "One writable account was given twice.",
    ),
    (
        2_500,
        "RequireViolated",
        "A condition of the instruction does not hold.",
    ),
    (
        2_501,
        "RequireEqViolated",
        "Two values that must be equal differ.",
    ),
    (
        2_502,
        "RequireKeysEqViolated",
        "Two addresses that must be equal differ.",
    ),
    (
        2_503,
        "RequireNeqViolated",
        "Two values that must differ are equal.",
    ),
    (
        2_504,
        "RequireKeysNeqViolated",
        "Two addresses that must differ are equal.",
    ),
    (2_505, "RequireGtViolated", "A value must be greater."),
    (
        2_506,
        "RequireGteViolated",
        "A value must be greater or equal.",
    ),
];

const SYSTEM: &[(u32, &str, &str)] = &[
    (
        0,
        "AccountAlreadyInUse",
        "The account to be created exists already.",
    ),
    (
        1,
        "ResultWithNegativeLamports",
        "The wallet holds too few lamports; add some.",
    ),
    (
        2,
        "InvalidProgramId",
        "The account cannot be assigned to that program.",
    ),
    (
        3,
        "InvalidAccountDataLength",
        "The account cannot have that size.",
    ),
];

impl Failure {
    /// The failure that a transaction, sent or simulated, reported.
    pub fn of(error: &TransactionError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only one variant concerns an instruction"
        )]
        match error {
            TransactionError::InstructionError(index, error) => Self {
                instruction: Some(*index),
                cause: Cause::of(error),
            },
            other => Self {
                instruction: None,
                cause: Cause::Transaction(other.clone()),
            },
        }
    }

    /// The violated rule of the market, if it was one.
    pub const fn market(&self) -> Option<MarketError> {
        match self.cause {
            Cause::Market(error) => Some(error),
            Cause::Framework(_)
            | Cause::System(_)
            | Cause::Instruction(_)
            | Cause::Transaction(_) => None,
        }
    }
}

impl Cause {
    /// The cause that an instruction's error stands for.
    pub fn of(error: &InstructionError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only one variant carries a number"
        )]
        let code = match error {
            InstructionError::Custom(code) => *code,
            other => return Self::Instruction(other.clone()),
        };
        let named = |table: &'static [(u32, &'static str, &'static str)]| {
            table.iter().find(|(known, ..)| *known == code)
        };
        if let Some(error) = MarketError::from_code(code) {
            Self::Market(error)
        } else if let Some((_, name, message)) = named(FRAMEWORK) {
            Self::Framework(FrameworkError {
                code,
                name,
                message,
            })
        } else if let Some((_, name, message)) = named(SYSTEM) {
            Self::System(SystemError {
                code,
                name,
                message,
            })
        } else {
            Self::Instruction(error.clone())
        }
    }

    /// The error's name, as in the IDL where the program defines it.
    pub fn name(&self) -> String {
        match self {
            Self::Market(error) => error.name().to_owned(),
            Self::Framework(error) => error.name.to_owned(),
            Self::System(error) => error.name.to_owned(),
            Self::Instruction(error) => variant(error),
            Self::Transaction(error) => variant(error),
        }
    }
}

/// The name of an enum's variant without its fields.
fn variant(error: &impl fmt::Debug) -> String {
    let mut text = format!("{error:?}");
    if let Some(end) = text.find(['(', '{', ' ']) {
        text.truncate(end);
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Market(error) => {
                write!(
                    f,
                    "{} ({}): {}",
                    error.name(),
                    error.code(),
                    error.message()
                )
            }
            Cause::Framework(FrameworkError {
                code,
                name,
                message,
            })
            | Cause::System(SystemError {
                code,
                name,
                message,
            }) => {
                write!(f, "{name} ({code}): {message}")
            }
            Cause::Instruction(error) => write!(f, "{}: {error}", self.cause.name()),
            Cause::Transaction(error) => write!(f, "{}: {error}", self.cause.name()),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(code: u32) -> Failure {
        Failure::of(&TransactionError::InstructionError(
            2,
            InstructionError::Custom(code),
        ))
    }

    #[test]
    fn every_market_error_is_named() {
        for error in MarketError::ALL {
            let failure = custom(error.code());
            assert_eq!(failure.market(), Some(*error));
            assert_eq!(failure.instruction, Some(2));
            let text = failure.to_string();
            assert!(
                text.contains(error.name()) && text.contains(error.message()),
                "{text}"
            );
        }
    }

    #[test]
    fn other_numbers_are_named_by_who_uses_them() {
        assert_eq!(
            custom(2_040).cause.name(),
            "ConstraintDuplicateMutableAccount"
        );
        assert_eq!(custom(1).cause.name(), "ResultWithNegativeLamports");
        assert_eq!(custom(5_999).cause.name(), "Custom");
        assert_eq!(custom(5_999).market(), None);
        let seeds = Failure::of(&TransactionError::InstructionError(
            0,
            InstructionError::InvalidSeeds,
        ));
        assert_eq!(seeds.cause.name(), "InvalidSeeds");
        let poor = Failure::of(&TransactionError::InsufficientFundsForRent { account_index: 3 });
        assert_eq!(
            (poor.instruction, poor.cause.name().as_str()),
            (None, "InsufficientFundsForRent")
        );
    }
}
