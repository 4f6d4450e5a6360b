//! The client against a server that answers what a test tells it to.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use motorpool_mirror::delivery::{Target as _, Trouble};
use motorpool_mirror::influx::{Influx, InfluxSettings};
use motorpool_mirror::reconcile;
use motorpool_storage::ids::DeviceId;

/// What was asked.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered: status, headers, body. `None`: nothing, ever.
type Answer = Option<(u16, &'static str, &'static str)>;

#[derive(Clone, Default)]
struct Stub {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Listens on a free port. After the last of `answers` it answers 204.
    async fn start(answers: &[Answer]) -> (Self, SocketAddr) {
        let stub =
            Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = stub.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let stub = serving.clone();
                let service = service_fn(move |request| stub.clone().answer(request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        (stub, address)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers.iter();
        let asked = Asked {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        };
        self.asked.lock().unwrap().push(asked);
        let answer = self.answers.lock().unwrap().pop_front();
        let Some((status, header, text)) = answer.unwrap_or(Some((204, "", ""))) else {
            std::future::pending().await
        };
        let mut response = Response::builder().status(status);
        if let Some((name, value)) = header.split_once(": ") {
            response = response.header(name, value);
        }
        Ok(response.body(Full::from(text)).unwrap())
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn influx(address: SocketAddr, gzip: bool, timeout: Duration) -> Influx {
    let settings = InfluxSettings {
        url: format!("http://{address}"),
        org: "a county".to_owned(),
        bucket: "cars/autogen".to_owned(),
        token: "s3cr3t".to_owned(),
        gzip,
        timeout,
    };
    Influx::new(settings, None).unwrap()
}

const PATIENT: Duration = Duration::from_secs(60);
const LINES: &[u8] = b"fix,device=1 lat=1.0 1\nfix,device=1 lat=2.0 2\n";

#[tokio::test]
async fn a_write_is_the_documented_request() {
    let (stub, address) = Stub::start(&[]).await;
    influx(address, true, PATIENT).write(LINES).await.unwrap();
    influx(address, false, PATIENT).write(LINES).await.unwrap();
    let [packed, plain] = stub.asked().try_into().unwrap();
    assert_eq!(plain.method, "POST");
    assert_eq!(plain.target, "/api/v2/write?bucket=cars%2Fautogen&org=a+county&precision=ns");
    assert_eq!(plain.header("authorization"), Some("Token s3cr3t"));
    assert_eq!((plain.header("content-encoding"), plain.body.as_slice()), (None, LINES));
    assert_eq!((&packed.target, packed.header("content-encoding")), (&plain.target, Some("gzip")));
    let mut lines = Vec::new();
    GzDecoder::new(packed.body.as_slice()).read_to_end(&mut lines).unwrap();
    assert_eq!(lines, LINES);
}

#[tokio::test]
async fn answers_mean_what_their_status_says() {
    for (status, trouble) in [
        (200, None),
        (202, None),
        (204, None),
        (400, Some(Trouble::Refused)),
        (413, Some(Trouble::TooLarge)),
        (422, Some(Trouble::Refused)),
        (500, Some(Trouble::Passing)),
        (302, Some(Trouble::Configuration)),
        (401, Some(Trouble::Configuration)),
        (404, Some(Trouble::Configuration)),
    ] {
        let (stub, address) =
            Stub::start(&[Some((status, "Location: http://127.0.0.1:1/", "why\nnot"))]).await;
        let written = influx(address, true, PATIENT).write(LINES).await;
        assert_eq!(written.as_ref().err().map(|error| error.trouble), trouble, "{status}");
        if let Err(error) = written {
            assert_eq!(error.message, format!("{status}: why not"));
            assert_eq!(error.retry_after, None);
        }
        assert_eq!(stub.asked().len(), 1, "{status}: neither followed nor asked again");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_how_long() {
    for status in [429, 503] {
        let busy = Some((status, "Retry-After: 17", ""));
        let (stub, address) = Stub::start(&[busy, busy]).await;
        let error = influx(address, true, PATIENT).write(LINES).await.unwrap_err();
        assert_eq!((error.trouble, error.retry_after), (Trouble::Passing, Some(Duration::from_secs(17))));
        let [_, question] = stub.asked().try_into().unwrap();
        assert_eq!((question.body.len(), question.header("authorization")), (0, Some("Token s3cr3t")));
        assert_eq!(question.header("content-encoding"), None);
    }
    // Busy no more, a date, and nothing: the doubling wait it is.
    for answer in
        [Some((204, "Retry-After: 17", "")), Some((429, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", ""))]
    {
        let (_stub, address) = Stub::start(&[Some((429, "", "")), answer]).await;
        assert_eq!(influx(address, true, PATIENT).write(LINES).await.unwrap_err().retry_after, None);
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_is_away_is_trouble_that_passes() {
    let (_stub, address) = Stub::start(&[None]).await;
    let hung = influx(address, true, Duration::from_millis(50)).write(LINES).await.unwrap_err();
    assert_eq!(hung.trouble, Trouble::Passing);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = influx(nobody, true, PATIENT).write(LINES).await.unwrap_err();
    assert_eq!(away.trouble, Trouble::Passing);
    for error in [hung, away] {
        assert!(!error.message.contains("s3cr3t") && !error.message.is_empty(), "{error}");
    }
}

/// The form of <https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/>.
const COUNTS: &str = "#group,false,false,true,false\r\n#datatype,string,long,string,long\r\n\
                      #default,_result,,,\r\n,result,table,device,_value\r\n,,0,7,8640\r\n,,1,12,3\r\n\r\n";

#[tokio::test]
async fn counts_are_read_from_annotated_csv() {
    let (stub, address) = Stub::start(&[Some((200, "Content-Type: text/csv", COUNTS))]).await;
    let rows = influx(address, true, PATIENT).query("from(bucket: \"cars\")".to_owned()).await.unwrap();
    let counts = reconcile::counts(&rows).unwrap();
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(DeviceId(7), 8_640), (DeviceId(12), 3)]);
    let asked = stub.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/api/v2/query?org=a+county"));
    assert_eq!(asked.header("authorization"), Some("Token s3cr3t"));
    let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["query"], "from(bucket: \"cars\")");
    assert_eq!(body["dialect"]["annotations"], serde_json::json!(["datatype", "group", "default"]));
}

#[tokio::test]
async fn an_empty_answer_is_no_points() {
    let (_stub, address) = Stub::start(&[Some((200, "", "\r\n"))]).await;
    assert!(influx(address, true, PATIENT).query(String::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn answers_that_are_no_counts_are_errors_and_not_panics() {
    const ERROR: &str = "#datatype,string,long\r\n,error,reference\r\n,Failed to parse query,897\r\n";
    const NO_NUMBER: &str = "#group,false,false,true,false\n#datatype,string,long,string,long\n\
                             #default,_result,,,\n,result,table,device,_value\n,,0,7,many\n";
    for (status, text, says) in [
        (200, ERROR, "Failed to parse query"),
        (200, NO_NUMBER, "annotated CSV"),
        (200, "<html><body>a proxy, or so</body></html>\n1,2,3\n", "annotations not found"),
        (401, "{\"code\":\"unauthorized\"}", "401"),
    ] {
        let (_stub, address) = Stub::start(&[Some((status, "", text))]).await;
        let error = influx(address, true, PATIENT).query(String::new()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}
