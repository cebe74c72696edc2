//! SECURITY.md names tests; each of them must be there.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The names in code quotes that look like `place::of::a_test`.
fn named(text: &str) -> Vec<&str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| {
            let path = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte)
            };
            quoted.contains("::") && quoted.bytes().all(path)
        })
        .collect()
}

/// Where a name's module may lie: `program` and `e2e` are test binaries, the rest are crates with tests beside or in
/// their source. A module without a file of its own is part of the file above it.
fn files_of(root: &Path, module: &[&str]) -> Vec<PathBuf> {
    let Some((first, rest)) = module.split_first() else {
        return Vec::new();
    };
    let bases = match *first {
        "program" | "e2e" => vec![root.join("tests/tests").join(first)],
        "worker" => ["src", "tests"]
            .map(|part| root.join("worker").join(part))
            .to_vec(),
        "fuzz" => vec![root.join("tests/fuzz/tests")],
        _ => ["src", "tests"]
            .map(|part| root.join("crates").join(first).join(part))
            .to_vec(),
    };
    let paths = bases
        .iter()
        .map(|base| rest.iter().fold(base.clone(), |path, part| path.join(part)));
    paths
        .flat_map(|path| {
            [
                Some(path.with_extension("rs")),
                path.parent().map(|above| above.with_extension("rs")),
            ]
        })
        .flatten()
        .collect()
}

#[test]
fn every_test_that_security_md_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md is there");
    let named = named(&text);
    assert!(named.len() > 40, "{} tests are named", named.len());
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| {
            let parts: Vec<&str> = name.split("::").collect();
            let (test, module) = parts.split_last().expect("a name has parts");
            let mut sources = files_of(&root, module)
                .into_iter()
                .filter_map(|file| fs::read_to_string(file).ok());
            !sources.any(|source| source.contains(&format!("fn {test}(")))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
