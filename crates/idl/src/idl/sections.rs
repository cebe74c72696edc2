//! Events and errors, which live in `assay-protocol` and not in the program's crate.
//!
//! Anchor's library runs one crate's tests only, so it never sees them; they are printed in the same format.

use std::path::Path;
use std::process::{Command, Stdio};

use anchor_lang_idl::types::{Idl, IdlErrorCode, IdlEvent, IdlTypeDef};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

#[derive(Debug, Default)]
pub struct Sections {
    events: Vec<IdlEvent>,
    errors: Vec<IdlErrorCode>,
    types: Vec<IdlTypeDef>,
}

#[derive(Deserialize)]
struct EventSection {
    event: IdlEvent,
    types: Vec<IdlTypeDef>,
}

impl Sections {
    /// Adds everything, in an order that does not depend on the order of tests.
    pub fn add_to(self, idl: &mut Idl) {
        idl.events.extend(self.events);
        idl.events.sort_by(|left, right| left.name.cmp(&right.name));
        idl.errors.extend(self.errors);
        idl.errors.sort_by_key(|error| error.code);
        idl.types.extend(self.types);
        idl.types.sort_by(|left, right| left.name.cmp(&right.name));
        idl.types.dedup_by(|left, right| left.name == right.name);
    }
}

/// Runs the printing tests of `assay-protocol`.
pub fn print(root: &Path) -> Result<String> {
    let output = Command::new("cargo")
        .args([
            "test",
            "--quiet",
            "--package",
            "assay-protocol",
            "--lib",
            "--features",
            "idl-build",
        ])
        .args(["__anchor_private_print_idl", "--", "--show-output"])
        .current_dir(root.join("programs"))
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "the events and errors of assay-protocol could not be printed; the compiler's messages above say why"
    );
    String::from_utf8(output.stdout).context("cargo printed something that is not text")
}

/// Reads the marked sections out of a test run's output and ignores the rest.
pub fn read(output: &str) -> Result<Sections> {
    let mut sections = Sections::default();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line
            .strip_prefix("--- IDL begin ")
            .and_then(|rest| rest.strip_suffix(" ---"))
        else {
            continue;
        };
        let end = format!("--- IDL end {kind} ---");
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        let body = body.join("\n");
        let unreadable = || format!("the section `{kind}` is not what Anchor 2.0.0-rc.2 prints");
        match kind {
            "event" => {
                let section: EventSection = serde_json::from_str(&body).with_context(unreadable)?;
                sections.events.push(section.event);
                sections.types.extend(section.types);
            }
            "errors" => {
                let errors: Vec<IdlErrorCode> =
                    serde_json::from_str(&body).with_context(unreadable)?;
                sections.errors.extend(errors);
            }
            _ => bail!(
                "assay-protocol printed a section `{kind}`; only events and errors belong there"
            ),
        }
    }
    ensure!(
        !sections.events.is_empty() && !sections.errors.is_empty(),
        "assay-protocol printed no events or no errors; does its feature `idl-build` enable Anchor's?"
    );
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::read;

    const EVENT: &str = r#"noise
--- IDL begin event ---
{"event":{"name":"JobClosed","discriminator":[1,2,3,4,5,6,7,8]},
"types":[{"name":"JobClosed","type":{"kind":"struct","fields":[{"name":"slot","type":"u64"}]}}]}
--- IDL end event ---
"#;
    const ERRORS: &str = r#"--- IDL begin errors ---
[{"code":6000,"name":"AmountZero","msg":"The amount is zero."}]
--- IDL end errors ---
"#;

    #[test]
    fn sections_of_events_and_errors_are_read() {
        let sections = read(&format!("{EVENT}{ERRORS}")).unwrap();
        assert_eq!(sections.events[0].name, "JobClosed");
        assert_eq!(sections.types[0].name, "JobClosed");
        assert_eq!(sections.errors[0].code, 6000);
    }

    #[test]
    fn sections_without_errors_fail() {
        assert!(read(EVENT).unwrap_err().to_string().contains("no errors"));
    }

    #[test]
    fn sections_of_an_unknown_kind_fail() {
        let output = "--- IDL begin const ---\n1\n--- IDL end const ---\n";
        assert!(read(output).unwrap_err().to_string().contains("`const`"));
    }
}
