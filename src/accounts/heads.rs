//! Heads of the audit log, signed with Ed25519 and kept outside the database: what shows that the tail was cut off.
//!
//! The key is made at the first start and readable by its owner only; whoever owns the machine can sign a false head, which is why
//! the file of heads belongs on another one (`accounts.audit_heads` may lie on a share that can only be appended to, and its lines may be
//! printed or mailed). A line is JSON: `{"alg":"ed25519","day":…,"seq":…,"hash":…,"at":…,"key":…,"signature":…}`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};

use super::chain::Fault;
use super::secrets;
use crate::registry::hex;

/// What keeps these signatures apart from all others.
const DOMAIN: &str = "motorpool audit head 1";
/// The only algorithm so far.
const ALGORITHM: &str = "ed25519";
/// The file of heads is read up to this size, bytes: seventy years of hours.
pub const HEADS_BYTES_MAX: u64 = 256 << 20;

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a line of a file")]
pub struct Head {
    /// How it is signed.
    pub alg: String,
    /// The day (UTC) on which it was signed.
    pub day: String,
    /// The last entry.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// When it was signed.
    pub at: UtcMillis,
    /// The public key, hex.
    pub key: String,
    /// The signature, hex.
    pub signature: String,
}

impl Head {
    fn signed_bytes(day: &str, seq: i64, hash: &str, at: UtcMillis) -> Vec<u8> {
        // No field holds a line feed: days, numbers and hex.
        format!("{DOMAIN}\n{ALGORITHM}\n{day}\n{seq}\n{hash}\n{}\n", at.0).into_bytes()
    }

    /// Whether the key that it names, and that is the expected one if there is one, signed it.
    #[must_use]
    pub fn is_signed(&self, expected: Option<&str>) -> bool {
        let read = || -> Option<bool> {
            let key: [u8; 32] = hex::decode(&self.key)?.try_into().ok()?;
            let signature: [u8; 64] = hex::decode(&self.signature)?.try_into().ok()?;
            let key = VerifyingKey::from_bytes(&key).ok()?;
            let bytes = Self::signed_bytes(&self.day, self.seq, &self.hash, self.at);
            Some(key.verify_strict(&bytes, &Signature::from_bytes(&signature)).is_ok())
        };
        self.alg == ALGORITHM
            && expected.is_none_or(|expected| expected == self.key)
            && read().unwrap_or(false)
    }
}

/// The key that signs heads.
pub struct HeadKey(SigningKey);

impl std::fmt::Debug for HeadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HeadKey").field(&self.public()).finish()
    }
}

impl HeadKey {
    /// The key in this file, which is made at the first start, mode 0600.
    ///
    /// # Errors
    /// When the file can't be read or made, or holds no key.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no key of 32 bytes in hex");
                let bytes: Option<[u8; 32]> =
                    hex::decode(text.trim()).and_then(|bytes| bytes.try_into().ok());
                Ok(Self(SigningKey::from_bytes(&bytes.ok_or_else(wrong)?)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(error),
        }
    }

