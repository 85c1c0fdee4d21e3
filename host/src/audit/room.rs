//! Room on the disk for the records of calls that are under way.
//!
//! A record is written when its call is over, and by then it is too late to find the disk full, the quota used up or the
//! file as long as it may be: what the call did was done. So the bytes that its record may need are taken of the disk
//! before the call, beyond the end of the file, whose length stays: who reads the file sees nothing of it.
//!
//! Several processes may append to one file. Each takes room beyond the end as it sees it, so they share some of it; what
//! is taken at once is many times what a record has, so that one finds room all the same.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Taken beyond what is needed, so that the system is not asked at each call: a thousand records.
const AHEAD: u64 = 1024 * 1024;

/// Takes bytes of the disk from an offset on; `false` where the file system cannot do that.
type Allocate = fn(&File, u64, u64) -> io::Result<bool>;

/// The room behind the end of one file.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    file: File,
    /// Up to here the disk's bytes are the file's.
    end: u64,
    allocate: Allocate,
}

impl Room {
    /// Looks at a file; `None` where it is none that has an end, such as a pipe.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let file = super::file::open(path)?;
        let is_file = file.metadata()?.is_file();
        Ok(is_file.then(|| Self { path: path.to_owned(), file, end: 0, allocate }))
    }

    /// Sees to it that so many bytes can be appended.
    pub(super) fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        self.reopen_where_moved()?;
        let length = self.file.metadata()?.len();
        let end = length.saturating_add(bytes);
        if longest_file().is_some_and(|longest| end > longest) {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "it has {length} bytes, a record may have {bytes}, and this process may not write a file as long as \
                     that (ulimit -f)"
                ),
            ));
        }
        if end <= self.end {
            return Ok(());
        }
        for ahead in [AHEAD, 0] {
            match (self.allocate)(&self.file, length, bytes.saturating_add(ahead)) {
                Ok(true) => {
                    self.end = end.saturating_add(ahead);
                    return Ok(());
                }
                Ok(false) => return is_free(&self.file, bytes),
                Err(error) if ahead == 0 => return Err(error),
                // Perhaps there is room for what is needed.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Words an error for the operator.
    pub(super) fn reason(&self, error: &io::Error) -> String {
        format!("{} has no room for the record of another call: {error}", self.path.display())
    }

    /// Follows a rotation, as whoever writes does.
    fn reopen_where_moved(&mut self) -> io::Result<()> {
        if super::file::is_moved(&self.file, &self.path)? {
            (self.file, self.end) = (super::file::open(&self.path)?, 0);
        }
        Ok(())
    }
}

/// Returns the longest file that this process may write. Beyond it the system would end the process.
#[cfg(unix)]
pub(super) fn longest_file() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}

#[cfg(not(unix))]
pub(super) fn longest_file() -> Option<u64> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File, from: u64, bytes: u64) -> io::Result<bool> {
    use rustix::{fs::FallocateFlags, io::Errno};
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_: &File, _: u64, _: u64) -> io::Result<bool> {
    Ok(false)
}

/// Looks whether there is room, where none can be taken: others may be faster then.
#[cfg(unix)]
fn is_free(file: &File, bytes: u64) -> io::Result<()> {
    let disk = rustix::fs::fstatvfs(file)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) >= bytes {
        return Ok(());
    }
    Err(io::ErrorKind::StorageFull.into())
}

#[cfg(not(unix))]
fn is_free(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("auth0-room-{}-{name}", std::process::id()));
            let _ = fs::remove_file(&path);
            Self(path)
        }

        fn room(&self) -> Room {
            Room::of(&self.0).unwrap().unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn room_is_taken_of_the_disk_and_not_seen_in_the_file() {
        let scratch = Scratch::new("taken");
        let mut room = scratch.room();
        fs::write(&scratch.0, "a record\n").unwrap();
        room.reserve(100_000).unwrap();
        let found = fs::metadata(&scratch.0).unwrap();
        assert_eq!(found.len(), 9);
        if room.end > 0 {
            assert!(found.blocks() * 512 >= 100_000, "{} blocks", found.blocks());
        }
    }

    #[test]
    fn the_system_is_asked_again_only_where_the_room_is_used_up() {
        let scratch = Scratch::new("again");
        let mut room = scratch.room();
        room.allocate = |_, from, bytes| {
            assert_eq!((from, bytes), (0, 1000 + AHEAD));
            Ok(true)
        };
        room.reserve(1000).unwrap();
        room.allocate = |_, _, _| Err(io::ErrorKind::StorageFull.into());
        room.reserve(1000 + AHEAD).unwrap();
        let error = room.reserve(1001 + AHEAD).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        fs::write(&scratch.0, "x".repeat(100)).unwrap();
        assert!(room.reserve(1000 + AHEAD).is_err(), "what was written has used some of it");
    }

    #[test]
    fn where_there_is_little_room_the_record_s_own_is_enough() {
        let scratch = Scratch::new("little");
        let mut room = scratch.room();
        room.allocate = |_, _, bytes| match bytes {
            1000 => Ok(true),
            _ => Err(io::ErrorKind::StorageFull.into()),
        };
        room.reserve(1000).unwrap();
        assert!(room.reserve(2000).is_err());
    }

    #[test]
    fn a_file_that_was_rotated_away_lends_its_room_to_no_other() {
        let scratch = Scratch::new("rotated");
        let mut room = scratch.room();
        room.reserve(1000).unwrap();
        fs::remove_file(&scratch.0).unwrap();
        room.allocate = |_, _, _| Err(io::ErrorKind::StorageFull.into());
        assert!(room.reserve(1000).is_err());
        assert!(scratch.0.exists(), "the new file is there for its records");
    }
}
