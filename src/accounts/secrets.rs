//! Random secrets that open something: log-ins, one-time links, recovery codes. Only their SHA-256 is ever stored; they have
//! at least 80 random bits, so a plain hash is enough.

use sha2::{Digest as _, Sha256};

use crate::registry::hex;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
#[error("no random numbers")]
#[non_exhaustive]
pub struct NoRandomness;

/// Random bytes.
///
/// # Errors
/// When the source of randomness fails.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// 256 random bits in hex.
///
/// # Errors
/// As [`random`].
pub fn secret() -> Result<String, NoRandomness> {
    Ok(hex::encode(&random::<32>()?))
}

/// A code that a person copies by hand: 80 random bits as four groups of four letters and digits.
///
/// # Errors
/// As [`random`].
pub fn recovery_code() -> Result<String, NoRandomness> {
    let letters = super::totp::base32(&random::<10>()?).to_lowercase();
    let groups: Vec<String> =
        letters.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    Ok(groups.join("-"))
}

/// What is stored of a secret.
#[must_use]
pub fn sha256(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret.as_bytes()))
}
