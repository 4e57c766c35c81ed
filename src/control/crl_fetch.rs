//! One list fetched by http or https, from a URL that the operator has configured and from nowhere
//! else: into a file, bounded in size and time.

use std::convert::Infallible;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ETAG, HOST, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use hyper::header::{LAST_MODIFIED, USER_AGENT};
use hyper::http::request;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tempfile::{Builder, NamedTempFile};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsConnector;

use crate::config::HttpUrl;
use crate::limits::CRL_BYTES_MAX;

/// From the first packet to the last octet: 50 MB at 1 MB/s.
const FETCH_WAIT: Duration = Duration::from_secs(60);

/// How the names begin of files that are being received.
const UNDER_WAY: &str = ".tmp";

/// What the server said of the list it gave last, to be asked for a newer one only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    /// Of an answer.
    pub(super) fn of(response: &Response<Incoming>) -> Self {
        Self {
            etag: response.headers().get(ETAG).cloned(),
            last_modified: response.headers().get(LAST_MODIFIED).cloned(),
        }
    }

    /// Has a request ask for what is newer alone.
    pub(super) fn asked_by(&self, mut request: request::Builder) -> request::Builder {
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(date) = &self.last_modified {
            request = request.header(IF_MODIFIED_SINCE, date);
        }
        request
    }

    /// Whether a request with these can be answered with 304.
    //= RFC 9110 section 15.4.5
    //# 304 answers a conditional request, and is no answer to any other.
    pub(super) fn not_modified(&self) -> Result<(), FetchFault> {
        match *self == Self::default() {
            true => Err(FetchFault::NotModifiedUnasked),
            false => Ok(()),
        }
    }
}

/// What was found.
pub enum Fetched {
    /// The list, in a file of its own.
    List(NamedTempFile, Validators),
    /// The one that is known already.
    NotModified,
}

/// Why there is no list.
#[derive(Debug)]
pub enum FetchFault {
    /// No connection, or it broke.
    Connection(std::io::Error),
    /// Not an HTTP answer.
    Http(hyper::Error),
    /// The key that says who asks does not sign.
    Unsigned(hsm::SignFault),
    /// An answer without what was asked for. Redirects are among them: where they lead nobody has
    /// configured.
    Status(StatusCode),
    /// That it has not changed, where nothing was known to have been there.
    NotModifiedUnasked,
    /// Longer than is read.
    TooLong { bytes_max: usize },
    /// Not within the time it may take.
    Deadline(Duration),
}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "no connection, or it broke: {error}"),
            Self::Http(error) => write!(f, "the server does not answer in HTTP: {error}"),
            Self::Unsigned(fault) => {
                write!(f, "the key that says who asks does not sign: {fault}")
            }
            Self::Status(status) if status.is_redirection() => {
                write!(
                    f,
                    "the server answers {status}, and redirects are not followed"
                )
            }
            Self::Status(status) => write!(f, "the server answers {status}"),
            Self::NotModifiedUnasked => write!(
                f,
                "the server answers 304, that it has not changed, to who has none yet"
            ),
            Self::TooLong { bytes_max } => write!(f, "it is longer than {} KiB", bytes_max >> 10),
            Self::Deadline(wait) => write!(f, "it has not come within {} s", wait.as_secs()),
        }
    }
}

