//! Deploys a program with the upgradeable loader's own instructions, over JSON-RPC only.
//!
//! The same code serves the local chain, devnet and mainnet, so the local chain has a real ProgramData account with
//! its upgrade authority in it. The buffer lives at an address derived from the payer and the file: a deployment that
//! was interrupted goes on where it stopped and needs no key file for the buffer.

mod error;
mod send;
mod state;

use assay_client::budget::{LAMPORTS_PER_SIGNATURE, PACKET_BYTES};
use sha2::{Digest, Sha256};
use solana_client::rpc_client::RpcClient;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_loader_v3_interface::{
    instruction::{
        self as loader, MINIMUM_EXTEND_PROGRAM_BYTES, UpgradeableLoaderInstruction,
        deploy_with_max_program_len, extend_program,
    },
    state::UpgradeableLoaderState,
};
use solana_message::Message;
use solana_sdk::pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signer::Signer;
use solana_system_interface::instruction::create_account_with_seed;

use send::{Intent, Sender};

pub use error::DeployError;
pub use state::{DeployedProgram, deployed_program};

/// The loader's write takes 2,370 compute units and the two instructions before it 150 each.
const WRITE_COMPUTE_UNITS: u32 = 3_000;
const BUFFER_TRIES: u8 = 16;

/// What to deploy, and with which keys.
pub struct Deployment<'a> {
    pub elf: &'a [u8],
    pub program_id: Pubkey,
    /// The secret key of the program id; an upgrade does not need it.
    pub program_key: Option<&'a Keypair>,
    /// Becomes the upgrade authority, or is it already.
    pub authority: &'a Keypair,
    /// Pays the rent of the program and all fees; the authority may pay itself.
    pub payer: &'a Keypair,
    /// Priority fee in micro-lamports a compute unit; 0 on a chain without competition.
    pub compute_unit_price: u64,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub bytes_written: usize,
    pub bytes_total: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Deployed,
    Upgraded,
    /// The chain already runs these bytes; nothing was sent.
    Unchanged,
}

/// Deploys, upgrades, or finds that nothing is to do. Waits until the result is confirmed and compares it.
///
/// # Errors
/// Whatever keeps the file from running under that program id; see [`DeployError`].
pub fn deploy(
    rpc: &RpcClient,
    deployment: &Deployment<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, DeployError> {
    let elf = deployment.elf;
    if !elf.starts_with(b"\x7fELF") {
        return Err(DeployError::NotAnElf { length: elf.len() });
    }
    let existing = deployed_program(rpc, &deployment.program_id)?;
    if existing.as_ref().is_some_and(|program| program.runs(elf)) {
        return Ok(Outcome::Unchanged);
    }
    let steps = Steps { rpc, deployment };
    let outcome = match existing {
        None => steps.deploy_first(progress)?,
        Some(program) => steps.upgrade(&program, progress)?,
    };
    match deployed_program(rpc, &deployment.program_id)? {
        Some(program) if program.runs(elf) => Ok(outcome),
        Some(_) | None => Err(DeployError::NotVerified),
    }
}

struct Steps<'a> {
    rpc: &'a RpcClient,
    deployment: &'a Deployment<'a>,
}

