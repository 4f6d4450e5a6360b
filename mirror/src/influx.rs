//! InfluxDB 2 through the `influxdb2` crate: the one place that knows that crate and the HTTP client below it.
//!
//! The crate writes ready lines and asks Flux queries. What it does not do is done here, with as little as possible:
//!
//! - It compresses only points of its own making: the lines are compressed before they are given to it, by a client
//!   whose every request says so.
//! - It takes 204 alone for success: 200 and 202, which other engines answer, are taken as well.
//! - It throws the headers of an answer away: after a 429 or 503 the server is asked with an empty write how long it wants to be
//!   left alone (`Retry-After`, in seconds; a date is not understood, the doubling wait is used then).
//! - It unwraps what it reads of an answer: a query runs in a task of its own, whose panic is an error here.
//! - It takes the path of the server's address away: an address with one is refused.
//!
//! Redirects are not followed and proxies of the environment not used: the token goes where the configuration says. The
//! address is the operator's own, so it may be local and it may be plain HTTP.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use influxdb2::models::Query;
use influxdb2::{ClientBuilder, RequestError};
use influxdb2_structmap::GenericMap;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, StatusCode, Url};

use super::delivery::{Target, Trouble, WriteError};

/// How long the server may take to say when it wants to hear from us again.
const ASK_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a query may take.
const QUERY_MAX: Duration = Duration::from_secs(300);

/// Where a server is and what it is asked to do.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "filled in from the configuration")]
pub struct InfluxSettings {
    /// `http://` or `https://`, host and port.
    pub url: String,
    /// The organisation.
    pub org: String,
    /// The bucket.
    pub bucket: String,
    /// The token; empty = none is sent.
    pub token: String,
    /// Whether lines are compressed.
    pub gzip: bool,
    /// How long one write may take.
    pub timeout: Duration,
}

impl fmt::Debug for InfluxSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InfluxSettings")
            .field("url", &self.url)
            .field("org", &self.org)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InfluxError {
    /// The address is not one that can be used.
    #[error("the address of the mirror {0}")]
    Address(&'static str),
    /// The token has characters that no header can hold.
    #[error("the token has characters that no HTTP header can hold")]
    Token,
    /// The file of certificates can't be used.
    #[error("can't use the certificates in {path}: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The HTTP client can't be made.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// A query failed.
    #[error("the query failed: {0}")]
    Query(String),
}

/// The address, when it can be used.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<Url, InfluxError> {
    let parsed: Url = url.parse().map_err(|_| InfluxError::Address("is no URL"))?;
    let is_http = matches!(parsed.scheme(), "http" | "https");
    let mistakes = [
        (!is_http || !parsed.has_host(), "must be http:// or https://, host and port"),
        (!matches!(parsed.path(), "" | "/"), "must not have a path"),
        (parsed.query().is_some() || parsed.fragment().is_some(), "must not have a query"),
        (
            !parsed.username().is_empty() || parsed.password().is_some(),
            "must not have a name or password in it",
        ),
    ];
    match mistakes.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, mistake)) => Err(InfluxError::Address(mistake)),
        None => Ok(parsed),
    }
}

/// One server.
pub struct Influx {
    settings: InfluxSettings,
    writer: influxdb2::Client,
    reader: influxdb2::Client,
    /// For the question that `influxdb2` has no call for.
    http: reqwest::Client,
    write_url: Url,
}

impl fmt::Debug for Influx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Influx").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Influx {
    /// A client that trusts the web's authorities and those in `ca_file`. Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings can't be used.
    pub fn new(settings: InfluxSettings, ca_file: Option<&Path>) -> Result<Self, InfluxError> {
        let mut write_url = check_url(&settings.url)?;
        write_url.set_path("/api/v2/write");
        let failed = |error: reqwest::Error| InfluxError::Client(text_of(&error));
        let certificates = ca_file.map(read_certificates).transpose()?.unwrap_or_default();
        let builder = |timeout: Duration| {
            let plain = reqwest::ClientBuilder::new()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_MAX)
                .tcp_nodelay(true)
                .timeout(timeout);
            certificates
                .iter()
                .fold(plain, |builder, certificate| builder.add_root_certificate(certificate.clone()))
        };
        let mut headers = HeaderMap::new();
        if settings.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let client = |builder: reqwest::ClientBuilder| {
            ClientBuilder::with_builder(builder, &settings.url, &settings.org, &settings.token)
                .build()
                .map_err(|error| InfluxError::Client(error.to_string()))
        };
        let writer = client(builder(settings.timeout).default_headers(headers))?;
        let reader = client(builder(QUERY_MAX))?;
        let mut authorization = HeaderMap::new();
        if !settings.token.is_empty() {
            let mut value = HeaderValue::from_str(&format!("Token {}", settings.token))
                .map_err(|_| InfluxError::Token)?;
            value.set_sensitive(true);
            authorization.insert(AUTHORIZATION, value);
        }
        let http = builder(ASK_MAX).default_headers(authorization).build().map_err(failed)?;
        Ok(Self { settings, writer, reader, http, write_url })
    }

    /// Where the lines go.
    #[must_use]
    pub const fn settings(&self) -> &InfluxSettings {
        &self.settings
    }

    /// How long the server wants to be left alone, if it says so.
    async fn ask_retry_after(&self) -> Option<Duration> {
        let question =
            [("bucket", &*self.settings.bucket), ("org", &*self.settings.org), ("precision", "ns")];
        let asked = self.http.post(self.write_url.clone()).query(&question).body("").send().await.ok()?;
        let is_busy =
            matches!(asked.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let seconds = asked.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        is_busy.then(|| Duration::from_secs(seconds))
    }

    /// The rows of the answer to a Flux query.
    ///
    /// # Errors
    /// When the server does not answer, refuses, or answers something that is no annotated CSV.
    pub async fn query(&self, flux: String) -> Result<Vec<GenericMap>, InfluxError> {
        let reader = self.reader.clone();
        let asked = tokio::spawn(async move { reader.query_raw(Some(Query::new(flux))).await }).await;
        let unreadable = |_| InfluxError::Query("the answer is no annotated CSV".to_owned());
        let records = asked.map_err(unreadable)?;
        let records = records.map_err(|error| InfluxError::Query(write_error(error).message))?;
        Ok(records.into_iter().map(|record| record.values).collect())
    }
}

