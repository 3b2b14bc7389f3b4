//! What a Subscription asks for, read strictly: nothing of it is kept that is not carried out.

use std::borrow::Cow;

use http::Uri;
use http::header::{HeaderName, HeaderValue};
use proviso_app::subscriptions::{Content, Subscription, Topic};
use proviso_core::category_rules::{categories_of_type, is_directory};
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::json::{Doc, Node};
use proviso_fhir::search::{Context, Controls, Query, SearchScope};
use proviso_oauth::record::{Client, ClientAuthentication, ClientKeys};

use super::message::topic_url;
use crate::decide::Parts;
use crate::forward::refuse_search;
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};

/// LIMIT: headers of a notification, and characters of each.
const HEADERS_MAX: usize = 10;
const HEADER_LEN_MAX: usize = 2048;
/// LIMIT: characters of an address and of criteria.
const URL_MAX: usize = 2048;
/// Headers that say how a message is framed, where it goes, or what we send ourselves.
const HEADERS_REFUSED: [&str; 12] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
];

/// A Subscription that can be carried out.
pub(super) struct Wanted {
    kind: ResourceType,
    criteria: String,
    endpoint: String,
    headers: Vec<(String, String)>,
    with_record: bool,
    topic: Option<Topic>,
    end: Option<At>,
    resource: String,
}

const FILTER: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria";
const CONTENT: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content";
const HEARTBEAT: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period";
const MAX_COUNT: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-max-count";
/// LIMIT: seconds between heartbeats, at least and at most.
const HEARTBEAT_SECS: core::ops::RangeInclusive<u32> = 60..=86_400;

/// The type and the query: of the criteria themselves, or of the filter of a topic.
pub(super) fn criteria(root: Node<'_>) -> Option<(ResourceType, String)> {
    let text = match filter(root) {
        Some(filter) => filter,
        None => root.get("criteria").and_then(Node::as_str)?.into_owned(),
    };
    let (kind, query) = text.split_once('?')?;
    let kind: ResourceType = kind.parse().ok()?;
    Some((kind, query.to_owned())).filter(|_| text.len() <= URL_MAX)
}

/// The one filter of a subscription to a topic.
fn filter(root: Node<'_>) -> Option<String> {
    let extensions = extensions(root, "criteria");
    let [(url, value)] = extensions.as_slice() else { return None };
    (url == FILTER).then(|| value.get("valueString").and_then(Node::as_str))?.map(Cow::into_owned)
}

/// The extensions of a member, each by its URL. Of a primitive they stand beside it.
fn extensions<'a>(object: Node<'a>, member: &str) -> Vec<(String, Node<'a>)> {
    let own = object.get(&format!("_{member}")).or_else(|| object.get(member));
    let all = own.and_then(|own| own.get("extension")).into_iter().flat_map(Node::items_or_self);
    all.map(|one| (one.string_at(&["url"]).unwrap_or_default().into_owned(), one)).collect()
}