impl Steps<'_> {
    fn deploy_first(&self, progress: &mut dyn FnMut(Progress)) -> Result<Outcome, DeployError> {
        let Deployment {
            elf,
            program_id,
            authority,
            payer,
            ..
        } = self.deployment;
        let key = self
            .deployment
            .program_key
            .filter(|key| key.pubkey() == *program_id)
            .ok_or(DeployError::NoProgramKey {
                address: *program_id,
            })?;
        let rent = self.rent(UpgradeableLoaderState::size_of_program())?;
        let data_rent = self.rent(UpgradeableLoaderState::size_of_programdata(elf.len()))?;
        self.check_balance(rent.saturating_add(data_rent))?;
        let buffer = self.fill_buffer(progress)?;
        let instructions = deploy_with_max_program_len(
            &payer.pubkey(),
            program_id,
            &buffer,
            &authority.pubkey(),
            rent,
            elf.len(),
            true,
        )
        .map_err(|error| DeployError::Encode {
            purpose: "deploy the program",
            reason: error.to_string(),
        })?;
        self.sender(&[payer, key, authority])
            .send_one("deploy the program", self.priced(None, instructions))?;
        Ok(Outcome::Deployed)
    }

    fn upgrade(
        &self,
        program: &DeployedProgram,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Outcome, DeployError> {
        let Deployment {
            elf,
            program_id,
            authority,
            payer,
            ..
        } = self.deployment;
        match program.authority {
            None => {
                return Err(DeployError::Final {
                    address: *program_id,
                });
            }
            Some(found) if found != authority.pubkey() => {
                return Err(DeployError::WrongAuthority {
                    address: *program_id,
                    found,
                    given: authority.pubkey(),
                });
            }
            Some(_) => {}
        }
        self.check_balance(self.rent(UpgradeableLoaderState::size_of_buffer(elf.len()))?)?;
        self.extend(program)?;
        let buffer = self.fill_buffer(progress)?;
        let upgrade = loader::upgrade(
            program_id,
            &buffer,
            &authority.pubkey(),
            &payer.pubkey(),
            true,
        );
        self.sender(&[payer, authority])
            .send_one("upgrade the program", self.priced(None, vec![upgrade]))?;
        Ok(Outcome::Upgraded)
    }

    /// Reserves more space for a file that has outgrown the one before it.
    fn extend(&self, program: &DeployedProgram) -> Result<(), DeployError> {
        let missing = self
            .deployment
            .elf
            .len()
            .saturating_sub(program.space.len());
        let Ok(missing) = u32::try_from(missing) else {
            return Err(DeployError::Encode {
                purpose: "extend the program",
                reason: format!("{missing} bytes are too many"),
            });
        };
        if missing == 0 {
            return Ok(());
        }
        let payer = self.deployment.payer;
        let extend = extend_program(
            &self.deployment.program_id,
            Some(&payer.pubkey()),
            missing.max(MINIMUM_EXTEND_PROGRAM_BYTES),
        );
        self.sender(&[payer])
            .send_one("extend the program", self.priced(None, vec![extend]))
    }

    /// Brings the file into a buffer, writing only the pieces that are not there yet.
    fn fill_buffer(&self, progress: &mut dyn FnMut(Progress)) -> Result<Pubkey, DeployError> {
        let Deployment {
            elf,
            authority,
            payer,
            ..
        } = self.deployment;
        let (buffer, content) = self.open_buffer()?;
        let step = self.piece_length(&buffer);
        let mut missing = Vec::new();
        let mut bytes_missing = 0;
        for (index, piece) in elf.chunks(step).enumerate() {
            let offset = index.saturating_mul(step);
            if content
                .get(offset..)
                .is_some_and(|at| at.starts_with(piece))
            {
                continue;
            }
            bytes_missing += piece.len();
            let offset = u32::try_from(offset).map_err(|error| DeployError::Encode {
                purpose: "write the program",
                reason: error.to_string(),
            })?;
            missing.push(self.write(&buffer, offset, piece));
        }
        let bytes_total = elf.len();
        let mut bytes_written = bytes_total.saturating_sub(bytes_missing);
        let mut report = |pieces: usize| {
            bytes_written = bytes_written
                .saturating_add(pieces.saturating_mul(step))
                .min(bytes_total);
            progress(Progress {
                bytes_written,
                bytes_total,
            });
        };
        report(0);
        self.sender(&[payer, authority])
            .send_all("write the program", missing, &mut report)?;
        Ok(buffer)
    }

    /// Finds the buffer that an earlier run left behind, or creates it.
    fn open_buffer(&self) -> Result<(Pubkey, Vec<u8>), DeployError> {
        let Deployment {
            elf,
            authority,
            payer,
            ..
        } = self.deployment;
        for attempt in 0..BUFFER_TRIES {
            let (seed, buffer) = self.buffer_address(attempt)?;
            match state::account(self.rpc, &buffer)? {
                // Anyone can send lamports to the address or fill it; then the next one serves.
                Some(account) => {
                    if let Some(content) =
                        state::buffer_content(&account, &authority.pubkey(), elf.len())
                    {
                        return Ok((buffer, content));
                    }
                }
                None => {
                    let size = UpgradeableLoaderState::size_of_buffer(elf.len());
                    let create = create_account_with_seed(
                        &payer.pubkey(),
                        &buffer,
                        &payer.pubkey(),
                        &seed,
                        self.rent(size)?,
                        u64::try_from(size).unwrap_or(u64::MAX),
                        &bpf_loader_upgradeable::ID,
                    );
                    let initialize = Instruction::new_with_wincode(
                        bpf_loader_upgradeable::ID,
                        &UpgradeableLoaderInstruction::InitializeBuffer,
                        vec![
                            AccountMeta::new(buffer, false),
                            AccountMeta::new_readonly(authority.pubkey(), false),
                        ],
                    );
                    self.sender(&[payer]).send_one(
                        "create the buffer",
                        self.priced(None, vec![create, initialize]),
                    )?;
                    return Ok((buffer, vec![0; elf.len()]));
                }
            }
        }
        Err(DeployError::NoBuffer {
            tries: BUFFER_TRIES,
        })
    }

    fn buffer_address(&self, attempt: u8) -> Result<(String, Pubkey), DeployError> {
        let digest = hex::encode(Sha256::digest(self.deployment.elf));
        // A seed has at most 32 bytes.
        let seed = format!("{digest:.30}{attempt:02x}");
        let payer = self.deployment.payer.pubkey();
        Pubkey::create_with_seed(&payer, &seed, &bpf_loader_upgradeable::ID)
            .map(|buffer| (seed, buffer))
            .map_err(|error| DeployError::Encode {
                purpose: "create the buffer",
                reason: error.to_string(),
            })
    }

    fn write(&self, buffer: &Pubkey, offset: u32, piece: &[u8]) -> Intent {
        let authority = self.deployment.authority.pubkey();
        let write = loader::write(buffer, &authority, offset, piece.to_vec());
        self.priced(Some(WRITE_COMPUTE_UNITS), vec![write])
    }

    /// As much of the file as one transaction carries beside its signatures, keys and instructions.
    fn piece_length(&self, buffer: &Pubkey) -> usize {
        let instructions = self.write(buffer, 0, &[]);
        let message = Message::new(&instructions, Some(&self.deployment.payer.pubkey()));
        let signatures = usize::from(message.header.num_required_signatures) * 64 + 1;
        // The instruction's length needs a second byte once the piece is in it.
        PACKET_BYTES.saturating_sub(signatures + message.serialize().len() + 1)
    }

    fn priced(&self, units: Option<u32>, mut instructions: Vec<Instruction>) -> Vec<Instruction> {
        let price = self.deployment.compute_unit_price;
        if price == 0 {
            return instructions;
        }
        let mut priced = vec![ComputeBudgetInstruction::set_compute_unit_price(price)];
        priced.extend(units.map(ComputeBudgetInstruction::set_compute_unit_limit));
        priced.append(&mut instructions);
        priced
    }

    /// A signer that appears twice signs once.
    fn sender<'b>(&'b self, signers: &[&'b Keypair]) -> Sender<'b> {
        let mut unique: Vec<&Keypair> = Vec::new();
        for signer in signers {
            if unique.iter().all(|known| known.pubkey() != signer.pubkey()) {
                unique.push(signer);
            }
        }
        Sender {
            rpc: self.rpc,
            signers: unique,
        }
    }

    fn check_balance(&self, rent: u64) -> Result<(), DeployError> {
        let payer = self.deployment.payer.pubkey();
        // An estimate without the priority fee; pieces are never shorter than half of what fits.
        let pieces = self.deployment.elf.len().div_ceil(PACKET_BYTES / 2);
        let signatures = u64::try_from(pieces).unwrap_or(u64::MAX).saturating_mul(2);
        let needed = rent.saturating_add(signatures.saturating_mul(LAMPORTS_PER_SIGNATURE));
        let balance = self
            .rpc
            .get_balance(&payer)
            .map_err(|error| DeployError::rpc("getBalance", error))?;
        // The rent that an interrupted run has in its buffer counts as paid.
        let (_, buffer) = self.buffer_address(0)?;
        let paid = state::account(self.rpc, &buffer)?.map_or(0, |account| account.lamports);
        if balance.saturating_add(paid) < needed {
            return Err(DeployError::TooPoor {
                payer,
                balance,
                needed: needed.saturating_sub(paid),
            });
        }
        Ok(())
    }

    fn rent(&self, length: usize) -> Result<u64, DeployError> {
        self.rpc
            .get_minimum_balance_for_rent_exemption(length)
            .map_err(|error| DeployError::rpc("getMinimumBalanceForRentExemption", error))
    }
}
