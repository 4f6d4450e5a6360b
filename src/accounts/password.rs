//! Passwords: what is taken, and argon2id hashes made on few threads at a time.
//!
//! The parameters are those that OWASP names as the floor (19 MiB, two passes, one lane). A hash that was made with others is made
//! again at the next log-in.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;

use super::secrets;

/// Characters of a password at least.
pub const CHARS_MIN: usize = 12;
/// Bytes of a password at most: hashing must not be a way to keep the server busy.
pub const BYTES_MAX: usize = 1_024;
/// Memory of one hash, KiB.
const MEMORY_KIB: u32 = 19 * 1_024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Hashes computed at one time.
const HASHES_AT_ONCE: usize = 2;
/// Who may wait for that at one time; others are told to come back.
const WAITING_MAX: usize = 64;

/// The password of the demo's accounts, which open nothing but a demo.
pub const DEMO_PASSWORD: &str = "motorpool-demo";

/// Passwords of at least twelve characters that everybody tries first. Compared in lower case.
const COMMON: &[&str] = &[
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "1234567890123456",
    "111111111111",
    "000000000000",
    "888888888888",
    "666666666666",
    "123123123123",
    "121212121212",
    "112233445566",
    "987654321098",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "qwertyuiop[]",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "qazwsxedcrfv",
    "zxcvbnm12345",
    "asdfghjkl123",
    "q1w2e3r4t5y6",
    "1q2w3e4r5t6y",
    "abcdefghijkl",
    "abcd12345678",
    "abc123456789",
    "a123456789012",
    "aa1234567890",
    "woaini1314520",
    "woaini520520",
    "woaini123456",
    "5201314520131",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "p@ssw0rd1234",
    "p@ssword1234",
    "passw0rd1234",
    "administrator",
    "administrator1",
    "admin1234567",
    "admin12345678",
    "admin@123456",
    "adminadmin123",
    "root12345678",
    "letmein12345",
    "welcome12345",
    "iloveyou1234",
    "changeme1234",
    "motorpool1234",
    "motorpool123",
    "gongwuche1234",
    "correcthorsebatterystaple",
    "trustno1trustno1",
    "football1234",
    "superman1234",
    "qwerty123456",
    "qwerty1234567",
];

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "callers show each")]
pub enum Weak {
    /// Too short.
    #[error("a password has at least {CHARS_MIN} characters")]
    Short,
    /// Too long to be hashed.
    #[error("a password has at most {BYTES_MAX} bytes")]
    Long,
    /// Everybody tries it first.
    #[error("this password is one of those that are tried first")]
    Common,
    /// It holds the name.
    #[error("a password does not hold the name it is for")]
    HoldsName,
}

/// Whether a new password is taken for the account with this log-in name.
///
/// # Errors
/// Why it is not.
pub fn check(password: &str, name: &str) -> Result<(), Weak> {
    if password.chars().count() < CHARS_MIN {
        return Err(Weak::Short);
    }
    if password.len() > BYTES_MAX {
        return Err(Weak::Long);
    }
    let lower = password.to_lowercase();
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    // `aaaaaaaaaaaa` and `abababababab` are as well known as any in the list.
    if COMMON.contains(&lower.as_str()) || different.len() < 4 {
        return Err(Weak::Common);
    }
    // A name of one or two letters stands in many a good password.
    if name.chars().count() >= 3 && lower.contains(&name.to_lowercase()) {
        return Err(Weak::HoldsName);
    }
    Ok(())
}

/// Why no hash was made or compared.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "callers answer each differently")]
pub enum HashError {
    /// Too many wait already.
    #[error("too many passwords are being checked")]
    Busy,
    /// It could not be computed.
    #[error("a password could not be hashed")]
    Failed,
}

/// What came of comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle each")]
pub enum Verdict {
    /// It is another password.
    Wrong,
    /// It is this one.
    Right,
    /// It is this one; store this hash in place of the old one, whose parameters are out of date.
    RightAndRehashed(String),
}

