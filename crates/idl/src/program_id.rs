//! The program's id: one unconditional `declare_id!`, because Anchor computes addresses from it while compiling.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

const SOURCE: &str = "programs/assay/src/lib.rs";
const ANCHOR: &str = "Anchor.toml";
const MARK: &str = "declare_id!(\"";

/// The address of a keypair file as the Solana CLI writes it: 64 numbers, the last 32 the public key.
pub fn address(keypair: &Path) -> Result<String> {
    let text = fs::read_to_string(keypair)
        .with_context(|| format!("{} cannot be read", keypair.display()))?;
    let bytes: Vec<u8> = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not a keypair file of the Solana CLI (a list of 64 numbers)",
            keypair.display()
        )
    })?;
    ensure!(
        bytes.len() == 64,
        "{} holds {} numbers; a keypair has 64",
        keypair.display(),
        bytes.len()
    );
    let (_secret, public) = bytes.split_at(32);
    Ok(bs58::encode(public).into_string())
}

/// Replaces the id in the source, in every cluster of Anchor.toml that has it, and in the IDL.
pub fn rewrite(root: &Path, id: &str) -> Result<()> {
    let source = root.join(SOURCE);
    let text = fs::read_to_string(&source).with_context(|| format!("{SOURCE} cannot be read"))?;
    let old = declared(&text)?.to_owned();
    if old == id {
        eprintln!("assay-idl: the program's id is {id} already");
        return Ok(());
    }
    replace(&source, &old, id)?;
    for other in [
        root.join(ANCHOR),
        root.join("idl/assay.json"),
        root.join("crates/client/src/program.rs"),
    ] {
        if other.is_file() {
            replace(&other, &old, id)?;
        }
    }
    eprintln!("assay-idl: the program's id was {old} and is {id} now; rebuild with `make build`");
    Ok(())
}

fn declared(source: &str) -> Result<&str> {
    let mut parts = source.split(MARK);
    let (_before, Some(after), None) = (parts.next(), parts.next(), parts.next()) else {
        bail!("{SOURCE} must contain `declare_id!(\"..\")` exactly once");
    };
    after
        .split_once('"')
        .map(|(id, _rest)| id)
        .with_context(|| format!("{SOURCE} has a `declare_id!` that does not end"))
}

fn replace(path: &Path, old: &str, new: &str) -> Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    fs::write(path, text.replace(old, new))
        .with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "11111111111111111111111111111112";

    fn project(declarations: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("programs/assay/src")).unwrap();
        fs::create_dir_all(root.path().join("idl")).unwrap();
        fs::write(root.path().join(SOURCE), declarations).unwrap();
        fs::write(root.path().join(ANCHOR), format!("assay = \"{OLD}\"\n")).unwrap();
        fs::write(
            root.path().join("idl/assay.json"),
            format!("{{\"address\": \"{OLD}\"}}"),
        )
        .unwrap();
        root
    }

    #[test]
    fn address_is_the_second_half_of_the_keypair() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id.json");
        let mut bytes = vec![7_u8; 32];
        bytes.extend([0_u8; 31]);
        bytes.push(1);
        fs::write(&path, serde_json::to_string(&bytes).unwrap()).unwrap();
        assert_eq!(address(&path).unwrap(), OLD);
        fs::write(&path, "[1, 2]").unwrap();
        assert!(
            address(&path)
                .unwrap_err()
                .to_string()
                .contains("holds 2 numbers")
        );
    }

    #[test]
    fn rewrite_changes_source_configuration_and_idl() {
        let root = project(&format!("declare_id!(\"{OLD}\");\n"));
        rewrite(root.path(), "NEW").unwrap();
        let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(read(SOURCE), "declare_id!(\"NEW\");\n");
        assert_eq!(read(ANCHOR), "assay = \"NEW\"\n");
        assert_eq!(read("idl/assay.json"), "{\"address\": \"NEW\"}");
    }

    #[test]
    fn rewrite_with_two_declarations_fails_and_changes_nothing() {
        let text = format!("declare_id!(\"{OLD}\");\ndeclare_id!(\"{OLD}\");\n");
        let root = project(&text);
        assert!(
            rewrite(root.path(), "NEW")
                .unwrap_err()
                .to_string()
                .contains("exactly once")
        );
        assert_eq!(fs::read_to_string(root.path().join(SOURCE)).unwrap(), text);
    }
}
