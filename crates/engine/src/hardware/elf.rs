//! Which shared libraries an ELF file needs, read without loading it.
//!
//! Loading would run the library's code to find out that it does not load, and the loader names one
//! missing library at a time. Only a few pages are read: a provider's library has half a gigabyte.

use std::io::{Read, Seek, SeekFrom};

/// Needed libraries, in the file's order, and the folders it wants searched before all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    pub needed: Vec<String>,
    pub search: Vec<String>,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
/// Bytes of one segment's description, and of one entry of the dynamic section.
const SEGMENT: usize = 56;
const ENTRY: usize = 16;
/// More than any library has.
const MOST_SEGMENTS: u64 = 1_000;
/// More bytes than any dynamic section, and any file name or list of folders, has.
const LONGEST_SECTION: u64 = 1 << 16;
const LONGEST_TEXT: u64 = 4_096;

/// None for anything but a 64-bit little-endian ELF file with a dynamic section.
pub fn dynamic(file: &mut (impl Read + Seek)) -> Option<Dynamic> {
    let header = piece(file, 0, 64)?;
    if header.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let segments = segments(file, &header)?;
    let section = segments.iter().find(|part| part.kind == PT_DYNAMIC)?;
    let bytes = piece(file, section.offset, section.length.min(LONGEST_SECTION))?;
    let entries: Vec<(u64, u64)> = bytes
        .as_chunks::<ENTRY>()
        .0
        .iter()
        .filter_map(|entry| Some((word(entry, 0)?, word(entry, 8)?)))
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let strings = entries.iter().find(|(tag, _)| *tag == DT_STRTAB)?.1;
    let strings = in_file(&segments, strings)?;
    let mut found = Dynamic::default();
    for (tag, offset) in entries {
        let mut text = || text(file, strings.checked_add(offset)?);
        match tag {
            DT_NEEDED => found.needed.push(text()?),
            DT_RPATH | DT_RUNPATH => found.search.extend(text()?.split(':').map(str::to_owned)),
            _ => {}
        }
    }
    Some(found)
}

/// A part of the file and where it lies in memory.
struct Segment {
    kind: u32,
    offset: u64,
    length: u64,
    address: u64,
}

fn segments(file: &mut (impl Read + Seek), header: &[u8]) -> Option<Vec<Segment>> {
    let (size, count) = (usize::from(half(header, 54)?), u64::from(half(header, 56)?));
    if size < SEGMENT || count > MOST_SEGMENTS {
        return None;
    }
    let table = piece(file, word(header, 32)?, count * u64::try_from(size).ok()?)?;
    let segment = |bytes: &[u8]| {
        Some(Segment {
            kind: u32::from_le_bytes(*bytes.first_chunk()?),
            offset: word(bytes, 8)?,
            address: word(bytes, 16)?,
            length: word(bytes, 32)?,
        })
    };
    table.chunks_exact(size).map(segment).collect()
}

/// Where in the file an address of the loaded image comes from.
fn in_file(segments: &[Segment], address: u64) -> Option<u64> {
    segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD)
        .find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            let found = inside < segment.length;
            found.then(|| segment.offset.checked_add(inside))?
        })
}

fn text(file: &mut (impl Read + Seek), start: u64) -> Option<String> {
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.take(LONGEST_TEXT).read_to_end(&mut bytes).ok()?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.truncate(end);
    String::from_utf8(bytes).ok()
}

fn piece(file: &mut (impl Read + Seek), start: u64, length: u64) -> Option<Vec<u8>> {
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).ok()?;
    (u64::try_from(bytes.len()).ok() == Some(length)).then_some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*eight))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*two))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn parse(bytes: &[u8]) -> Option<Dynamic> {
        dynamic(&mut Cursor::new(bytes))
    }

    #[test]
    fn this_test_needs_the_c_library() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let found = parse(&file).unwrap();
        assert!(
            found.needed.iter().any(|name| name.starts_with("libc.")),
            "{found:?}"
        );
    }

    #[test]
    fn broken_files_need_nothing() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        // The headers are there and what they point to is not.
        for end in 0..4_096 {
            assert_eq!(parse(&file[..end]), None);
        }
        // Any byte of the headers may be anything: what counts is that it ends.
        let mut broken = file.clone();
        for position in 0..1_024 {
            for value in [0, 1, 0x7f, 0xff] {
                broken[position] = value;
                let _ = parse(&broken);
            }
            broken[position] = file[position];
        }
        assert_eq!(
            parse(b"MZ: of another system, and longer than any header has to be, by far"),
            None
        );
    }
}
