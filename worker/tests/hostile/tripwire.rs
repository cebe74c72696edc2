//! What a model that got out would touch: files, a folder, a port.

use std::{env, fs, mem::MaybeUninit, net::TcpListener, os::fd::OwnedFd, path::PathBuf};

use rustix::fs::inotify;
use tempfile::TempDir;

/// As many bytes as the weights have that point to them.
pub const CANARY_BYTES: usize = 16 << 10;
const SECRET: &[u8; 16] = b"operator's key!!";

pub struct Tripwire {
    folder: TempDir,
    watch: OwnedFd,
    listener: TcpListener,
}

impl Tripwire {
    pub fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        for path in [folder.path().join("canary"), inside.join("canary")] {
            fs::write(path, secret()).unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("canary"), inside.join("link")).unwrap();
        let watch =
            inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        for path in [folder.path(), &inside] {
            inotify::add_watch(&watch, path, inotify::WatchFlags::ALL_EVENTS).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            folder,
            watch,
            listener,
        }
    }

    pub fn canary(&self) -> PathBuf {
        self.folder.path().join("canary")
    }

    pub fn inside(&self) -> PathBuf {
        self.folder.path().join("inside")
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub fn untouched(&self) {
        let mut space = [MaybeUninit::uninit(); 4_096];
        let mut events = inotify::Reader::new(&self.watch, &mut space);
        let touched = events.next();
        assert!(touched.is_err(), "{touched:?}");
        assert!(self.listener.accept().is_err(), "somebody connected");
        assert_eq!(fs::read(self.canary()).unwrap(), secret());
        // What was watched does tell.
        assert!(events.next().is_ok(), "the watch is blind");
        let here = env::current_dir().unwrap();
        for path in [here.join("canary"), PathBuf::from("/dev/shm/canary")] {
            assert!(!path.exists(), "{}", path.display());
        }
    }
}

fn secret() -> Vec<u8> {
    SECRET.repeat(CANARY_BYTES / SECRET.len())
}
