//! Every file of the corpora through its target: what once was worth keeping stays right.

use std::{fs, path::Path};

#[test]
fn every_target_has_a_corpus_and_bears_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut folders: Vec<String> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let known: Vec<&str> = assay_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, known, "one folder a target");
    for (name, target) in assay_fuzz::TARGETS {
        let files: Vec<_> = fs::read_dir(root.join(name)).unwrap().collect();
        assert!(files.len() > 3, "{name} has {} files", files.len());
        for file in files {
            target(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}
