//! The few HTTP/1.1 calls a simulator makes to the server's API: plain `http://`, one connection a call.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// A call takes at most so long.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Only `http://HOST[:PORT][/PATH]` is understood.
    #[error("`{0}` is not an address like http://127.0.0.1:8080")]
    BadUrl(String),
    /// The connection could not be made or broke.
    #[error("{url}: {reason}")]
    Failed {
        /// What was called.
        url: String,
        /// Why it failed.
        reason: String,
    },
    /// The server answered with an error.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// What was called.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
}

/// Posts JSON with a bearer token and returns the body of the answer.
///
/// # Errors
/// When the URL is not plain HTTP, the call fails or takes longer than a minute, or the status is not 2xx.
pub async fn post_json(base: &str, path: &str, token: &str, json: String) -> Result<Bytes, HttpError> {
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let (authority, path) = split(&url).ok_or_else(|| HttpError::BadUrl(base.to_owned()))?;
    match timeout(CALL_TIMEOUT, call(authority, path, token, json)).await {
        Ok(Ok((status, body))) if (200..300).contains(&status) => Ok(body),
        Ok(Ok((status, body))) => {
            let body = String::from_utf8_lossy(&body).chars().take(500).collect();
            Err(HttpError::Status { url, status, body })
        }
        Ok(Err(reason)) => Err(HttpError::Failed { url, reason: reason.to_string() }),
        Err(_) => Err(HttpError::Failed { url, reason: "no answer in time".into() }),
    }
}

/// Authority with port, and path.
fn split(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("http://")?;
    let at = rest.find('/')?;
    let (authority, path) = rest.split_at_checked(at)?;
    let has_port = authority.rsplit(']').next().is_some_and(|tail| tail.contains(':'));
    let ok = !authority.is_empty() && !authority.contains('@');
    ok.then(|| (if has_port { authority.to_owned() } else { format!("{authority}:80") }, path))
}

async fn call(
    authority: String,
    path: &str,
    token: &str,
    json: String,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(&authority).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post(path)
        .header(HOST, &authority)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(json)))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok((status, body))
    };
    let mut exchange = std::pin::pin!(exchange);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may end with the last byte of the answer still to be taken.
        ended = &mut connection => { ended?; exchange.await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn addresses_are_split() {
        assert_eq!(split("http://host/a"), Some(("host:80".into(), "/a")));
        assert_eq!(split("http://[::1]:8080/a/b"), Some(("[::1]:8080".into(), "/a/b")));
        assert_eq!(split("http://[::1]/a"), Some(("[::1]:80".into(), "/a")));
        for bad in ["https://host/a", "host/a", "http:///a", "http://me@host/a"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    async fn answer_with(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                let mut part = [0; 256];
                let n = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..n]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (base, server)
    }

    #[tokio::test]
    async fn a_post_carries_token_and_body() {
        let (base, server) = answer_with("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!(post_json(&base, "/x", "secret", "{}".into()).await.unwrap(), "ok");
        let request = server.await.unwrap().to_lowercase();
        assert!(request.starts_with("post /x http/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: bearer secret\r\n") && request.ends_with("{}"), "{request}");
    }

    #[tokio::test]
    async fn an_error_status_is_told_with_its_body() {
        let (base, _server) =
            answer_with("HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno!")
                .await;
        let error = post_json(&base, "/x", "t", "{}".into()).await.unwrap_err().to_string();
        assert!(error.contains("401") && error.contains("no!"), "{error}");
    }
}
