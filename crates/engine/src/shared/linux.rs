//! By `memfd`: files without a name, in memory.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Seek as _},
    ops::Range,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use memmap2::{Mmap, MmapMut, MmapOptions};
use rustix::{
    buffer::spare_capacity,
    fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, memfd_create},
    io::{Errno, pread},
};

use super::Sizes;

/// Inputs above this size give their memory back after the run.
const LARGE: u64 = 8 << 20;
/// So much is read at once: what a core's own cache holds.
const PIECE: usize = 256 << 10;

/// The engine's side: both places, mapped.
pub struct Window {
    given: Mmap,
    made: MmapMut,
}

/// The files behind a window, open until the host has them too.
pub struct Offer {
    given: OwnedFd,
    made: OwnedFd,
}

impl Offer {
    /// The files' numbers in this process.
    pub fn numbers(&self) -> [i32; 2] {
        [self.given.as_raw_fd(), self.made.as_raw_fd()]
    }
}

impl Window {
    pub fn open(sizes: Sizes) -> io::Result<(Self, Offer)> {
        let size = |bytes: u64| usize::try_from(bytes).map_err(io::Error::other);
        let (given, made) = (file("assay-given")?, file("assay-made")?);
        rustix::fs::ftruncate(&made, sizes.made)?;
        let largest = size(sizes.model.max(sizes.inputs).max(sizes.optimised))?;
        #[expect(unsafe_code, reason = "mapping a file has no safe form")]
        // SAFETY: nobody but the host has these files, and it changes what it has given only while it
        // waits for no answer, which is when nothing here looks. Beyond the files' ends nothing is
        // read: a length that the host names is one that it has set before.
        let (given_map, made_map) = unsafe {
            let given = MmapOptions::new().len(largest).map(&given)?;
            (
                given,
                MmapOptions::new().len(size(sizes.made)?).map_mut(&made)?,
            )
        };
        let window = Self {
            given: given_map,
            made: made_map,
        };
        Ok((window, Offer { given, made }))
    }

    /// What the host has given.
    pub fn given(&self, range: Range<usize>) -> Option<&[u8]> {
        self.given.get(range)
    }

    /// What the host has given, and where outputs are put.
    pub fn both(&mut self) -> (&[u8], &mut [u8]) {
        (&self.given, &mut self.made)
    }
}

/// The host's side: both files, not mapped.
#[derive(Debug)]
pub struct Shared {
    given: File,
    made: File,
    sizes: Sizes,
}

impl Shared {
    /// Opens the files that a process has offered by their numbers. It must be one that was started
    /// by this process, runs its program still, and was not waited for: then the number is its.
    pub fn take(process: u32, numbers: [i32; 2], sizes: Sizes) -> io::Result<Self> {
        let [given, made] = numbers;
        let (given, made) = (open(process, given)?, open(process, made)?);
        // It may not grow what counts as nobody's memory.
        fcntl_add_seals(&made, fixed())?;
        Ok(Self { given, made, sizes })
    }

    /// Hands a model over.
    pub fn give_model(&self, model: &[u8]) -> io::Result<()> {
        self.given.set_len(length(model))?;
        self.given.write_all_at(model, 0)
    }

    /// Hands over so many bytes of a file, from where it is read next.
    pub fn give_file(&self, file: &mut File, length: u64) -> io::Result<()> {
        self.given.set_len(length)?;
        (&self.given).rewind()?;
        // From file to file the kernel copies, and nothing passes through this process.
        let copied = io::copy(&mut file.take(length), &mut &self.given)?;
        if copied == length {
            return Ok(());
        }
        Err(ErrorKind::UnexpectedEof.into())
    }

    /// Reads so many bytes of what was given, piece by piece.
    pub fn each_given(&self, length: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < length {
            let left = usize::try_from(length.saturating_sub(at)).unwrap_or(PIECE);
            let piece = piece.get_mut(..left.min(PIECE)).unwrap_or_default();
            self.given.read_exact_at(piece, at)?;
            each(piece);
            at = at.saturating_add(self::length(piece));
        }
        Ok(())
    }

    /// Frees the model's memory, and makes room for inputs.
    pub fn take_model_back(&self) -> io::Result<()> {
        self.given.set_len(0)?;
        self.given.set_len(self.sizes.inputs)?;
        fcntl_add_seals(&self.given, fixed())?;
        Ok(())
    }

    /// Whether so many bytes of inputs can be given.
    pub fn fits(&self, bytes: usize) -> bool {
        u64::try_from(bytes).is_ok_and(|bytes| bytes <= self.sizes.inputs)
    }

    pub fn give(&self, at: usize, data: &[u8]) -> io::Result<()> {
        self.given.write_all_at(data, offset(at)?)
    }

    /// A copy of what the engine has made.
    pub fn made(&self, range: Range<usize>) -> io::Result<Vec<u8>> {
        let mut data = Vec::with_capacity(range.len());
        while data.len() < range.len() {
            let at = offset(range.start.saturating_add(data.len()))?;
            match pread(&self.made, spare_capacity(&mut data), at) {
                Ok(1..) | Err(Errno::INTR) => {}
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) => return Err(error.into()),
            }
        }
        // There may be room for more than was asked for.
        data.truncate(range.len());
        Ok(data)
    }

    /// Gives memory back after a run that took much of it.
    pub fn rest(&self, given: usize, made: usize) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        for (file, used, size) in [
            (&self.given, given, self.sizes.inputs),
            (&self.made, made, self.sizes.made),
        ] {
            if offset(used)? > LARGE {
                fallocate(file, hole, 0, size)?;
            }
        }
        Ok(())
    }
}

