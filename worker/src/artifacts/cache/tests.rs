use proptest::{collection::vec, prelude::*};

use std::io::Read as _;

use super::*;

fn digest(number: u8) -> [u8; 32] {
    [number; 32]
}

proptest! {
    #[test]
    fn shelf_knows_its_sum_and_its_oldest(steps in vec((0_u8..3, 0_u8..12, 0_u64..9_000), 0..80)) {
        let mut shelf = Shelf::default();
        let mut model: Vec<([u8; 32], u64)> = Vec::new();
        for (used, (step, number, size)) in (1_u64..).zip(steps) {
            let digest = digest(number);
            let known = model.iter().position(|(other, _)| *other == digest);
            let before = known.map(|position| model.remove(position));
            match step {
                0 => {
                    shelf.insert(digest, size, used);
                    model.push((digest, size));
                }
                1 => {
                    shelf.touch(&digest, used);
                    model.extend(before);
                }
                _ => prop_assert_eq!(shelf.remove(&digest), before.map(|(_, size)| size)),
            }
            let sum: u64 = model.iter().map(|(_, size)| size.max(&LEAST)).sum();
            prop_assert_eq!((shelf.len(), shelf.bytes()), (model.len(), sum));
            let second = model.iter().find(|(digest, _)| digest[0] != 3);
            prop_assert_eq!(shelf.oldest(|digest| digest[0] != 3), second.map(|(digest, _)| *digest));
        }
    }
}

#[test]
fn files_of_a_byte_go_by_their_number_long_before_the_bytes_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache {
        most_files: 3,
        ..Cache::open("test", folder.path(), 1 << 30).unwrap()
    };
    let put = |byte: u8| {
        let digest = Digest::of(&[&[byte]]);
        let mut incoming = cache.incoming(digest, 1).unwrap();
        incoming.write(&[byte]).unwrap();
        incoming.finish().unwrap();
        digest
    };
    let first = put(0);
    cache.hold([first.0].into());
    for byte in 1..9 {
        put(byte);
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert!(files <= 3, "{files}");
    }
    assert!(cache.contains(&first), "it is held");
    assert!(cache.contains(&Digest::of(&[&[8]])));
}

#[test]
fn file_that_is_sent_on_is_read_once_to_check_it() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::of(&[b"input"]);
    let path = folder.path().join(hex::encode(digest.0));
    let open = || Cache::open("blobs", folder.path(), 100_000).unwrap();
    let sent = |cache: &Cache| {
        let (mut file, size) = cache.open_checked(&digest).unwrap()?;
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        Some((text, size))
    };
    fs::write(&path, "input").unwrap();
    let cache = open();
    for _ in 0..2 {
        assert_eq!(sent(&cache), Some(("input".to_owned(), 5)));
    }
    // Not looked at again: whoever asked checks what comes.
    fs::write(&path, "rotted").unwrap();
    assert_eq!(sent(&cache), Some(("rotted".to_owned(), 6)));
    assert_eq!(cache.get(&digest).unwrap(), None);
    assert_eq!(sent(&cache), None, "whoever ran it has found out");
    fs::write(&path, "rotted").unwrap();
    assert_eq!(sent(&open()), None, "nor after a start");
    assert!(!path.exists());
}
