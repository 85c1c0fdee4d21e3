//! Identifiers in Auth0's shapes.
//!
//! Ids come from a counter, so that a run gives the same ids twice; secrets come from the system's randomness, so that
//! nobody learns to rely on them.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The source of all ids of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    issued: u64,
}

impl Ids {
    /// 24 hexadecimal digits that grow with each call, as database user ids do.
    pub(crate) fn hex24(&mut self) -> String {
        self.issued += 1;
        // The first eight digits of real ids are a clock; here a counter keeps runs alike.
        format!("{:08x}{:016x}", 0x6700_0000u64.wrapping_add(self.issued), splitmix(self.issued))
    }

    /// `prefix` and `len` alphanumerics, e.g. `rol_` + 16.
    pub(crate) fn alnum(&mut self, prefix: &str, len: usize) -> String {
        self.issued += 1;
        let mut id = String::with_capacity(prefix.len() + len);
        id.push_str(prefix);
        let mut state = splitmix(self.issued);
        for _ in 0..len {
            state = splitmix(state);
            id.push(pick(state));
        }
        id
    }
}

/// `len` random alphanumerics, for secrets.
pub(crate) fn secret(len: usize) -> String {
    let mut bytes = vec![0u8; len];
    // The system's generator fails only where there is none; a weak secret then is better than no emulator.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = i.to_le_bytes().first().copied().unwrap_or_default();
        }
    }
    bytes.iter().map(|byte| pick(u64::from(*byte))).collect()
}

fn pick(n: u64) -> char {
    let index = usize::try_from(n % 62).unwrap_or_default();
    char::from(ALPHABET.get(index).copied().unwrap_or(b'0'))
}

/// The finalizer of splitmix64: spreads a counter over 64 bits.
fn splitmix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_auth0s_shapes_and_repeat_from_run_to_run() {
        let (mut a, mut b) = (Ids::default(), Ids::default());
        let first = a.hex24();
        assert_eq!(first.len(), 24);
        assert_eq!(first, b.hex24());
        assert!(a.hex24() > first, "user ids grow");
        let role = a.alnum("rol_", 16);
        assert_eq!(role.len(), 20);
        assert!(role[4..].chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(secret(64), secret(64));
        assert_eq!(secret(64).len(), 64);
    }
}
