//! Requests of this server to other servers: one at a time, to an address that was checked, with limits on time and size.
//!
//! A name is resolved once, and the connection goes to one of the addresses that were looked at: a name that says something else a
//! moment later changes nothing. Redirects are not followed. Nothing is kept open between two requests.
//!
//! It never decides what is sent; and it must never be asked on the path of a tracker's message.

pub mod guard;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{HeaderMap, HeaderValue, Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use guard::{Network, is_allowed};

/// The longest address of a request, bytes.
const URL_BYTES_MAX: usize = 2_048;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The address is not one that requests go to.
    #[error("the address is refused: {0}")]
    Refused(&'static str),
    /// The name resolves to an address behind the firewall.
    #[error("{0} is not on the internet, and outbound.private_networks does not name it")]
    Private(std::net::IpAddr),
    /// The name or the connection failed.
    #[error("the server can't be reached")]
    Io(#[from] io::Error),
    /// What came back is not HTTP.
    #[error("the server does not speak HTTP")]
    Http(#[from] hyper::Error),
    /// The answer is larger than expected.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a client may do.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Policy {
    /// Networks besides the internet; `None` = wherever the address says, because it is the operator's own.
    pub networks: Option<Vec<Network>>,
    /// Whether `http://` is allowed.
    pub allows_plain_http: bool,
    /// How long one request may take, from the name to the last byte.
    pub timeout: Duration,
}

/// Makes requests.
#[derive(Clone)]
pub struct Client {
    policy: Policy,
    tls: TlsConnector,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Whom servers may be certified by: the web's authorities, and those of a file.
///
/// # Errors
/// When the file can't be read or has no certificate in it.
pub(crate) fn roots(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(path) = ca_file else { return Ok(roots) };
    let wrong = |error: &dyn fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    Ok(roots)
}

impl Client {
    /// A client that trusts the web's authorities and those in `ca_file`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn new(policy: Policy, ca_file: Option<&Path>) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        Ok(Self { policy, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Whether an address has a form that requests may go to. Where its name leads is seen when it is used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, url: &str) -> Result<Uri, OutboundError> {
        if url.len() > URL_BYTES_MAX {
            return Err(OutboundError::Refused("it is too long"));
        }
        let uri: Uri = url.parse().map_err(|_| OutboundError::Refused("it is no absolute URL"))?;
        let authority = uri.authority().ok_or(OutboundError::Refused("it is no absolute URL"))?;
        if authority.as_str().contains('@') {
            return Err(OutboundError::Refused("it has a name or password in it"));
        }
        if authority.host().is_empty() {
            return Err(OutboundError::Refused("it names no server"));
        }
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => Ok(uri),
            Some(scheme) if *scheme == Scheme::HTTP && self.policy.allows_plain_http => Ok(uri),
            Some(scheme) if *scheme == Scheme::HTTP => {
                Err(OutboundError::Refused("it must begin with https://"))
            }
            _ => Err(OutboundError::Refused("it is no web address")),
        }
    }

    /// Sends a request and reads the whole answer, at most `body_max` bytes of it.
    ///
    /// # Errors
    /// When the address is refused, or no whole answer comes in time.
    pub async fn send(
        &self,
        uri: &Uri,
        request: Request<Bytes>,
        body_max: usize,
    ) -> Result<Answer, OutboundError> {
        tokio::time::timeout(self.policy.timeout, self.exchange(uri, request, body_max))
            .await
            .unwrap_or(Err(OutboundError::Timeout))
    }

    async fn exchange(
        &self,
        uri: &Uri,
        request: Request<Bytes>,
        body_max: usize,
    ) -> Result<Answer, OutboundError> {
        let uri = self.check(&uri.to_string())?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let socket = self.connect(&host, port).await?;
        let request = for_server(&uri, request)?;
        if is_tls {
            let name = ServerName::try_from(host).map_err(|_| OutboundError::Refused("its name is none"))?;
            let socket = self.tls.connect(name, socket).await?;
            speak(socket, request, body_max).await
        } else {
            speak(socket, request, body_max).await
        }
    }

    /// Connects to one of the addresses of a name, after all of them were looked at.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, OutboundError> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        if let Some(networks) = &self.policy.networks {
            let private = addresses.iter().find(|address| !is_allowed(address.ip(), networks));
            if let Some(address) = private {
                return Err(OutboundError::Private(address.ip()));
            }
        }
        Ok(TcpStream::connect(addresses.as_slice()).await?)
    }
}

