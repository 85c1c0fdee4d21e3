//! Files that hold a secret.
//!
//! One that others on the machine can read or replace is refused, as OpenSSH does with keys: a secret that was shared by
//! mistake keeps working, so nobody notices until somebody else uses it. What is checked is the file that was opened, so
//! nothing can be put in its place between the check and the reading; links are followed. The owner can change it at any
//! time, so that must be this user or root. Windows has no such modes, and there nothing is checked.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    path::Path,
};

use auth0_host::Secret;
use zeroize::Zeroizing;

use super::Failure;

/// An RSA key of 16384 bits is 13 KB of PEM; nothing that is longer is a secret.
const MAX_BYTES: usize = 64 * 1024;

#[cfg(unix)]
const ROOT: u32 = 0;

/// Reads a secret of one line: a client secret, a token, a password. `option` is what the file was named by.
pub(crate) fn line(option: &str, path: &Path) -> Result<Secret, Failure> {
    let text = text(option, path)?;
    // Editors end a file with a line feed that is not part of the secret.
    let secret = text.expose().trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.contains(['\r', '\n']) {
        return Err(refused(option, path, "must hold the secret on one line, and nothing else"));
    }
    Ok(Secret::new(secret))
}

/// Reads a secret of many lines: a key as PEM. `option` is what the file was named by.
pub(crate) fn text(option: &str, path: &Path) -> Result<Secret, Failure> {
    let failed = |error: io::Error| refused(option, path, &format!("could not be read: {error}"));
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if found.is_dir() {
        return Err(refused(option, path, "is a folder"));
    }
    if let Some(problem) = exposed(&found, path) {
        return Err(refused(option, path, &problem));
    }
    // In one piece from the start: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() > MAX_BYTES {
        return Err(refused(option, path, &format!("has more than {MAX_BYTES} bytes: it is no secret")));
    }
    Ok(Secret::new(text.as_str()))
}

fn refused(option: &str, path: &Path, problem: &str) -> Failure {
    Failure::Usage(format!("{option}: {} {problem}", path.display()))
}

/// Returns to whom a file is open who should not read or write it, and what mends that.
#[cfg(unix)]
fn exposed(file: &Metadata, path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let own = own_user();
    if is_foreign(file.uid(), own) {
        return Some(format!(
            "belongs to another user (id {}), who can read and replace it: copy it to a file of your own with mode 0600",
            file.uid()
        ));
    }
    let whom = beyond_owner(file.mode(), file.uid(), own)?;
    Some(format!(
        "is open to {whom} (mode {:04o}): run `chmod 600 {}`; a volume of Kubernetes needs `defaultMode: 0400`",
        file.mode() & 0o7777,
        path.display()
    ))
}

#[cfg(not(unix))]
fn exposed(_: &Metadata, _: &Path) -> Option<String> {
    None
}

/// The user that this process acts as. Elsewhere than on Linux the standard library cannot tell.
#[cfg(unix)]
fn own_user() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    // `Uid:` real, effective, saved, file system. The owner of /proc/self is root's where the process is not dumpable.
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Whether a file belongs to somebody who is neither this user nor root.
#[cfg(unix)]
fn is_foreign(owner: u32, own: Option<u32>) -> bool {
    owner != ROOT && own.is_some_and(|own| own != owner)
}

/// Returns who beside its owner can read or write a file.
///
/// One exception: a file of root that our group may read and nobody else. That is how Kubernetes (`fsGroup`) and systemd
/// (`LoadCredential=`) hand a secret to a process that is not root; the process cannot make it stricter.
#[cfg(unix)]
fn beyond_owner(mode: u32, owner: u32, own: Option<u32>) -> Option<&'static str> {
    let handed_over = owner == ROOT && own.is_some_and(|own| own != ROOT);
    match (mode & 0o060, mode & 0o006) {
        (_, 1..) => Some("everybody"),
        (0o040, 0) if handed_over => None,
        (1.., 0) => Some("its group"),
        (0, 0) => None,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("auth0-secret-file-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, mode: u32, text: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn refusal(result: Result<Secret, Failure>) -> String {
        match result {
            Err(Failure::Usage(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn modes_tell_who_beside_its_owner_reads_or_writes_a_file() {
        for (mode, owner, own, expected) in [
            (0o600, 1000, Some(1000), None),
            (0o400, 1000, Some(1000), None),
            (0o711, 1000, Some(1000), None),
            (0o640, 1000, Some(1000), Some("its group")),
            (0o620, 1000, Some(1000), Some("its group")),
            (0o604, 1000, Some(1000), Some("everybody")),
            (0o602, 1000, Some(1000), Some("everybody")),
            (0o666, 1000, Some(1000), Some("everybody")),
            // What is handed over by root, and what only looks like it.
            (0o440, 0, Some(1000), None),
            (0o640, 0, Some(1000), None),
            (0o460, 0, Some(1000), Some("its group")),
            (0o444, 0, Some(1000), Some("everybody")),
            (0o440, 0, Some(0), Some("its group")),
            (0o440, 0, None, Some("its group")),
            (0o440, 1001, Some(1000), Some("its group")),
        ] {
            assert_eq!(beyond_owner(0o100_000 | mode, owner, own), expected, "{mode:o} {owner} {own:?}");
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused_and_one_of_root_or_of_this_user_is_not() {
        for (owner, own, foreign) in [
            (1000, Some(1000), false),
            (0, Some(1000), false),
            (0, Some(0), false),
            (1001, Some(1000), true),
            (1000, Some(0), true),
            // Who we are is not known: the modes alone must do.
            (1000, None, false),
        ] {
            assert_eq!(is_foreign(owner, own), foreign, "{owner} {own:?}");
        }
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::MetadataExt as _;
            let folder = Folder::new("owner");
            let made = fs::metadata(folder.file("secret", 0o600, b"canary")).unwrap().uid();
            assert_eq!(own_user(), Some(made), "what this process makes is its own");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = Folder::new("open");
        let path = folder.file("secret", 0o644, b"canary");
        let link = folder.0.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for (name, path) in [("file", &path), ("link", &link)] {
            let message = refusal(line("--token-file", path));
            assert!(message.contains("--token-file") && message.contains("chmod 600"), "{name}: {message}");
            assert!(message.contains("0644") && !message.contains("canary"), "{name}: {message}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(line("--token-file", &link).unwrap().expose(), "canary", "the link's own mode is 0777");
    }

    #[test]
    fn a_line_loses_its_line_feed_and_a_text_keeps_its_lines() {
        let folder = Folder::new("lines");
        let file = |text: &[u8]| folder.file("secret", 0o600, text);
        for text in ["canary", "canary\n", "canary\r\n"] {
            assert_eq!(line("-", &file(text.as_bytes())).unwrap().expose(), "canary");
        }
        assert_eq!(text("-", &file(b"a\nb\n")).unwrap().expose(), "a\nb\n");
        for bad in [&b""[..], b"\n", b"canary\nsecond", b"canary\xff", &[b'x'; MAX_BYTES + 1]] {
            assert!(!refusal(line("-", &file(bad))).contains("canary"));
        }
        assert!(refusal(line("-", &folder.0)).contains("is a folder"));
        assert!(refusal(line("-", &folder.0.join("none"))).contains("could not be read"));
    }
}
