//! Bytes that are wiped.

use std::ops::Deref;

use zeroize::{Zeroize as _, Zeroizing};

/// A buffer for what may be a secret: wiped when it is dropped, emptied, or grows.
#[derive(Default)]
pub(super) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let length = self.0.len() + bytes.len();
        if length > self.0.capacity() {
            // By hand, since a vector that grows by itself leaves its old copy behind.
            let mut larger = Zeroizing::new(Vec::with_capacity((2 * length).max(64)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        if !self.0.is_empty() {
            self.0.zeroize();
        }
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Wiped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wiped(…)")
    }
}