/// The request as HTTP/1.1 wants it: a path, and the name of the server.
fn for_server(uri: &Uri, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, OutboundError> {
    let refused = || OutboundError::Refused("it can't be asked for");
    let (mut parts, body) = request.into_parts();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| refused())?;
    let host = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    parts.headers.insert(header::HOST, host.ok_or_else(refused)?);
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(Request::from_parts(parts, Full::new(body)))
}

async fn speak<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    socket: S,
    request: Request<Full<Bytes>>,
    body_max: usize,
) -> Result<Answer, OutboundError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    // Both in this task: a request that is given up takes its connection with it.
    let asked = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, body_max).collect().await;
        let body = body.map_err(|_| OutboundError::TooLarge(body_max))?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    };
    tokio::pin!(connection);
    tokio::pin!(asked);
    tokio::select! {
        answer = &mut asked => answer,
        ended = &mut connection => {
            ended?;
            asked.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(networks: Option<&[&str]>, allows_plain_http: bool) -> Client {
        let networks = networks.map(|list| list.iter().map(|text| text.parse().unwrap()).collect());
        let policy = Policy { networks, allows_plain_http, timeout: Duration::from_secs(10) };
        Client::new(policy, None).unwrap()
    }

    async fn get(client: &Client, url: &str, body_max: usize) -> Result<Answer, OutboundError> {
        let uri = client.check(url)?;
        client.send(&uri, Request::new(Bytes::new()), body_max).await
    }

    async fn server() -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let to = |path: &'static str| {
            axum::routing::get(move || async move { axum::response::Redirect::to(path) })
        };
        let router = axum::Router::new()
            .route(
                "/ok",
                axum::routing::get(|headers: HeaderMap| async move {
                    format!("hello {}", headers["host"].to_str().unwrap_or_default())
                }),
            )
            .route("/away", to("/ok"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    #[test]
    fn addresses_of_other_forms_are_refused() {
        let client = client(Some(&[]), false);
        for wrong in [
            "",
            "/path",
            "http://example.com/",
            "ftp://example.com",
            "https://user:pw@example.com/",
            "file:///etc/passwd",
        ] {
            assert!(matches!(client.check(wrong), Err(OutboundError::Refused(_))), "{wrong}");
        }
        assert!(client.check("https://example.com:8443/hook?a=b").is_ok());
        assert!(client.check(&format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX))).is_err());
    }

    #[tokio::test]
    async fn the_own_machine_is_reached_only_when_the_configuration_says_so() {
        let address = server().await;
        for host in [format!("127.0.0.1:{}", address.port()), format!("localhost:{}", address.port())] {
            let refused = get(&client(Some(&[]), true), &format!("http://{host}/ok"), 100).await;
            assert!(matches!(refused, Err(OutboundError::Private(_))), "{refused:?}");
        }
        let open = client(Some(&["127.0.0.0/8"]), true);
        let answer = get(&open, &format!("http://{address}/ok"), 100).await.unwrap();
        assert_eq!((answer.status, answer.body.as_ref()), (200, format!("hello {address}").as_bytes()));
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_answers_have_an_end() {
        let (client, address) = (client(None, true), server().await);
        assert_eq!(get(&client, &format!("http://{address}/away"), 100).await.unwrap().status, 303);
        let cut = get(&client, &format!("http://{address}/ok"), 3).await;
        assert!(matches!(cut, Err(OutboundError::TooLarge(3))), "{cut:?}");
    }
}
