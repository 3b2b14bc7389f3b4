//! A connection to where an app is told. It is open before anything is decided, so that between the
//! decision and the bytes there is nothing to wait for.
//!
//! TRUST: the address was named by an app. Its host must be a public one unless the operator says
//! otherwise, and the connection goes to the very address that was looked at, so that a name which
//! changes its mind meanwhile changes nothing. Redirects are not followed, and what is answered
//! besides its status is not read.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_rustls::ConfigBuilderExt as _;
use hyper_util::rt::TokioIo;
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::wanted::is_loopback;
use crate::notice::Notice;
use crate::respond::accompany;
use crate::settings::Reach;

/// Connecting, and waiting for an answer, take no longer than this each.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nobody could be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error("the address is none that may be connected to")]
    Address,
    #[error("there was no connection")]
    Connection,
    #[error("the notification was not taken")]
    Refused,
    #[error("it took too long")]
    TimedOut,
}

/// Where clouds keep what a machine is trusted with, in ranges that are private (Amazon EC2 by IPv6,
/// Alibaba Cloud); the others use link-local addresses.
const CLOUD_METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Where a connection may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// To this machine, where this server itself is reached here: the demo.
    Here,
    Elsewhere(Reach),
}

impl Allowed {
    fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Here => address.is_loopback(),
            Self::Elsewhere(Reach::Public) => is_public(address),
            Self::Elsewhere(Reach::Private) => is_public(address) || is_private(address),
        }
    }
}

/// An open connection.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    endpoint: Uri,
}

/// What is sent.
pub(super) struct Notification<'a> {
    pub(super) headers: &'a [(String, String)],
    /// What must accompany the record.
    pub(super) notice: Option<Notice>,
    pub(super) content: Message,
}

/// What of it.
pub(super) enum Message {
    /// Nothing but that there is something.
    Ping,
    /// The record as its app sees it.
    Record(ResourceType, ResourceId, Vec<u8>),
    /// A Bundle, by topic.
    Bundle(Vec<u8>),
}

impl Line {
    pub(super) async fn open(endpoint: &str, allowed: Allowed) -> Result<Self, LineError> {
        let opened = tokio::time::timeout(PATIENCE, Self::connect(endpoint, allowed)).await;
        opened.map_err(|_| LineError::TimedOut)?
    }

    async fn connect(endpoint: &str, allowed: Allowed) -> Result<Self, LineError> {
        let uri: Uri = endpoint.parse().map_err(|_| LineError::Address)?;
        let host = uri.host().ok_or(LineError::Address)?.trim_matches(['[', ']']).to_owned();
        let is_plain = uri.scheme_str() == Some("http");
        if is_plain && !is_loopback(endpoint) {
            return Err(LineError::Address);
        }
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let addresses: Vec<_> = found.map_err(|_| LineError::Connection)?.collect();
        // A name that leads to a public and to a private place is none to be trusted.
        if !addresses.iter().all(|address| allowed.has(address.ip())) {
            return Err(LineError::Address);
        }
        let stream = TcpStream::connect(addresses.as_slice()).await;
        let stream = stream.map_err(|_| LineError::Connection)?;
        let sender = if is_plain {
            speak(stream).await?
        } else {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|_| LineError::Connection)?
                .with_webpki_roots()
                .with_no_client_auth();
            let name = ServerName::try_from(host).map_err(|_| LineError::Address)?;
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, stream).await;
            speak(stream.map_err(|_| LineError::Connection)?).await?
        };
        Ok(Self { sender, endpoint: uri })
    }

    /// Sends one notification; done when the receiver says that it has it.
    pub(super) async fn send(mut self, notification: Notification<'_>) -> Result<(), LineError> {
        let request = self.request(notification)?;
        let answer = tokio::time::timeout(PATIENCE, self.sender.send_request(request)).await;
        let answer = answer.map_err(|_| LineError::TimedOut)?.map_err(|_| LineError::Connection)?;
        if answer.status().is_success() { Ok(()) } else { Err(LineError::Refused) }
    }

    /// FHIR R4 subscription.html: a POST without a body, or the record as an update below the
    /// address. By topic, a POST of a Bundle.
    fn request(&self, notification: Notification<'_>) -> Result<Request<Full<Bytes>>, LineError> {
        let path = self.endpoint.path_and_query().map_or("/", |own| own.as_str());
        let authority = self.endpoint.authority().ok_or(LineError::Address)?;
        let (method, path, body) = match notification.content {
            Message::Ping => (Method::POST, path.to_owned(), Vec::new()),
            Message::Bundle(body) => (Method::POST, path.to_owned(), body),
            Message::Record(kind, id, body) => {
                let (below, query) = path.split_once('?').unwrap_or((path, ""));
                let below = below.trim_end_matches('/');
                let tail = if query.is_empty() { String::new() } else { format!("?{query}") };
                (Method::PUT, format!("{below}/{kind}/{id}{tail}"), body)
            }
        };
        let has_body = !body.is_empty();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| LineError::Address)?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static("proviso"));
        for (name, value) in notification.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| LineError::Address)?;
            let mut value = HeaderValue::from_str(value).map_err(|_| LineError::Address)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        if let Some(notice) = &notification.notice {
            accompany(headers, notice);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| LineError::Address)?;
        headers.insert(HOST, host);
        if has_body {
            let form = HeaderValue::from_static("application/fhir+json; fhirVersion=4.0");
            headers.insert(CONTENT_TYPE, form);
        }
        Ok(request)
    }
}

