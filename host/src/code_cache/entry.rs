//! What is in a file of the cache, and how it is known to be whole.
//!
//! A file is a mark, a seal and the code. The seal is a SHA-256 over the key and the code, and the key is made of the
//! component's digest, wasmtime's version and every setting that the code depends on. A file that was cut off, changed
//! by a failing disk, renamed, or taken from another component or another engine does not pass.
//!
//! The seal has no secret, since one could only lie in the same folder: it finds damage and mistakes. Against people
//! the folder's owner and mode stand.

use std::hash::{Hash as _, Hasher};

use aws_lc_rs::digest::{Context, SHA256};
use wasmtime::Engine;

/// Begins each file; its number changes with the form.
const MARK: &[u8; 16] = b"auth0-host code1";
/// Length of a SHA-256.
const SEAL_BYTES: usize = 32;

/// For which component and which engine code is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; SEAL_BYTES]);

impl Key {
    /// Makes the key of a component with this SHA-256.
    pub(super) fn new(engine: &Engine, component: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(MARK);
        context.update(component);
        let mut hasher = Sha256Hasher(context);
        // Covers wasmtime's full version, its settings, the target and the processor's features.
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self(bytes(&hasher.0.finish()))
    }

    /// Names the file of this key.
    pub(super) fn file_name(&self) -> String {
        let mut name: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        name.push_str(super::folder::EXTENSION);
        name
    }

    /// Makes the content of a file.
    pub(super) fn seal(&self, code: &[u8]) -> Vec<u8> {
        [&MARK[..], &self.seal_of(code), code].concat()
    }

    fn seal_of(&self, code: &[u8]) -> [u8; SEAL_BYTES] {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(code);
        bytes(&context.finish())
    }
}

/// The content of a file that was this user's alone when it was read. Nothing else is known of it.
pub(super) struct PrivateFile(Vec<u8>);

impl PrivateFile {
    /// Takes what [`super::folder`] read.
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self(content)
    }

    /// Returns the code, if it is whole and was kept under this key.
    pub(super) fn unseal(self, key: &Key) -> Option<Unsealed> {
        let (seal, code) = self.0.strip_prefix(MARK)?.split_at_checked(SEAL_BYTES)?;
        let whole = key.seal_of(code) == seal;
        whole.then_some(Unsealed(self.0))
    }
}

/// Code that this program kept for this engine, unchanged. Only [`PrivateFile::unseal`] makes one.
pub(super) struct Unsealed(Vec<u8>);

impl Unsealed {
    /// Returns the code.
    pub(super) fn code(&self) -> &[u8] {
        self.0.get(MARK.len() + SEAL_BYTES..).unwrap_or_default()
    }
}

/// A hash that means the same in every process, unlike those of the standard library.
struct Sha256Hasher(Context);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The first bytes; the whole is taken from the context.
    fn finish(&self) -> u64 {
        let digest = self.0.clone().finish();
        digest.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

fn bytes(digest: &aws_lc_rs::digest::Digest) -> [u8; SEAL_BYTES] {
    let mut bytes = [0; SEAL_BYTES];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

#[cfg(test)]
mod tests {
    use wasmtime::Config;

    use super::*;

    fn key(component: &[u8]) -> Key {
        Key::new(&Engine::default(), component)
    }

    fn opens(content: &[u8], key: &Key) -> bool {
        PrivateFile::new(content.to_vec()).unseal(key).is_some()
    }

    #[test]
    fn what_was_sealed_comes_back() {
        let key = key(b"component");
        let content = key.seal(b"code");
        assert_eq!(PrivateFile::new(content).unseal(&key).unwrap().code(), b"code");
    }

    #[test]
    fn each_changed_bit_and_each_missing_byte_is_noticed() {
        let key = key(b"component");
        let content = key.seal(b"code");
        for at in 0..content.len() {
            assert!(!opens(&content[..at], &key), "cut off at {at}");
            for bit in 0..8 {
                let mut changed = content.clone();
                changed[at] ^= 1 << bit;
                assert!(!opens(&changed, &key), "byte {at}, bit {bit}");
            }
        }
        assert!(!opens(&[&content[..], b"x"].concat(), &key), "something was added");
    }

    #[test]
    fn another_component_and_other_settings_of_the_engine_have_keys_of_their_own() {
        let own = key(b"component");
        assert_eq!(own, key(b"component"));
        let mut config = Config::new();
        config.epoch_interruption(true);
        let others = [key(b"another"), Key::new(&Engine::new(&config).unwrap(), b"component")];
        for other in others {
            assert_ne!(own.file_name(), other.file_name());
            assert!(!opens(&other.seal(b"code"), &own), "a renamed file passed");
        }
    }
}
