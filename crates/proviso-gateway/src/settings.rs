//! What the operator decides about the data plane.

use core::num::NonZeroU32;
use core::time::Duration;

use proviso_core::secret::Secret;

/// Settings of the gateway; everything else comes from the application's own settings.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// The one origin from which every absolute URL derives, without a trailing slash.
    pub public_url: String,
    /// Where the records are.
    pub upstream: UpstreamSettings,
    /// How much one request may ask for.
    pub limits: Limits,
    /// How often one may ask.
    pub rates: Rates,
    /// Where apps may be told of what they subscribed to.
    pub receivers: Reach,
}

/// Where connections of our own making may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// To addresses of the public internet.
    #[default]
    Public,
    /// Also to addresses of private networks, such as the operator's own; never to this machine.
    Private,
}

impl GatewaySettings {
    /// The embedded store behind an origin, with the default limits.
    pub fn embedded(public_url: impl Into<String>) -> Self {
        Self {
            public_url: public_url.into(),
            upstream: UpstreamSettings::Embedded,
            limits: Limits::default(),
            rates: Rates::default(),
            receivers: Reach::default(),
        }
    }

    /// A FHIR server behind an origin, with the default limits.
    pub fn in_front_of(public_url: impl Into<String>, upstream: HttpUpstreamSettings) -> Self {
        Self { upstream: UpstreamSettings::Http(upstream), ..Self::embedded(public_url) }
    }
}

/// Where the records are.
#[derive(Debug, Clone)]
pub enum UpstreamSettings {
    /// In our own store.
    Embedded,
    /// In a FHIR R4 server by URL.
    Http(HttpUpstreamSettings),
}

/// A FHIR R4 server behind the gateway.
#[derive(Debug, Clone)]
pub struct HttpUpstreamSettings {
    /// Its base URL, `http` or `https`, without a trailing slash.
    pub base_url: String,
    /// The `Authorization` header value to send, if it wants one.
    pub authorization: Option<Secret<String>>,
    /// Time limit of one exchange.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

impl HttpUpstreamSettings {
    /// A server that wants no credentials, with the default limits.
    pub fn at(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            authorization: None,
            timeout: Duration::from_secs(15),
            answer_bytes_max: 32 * 1024 * 1024,
        }
    }
}

/// Bounds of one request (design §13).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Largest header block, in bytes.
    pub header_bytes_max: usize,
    /// Longest path and query, in bytes.
    pub url_bytes_max: usize,
    /// Most search parameters in one request.
    pub parameters_max: usize,
    /// Page size when the caller names none.
    pub page_default: usize,
    /// Page size above which `_count` is capped.
    pub page_max: usize,
    /// Most entries in one batch.
    pub batch_entries_max: usize,
    /// Most records that one search reads from an upstream by URL.
    pub scan_records_max: usize,
    /// Most resources in one `$everything` answer.
    pub everything_max: usize,
    /// Answers that something is not there wait for the next multiple of this after the request
    /// came, and a random part of it, so that their time does not tell what was looked at; zero for
    /// at once.
    pub not_found_beat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 * 1024 * 1024,
            header_bytes_max: 16 * 1024,
            url_bytes_max: 8 * 1024,
            parameters_max: 50,
            page_default: 50,
            page_max: 1000,
            batch_entries_max: 200,
            scan_records_max: 10_000,
            everything_max: 5_000,
            not_found_beat: Duration::ZERO,
        }
    }
}

/// Requests per second and bursts, for each address, app and person; and how many different
/// patients one person may look at.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Sustained requests per second of one network address.
    pub address_per_sec: NonZeroU32,
    /// Sustained requests per second of one app.
    pub client_per_sec: NonZeroU32,
    /// Sustained requests per second of one person.
    pub account_per_sec: NonZeroU32,
    /// How many seconds' worth may come at once.
    pub burst_secs: NonZeroU32,
    /// Most distinct patients one person may be shown within an hour.
    pub patients_per_hour: usize,
}

impl Default for Rates {
    fn default() -> Self {
        let per_sec = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            // LIMIT: many people share an address behind a hospital's proxy, so it gets most.
            address_per_sec: per_sec(2000),
            client_per_sec: per_sec(1000),
            account_per_sec: per_sec(200),
            burst_secs: per_sec(2),
            patients_per_hour: 100,
        }
    }
}