    fn make(path: &Path) -> io::Result<Self> {
        let secret = secrets::random::<32>().map_err(io::Error::other)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(hex::encode(&secret).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    /// The public key, hex.
    #[must_use]
    pub fn public(&self) -> String {
        hex::encode(self.0.verifying_key().as_bytes())
    }

    /// A head over the entry `seq` with this hash.
    #[must_use]
    pub fn sign(&self, day: &str, seq: i64, hash: &str, at: UtcMillis) -> Head {
        let signature = self.0.sign(&Head::signed_bytes(day, seq, hash, at));
        Head {
            alg: ALGORITHM.to_owned(),
            day: day.to_owned(),
            seq,
            hash: hash.to_owned(),
            at,
            key: self.public(),
            signature: hex::encode(&signature.to_bytes()),
        }
    }
}

/// The whole lines of a file of heads, and what comes behind the last of them: a line that a crash tore.
#[must_use]
pub fn whole_lines(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('\n') {
        _ if text.is_empty() => (text, None),
        Some((_, "")) => (text, None),
        Some((lines, torn)) => (lines, Some(torn)),
        None => ("", Some(text)),
    }
}

/// Makes the file end with a whole line: a torn one is cut off, one that lacks nothing but its end gets it. Answers what was cut off.
///
/// # Errors
/// When the file can't be read or changed; one that is not there is whole.
pub fn mend(path: &Path) -> io::Result<Option<String>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = bytes.get(end..).unwrap_or_default();
    if torn.is_empty() {
        return Ok(None);
    }
    let is_whole = serde_json::from_slice::<Head>(torn).is_ok_and(|head| head.is_signed(None));
    if is_whole {
        let mut file = OpenOptions::new().append(true).open(path)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        return Ok(None);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(end as u64)?;
    file.sync_all()?;
    Ok(Some(String::from_utf8_lossy(torn).into_owned()))
}

/// The last head of a file that this key signed, whatever else is in it.
#[must_use]
pub fn last_of(text: &str, key: &str) -> Option<Head> {
    let heads = text.lines().rev().filter_map(|line| serde_json::from_str::<Head>(line).ok());
    heads.into_iter().find(|head| head.is_signed(Some(key)))
}

/// Adds a line to the file of heads, durably.
///
/// # Errors
/// When the file can't be written.
pub fn append(path: &Path, head: &Head) -> io::Result<()> {
    let mut line = serde_json::to_vec(head).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(path)?;
    file.write_all(&line)?;
    file.sync_all()
}

/// The heads of a file, each with the number of its line.
///
/// # Errors
/// The first line that is no head, or is not signed by the expected key (any key that signed all of them, if none is expected).
pub fn read(text: &str, expected: Option<&str>) -> Result<Vec<Head>, Fault> {
    let mut heads: Vec<Head> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let head: Head = serde_json::from_str(line).map_err(|_| Fault::Unreadable(at + 1))?;
        let key = expected.or_else(|| heads.first().map(|first| first.key.as_str()));
        if !head.is_signed(key) {
            return Err(Fault::Forged(at + 1));
        }
        heads.push(head);
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit-key");
        let made = HeadKey::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(HeadKey::open(&path).unwrap().public(), made.public());
        fs::write(&path, "xx").unwrap();
        assert!(HeadKey::open(&path).is_err(), "never replaced in silence");
    }

    #[test]
    fn the_signature_is_that_of_rfc_8032() {
        // Section 7.1, test 1: the secret key, the public key, the signature of no bytes.
        let secret = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = HeadKey(SigningKey::from_bytes(&secret.try_into().unwrap()));
        assert_eq!(key.public(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert!(
            hex::encode(&key.0.sign(b"").to_bytes())
                .starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")
        );
    }

    #[test]
    fn a_torn_line_is_cut_off_wherever_it_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let key = HeadKey::open(&folder.path().join("key")).unwrap();
        let file = folder.path().join("heads");
        assert_eq!(mend(&file).unwrap(), None, "there is none");
        append(&file, &key.sign("2026-03-04", 7, "ab", UtcMillis(1))).unwrap();
        let first = fs::read(&file).unwrap();
        append(&file, &key.sign("2026-03-04", 9, "cd", UtcMillis(2))).unwrap();
        let both = fs::read(&file).unwrap();
        for length in first.len() + 1..both.len() - 1 {
            fs::write(&file, &both[..length]).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            let (whole, torn) = whole_lines(&text);
            assert_eq!((whole.len() + 1, torn.unwrap().len()), (first.len(), length - first.len()));
            assert_eq!(mend(&file).unwrap().unwrap().len(), length - first.len(), "{length}");
            assert_eq!(fs::read(&file).unwrap(), first, "{length}");
        }
        for bytes in [&both[..both.len() - 1], &both[..]] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(mend(&file).unwrap(), None, "it lacks nothing but its end");
            assert_eq!(fs::read(&file).unwrap(), both);
        }
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(whole_lines(&text), (&*text, None));
        let garbled = format!("{text}{{}}\n");
        assert_eq!(last_of(&garbled, &key.public()).unwrap().seq, 9);
    }

    #[test]
    fn a_head_with_a_changed_field_or_another_key_is_forged() {
        let folder = tempfile::tempdir().unwrap();
        let key = HeadKey::open(&folder.path().join("ours")).unwrap();
        let other = HeadKey::open(&folder.path().join("theirs")).unwrap();
        let file = folder.path().join("heads");
        let head = key.sign("2026-03-04", 7, "ab", UtcMillis(1));
        append(&file, &head).unwrap();
        append(&file, &key.sign("2026-03-05", 9, "cd", UtcMillis(2))).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(read(&text, None).unwrap().len(), 2);
        assert_eq!(read(&text, Some(&key.public())).unwrap()[0], head);
        assert_eq!(read(&text, Some(&other.public())), Err(Fault::Forged(1)));
        assert_eq!(read(&text.replace("\"seq\":9", "\"seq\":8"), None), Err(Fault::Forged(2)));
        append(&file, &other.sign("2026-03-06", 9, "cd", UtcMillis(3))).unwrap();
        assert_eq!(read(&fs::read_to_string(&file).unwrap(), None), Err(Fault::Forged(3)));
        assert_eq!(read("{}\n", None), Err(Fault::Unreadable(1)));
    }
}
