//! Signatures by Standard Webhooks 1.0: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a secret begins with in its written form.
const PREFIX: &str = "whsec_";
/// Bytes of a new secret; the specification asks for 24 to 64.
const KEY_BYTES: usize = 32;
const KEY_BYTES_RANGE: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret, in its written form.
///
/// # Errors
/// When the source of randomness fails.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(key)))
}

/// The signature of a message; `None` when the secret is not one.
#[must_use]
pub fn sign(secret: &str, id: &str, timestamp_s: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    if !KEY_BYTES_RANGE.contains(&key.len()) {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_comes_out() {
        // Of the reference implementations of Standard Webhooks.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature =
            sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_new_secret_signs_and_a_broken_one_does_not() {
        let secret = new_secret().unwrap();
        assert!(sign(&secret, "msg_1", 1, "{}").is_some());
        assert_ne!(secret, new_secret().unwrap());
        for broken in ["", "whsec_", "whsec_!", "whsec_YWJj", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(sign(broken, "msg_1", 1, "{}"), None, "{broken}");
        }
    }
}