impl From<std::io::Error> for FetchFault {
    fn from(error: std::io::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<hyper::Error> for FetchFault {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

/// How to know a server that has a certificate from one of these CAs, and from no other.
///
/// # Errors
/// None of them is the certificate of a CA.
pub fn trusting(anchors: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, rustls::Error> {
    trusting_as(anchors, None)
}

/// The same, showing a certificate where that is asked for.
///
/// # Errors
/// As of [`trusting`].
pub fn trusting_as(
    anchors: Vec<CertificateDer<'static>>,
    shown: Option<Arc<CertifiedKey>>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for anchor in anchors {
        roots.add(anchor)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match shown {
        Some(shown) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown))),
        None => config.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// Fetches a list into a file in `folder`, unless it is the one that `known` speaks of.
///
/// # Errors
/// Why there is none.
pub async fn fetch(
    url: &HttpUrl,
    tls: Option<&Arc<ClientConfig>>,
    known: &Validators,
    folder: &Path,
) -> Result<Fetched, FetchFault> {
    let fetched = tokio::time::timeout(FETCH_WAIT, async {
        let stream = connect(url, tls).await?;
        ask(stream, url, known, folder).await
    });
    fetched
        .await
        .unwrap_or(Err(FetchFault::Deadline(FETCH_WAIT)))
}

/// A list that is to be fetched now: from where, how its server is known, and into which folder.
pub type Wanted = (HttpUrl, Option<Arc<ClientConfig>>, PathBuf);

/// Fetches lists, all of them together, for whoever has no runtime and waits at most so long.
///
/// # Errors
/// The kernel's, where there is nothing to wait with.
pub fn fetch_all(
    wanted: Vec<Wanted>,
    wait: Duration,
) -> std::io::Result<Vec<Result<Fetched, FetchFault>>> {
    let fetch_one = |(url, tls, folder): Wanted| async move {
        let known = Validators::default();
        let fetched = fetch(&url, tls.as_ref(), &known, &folder);
        let fetched = tokio::time::timeout(wait, fetched).await;
        fetched.unwrap_or(Err(FetchFault::Deadline(wait)))
    };
    await_all(async {
        let begun = wanted.into_iter();
        let begun: Vec<_> = begun.map(|wanted| spawn_local(fetch_one(wanted))).collect();
        let mut all = Vec::with_capacity(begun.len());
        for fetch in begun {
            let fetched = fetch.await.map_err(std::io::Error::other);
            all.push(fetched.map_err(FetchFault::from).flatten());
        }
        all
    })
}

/// What comes of this, and no more: a name that is being resolved still is left to itself. Nobody
/// can end that, and with a name server that is dead it lasts longer than anybody is to wait.
pub(super) fn await_all<T>(all: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = LocalSet::new();
    let all = tasks.block_on(&runtime, all);
    drop(tasks);
    runtime.shutdown_background();
    Ok(all)
}

/// Removes what fetches have left in `folder` that did not live to their end: files that are older
/// than a fetch may take, by whichever process. What cannot be removed stays, and is in nobody's
/// way.
pub fn remove_left_behind(folder: &Path) {
    let Ok(found) = std::fs::read_dir(folder) else {
        return;
    };
    for file in found.flatten() {
        let name = file.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(UNDER_WAY));
        let old = file.metadata().is_ok_and(|found| {
            let age = found.modified().ok().and_then(|at| at.elapsed().ok());
            found.is_file() && age.is_some_and(|age| age > 2 * FETCH_WAIT)
        });
        if ours && old {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// A connection to a server, in TLS or not.
pub(super) trait Wire: hyper::rt::Read + hyper::rt::Write + Unpin + Send {}

impl<W: hyper::rt::Read + hyper::rt::Write + Unpin + Send> Wire for W {}

/// Connects to where a URL says, in TLS where it says so.
pub(super) async fn connect(
    url: &HttpUrl,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Wire>, FetchFault> {
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
    Ok(match tls.filter(|_| url.tls) {
        Some(config) => {
            let name = ServerName::try_from(url.host.clone()).map_err(std::io::Error::other)?;
            let connector = TlsConnector::from(Arc::clone(config));
            Box::new(TokioIo::new(connector.connect(name, stream).await?))
        }
        None => Box::new(TokioIo::new(stream)),
    })
}

async fn ask(
    stream: Box<dyn Wire>,
    url: &HttpUrl,
    known: &Validators,
    folder: &Path,
) -> Result<Fetched, FetchFault> {
    let request = known
        .asked_by(Request::get(&url.target))
        .header(HOST, &url.authority)
        .header(USER_AGENT, "t8gate")
        .header(ACCEPT, "application/pkix-crl")
        .body(Empty::<Bytes>::new())
        .map_err(std::io::Error::other)?;
    exchange(stream, request, async |response| match response.status() {
        StatusCode::OK => received(response, folder).await,
        StatusCode::NOT_MODIFIED => known.not_modified().map(|()| Fetched::NotModified),
        status => Err(FetchFault::Status(status)),
    })
    .await
}

/// Sends a request, and reads what is answered. The connection ends with that.
pub(super) async fn exchange<B, T>(
    stream: Box<dyn Wire>,
    request: Request<B>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, FetchFault>,
) -> Result<T, FetchFault>
where
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        read(response).await
    };
    let mut exchange = pin!(exchange);
    // Where the connection ends first, all that came by it is there still, and what is wrong with
    // it is told to the exchange.
    tokio::select! {
        read = &mut exchange => read,
        _ = connection => exchange.await,
    }
}

/// Reads the body of an answer, if it is no longer than that.
pub(super) async fn body_within(
    response: Response<Incoming>,
    bytes_max: usize,
) -> Result<Vec<u8>, FetchFault> {
    let mut read = Vec::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if read.len() + data.len() > bytes_max {
            return Err(FetchFault::TooLong { bytes_max });
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

async fn received(response: Response<Incoming>, folder: &Path) -> Result<Fetched, FetchFault> {
    let validators = Validators::of(&response);
    let mut file = Builder::new().prefix(UNDER_WAY).tempfile_in(folder)?;
    let mut body = response.into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        received += data.len();
        if received > CRL_BYTES_MAX {
            let bytes_max = CRL_BYTES_MAX;
            return Err(FetchFault::TooLong { bytes_max });
        }
        file.write_all(&data)?;
    }
    Ok(Fetched::List(file, validators))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// As the resolution of a name with a name server that is dead.
    #[test]
    fn who_waits_for_fetches_does_not_wait_for_what_cannot_be_ended() {
        let (end, ended) = channel::<()>();
        let (done, told) = channel();
        std::thread::spawn(move || {
            let come = await_all(async {
                drop(tokio::task::spawn_blocking(move || ended.recv()));
                7
            });
            let _ = done.send(come.ok());
        });
        let come = told.recv_timeout(Duration::from_secs(20));
        drop(end);
        assert_eq!(come, Ok(Some(7)));
    }
}