async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, LineError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let opened = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|_| LineError::Connection)?;
    // It ends when the sender is dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection for notifications broke off");
        }
    });
    Ok(sender)
}

/// Whether an address is one of a private network (RFC 1918, RFC 4193, RFC 6598). Not among them:
/// this machine, its links, and [`CLOUD_METADATA`].
fn is_private(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_private = match address {
        IpAddr::V4(own) => {
            let [a, b, ..] = own.octets();
            own.is_private() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(own) => own.is_unique_local(),
    };
    is_private && !CLOUD_METADATA.contains(&address)
}

/// Whether an address is one of the public internet (IANA special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(own) => is_public_v4(own),
        IpAddr::V6(own) => is_public_v6(own),
    }
}

fn is_public_v4(own: Ipv4Addr) -> bool {
    let [a, b, c, _] = own.octets();
    let special = own.is_private()
        || own.is_loopback()
        || own.is_link_local()
        || own.is_multicast()
        || own.is_broadcast()
        || own.is_documentation()
        || a == 0
        || a >= 240
        // Shared by carriers, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(own: Ipv6Addr) -> bool {
    // Addresses that stand for others of version 4: mapped, translated (RFC 6052).
    let [prefix @ .., high, low] = own.segments();
    let is_mapped = prefix == [0, 0, 0, 0, 0, 0xffff];
    let is_translated = prefix == [0x64, 0xff9b, 0, 0, 0, 0];
    if is_mapped || is_translated {
        return is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    let [a, b, ..] = own.segments();
    // 2000::/3 is what has been given out; of it, not: documentation, tunnels, assignments of
    // protocols, 6to4.
    let given = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b == 0xdb8 || b < 0x200)) || a == 0x2002 || a == 0x3fff;
    given && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for text in
            ["93.184.216.34", "1.1.1.1", "100.63.255.255", "2606:2800:220:1::1", "::ffff:1.1.1.1"]
        {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "::127.0.0.1",
            "2001::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn private_networks_are_neither_this_machine_nor_its_links() {
        let own = Allowed::Elsewhere(Reach::Private);
        for text in ["10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "1.1.1.1"] {
            assert!(own.has(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "ff02::1",
        ] {
            assert!(!own.has(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_private_address_is_not_connected_to_unless_the_operator_says_so() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let endpoint = format!("http://{host}:{port}/hook");
            for reach in [Reach::Public, Reach::Private] {
                let refused = Line::open(&endpoint, Allowed::Elsewhere(reach)).await.err();
                assert_eq!(refused, Some(LineError::Address), "{host}");
            }
            assert!(Line::open(&endpoint, Allowed::Here).await.is_ok(), "{host}");
        }
        let own = Allowed::Elsewhere(Reach::Private);
        let refused = Line::open("http://192.168.1.1/hook", own).await.err();
        assert_eq!(refused, Some(LineError::Address), "plain HTTP leaves this machine");
    }
}
