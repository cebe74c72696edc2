//! A program that calls what it is handed: instructions reach ours by way of another program.
//!
//! It is native code of the simulated chain, so that nothing has to be built for it. Its callees see what they would
//! see below any program: the runtime's own stack, and a sysvar of instructions that tells of the outermost only.

use assay_client::protocol::Address;
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_program_runtime::{declare_process_instruction, invoke_context::InvokeContext};

/// Where it lives.
pub const PROXY: Address = Address::new_from_array([0xca; 32]);

declare_process_instruction!(Entrypoint, 1, |invoke_context| {
    for instruction in handed(invoke_context)? {
        invoke_context.native_invoke_signed(instruction, &[])?;
    }
    Ok(())
});

/// One instruction that has the proxy call these in turn, with the signatures that they need.
///
/// # Panics
/// Where a number of accounts or bytes does not fit its field.
pub fn through_proxy(instructions: &[Instruction]) -> Instruction {
    let (mut accounts, mut data) = (Vec::new(), Vec::new());
    for instruction in instructions {
        accounts.push(AccountMeta::new_readonly(instruction.program_id, false));
        accounts.extend_from_slice(&instruction.accounts);
        data.push(u8::try_from(instruction.accounts.len()).expect("few accounts"));
        let length = u16::try_from(instruction.data.len()).expect("short data");
        data.extend_from_slice(&length.to_le_bytes());
        data.extend_from_slice(&instruction.data);
    }
    Instruction {
        program_id: PROXY,
        accounts,
        data,
    }
}

/// What programs are given to do in the end: the proxy's instructions in place of its own.
pub fn unfolded(instructions: &[Instruction]) -> Vec<Instruction> {
    let unfold = |instruction: &Instruction| {
        if instruction.program_id == PROXY {
            unpack(&instruction.accounts, &instruction.data).expect("packed by this module")
        } else {
            vec![instruction.clone()]
        }
    };
    instructions.iter().flat_map(unfold).collect()
}

fn handed(invoke_context: &InvokeContext<'_, '_>) -> Result<Vec<Instruction>, InstructionError> {
    let transaction = &invoke_context.transaction_context;
    let context = transaction.get_current_instruction_context()?;
    let meta = |index| {
        Ok(AccountMeta {
            pubkey: *context.get_key_of_instruction_account(index)?,
            is_signer: context.is_instruction_account_signer(index)?,
            is_writable: context.is_instruction_account_writable(index)?,
        })
    };
    let accounts = (0..context.get_number_of_instruction_accounts()).map(meta);
    let accounts: Vec<AccountMeta> = accounts.collect::<Result<_, InstructionError>>()?;
    unpack(&accounts, context.get_instruction_data())
        .ok_or(InstructionError::InvalidInstructionData)
}

/// None where accounts or bytes are missing.
fn unpack(mut accounts: &[AccountMeta], mut data: &[u8]) -> Option<Vec<Instruction>> {
    let mut found = Vec::new();
    while let Some((count, rest)) = data.split_first() {
        let (length, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let (program, others) = accounts.split_first()?;
        let (own, others) = others.split_at_checked(usize::from(*count))?;
        found.push(Instruction {
            program_id: program.pubkey,
            accounts: own.to_vec(),
            data: bytes.to_vec(),
        });
        (accounts, data) = (others, rest);
    }
    Some(found)
}