/// Makes and compares hashes, few at a time.
#[derive(Clone, Debug)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// A hash of nothing anybody knows: unknown names cost as much as known ones.
    decoy: Arc<OnceLock<String>>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// A hasher.
    #[must_use]
    pub fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            decoy: Arc::new(OnceLock::new()),
        }
    }

    /// The hash of a new password, with its parameters and salt.
    ///
    /// # Errors
    /// When too many wait, or it could not be computed.
    pub async fn hash(&self, password: &str) -> Result<String, HashError> {
        let password = password.to_owned();
        self.run(move || hash(&password)).await?
    }

    /// Compares a password with a stored hash; without one the answer is wrong, and takes as long.
    ///
    /// # Errors
    /// As [`Hasher::hash`].
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, HashError> {
        if password.len() > BYTES_MAX {
            return Ok(Verdict::Wrong);
        }
        let password = password.to_owned();
        let Some(stored) = stored.map(str::to_owned) else {
            let decoy = Arc::clone(&self.decoy);
            self.run(move || verify(&password, decoy.get_or_init(any_hash))).await??;
            return Ok(Verdict::Wrong);
        };
        self.run(move || verify(&password, &stored)).await?
    }

    /// Leaves nobody a place, as a crowd does.
    #[cfg(test)]
    pub(crate) fn take_all_places(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(WAITING_MAX).unwrap();
        Arc::clone(&self.places).try_acquire_many_owned(all).unwrap()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.places.try_acquire().map_err(|_| HashError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| HashError::Busy)?;
        let work = tokio::task::spawn_blocking(move || {
            // The turn ends with the work, not with a caller who goes away.
            let _turn = turn;
            work()
        });
        work.await.map_err(|_| HashError::Failed)
    }
}

/// A hash of what nobody knows; empty when there are no random numbers.
fn any_hash() -> String {
    secrets::secret().ok().and_then(|secret| hash(&secret).ok()).unwrap_or_default()
}

fn argon2id() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| HashError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, HashError> {
    let salt = secrets::random::<16>().map_err(|_| HashError::Failed)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| HashError::Failed)?;
    let hash = argon2id()?.hash_password(password.as_bytes(), &salt).map_err(|_| HashError::Failed)?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<Verdict, HashError> {
    let parsed = PasswordHash::new(stored).map_err(|_| HashError::Failed)?;
    if argon2id()?.verify_password(password.as_bytes(), &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    let params = Params::try_from(&parsed).map_err(|_| HashError::Failed)?;
    let is_present = parsed.algorithm == Algorithm::Argon2id.ident()
        && (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, 1);
    if is_present { Ok(Verdict::Right) } else { Ok(Verdict::RightAndRehashed(hash(password)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        assert_eq!(check("短密码短密码短密码短密", "li"), Err(Weak::Short), "characters, not bytes");
        assert_eq!(check("三月的雨下在县城的河上", "li"), Err(Weak::Short));
        assert_eq!(check("三月的雨下在县城的河面上", "li"), Ok(()));
        assert_eq!(check(&"长".repeat(400), "li"), Err(Weak::Long));
        assert_eq!(check("1Qaz2Wsx3Edc", "li"), Err(Weak::Common));
        assert_eq!(check("ababababababab", "li"), Err(Weak::Common));
        assert_eq!(check("the-car-of-ZhangSan", "zhangsan"), Err(Weak::HoldsName));
        assert_eq!(check("a lilac grows there", "li"), Ok(()));
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_with_the_floor_of_owasp_and_knows_its_password() {
        let hasher = Hasher::new();
        let hash = hasher.hash("three cars in the yard").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(hasher.verify("three cars in the yard", Some(&hash)).await.unwrap(), Verdict::Right);
        assert_eq!(hasher.verify("three cars in the yarD", Some(&hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.verify("three cars in the yard", None).await.unwrap(), Verdict::Wrong);
        assert!(hasher.verify("x", Some("no hash")).await.is_err());
    }

    #[tokio::test]
    async fn a_hash_with_old_parameters_is_made_again() {
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let old = old.hash_password(b"three cars in the yard", &salt).unwrap().to_string();
        let verdict = Hasher::new().verify("three cars in the yard", Some(&old)).await.unwrap();
        let Verdict::RightAndRehashed(fresh) = verdict else { panic!("{verdict:?}") };
        assert!(fresh.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}
