//! The client's own tables against the committed IDL, which is generated from the program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use assay_client::{
    Event, PROGRAM_ID, account::Layout, discriminator, instruction, instruction::AccountSpec,
    protocol,
};
use serde_json::Value;

fn idl() -> Value {
    serde_json::from_str(include_str!("../../../idl/assay.json")).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::from_value(value.get("discriminator").unwrap().clone()).unwrap()
}

#[test]
fn instructions_are_those_of_the_idl() {
    let idl = idl();
    assert_eq!(text(&idl, "address"), PROGRAM_ID.to_string());
    let ours: BTreeMap<&str, &[AccountSpec]> = instruction::ALL
        .iter()
        .map(|spec| (spec.name, spec.accounts))
        .collect();
    let theirs = list(&idl, "instructions");
    assert_eq!(theirs.len(), ours.len());
    for theirs in theirs {
        let name = text(theirs, "name");
        let accounts = ours
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing here"));
        assert_eq!(bytes(theirs), discriminator::instruction(name), "{name}");
        assert_eq!(list(theirs, "accounts").len(), accounts.len(), "{name}");
        for (theirs, ours) in list(theirs, "accounts").iter().zip(*accounts) {
            let place = format!("{name}, {}", ours.name);
            assert_eq!(text(theirs, "name"), ours.name, "{place}");
            assert_eq!(flag(theirs, "signer"), ours.access.is_signer(), "{place}");
            assert_eq!(
                flag(theirs, "writable"),
                ours.access.is_writable(),
                "{place}"
            );
            assert_eq!(
                flag(theirs, "optional"),
                ours.access.is_optional(),
                "{place}"
            );
        }
    }
}

#[test]
fn account_discriminators_are_those_of_the_idl() {
    let idl = idl();
    for name in [
        protocol::MarketData::NAME,
        protocol::TreasuryData::NAME,
        protocol::ProviderData::NAME,
        protocol::ModelData::NAME,
        protocol::JobData::NAME,
        protocol::PanelData::NAME,
        protocol::SessionData::NAME,
    ] {
        let account = list(&idl, "accounts")
            .iter()
            .find(|entry| text(entry, "name") == name);
        assert_eq!(
            bytes(account.unwrap()),
            discriminator::account(name),
            "{name}"
        );
    }
}

#[test]
fn events_and_errors_are_those_of_the_idl() {
    let idl = idl();
    let mut ours = Event::NAMES.to_vec();
    ours.sort_unstable();
    let mut theirs: Vec<&str> = list(&idl, "events")
        .iter()
        .map(|event| text(event, "name"))
        .collect();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
    for event in list(&idl, "events") {
        let name = text(event, "name");
        assert_eq!(bytes(event), discriminator::event(name), "{name}");
    }
    let errors = list(&idl, "errors");
    assert_eq!(errors.len(), protocol::Error::ALL.len());
    for error in errors {
        let code = error.get("code").and_then(Value::as_u64).unwrap();
        let ours = protocol::Error::from_code(u32::try_from(code).unwrap()).unwrap();
        assert_eq!(
            (text(error, "name"), text(error, "msg")),
            (ours.name(), ours.message())
        );
    }
}
