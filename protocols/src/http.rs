//! HTTP/1.1 requests as frames of a stream: the little of RFC 9112 that trackers speak.
//!
//! A request is GET or POST, at most [`REQUEST_BYTES_MAX`] long, and its body is as long as its `Content-Length`
//! says; chunked bodies are refused. An answer is a status and a small body. The link stays open: a terminal that
//! wants it closed closes it when it has its answer. Behind a request that can't be read nobody knows where the
//! next one begins, so the link is closed after the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::framed::Cut;
use crate::{Refusal, RejectReason, SessionError};

/// The longest request, head and body.
pub(crate) const REQUEST_BYTES_MAX: usize = crate::recognise::UNRECOGNISED_BYTES_MAX;
const HEADERS_MAX: usize = 48;

/// A request as it lies in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// What follows the first `?` of the target; empty when nothing does.
    pub(crate) query: &'a str,
    /// The body; empty for GET.
    pub(crate) body: &'a [u8],
    /// Bytes of the whole request.
    pub(crate) len: usize,
    headers: [httparse::Header<'a>; HEADERS_MAX],
}

impl<'a> Request<'a> {
    /// The request at the front of `input`; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When it is no request, or one that is not accepted here.
    pub(crate) fn parse(input: &'a [u8]) -> Result<Option<Self>, RejectReason> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let status = parsed.parse(input).map_err(|_| RejectReason::Malformed)?;
        let httparse::Status::Complete(head_bytes) = status else {
            let is_too_long = input.len() >= REQUEST_BYTES_MAX;
            return if is_too_long {
                Err(RejectReason::TooLong)
            } else {
                could_be_request(input).map(|()| None)
            };
        };
        let takes_body = match parsed.method {
            Some("GET") => false,
            Some("POST") => true,
            _ => return Err(RejectReason::Malformed),
        };
        let target = parsed.path.unwrap_or("");
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut request = Self { query, body: &[], len: head_bytes, headers };
        let body_bytes = request.body_bytes()?;
        if body_bytes > 0 && !takes_body {
            return Err(RejectReason::Malformed);
        }
        request.len = head_bytes.saturating_add(body_bytes);
        if request.len > REQUEST_BYTES_MAX {
            return Err(RejectReason::TooLong);
        }
        let Some(body) = input.get(head_bytes..request.len) else { return Ok(None) };
        request.body = body;
        Ok(Some(request))
    }

    /// The value of the first header of that name, which is compared without regard to case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(str::trim)
    }

    /// The password of HTTP Basic (RFC 7617). The user is not looked at: who speaks is said elsewhere in the request.
    pub(crate) fn password(&self) -> Option<Vec<u8>> {
        let (scheme, encoded) = self.header("authorization")?.split_once(' ')?;
        let decoded =
            STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        decoded.get(colon + 1..).map(<[u8]>::to_vec)
    }

    /// The body as a JSON object; `None` when it is none.
    pub(crate) fn object(&self) -> Option<serde_json::Map<String, Value>> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        }
    }

    fn body_bytes(&self) -> Result<usize, RejectReason> {
        if self.header("transfer-encoding").is_some() {
            return Err(RejectReason::Length);
        }
        let mut stated = self.headers.iter().filter(|it| it.name.eq_ignore_ascii_case("content-length"));
        let Some(first) = stated.next() else { return Ok(0) };
        if stated.any(|other| other.value != first.value) {
            return Err(RejectReason::Length);
        }
        let length = crate::text::digits(first.value.trim_ascii()).ok_or(RejectReason::Length)?;
        usize::try_from(length).map_err(|_| RejectReason::TooLong)
    }
}

/// Refuses at once what does not begin with a method that is accepted here.
fn could_be_request(input: &[u8]) -> Result<(), RejectReason> {
    let begins = |method: &[u8]| input.iter().zip(method).all(|(byte, wanted)| byte == wanted);
    let line = input.trim_ascii_start();
    let is_one = line.is_empty() || begins(b"GET ") || begins(b"POST ");
    if is_one { Ok(()) } else { Err(RejectReason::Malformed) }
}

/// Finds the request at the front of `input`.
pub(crate) fn cut(input: &[u8]) -> Cut {
    let space = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if space > 0 {
        return Cut::Space(space);
    }
    match Request::parse(input) {
        Ok(Some(request)) => Cut::Frame(request.len),
        Ok(None) => Cut::Incomplete,
        Err(reason) => Cut::Garbage(input.len(), reason),
    }
}

