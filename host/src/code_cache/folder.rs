//! A folder that is this user's alone.
//!
//! The owner is checked, and not only the mode, because root can read what others wrote: under `sudo` with another
//! user's `HOME`, that user could otherwise plant code for root. Files are written beside their place and renamed, so
//! that processes that start at the same time see whole files.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use super::entry::PrivateFile;

/// Ends the name of each entry.
pub(super) const EXTENSION: &str = ".cwasm";
/// Ends the name of what is not finished.
const UNFINISHED: &str = ".tmp";
/// Entries that are kept, newest first. One is needed for each component and version of the host that is in use; with
/// 2.7 MB each, eight take 22 MB.
const KEPT: usize = 8;
/// Larger files are not read. The connector's code has 2.7 MB; the largest component that is taken has 20 MB and was
/// never seen to grow more than threefold.
const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Unfinished files that are older were left by a process that died.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// A folder that nobody but this user may look into.
pub(super) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Opens the folder; makes it where it is not there. Refuses one that others may use.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        create(path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        // Of the folder itself, not of what a link of that name leads to.
        let found = fs::symlink_metadata(path)
            .map_err(|error| format!("{} cannot be looked at: {error}", path.display()))?;
        if !found.is_dir() {
            return Err(format!("{} is not a folder", path.display()));
        }
        private(path, &found)?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads a file; `None` where it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<PrivateFile>, String> {
        let path = self.0.join(name);
        let unreadable = |error| format!("{} cannot be read: {error}", path.display());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        // Of the open file: what is checked is what is read.
        let found = file.metadata().map_err(unreadable)?;
        if !found.is_file() || found.len() > MAX_BYTES {
            return Err(format!("{} is not a file of this cache", path.display()));
        }
        private(&path, &found)?;
        let mut content = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
        file.take(MAX_BYTES).read_to_end(&mut content).map_err(unreadable)?;
        Ok(Some(PrivateFile::new(content)))
    }

    /// Writes a file in one step, and removes what is old.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), String> {
        static UNIQUE: AtomicU32 = AtomicU32::new(0);
        let number = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.0.join(format!("{name}.{}.{number}{UNFINISHED}", std::process::id()));
        let path = self.0.join(name);
        let written = create_file(&unfinished)
            .and_then(|mut file| file.write_all(content))
            // Not synced to the disk: a file that a power cut left half-written does not pass its check.
            .and_then(|()| fs::rename(&unfinished, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            return Err(format!("{} cannot be written: {error}", path.display()));
        }
        self.remove_old();
        Ok(())
    }

    /// Leaves the newest entries. What cannot be removed stays.
    fn remove_old(&self) {
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for file in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let Ok(modified) = file.metadata().and_then(|found| found.modified()) else { continue };
            let name = file.file_name();
            let name = name.to_string_lossy();
            let age = modified.elapsed().unwrap_or_default();
            if name.ends_with(EXTENSION) {
                entries.push((modified, file.path()));
            } else if name.ends_with(UNFINISHED) && age > ABANDONED_AFTER {
                let _ = fs::remove_file(file.path());
            }
        }
        entries.sort_unstable_by(|a, b| b.cmp(a));
        for (_, old) in entries.into_iter().skip(KEPT) {
            let _ = fs::remove_file(old);
        }
    }
}

/// Makes the folder and those above it, for this user alone.
fn create(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn create_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Refuses what another user owns or may use.
#[cfg(unix)]
fn private(path: &Path, found: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    check_owner(path, found.uid(), rustix::process::geteuid().as_raw())?;
    let mode = found.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("{} is open to others (mode {mode:04o}): `chmod go= {0}`, or remove it", path.display()))
}

#[cfg(unix)]
fn check_owner(path: &Path, owner: u32, user: u32) -> Result<(), String> {
    if owner == user {
        return Ok(());
    }
    Err(format!(
        "{} belongs to user {owner}, and this process runs as {user}: name another folder",
        path.display()
    ))
}

/// Who may write there is not known to the standard library, and code from an unknown hand is not loaded.
#[cfg(not(unix))]
fn private(path: &Path, _: &fs::Metadata) -> Result<(), String> {
    Err(format!(
        "{}: on this system it cannot be told who may write there, so nothing is kept",
        path.display()
    ))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn what_another_user_owns_is_refused_for_root_too() {
        for (owner, user) in [(1000, 0), (0, 1000), (1000, 1001)] {
            let problem = check_owner(Path::new("/cache"), owner, user).unwrap_err();
            assert!(problem.contains(&format!("belongs to user {owner}")), "{problem}");
        }
        check_owner(Path::new("/cache"), 0, 0).unwrap();
    }
}
