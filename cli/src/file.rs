//! Files that options name, each with a bound: a wrong path leads to a disk's image or to `/dev/zero`, and a program that
//! reads until its memory is used up takes others with it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Bytes of a policy. The longest that the tests have has some kilobytes.
pub(crate) const POLICY: usize = 1024 * 1024;
/// Bytes of certificate authorities. All of those that browsers trust have 0.25 MB.
pub(crate) const CERTIFICATES: usize = 4 * 1024 * 1024;
/// Bytes of a table of people: a hundred and fifty thousand of them.
pub(crate) const PEOPLE: usize = 16 * 1024 * 1024;
/// Bytes of a seed of the offline tenant, which keeps all of it in memory.
pub(crate) const SEED: usize = 64 * 1024 * 1024;
/// Bytes of a workflow or an audit file whose actions are looked for: a hundred thousand records.
pub(crate) const WORKFLOW: usize = 64 * 1024 * 1024;
/// Bytes of an input or a body; the component takes no larger one.
pub(crate) const INPUT: usize = 4_000_000;

/// Reads a file of so many bytes at most.
pub(crate) fn bytes(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    all(File::open(path)?, most)
}

/// Reads a file of so many bytes at most, which are UTF-8.
pub(crate) fn text(path: &Path, most: usize) -> io::Result<String> {
    utf8(bytes(path, most)?)
}

/// Reads all there is, where that is not too much.
pub(crate) fn all(from: impl io::Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        let problem = format!("it has more than {most} bytes, and no more are read of it");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// Takes bytes as text.
pub(crate) fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_a_file_of_its_kind_can_have() {
        for most in [0, 1, POLICY] {
            let error = all(io::repeat(b'x'), most).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(error.to_string().contains(&format!("more than {most} bytes")), "{error}");
        }
        assert_eq!(all(&b"abc"[..], 3).unwrap(), b"abc");
        assert_eq!(utf8(b"\xff".to_vec()).unwrap_err().to_string(), "it is not UTF-8");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_does_not_say_how_long_it_is_has_a_bound_too() {
        let error = bytes(Path::new("/dev/zero"), POLICY).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
    }
}
