//! Files, their modes and their layouts.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::Error;

/// For its owner alone.
const MODE: u32 = 0o600;
/// How long a call waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

static CREATING: Mutex<()> = Mutex::new(());

/// What a call that returned is safe from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process. A power cut can lose the last moments.
    Process,
    /// A power cut too.
    Power,
}

/// The steps that made a file's tables, the first first. One is appended for every change, none that was released is
/// edited. A file's version is how many it has.
#[derive(Clone, Copy, Debug)]
pub struct Layout(pub &'static [&'static str]);

/// Opens or creates a file that only its owner can use, its log included, and brings its layout up to date.
///
/// # Errors
/// When it cannot be used, or a newer program wrote it.
pub fn open(path: &Path, layout: Layout, durability: Durability) -> Result<Connection, Error> {
    restrict(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    layout.migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a file for looking only, also while another process writes to it.
///
/// # Errors
/// When it is not there or cannot be read, or a newer program wrote it.
pub fn open_read_only(path: &Path, layout: Layout) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    layout.check(&connection)?;
    Ok(connection)
}

/// Opens or creates a file that only its owner can use, in folders of the same kind. None that SQLite uses: see
/// [`restrict`].
///
/// # Errors
/// When the file system refuses.
pub fn private(path: &Path) -> io::Result<File> {
    make_folder(path)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(path)?;
    // One that was there before may be open to others.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

fn make_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent();
    let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Sees to it that SQLite's file is there, for its owner alone. SQLite makes the log like the file; one that was left
/// behind may be open to others.
///
/// A file that is there is not opened: to close any descriptor of it drops the locks that all of this process's
/// connections have on it. Another process would then take itself for the last user and remove the log under them.
fn restrict(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    let mode = || Permissions::from_mode(MODE);
    {
        // Another thread must not have opened the new file before this descriptor of it is closed.
        let _alone = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = OpenOptions::new();
        match new.write(true).create_new(true).mode(MODE).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(path, mode())?;
            }
            created => drop(created?),
        }
    }
    for end in ["-wal", "-shm"] {
        let mut beside = OsString::from(path);
        beside.push(end);
        match fs::set_permissions(&beside, mode()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

impl Layout {
    /// The version that a file has once it has this layout.
    #[must_use]
    pub fn known(self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }

    /// The file's version, if it is not a later one.
    fn check(self, connection: &Connection) -> Result<i64, Error> {
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = self.known();
        if found > known {
            return Err(Error::Newer { found, known });
        }
        Ok(found)
    }

    /// All of it or nothing.
    fn migrate(self, connection: &mut Connection) -> Result<(), Error> {
        if self.check(connection)? == self.known() {
            return Ok(());
        }
        // Two processes may come to this at once: the second finds it done.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = usize::try_from(self.check(&transaction)?).unwrap_or(0);
        for step in self.0.iter().skip(found) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", self.known())?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const LAYOUT: Layout = Layout(&["CREATE TABLE one (a INTEGER) STRICT"]);
    const LATER: Layout = Layout(&[
        "CREATE TABLE one (a INTEGER) STRICT",
        "CREATE TABLE two (a INTEGER) STRICT; INSERT INTO one VALUES (2)",
    ]);

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn file_and_its_log_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/down/file.sqlite");
        let all = ["file.sqlite", "file.sqlite-wal", "file.sqlite-shm"];
        let all = all.map(|name| path.with_file_name(name));
        let first = open(&path, LAYOUT, Durability::Process).unwrap();
        for file in &all {
            assert_eq!(mode(file), 0o600, "{}", file.display());
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        let _second = open(&path, LAYOUT, Durability::Power).unwrap();
        for file in &all {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        assert_eq!(mode(&folder.path().join("deep")), 0o700);
        drop(first);
    }

    /// Names the file to a process that is to visit it, and how many rows it must find.
    const VISIT: (&str, &str) = ("ASSAY_TEST_VISIT", "ASSAY_TEST_ROWS");

    /// Another process reads the file, writes a row and closes it.
    fn visit(path: &Path, rows: i64) {
        let name = "file::tests::log_outlives_other_processes_whoever_opens_the_file_twice";
        let visitor = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(VISIT.0, path)
            .env(VISIT.1, rows.to_string())
            .output()
            .unwrap();
        assert!(visitor.status.success(), "{visitor:?}");
    }

    fn rows(connection: &Connection) -> i64 {
        let count = connection.query_row("SELECT count(*) FROM one", [], |row| row.get(0));
        count.unwrap()
    }

    #[test]
    fn log_outlives_other_processes_whoever_opens_the_file_twice() {
        const ROW: &str = "INSERT INTO one VALUES (1)";
        if let (Some(path), Ok(expected)) = (std::env::var_os(VISIT.0), std::env::var(VISIT.1)) {
            let connection = Connection::open(path).unwrap();
            assert_eq!(rows(&connection).to_string(), expected);
            connection.execute(ROW, []).unwrap();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.sqlite");
        let first = open(&path, LAYOUT, Durability::Process).unwrap();
        first.execute(ROW, []).unwrap();
        let _second = open(&path, LAYOUT, Durability::Process).unwrap();
        visit(&path, 1);
        assert!(path.with_file_name("file.sqlite-wal").exists());
        first.execute(ROW, []).unwrap();
        visit(&path, 3);
        assert_eq!(rows(&first), 4);
    }

    #[test]
    fn layout_grows_by_the_steps_that_are_missing_and_never_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.sqlite");
        drop(open(&path, LAYOUT, Durability::Power).unwrap());
        for _ in 0..2 {
            let later = open(&path, LATER, Durability::Power).unwrap();
            assert_eq!(rows(&later), 1, "a step runs once");
        }
        for refused in [
            open(&path, LAYOUT, Durability::Power),
            open_read_only(&path, LAYOUT),
        ] {
            assert!(matches!(refused, Err(Error::Newer { found: 2, known: 1 })));
        }
    }
}