/// Writes an answer with a JSON body, or with none.
pub(crate) fn answer(status: &str, json: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_bytes());
    if !json.is_empty() {
        out.extend_from_slice(b"\r\nContent-Type: application/json");
    }
    out.extend_from_slice(b"\r\nContent-Length: ");
    out.extend_from_slice(json.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(json.as_bytes());
}

/// The status of a request whose terminal may not come in. One that has not shown the right password is asked for it: many clients keep
/// theirs until they are.
pub(crate) const fn status_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::WrongCode => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"motorpool\"",
        _ => "403 Forbidden",
    }
}

/// Answers a request that nobody was asked about.
///
/// # Errors
/// When the next request can't be found, or the link has more terminals than it may: both need a new link.
pub(crate) fn decline(frame: &[u8], reason: RejectReason, out: &mut Vec<u8>) -> Result<(), SessionError> {
    let is_whole = matches!(Request::parse(frame), Ok(Some(request)) if request.len == frame.len());
    let status = match reason {
        RejectReason::TooLong => "413 Content Too Large",
        RejectReason::Length => "411 Length Required",
        RejectReason::Limit | RejectReason::Unavailable => "503 Service Unavailable",
        _ => "400 Bad Request",
    };
    answer(status, "", out);
    if is_whole && reason != RejectReason::Limit { Ok(()) } else { Err(SessionError::Unreadable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_cut_where_its_content_length_says() {
        let input =
            b"POST /pub?u=a HTTP/1.1\r\nHost: x\r\ncontent-length: 4\r\nX-Limit-D: car\r\n\r\n{ } GET";
        let request = Request::parse(input).unwrap().unwrap();
        assert_eq!((request.query, request.body, request.len), ("u=a", &b"{ } "[..], input.len() - 3));
        assert_eq!((request.header("x-limit-d"), request.header("x-limit-u")), (Some("car"), None));
        for end in 0..request.len {
            assert!(matches!(Request::parse(&input[..end]), Ok(None)), "{end}");
        }
    }

    #[test]
    fn a_password_is_read_from_http_basic_only() {
        let password = |value: &str| {
            let head = format!("GET /?id=1 HTTP/1.1\r\nAuthorization: {value}\r\n\r\n");
            Request::parse(head.as_bytes()).unwrap().unwrap().password()
        };
        // The example of RFC 7617.
        assert_eq!(password("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Some(b"open sesame".to_vec()));
        assert_eq!(password("basic YTpiOmM="), Some(b"b:c".to_vec()), "a colon in the password");
        assert_eq!(password("Basic YTo="), Some(Vec::new()));
        for none in ["Basic", "Basic YWI=", "Basic ???", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] {
            assert_eq!(password(none), None, "{none}");
        }
    }

    #[test]
    fn what_can_not_be_framed_is_refused() {
        let refused = |input: &[u8]| Request::parse(input).unwrap_err();
        assert_eq!(refused(b"PUT / HTTP/1.1\r\n\r\n"), RejectReason::Malformed);
        assert_eq!(refused(b"\x78\x78\x0d\x01"), RejectReason::Malformed);
        assert_eq!(refused(b"GXT"), RejectReason::Malformed);
        assert_eq!(refused(b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"), RejectReason::Malformed);
        assert_eq!(refused(b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n"), RejectReason::TooLong);
        assert_eq!(refused(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), RejectReason::Length);
        assert_eq!(refused(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), RejectReason::Length);
        let twice = b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(refused(twice), RejectReason::Length);
        let long = [b"GET /?".as_slice(), &[b'a'; REQUEST_BYTES_MAX]].concat();
        assert_eq!(refused(&long), RejectReason::TooLong);
    }

    #[test]
    fn an_unreadable_request_ends_the_link_and_a_readable_one_does_not() {
        let mut out = Vec::new();
        assert_eq!(decline(b"GET / HTTP/1.1\r\n\r\n", RejectReason::Unavailable, &mut out), Ok(()));
        assert_eq!(out, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        out.clear();
        assert_eq!(decline(b"??", RejectReason::Malformed, &mut out), Err(SessionError::Unreadable));
        assert_eq!(out, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    }
}
