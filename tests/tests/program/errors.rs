//! Every error of the program is met by some test here, or is listed with the reason why nothing can bring it about.

use std::{fs, path::Path};

use assay_client::protocol::Error;

/// What the program refuses although no transaction gets that far.
const OUT_OF_REACH: [(Error, &str); 6] = [
    (
        Error::AmountInsufficient,
        "every subtraction is of an amount that was checked or reserved before",
    ),
    (
        Error::ClockOverflow,
        "the clock would have to stand 30 days before the end of 64 bits",
    ),
    (
        Error::InvariantViolated,
        "the program's own bookkeeping would have to be wrong",
    ),
    (
        Error::JobStatusInvalid,
        "the program writes known statuses only",
    ),
    (
        Error::JobTransitionForbidden,
        "each instruction names the status it starts from",
    ),
    (
        Error::PanelStateInvalid,
        "the program writes known states only",
    ),
];

#[test]
fn every_error_is_met_or_out_of_reach() {
    let mut sources = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program"),
        &mut sources,
    );
    for error in Error::ALL {
        let name = format!("Error::{}", error.name());
        let whole = |rest: &str| !rest.starts_with(char::is_alphanumeric);
        let met = sources.split(&name).skip(1).any(whole);
        let listed = OUT_OF_REACH.iter().any(|(listed, _)| listed == error);
        assert!(
            met != listed,
            "{}: met by a test: {met}, listed here: {listed}",
            error.name()
        );
    }
}

/// All test sources but this one.
fn read(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.file_name().is_some_and(|name| name != "errors.rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
