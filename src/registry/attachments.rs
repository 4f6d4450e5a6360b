//! Files that people attach to cases. They are kept as they came and never changed.

use motorpool_protocols::UtcMillis;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use super::db::Sql;
use super::devices::clean;
use super::{Error, Registry, entries, hex};

/// The largest file, bytes.
pub const ATTACHMENT_BYTES_MAX: usize = 10 << 20;
/// Files of one case.
const ATTACHMENTS_PER_CASE_MAX: i64 = 200;
/// Characters of a file's name and of its media type.
const NAME_CHARS_MAX: usize = 200;

/// A file to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewAttachment {
    /// The case.
    pub case_id: String,
    /// Its name, cut to 200 characters.
    pub name: String,
    /// Its media type as the sender said, cut to 200 characters. Nobody has looked whether it is true.
    pub media_type: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A file as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Attachment {
    /// Its number.
    pub id: i64,
    /// The case.
    pub case_id: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its name.
    pub name: String,
    /// Its media type as the sender said.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// When it was attached.
    pub recorded_at: UtcMillis,
    /// By whom.
    pub recorded_by: String,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    case_id: String,
    sha256: String,
    name: String,
    media_type: String,
    size: i64,
    recorded_at: i64,
    recorded_by: String,
}

impl From<Row> for Attachment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            case_id: row.case_id,
            sha256: row.sha256,
            name: row.name,
            media_type: row.media_type,
            size: row.size,
            recorded_at: UtcMillis(row.recorded_at),
            recorded_by: row.recorded_by,
        }
    }
}

/// A name without control characters and folders, cut.
fn short(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect::<String>().trim().to_owned()
}

impl Registry {
    /// Keeps a file. The same bytes attached to the same case again are the same attachment.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is empty or too large, or the case has 200 already; or when the database fails.
    pub async fn attach(&self, new: NewAttachment, who: &str, now: UtcMillis) -> Result<Attachment, Error> {
        if new.bytes.is_empty() || new.bytes.len() > ATTACHMENT_BYTES_MAX {
            let size = new.bytes.len();
            return Err(Error::Refused(format!(
                "a file of {size} bytes, not of 1 to {ATTACHMENT_BYTES_MAX}"
            )));
        }
        let sha256 = hex::encode(&Sha256::digest(&new.bytes));
        let size = i64::try_from(new.bytes.len()).map_err(|_| Error::Full)?;
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let sql = Sql::new(
            "SELECT id, case_id, sha256, name, media_type, size, recorded_at, recorded_by FROM attachments \
             WHERE case_id = $1 ORDER BY id",
        );
        let held: Vec<Row> = tx.all(sql.bind(&new.case_id)).await?;
        let count = i64::try_from(held.len()).map_err(|_| Error::Full)?;
        if let Some(same) = held.into_iter().find(|row| row.sha256 == sha256) {
            return Ok(same.into());
        }
        if count >= ATTACHMENTS_PER_CASE_MAX {
            return Err(Error::Refused(format!("a case has {ATTACHMENTS_PER_CASE_MAX} files at most")));
        }
        let recorded_at = entries::record_time(&mut tx, now).await?;
        let id = tx.number(Sql::new("SELECT COALESCE(MAX(id), 0) + 1 FROM attachments")).await?;
        let attachment = Attachment {
            id,
            case_id: new.case_id,
            sha256,
            name: short(&new.name),
            media_type: new.media_type.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect(),
            size,
            recorded_at,
            recorded_by: clean(who),
        };
        let sql = Sql::new(
            "INSERT INTO attachments (id, case_id, sha256, name, media_type, size, recorded_at, recorded_by, bytes) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(attachment.id)
        .bind(&attachment.case_id)
        .bind(&attachment.sha256)
        .bind(&attachment.name)
        .bind(&attachment.media_type)
        .bind(attachment.size)
        .bind(attachment.recorded_at)
        .bind(&attachment.recorded_by)
        .bind(new.bytes);
        tx.execute(sql).await?;
        tx.commit().await?;
        Ok(attachment)
    }

    /// The files of a case, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachments(&self, case_id: &str) -> Result<Vec<Attachment>, Error> {
        let sql = Sql::new(
            "SELECT id, case_id, sha256, name, media_type, size, recorded_at, recorded_by FROM attachments \
             WHERE case_id = $1 ORDER BY id",
        );
        let rows: Vec<Row> = self.db.all(sql.bind(case_id)).await?;
        Ok(rows.into_iter().map(Attachment::from).collect())
    }

    /// The bytes of a file of a case; `None` when that case has no such file.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachment_bytes(&self, case_id: &str, id: i64) -> Result<Option<Vec<u8>>, Error> {
        let sql = Sql::new("SELECT bytes FROM attachments WHERE case_id = $1 AND id = $2");
        let row: Option<(Vec<u8>,)> = self.db.optional(sql.bind(case_id).bind(id)).await?;
        Ok(row.map(|(bytes,)| bytes))
    }
}
