//! Generation of the IDL and its comparison with the committed one.

use std::fs;
use std::path::Path;

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{Context, Result, bail};

mod sections;

const COMMITTED: &str = "idl/assay.json";

/// Generates the IDL and stores it where the clients look for it.
pub fn write(root: &Path) -> Result<()> {
    let generated = generate(root)?;
    let path = root.join(COMMITTED);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be created", folder.display()))?;
    }
    fs::write(&path, generated).with_context(|| format!("{} cannot be written", path.display()))?;
    eprintln!("assay-idl: wrote {COMMITTED}");
    Ok(())
}

/// Generates the IDL and fails, naming the first difference, unless it is the committed one.
pub fn check(root: &Path) -> Result<()> {
    let path = root.join(COMMITTED);
    let committed = fs::read_to_string(&path)
        .with_context(|| format!("{COMMITTED} cannot be read; `make idl` writes it"))?;
    let generated = generate(root)?;
    if let Some(difference) = first_difference(&committed, &generated) {
        bail!(
            "{COMMITTED} is not what the program's source says ({difference}); run `make idl` and commit the file"
        );
    }
    eprintln!("assay-idl: {COMMITTED} is up to date");
    Ok(())
}

/// Anchor's library runs the program's own printing tests and merges what they print.
///
/// The wrapper script calls this binary without `RUSTUP_TOOLCHAIN`, which the library would pass to cargo
/// wrongly, and with empty flags, so that the build shares its dependencies with the other tests.
fn generate(root: &Path) -> Result<String> {
    let mut idl = IdlBuilder::new()
        .program_path(root.join("programs/assay"))
        .skip_lint(true)
        .build()
        .context("the IDL could not be generated; the compiler's messages above say why")?;
    sections::read(&sections::print(root)?)?.add_to(&mut idl);
    let mut text = serde_json::to_string_pretty(&idl).context("the IDL cannot be printed")?;
    text.push('\n');
    Ok(text)
}

fn first_difference(committed: &str, generated: &str) -> Option<String> {
    if committed == generated {
        return None;
    }
    let mut old = committed.lines();
    let mut new = generated.lines();
    for number in 1_u32.. {
        match (old.next(), new.next()) {
            (Some(left), Some(right)) if left == right => {}
            (None, None) => break,
            (left, right) => {
                let shown = |line: Option<&str>| line.map_or("end of file", str::trim).to_owned();
                return Some(format!(
                    "line {number}: committed `{}`, generated `{}`",
                    shown(left),
                    shown(right)
                ));
            }
        }
    }
    Some("line ends differ".to_owned())
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn first_difference_of_equal_texts_is_none() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    }

    #[test]
    fn first_difference_names_the_line() {
        assert_eq!(
            first_difference("a\n b\n", "a\n c\n").as_deref(),
            Some("line 2: committed `b`, generated `c`")
        );
        assert_eq!(
            first_difference("a\n", "a\nc\n").as_deref(),
            Some("line 2: committed `end of file`, generated `c`")
        );
        assert_eq!(
            first_difference("a", "a\n").as_deref(),
            Some("line ends differ")
        );
    }
}
