//! The project's Anchor chores without the Anchor CLI: the IDL and the program's id.
//!
//! A crate of its own because Anchor's IDL library belongs to the build and to nothing that ships.

mod idl;
mod program_id;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str =
    "usage: assay-idl write | check | program-id KEYPAIR.json | address KEYPAIR.json
  write       generate idl/assay.json from programs/assay
  check       fail if idl/assay.json differs from the program's source
  program-id  make the keypair's address the program's id in source, Anchor.toml and IDL
  address     print the keypair's address";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("assay-idl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = project_root()?;
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let operand = arguments.next();
    match (command.as_deref(), operand) {
        (Some("write"), None) => idl::write(&root),
        (Some("check"), None) => idl::check(&root),
        (Some("program-id"), Some(keypair)) => {
            program_id::rewrite(&root, &program_id::address(keypair.as_ref())?)
        }
        (Some("address"), Some(keypair)) => {
            println!("{}", program_id::address(keypair.as_ref())?);
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

fn project_root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    here.ancestors()
        .find(|folder| folder.join("programs/assay/Cargo.toml").is_file())
        .map(PathBuf::from)
        .context(
            "programs/assay was not found in this folder or above it; run it inside the project",
        )
}