impl Target for Influx {
    async fn write(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        let body = if self.settings.gzip { compressed(lines) } else { Ok(Bytes::copy_from_slice(lines)) };
        let body = body.map_err(|error| WriteError::new(Trouble::Configuration, &text_of(&error)))?;
        let answer = self.writer.write_line_protocol(&self.settings.org, &self.settings.bucket, body).await;
        let error = match answer {
            Ok(()) => return Ok(()),
            Err(RequestError::Http { status, .. }) if status.is_success() => return Ok(()),
            Err(error) => error,
        };
        let is_busy = matches!(
            &error,
            RequestError::Http { status, .. }
                if matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        );
        let mut error = write_error(error);
        if is_busy {
            error.retry_after = self.ask_retry_after().await;
        }
        Err(error)
    }
}

fn write_error(error: RequestError) -> WriteError {
    match error {
        RequestError::Http { status, text } => {
            let trouble = Trouble::of_status(status.as_u16());
            let mut error = WriteError::new(trouble, &format!("{}: {text}", status.as_u16()));
            error.is_away = matches!(status.as_u16(), 502..=504);
            error
        }
        RequestError::ReqwestProcessing { source } => {
            let trouble = if source.is_builder() { Trouble::Configuration } else { Trouble::Passing };
            let mut error = WriteError::new(trouble, &text_of(&source.without_url()));
            error.is_away = true;
            error
        }
        other => WriteError::new(Trouble::Configuration, &other.to_string()),
    }
}

/// An error with its causes.
fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        // Some of them say their causes themselves.
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = source.source();
    }
    text
}

fn compressed(lines: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
    encoder.write_all(lines)?;
    encoder.finish().map(Bytes::from)
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, InfluxError> {
    let wrong = |reason: String| InfluxError::Certificates { path: path.display().to_string(), reason };
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    // This client reads one certificate from a text, whatever follows it.
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(&text);
    let parts = text.split_inclusive(END).filter(|part| part.contains(END));
    let read = parts.map(|part| Certificate::from_pem(part.as_bytes()));
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| wrong(text_of(&error)))?;
    if certificates.is_empty() { Err(wrong("there is none".to_owned())) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> InfluxSettings {
        InfluxSettings {
            url: url.to_owned(),
            org: "county".to_owned(),
            bucket: "cars".to_owned(),
            token: "s3cr3t".to_owned(),
            gzip: true,
            timeout: Duration::from_secs(10),
        }
    }

    #[test]
    fn addresses_that_would_lead_elsewhere_are_refused() {
        for wrong in [
            "",
            "influx:8086",
            "ftp://influx:8086",
            "http://influx/below",
            "http://u:p@influx:8086",
            "http://influx:8086/?db=x",
        ] {
            assert!(Influx::new(settings(wrong), None).is_err(), "{wrong}");
        }
        for right in ["http://127.0.0.1:8428", "https://influx.example:8086/"] {
            assert!(Influx::new(settings(right), None).is_ok(), "{right}");
        }
    }

    #[test]
    fn the_token_is_never_printed() {
        let influx = Influx::new(settings("http://127.0.0.1:1"), None).unwrap();
        assert!(!format!("{influx:?}").contains("s3cr3t"));
        let wrong = InfluxSettings { token: "s3cr3t\n".to_owned(), ..settings("http://127.0.0.1:1") };
        let error = Influx::new(wrong, None).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("s3cr3t"));
    }

    #[test]
    fn every_certificate_of_a_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(read_certificates(&path).is_err(), "no file");
        std::fs::write(&path, "hello").unwrap();
        assert!(read_certificates(&path).is_err(), "no certificate");
    }
}