/// A file of memory by its number in a process of ours.
pub(super) fn open(process: u32, number: i32) -> io::Result<File> {
    let path = format!("/proc/{process}/fd/{number}");
    let file = File::options().read(true).write(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it offers what is no memory"));
    }
    Ok(file)
}

pub(super) fn fixed() -> SealFlags {
    SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW
}

pub(super) fn file(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag that keeps code out of it.
    memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(name, flags))
        .map_err(io::Error::from)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn offset(at: usize) -> io::Result<u64> {
    u64::try_from(at).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        Sizes {
            model: 5_000_000,
            inputs: 10_000,
            made: 20_000,
            optimised: 0,
        }
    }

    fn pair() -> (Window, Shared) {
        let (window, offer) = Window::open(sizes()).unwrap();
        let shared = Shared::take(std::process::id(), offer.numbers(), sizes()).unwrap();
        (window, shared)
    }

    #[test]
    fn model_inputs_and_outputs_are_seen_on_the_other_side() {
        let (mut window, shared) = pair();
        shared.give_model(&vec![7; 4_000_000]).unwrap();
        let model = window.given(0..4_000_000).unwrap();
        assert!(model.iter().all(|byte| *byte == 7));
        shared.take_model_back().unwrap();
        shared.give(64, b"tensor").unwrap();
        assert_eq!(window.given(64..70).unwrap(), b"tensor");
        assert_eq!(window.given(0..64).unwrap(), [0; 64], "the model is gone");
        window.both().1[3..6].copy_from_slice(b"out");
        assert_eq!(shared.made(3..6).unwrap(), b"out");
    }

    #[test]
    fn file_is_given_from_where_it_is_read_next_and_comes_back_in_pieces() {
        let (window, shared) = pair();
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
        file.write_all_at(&bytes, 0).unwrap();
        file.seek(io::SeekFrom::Start(7)).unwrap();
        let rest = &bytes[7..2_000_000];
        shared.give_model(&[1; 10]).unwrap();
        shared.give_file(&mut file, length(rest)).unwrap();
        assert_eq!(window.given(0..rest.len()).unwrap(), rest);
        let mut read = Vec::new();
        let add = |piece: &[u8]| read.extend_from_slice(piece);
        shared.each_given(length(rest), add).unwrap();
        assert_eq!(read, rest);
        assert_eq!(file.stream_position().unwrap(), 2_000_000);
        let end = length(&bytes) - 2_000_000;
        shared.give_file(&mut file, end + 1).unwrap_err();
        shared.each_given(end + 2, |_| ()).unwrap_err();
    }

    #[test]
    fn nobody_reaches_or_grows_beyond_the_sizes() {
        let (mut window, shared) = pair();
        assert!(window.given(0..5_000_001).is_none());
        assert_eq!(window.both().1.len(), 20_000);
        assert!(shared.fits(10_000) && !shared.fits(10_001));
        shared.take_model_back().unwrap();
        shared.give(10_000, b"x").unwrap_err();
        shared.made(19_999..20_001).unwrap_err();
        shared.made.set_len(30_000).unwrap_err();
        shared.made.set_len(1).unwrap_err();
    }

    #[test]
    fn engine_that_shrinks_its_memory_is_an_error_and_no_crash() {
        let (_window, offer) = Window::open(sizes()).unwrap();
        let file = File::from(offer.made.try_clone().unwrap());
        file.set_len(10).unwrap();
        let shared = Shared::take(std::process::id(), offer.numbers(), sizes()).unwrap();
        shared.made(0..20).unwrap_err();
    }

    #[test]
    fn memory_of_large_runs_is_given_back() {
        use std::os::unix::fs::MetadataExt as _;
        let large = Sizes {
            inputs: 32 << 20,
            made: 32 << 20,
            ..sizes()
        };
        let (mut window, offer) = Window::open(large).unwrap();
        let shared = Shared::take(std::process::id(), offer.numbers(), large).unwrap();
        shared.take_model_back().unwrap();
        let bytes = 16 << 20;
        shared.give(0, &vec![1; bytes]).unwrap();
        window.both().1[..bytes].fill(1);
        let held = |file: &File| file.metadata().unwrap().blocks() * 512;
        assert!(held(&shared.given) >= 16 << 20 && held(&shared.made) >= 16 << 20);
        shared.rest(bytes, 1_000).unwrap();
        assert_eq!(held(&shared.given), 0);
        assert!(held(&shared.made) >= 16 << 20, "little was used");
        shared.rest(0, bytes).unwrap();
        assert_eq!(held(&shared.made), 0);
        shared.give(0, b"again").unwrap();
        assert_eq!(window.given(0..5).unwrap(), b"again");
    }

    #[test]
    fn what_is_no_file_of_the_process_is_not_opened() {
        let me = std::process::id();
        Shared::take(me, [i32::MAX, i32::MAX], sizes()).unwrap_err();
        let (_window, offer) = Window::open(sizes()).unwrap();
        let [given, _] = offer.numbers();
        let pipe = std::io::pipe().unwrap();
        Shared::take(me, [given, pipe.1.as_raw_fd()], sizes()).unwrap_err();
    }
}
