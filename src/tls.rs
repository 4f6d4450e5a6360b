//! Certificates of this server: read from files, read again when they change, used by the HTTP and the tracker ports.
//!
//! A certificate that can't be read at the start is a reason not to start; one that can't be read later leaves the old one in force and
//! is told in the log. Connections that are open keep theirs. It never makes a certificate.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How often the files are looked at, besides SIGHUP.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A certificate and its key in two files (PEM), in use.
pub struct ServerTls {
    certificate_file: PathBuf,
    key_file: PathBuf,
    /// Who may certify clients, if anybody.
    client_ca_file: Option<PathBuf>,
    config: ArcSwap<ServerConfig>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("certificate_file", &self.certificate_file).finish_non_exhaustive()
    }
}

/// When each file was written last; what can't be asked was never written.
type Written = [Option<SystemTime>; 2];

impl ServerTls {
    /// Reads the certificate chain and its key.
    ///
    /// # Errors
    /// When a file can't be read, is not PEM, or the two do not belong together.
    pub fn open(certificate_file: &Path, key_file: &Path) -> io::Result<Self> {
        Self::open_for(certificate_file, key_file, None)
    }

    /// As [`ServerTls::open`]; clients may come with a certificate of one of the authorities in a file.
    ///
    /// # Errors
    /// As [`ServerTls::open`].
    pub fn open_for(
        certificate_file: &Path,
        key_file: &Path,
        client_ca_file: Option<&Path>,
    ) -> io::Result<Self> {
        let config = ArcSwap::from_pointee(read(certificate_file, key_file, client_ca_file)?);
        Ok(Self {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
            client_ca_file: client_ca_file.map(Path::to_owned),
            config,
        })
    }

    /// What the configuration names; `None` when it names nothing.
    ///
    /// # Errors
    /// As [`ServerTls::open`].
    pub fn configured(certificate_file: &Path, key_file: &Path) -> io::Result<Option<Arc<Self>>> {
        if certificate_file.as_os_str().is_empty() {
            return Ok(None);
        }
        Self::open(certificate_file, key_file).map(|tls| Some(Arc::new(tls)))
    }

    /// Makes a connection private. The caller sets the limit on time.
    ///
    /// # Errors
    /// When the peer does not speak TLS, or no version and cipher that we speak.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, socket: S) -> io::Result<TlsStream<S>> {
        TlsAcceptor::from(self.config.load_full()).accept(socket).await
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// As [`ServerTls::open`]; then the old certificate stays in force.
    pub fn reload(&self) -> io::Result<()> {
        let client_ca_file = self.client_ca_file.as_deref();
        self.config.store(Arc::new(read(&self.certificate_file, &self.key_file, client_ca_file)?));
        Ok(())
    }

    /// Reads the files again whenever they change or the process gets SIGHUP, until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut hangups = signal(SignalKind::hangup()).ok();
        let mut written = self.written();
        loop {
            let is_asked = tokio::select! {
                () = stop.cancelled() => return,
                () = hangup(hangups.as_mut()) => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let now = self.written();
            if is_asked || now != written {
                written = now;
                match self.reload() {
                    Ok(()) => {
                        tracing::info!(file = %self.certificate_file.display(), "certificate read again")
                    }
                    Err(error) => tracing::error!(%error, "the old certificate stays in force"),
                }
            }
        }
    }

    fn written(&self) -> Written {
        let of = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        [of(&self.certificate_file), of(&self.key_file)]
    }
}

/// Waits for SIGHUP; for ever where signals can't be listened to.
async fn hangup(hangups: Option<&mut tokio::signal::unix::Signal>) {
    match hangups {
        Some(hangups) => drop(hangups.recv().await),
        None => std::future::pending().await,
    }
}

/// The common name of the client's certificate, which the handshake has verified; `None` when it came without one.
#[must_use]
pub fn common_name<S>(socket: &TlsStream<S>) -> Option<String> {
    let (_, session) = socket.get_ref();
    let certificate = session.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

/// Verifies clients that come with a certificate, and lets others come without.
fn client_verifier(
    file: &Path,
    provider: &Arc<CryptoProvider>,
) -> io::Result<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let wrong = |error: &dyn fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        roots.add(authority.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    verifier.allow_unauthenticated().build().map_err(|error| wrong(&error))
}

fn read(certificate_file: &Path, key_file: &Path, client_ca_file: Option<&Path>) -> io::Result<ServerConfig> {
    let wrong = |path: &Path, error: &dyn fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate_file, &error))?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| wrong(key_file, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = client_ca_file.map(|file| client_verifier(file, &provider)).transpose()?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    }
    .with_single_cert(chain, key)
    .map_err(|error| wrong(certificate_file, &error))
}

/// Certificates for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A certificate for `localhost` that certifies itself, in two files of a folder.
    pub(crate) fn write_certificate(folder: &Path) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsConnector;

    use super::*;

    /// Whether a client that trusts only this certificate gets through.
    async fn is_trusted(tls: &Arc<ServerTls>, certificate: &Path) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Arc::clone(tls);
        let server =
            tokio::spawn(async move { tls.accept(listener.accept().await.unwrap().0).await.is_ok() });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, socket).await.is_ok();
        assert_eq!(server.await.unwrap(), connected);
        connected
    }

    #[tokio::test]
    async fn a_new_certificate_takes_over_and_a_broken_one_does_not() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, key) = testing::write_certificate(first.path());
        let tls = ServerTls::configured(&certificate, &key).unwrap().unwrap();
        let old = second.path().join("old.pem");
        fs::copy(&certificate, &old).unwrap();
        assert!(is_trusted(&tls, &old).await);
        fs::write(&key, "nothing").unwrap();
        assert!(tls.reload().is_err());
        assert!(is_trusted(&tls, &old).await, "the old one stays");
        testing::write_certificate(first.path());
        tls.reload().unwrap();
        assert!(is_trusted(&tls, &certificate).await && !is_trusted(&tls, &old).await);
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused_with_their_name() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, _) = testing::write_certificate(one.path());
        let (_, key) = testing::write_certificate(other.path());
        let error = ServerTls::open(&certificate, &key).unwrap_err().to_string();
        assert!(error.contains("cert.pem"), "{error}");
        let error = ServerTls::open(&one.path().join("none.pem"), &key).unwrap_err().to_string();
        assert!(error.contains("none.pem"), "{error}");
        assert!(ServerTls::configured(Path::new(""), Path::new("")).unwrap().is_none());
    }
}
