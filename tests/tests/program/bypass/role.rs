//! What an account is to its instruction, from which follows how it can be spoiled.

use assay_client::instruction::{Access, InstructionSpec};

/// An account's part in an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Signs because it is somebody.
    Party,
    /// Signs because it pays.
    Payer,
    /// An account of the program.
    State,
    /// An account that the instruction creates.
    New,
    /// A wallet recorded in an account of the program, which only receives.
    Payee,
    /// A wallet of the signer's choice, which only receives.
    Free,
    /// A fixed address of the runtime.
    Fixed,
    /// The loader's account with the upgrade authority.
    ProgramData,
}

/// Accounts that are created, by instruction.
const NEW: [(&str, &str); 7] = [
    ("market_init", "market"),
    ("market_init", "treasury"),
    ("provider_register", "provider"),
    ("model_register", "model"),
    ("job_create", "job"),
    ("panel_open", "panel"),
    ("session_open", "session"),
];

impl Role {
    pub fn of(spec: &InstructionSpec, account: &str) -> Self {
        let access = access(spec, account);
        match account {
            "payer" => Self::Payer,
            "authority" | "upgrade_authority" | "pending" | "author" | "operator" | "closer" => {
                Self::Party
            }
            "requester" if access.is_signer() => Self::Party,
            "requester" | "rent_payer" => Self::Payee,
            "destination" => Self::Free,
            "instructions" | "system_program" | "incinerator" => Self::Fixed,
            "program_data" => Self::ProgramData,
            "market" | "treasury" | "provider" | "model" | "job" | "panel" | "other_panel"
            | "panel1" | "panel2" | "evicted" | "session" => {
                if NEW.contains(&(spec.name, account)) {
                    Self::New
                } else {
                    Self::State
                }
            }
            other => panic!(
                "{} has an account {other} without a role: give it one",
                spec.name
            ),
        }
    }

    /// Whether an account in this role can sign at all: a wallet, not a derived account.
    pub fn is_wallet(self) -> bool {
        matches!(self, Self::Party | Self::Payer | Self::Payee | Self::Free)
    }
}

pub fn access(spec: &InstructionSpec, account: &str) -> Access {
    let found = spec.accounts.iter().find(|each| each.name == account);
    found
        .unwrap_or_else(|| panic!("{} has no account {account}", spec.name))
        .access
}