/// What is asked for by topic; `None` where it is not asked so.
///
/// # Errors
/// The place of what is not offered.
fn topic(base: &str, root: Node<'_>) -> Result<Option<Topic>, &'static str> {
    let channel = root.get("channel").ok_or("Subscription.channel")?;
    let (of_criteria, of_payload) = (extensions(root, "criteria"), extensions(channel, "payload"));
    let of_channel = extensions(root, "channel");
    let text = root.string_at(&["criteria"]);
    if text.as_deref() != Some(topic_url(base).as_str()) {
        // An extension that is not carried out would be one that was believed to be.
        return match [of_criteria.is_empty(), of_payload.is_empty(), of_channel.is_empty()] {
            [true, true, true] => Ok(None),
            [false, _, _] => Err("Subscription.criteria"),
            [_, false, _] => Err("Subscription.channel.payload"),
            _ => Err("Subscription.channel.extension"),
        };
    }
    if filter(root).is_none() {
        return Err("Subscription.criteria");
    }
    let content = match of_payload.as_slice() {
        [(url, value)] if url == CONTENT => match value.string_at(&["valueCode"]).as_deref() {
            Some("empty") => Some(Content::Empty),
            Some("id-only") => Some(Content::IdOnly),
            Some("full-resource") => Some(Content::FullResource),
            _ => None,
        },
        _ => None,
    };
    let content = content.ok_or("Subscription.channel.payload")?;
    let mut heartbeat_secs = None;
    for (url, value) in &of_channel {
        let number = ["valueUnsignedInt", "valueInteger", "valuePositiveInt"]
            .iter()
            .find_map(|name| value.get(name)?.number_text()?.parse::<u32>().ok());
        match (url.as_str(), number) {
            (HEARTBEAT, Some(secs)) if HEARTBEAT_SECS.contains(&secs) => {
                heartbeat_secs = Some(secs);
            }
            // Each notification is of one event.
            (MAX_COUNT, Some(1..)) => {}
            _ => return Err("Subscription.channel.extension"),
        }
    }
    Ok(Some(Topic { content, heartbeat_secs }))
}

impl Wanted {
    pub(super) fn of(gateway: &Gateway, parts: &Parts, doc: &Doc) -> Result<Self, Refusal> {
        let faults = proviso_fhir::validate::validate(doc.root());
        if !faults.is_empty() {
            let mut refusal = Refusal::from(Problem::ResourceInvalid);
            refusal.faults = faults.iter().map(|f| (f.path.clone(), f.text().to_owned())).collect();
            return Err(refusal);
        }
        let root = doc.root();
        let refuse = |place: &str| Refusal::from(Problem::SubscriptionRefused).at(place);
        // Whoever does not understand it may not take the resource for what it seems to be.
        if root.descendants().any(|node| node.key() == Some("modifierExtension")) {
            return Err(refuse("Subscription.modifierExtension"));
        }
        let status = root.get("status").and_then(Node::as_str);
        if !matches!(status.as_deref(), Some("requested" | "active" | "off")) {
            return Err(refuse("Subscription.status"));
        }
        let topic = topic(&gateway.base, root).map_err(refuse)?;
        let (kind, criteria) = criteria(root).ok_or_else(|| refuse("Subscription.criteria"))?;
        check_criteria(gateway, parts, kind, &criteria)?;
        let end = match root.get("end").and_then(Node::as_str) {
            None => None,
            Some(text) => {
                let end = At::parse(&text).filter(|end| *end > parts.trail.at);
                Some(end.ok_or_else(|| refuse("Subscription.end"))?)
            }
        };
        let text = |name: &str| root.string_at(&["channel", name]);
        if text("type").as_deref() != Some("rest-hook") {
            return Err(refuse("Subscription.channel.type"));
        }
        let endpoint = text("endpoint").unwrap_or_default().into_owned();
        let client = gateway.app.live().client(&parts.caller.client);
        if !client.is_some_and(|client| may_be_told_at(gateway, &client, &endpoint)) {
            return Err(refuse("Subscription.channel.endpoint"));
        }
        let with_record = match text("payload").as_deref() {
            None if topic.is_none() => false,
            Some("application/fhir+json" | "application/json") => true,
            None | Some(_) => return Err(refuse("Subscription.channel.payload")),
        };
        let headers = root.at(&["channel", "header"]).map(header).collect::<Option<Vec<_>>>();
        let headers = headers
            .filter(|headers| headers.len() <= HEADERS_MAX)
            .ok_or_else(|| refuse("Subscription.channel.header"))?;
        let resource = String::from_utf8(doc.bytes().to_vec());
        let resource = resource.map_err(|_| Problem::BodyMalformed)?;
        Ok(Self { kind, criteria, endpoint, headers, with_record, topic, end, resource })
    }

    pub(super) fn into_subscription(
        self,
        parts: &Parts,
        id: ResourceId,
        version: u64,
    ) -> Subscription {
        let caller = &parts.caller;
        let scopes: Vec<String> = caller.scopes.iter().map(ToString::to_string).collect();
        Subscription {
            id,
            client: caller.client.clone(),
            grant: caller.grant.clone(),
            token: caller.token.clone(),
            token_end: caller.expires_at,
            scope: scopes.join(" "),
            version,
            at: parts.trail.at,
            resource: self.resource,
            kind: self.kind,
            // What a patient shares reaches that patient's records and those that are about nobody.
            patient: caller
                .patient
                .clone()
                .filter(|_| caller.consent.is_some() && !is_directory(self.kind)),
            criteria: self.criteria,
            endpoint: self.endpoint,
            headers: self.headers,
            with_record: self.with_record,
            topic: self.topic,
            end: self.end,
        }
    }
}

/// "The same interpretation as if they were appended to the base URL": a search, without what is
/// about a page of its answer.
fn check_criteria(
    gateway: &Gateway,
    parts: &Parts,
    kind: ResourceType,
    criteria: &str,
) -> Result<(), Refusal> {
    let refuse = || Refusal::from(Problem::SubscriptionRefused).at("Subscription.criteria");
    let is_searched = is_directory(kind) || !categories_of_type(kind).is_empty();
    if kind == ResourceType::BINARY || !is_searched {
        return Err(refuse());
    }
    let context = Context { own_base: &gateway.base, at: parts.trail.at };
    let query = Query::parse(&context, SearchScope::Type(kind), &[criteria])
        .map_err(|error| refuse_search(&error))?;
    parts.view.admits(&query).map_err(|error| refuse_search(&error))?;
    let most = gateway.settings.limits.parameters_max;
    if query.controls != Controls::default() || query.filters.len() >= most {
        return Err(refuse());
    }
    Ok(())
}

/// `Name: value`, as it goes out.
fn header(node: Node<'_>) -> Option<(String, String)> {
    let text = node.as_str().filter(|text| text.len() <= HEADER_LEN_MAX)?;
    let (name, value) = text.split_once(':')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let value = value.trim();
    HeaderValue::from_str(value).ok()?;
    let refused = HEADERS_REFUSED.contains(&name.as_str());
    (!refused).then(|| (name.as_str().to_owned(), value.to_owned()))
}

/// TRUST: whoever holds a token could have records sent to a place of their own choice. So an app is
/// told only at an origin that is registered with it, over TLS, or in the clear on this machine where
/// this server itself is reached so.
pub(super) fn may_be_told_at(gateway: &Gateway, client: &Client, endpoint: &str) -> bool {
    let Some(origin) = origin(endpoint) else { return false };
    let plain = endpoint.starts_with("http://");
    if plain && !(is_loopback(endpoint) && is_loopback(&gateway.settings.public_url)) {
        return false;
    }
    let keys = if let ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Uri(uri) } =
        &client.authentication
    {
        Some(uri)
    } else {
        None
    };
    let registered = client.redirect_uris.iter().chain(&client.launch_uris).chain(&client.origins);
    registered.chain(keys).filter_map(|uri| self::origin(uri)).any(|own| own == origin)
}

/// Scheme, host and port of an http(s) URL without user and fragment.
fn origin(url: &str) -> Option<(String, String, u16)> {
    if url.len() > URL_MAX || url.contains(['#', '@']) || !url.is_ascii() {
        return None;
    }
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let host = uri.host()?.to_ascii_lowercase();
    Some((scheme.to_owned(), host, uri.port_u16().unwrap_or(usual)))
}

/// Whether a URL is plain HTTP to this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && loopback
}
