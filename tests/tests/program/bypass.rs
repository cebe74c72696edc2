//! Every instruction in its valid form, and then each of its accounts spoiled in each way.
//!
//! `bypass/cells.txt` says what comes of every cell: the error, or `harmless` with the test that shows why. A cell
//! that is missing there, or that is there for nothing, fails; so does an instruction of the IDL without a scene.

use std::{collections::BTreeMap, fs, path::PathBuf};

use assay_client::instruction;
use assay_tests::World;
use serde_json::Value;

mod role;
pub mod scene;
mod spoil;

use role::Role;
use scene::Scene;
use spoil::Spoil;

const CELLS: &str = include_str!("bypass/cells.txt");

#[test]
fn every_spoiled_account_is_refused_or_harmless() {
    let mut expected = table();
    let mut wrong = Vec::new();
    for spec in instruction::ALL {
        let scene = scene::of(spec.name);
        for account in spec.accounts {
            for spoil in Spoil::all(spec, account) {
                let Some(found) = attempt(&scene, account.name, spoil) else {
                    continue;
                };
                let cell = format!("{} {} {spoil}", spec.name, account.name);
                match expected.remove(&cell) {
                    Some(line) if line == found => {}
                    Some(line) if line.starts_with("harmless") && found == "accepted" => {}
                    line => wrong.push(format!("{cell}: {found} (listed: {line:?})")),
                }
            }
        }
    }
    wrong.extend(
        expected
            .into_keys()
            .map(|cell| format!("{cell}: listed, but there is no such cell")),
    );
    assert!(
        wrong.is_empty(),
        "{} cells differ from cells.txt:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_harmless_cell_names_a_test_that_exists() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/program");
    let mut harmless = 0;
    for (cell, line) in table() {
        let Some(test) = line.strip_prefix("harmless, ") else {
            assert_ne!(line, "accepted", "{cell}: say why it is harmless");
            continue;
        };
        let (module, name) = test
            .split_once("::")
            .unwrap_or_else(|| panic!("{cell}: {test}"));
        let source = fs::read_to_string(folder.join(format!("{module}.rs")))
            .unwrap_or_else(|error| panic!("{cell}: {module}.rs: {error}"));
        let declared = source.contains(&format!("#[test]\nfn {name}()"));
        assert!(declared, "{cell}: there is no test {test}");
        harmless += 1;
    }
    assert!(harmless > 0);
}

/// The valid forms are valid: what is refused above is refused for the spoiling alone.
#[test]
fn every_valid_form_is_accepted() {
    for spec in instruction::ALL {
        let Scene {
            mut world, call, ..
        } = scene::of(spec.name);
        world.send(call).accepted();
    }
}

#[test]
fn every_instruction_of_the_idl_has_a_scene() {
    let idl: Value = serde_json::from_str(include_str!("../../../idl/assay.json")).unwrap();
    let instructions = idl["instructions"].as_array().unwrap();
    assert_eq!(instructions.len(), instruction::ALL.len());
    for instruction in instructions {
        let name = instruction["name"].as_str().unwrap();
        let Scene { call, .. } = scene::of(name);
        let ours: Vec<&str> = call
            .spec
            .accounts
            .iter()
            .map(|account| account.name)
            .collect();
        let theirs: Vec<&str> = instruction["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| account["name"].as_str().unwrap())
            .collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn every_instruction_short_of_its_last_account_fails() {
    for spec in instruction::ALL {
        let Scene {
            mut world, call, ..
        } = scene::of(spec.name);
        world
            .send(call.short_of_one())
            .refused(assay_tests::Refusal::TooFewAccounts);
    }
}

#[test]
fn every_instruction_with_truncated_arguments_fails() {
    for spec in instruction::ALL {
        let Scene {
            mut world, call, ..
        } = scene::of(spec.name);
        let arguments = call.instruction.data.len() - 8;
        if arguments > 0 {
            let cut = call.instruction.data[8..8 + arguments - 1].to_vec();
            world
                .send(call.arguments(&cut))
                .refused(assay_tests::Refusal::BadData);
        }
    }
}

#[test]
fn unknown_instructions_fail() {
    let mut world = World::new();
    let mut call = world.market_pause(0);
    for data in [vec![], vec![1, 2, 3], vec![0; 8], vec![0xff; 64]] {
        call.instruction.data = data;
        world.send(&call).refused(assay_tests::Refusal::BadData);
    }
}

/// What became of a spoiled instruction; none where the spoiling means nothing for such an account.
fn attempt(scene: &Scene, account: &str, spoil: Spoil) -> Option<String> {
    let mut world = scene.world.clone();
    let role = Role::of(scene.call.spec, account);
    let call = spoil.apply(&mut world, scene, account, role)?;
    let outcome = world.send(call);
    Some(match outcome.result {
        Ok(()) => "accepted".to_owned(),
        Err(assay_tests::Refusal::Fact(error)) => error.name().to_owned(),
        Err(other) => format!("{other:?}"),
    })
}

fn table() -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for line in CELLS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (cell, expected) = line
            .split_once(": ")
            .unwrap_or_else(|| panic!("no colon: {line}"));
        let before = table.insert(cell.to_owned(), expected.to_owned());
        assert!(before.is_none(), "{cell} is listed twice");
    }
    table
}
