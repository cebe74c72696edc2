use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use tempfile::{TempDir, tempdir};

use super::*;
use crate::info::ModelInfo;

fn key(model: u8) -> Key {
    Key {
        model: Digest([model; 32]),
        facts: Digest([7; 32]),
    }
}

fn graph(byte: u8, size: usize) -> Optimised {
    Optimised {
        info: ModelInfo::default(),
        sample: "a sample".into(),
        graph: vec![byte; size],
    }
}

/// A folder of this limit, and a model of 10,000 bytes in it for each number.
fn folder(limit: u64, models: &[u8]) -> (TempDir, OptimisedModels) {
    let folder = tempdir().unwrap();
    let kept = OptimisedModels::open(folder.path(), limit).unwrap();
    for model in models {
        kept.write(&key(*model), &graph(*model, 10_000)).unwrap();
    }
    (folder, kept)
}

/// What a host comes to have of a model: what is spoiled it drops.
fn read(kept: &OptimisedModels, key: &Key) -> Option<Optimised> {
    let Entry {
        info,
        sample,
        graph,
        seal,
    } = kept.read(key, None)?;
    if !seal.holds(&graph).unwrap() {
        kept.reject(key);
        return None;
    }
    let Laid::Here(graph) = graph else {
        panic!("{graph:?}")
    };
    Some(Optimised {
        info,
        sample,
        graph: graph.to_vec(),
    })
}

fn names(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn what_is_kept_comes_back_and_is_found_by_its_model() {
    let (folder, kept) = folder(1 << 20, &[1, 2]);
    assert_eq!(read(&kept, &key(1)), Some(graph(1, 10_000)));
    assert_eq!(read(&kept, &key(2)), Some(graph(2, 10_000)));
    assert_eq!(read(&kept, &key(3)), None);
    let found = kept_of(folder.path(), &key(2).model).unwrap();
    let [(path, size)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(*path, kept.path(&key(2)));
    assert_eq!(*size, path.metadata().unwrap().size());
    let nowhere = folder.path().join("nowhere");
    assert!(kept_of(&nowhere, &key(2).model).unwrap().is_empty());
}

#[test]
fn file_that_was_cut_short_or_altered_anywhere_is_dropped() {
    let (_folder, kept) = folder(1 << 20, &[1]);
    let path = kept.path(&key(1));
    let whole = fs::read(&path).unwrap();
    let altered = (0..whole.len()).step_by(97).map(|at| {
        let mut file = whole.clone();
        file[at] ^= 1;
        file
    });
    let cut = (0..whole.len())
        .step_by(89)
        .map(|end| whole[..end].to_vec());
    for file in altered.chain(cut) {
        fs::write(&path, file).unwrap();
        assert_eq!(read(&kept, &key(1)), None);
        assert!(!path.exists());
    }
    fs::write(&path, whole).unwrap();
    assert!(
        read(&kept, &key(1)).is_some(),
        "the test alters what is good"
    );
}

#[test]
fn file_of_another_model_or_runtime_is_dropped_whatever_its_name() {
    let (_folder, kept) = folder(1 << 20, &[1]);
    let runtime = Key {
        facts: Digest([8; 32]),
        ..key(1)
    };
    for other in [key(2), runtime] {
        fs::copy(kept.path(&key(1)), kept.path(&other)).unwrap();
        assert_eq!(read(&kept, &other), None);
        assert!(!kept.path(&other).exists());
    }
    assert!(read(&kept, &key(1)).is_some());
}

#[test]
fn longest_unused_goes_first_and_what_is_foreign_stays() {
    let (folder, kept) = folder(32_000, &[1, 2, 3]);
    fs::write(folder.path().join("notes.txt"), "an operator's").unwrap();
    let age = |model: u8, seconds: u64| {
        let file = File::open(kept.path(&key(model))).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.set_modified(time).unwrap();
    };
    (1..=3).for_each(|model| age(model, 1_000 + u64::from(model)));
    // Used again, so that it is the youngest.
    read(&kept, &key(1)).unwrap();
    kept.write(&key(4), &graph(4, 10_000)).unwrap();
    let held = [1, 2, 3, 4].map(|model| kept.path(&key(model)).exists());
    assert_eq!(held, [true, false, true, true]);
    assert_eq!(names(&folder), 4);
}

#[test]
fn model_larger_than_the_limit_takes_no_room_from_others() {
    let (_folder, kept) = folder(32_000, &[1, 2]);
    let error = kept.write(&key(3), &graph(3, 32_000)).unwrap_err();
    assert!(matches!(error, OptimisedError::TooLarge { .. }), "{error}");
    assert!(read(&kept, &key(1)).is_some() && read(&kept, &key(2)).is_some());
}

#[test]
fn folder_that_cannot_be_made_is_said() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    let error = OptimisedModels::open(&file.join("optimised"), 1 << 20).unwrap_err();
    assert!(
        error.to_string().contains("optimised_cache_bytes"),
        "{error}"
    );
}

#[test]
fn write_that_fails_leaves_nothing_behind() {
    let (folder, kept) = folder(1 << 20, &[1]);
    // Root may write anywhere, but nobody may replace a folder by a file.
    fs::create_dir(kept.path(&key(2))).unwrap();
    let error = kept.write(&key(2), &graph(2, 10)).unwrap_err();
    assert!(matches!(error, OptimisedError::Io { .. }), "{error}");
    assert_eq!(names(&folder), 2);
    let mode = kept.path(&key(1)).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else writes what is loaded");
}

#[test]
fn model_whose_kept_form_fails_twice_is_not_kept_again() {
    let (_folder, kept) = folder(1 << 20, &[1]);
    assert!(kept.wants(&key(1)));
    kept.reject(&key(1));
    assert_eq!(read(&kept, &key(1)), None);
    assert!(kept.wants(&key(1)), "a disk may have spoiled it");
    kept.reject(&key(1));
    assert!(!kept.wants(&key(1)) && kept.wants(&key(2)));
    kept.give_up(&key(2));
    assert!(!kept.wants(&key(2)) && kept.wants(&key(3)));
}

#[tokio::test]
async fn large_graph_that_loads_no_quicker_twice_is_dropped_and_stays_known() {
    let folder = tempdir().unwrap();
    let kept = Arc::new(OptimisedModels::open(folder.path(), 64 << 20).unwrap());
    let cold = Duration::from_millis(100);
    for (model, warm) in [(1, 90), (2, 40)] {
        kept.keep(key(model), graph(model, 9 << 20), cold);
        kept.settled().await;
        for _ in 0..2 {
            let Found::Kept { cold: known, .. } = kept.get(key(model), None).await else {
                panic!("{model} is not kept")
            };
            assert_eq!(known, Some(cold));
            kept.used(key(model), Duration::from_millis(warm));
            kept.settled().await;
        }
    }
    assert!(matches!(kept.get(key(1), None).await, Found::GainsNothing));
    assert!(!kept.path(&key(1)).exists());
    assert!(matches!(kept.get(key(2), None).await, Found::Kept { .. }));
}
