//! What is sent by topic: Bundles that say of which subscription they are, the how manieth event, and
//! what was asked for of the record.
//!
//! Source: HL7 Subscriptions R5 Backport 1.1.0, `backport-subscription-notification-r4`,
//! `backport-subscription-status-r4`.

use proviso_app::subscriptions::{
    Content, Subscription, SubscriptionProgress, SubscriptionStatus, Topic,
};
use proviso_core::id::{ResourceId, hex};
use proviso_core::time::At;
use proviso_fhir::bundle::{Bundle, BundleType, Entry, EntryResponse, SearchMode};
use proviso_fhir::json::write::{ArrayWriter, object};

use crate::notice::Notice;

const STATUS_PROFILE: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4";
const NOTIFICATION_PROFILE: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4";

/// Why a Bundle is sent (`subscription-notification-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To learn whether anybody is there.
    Handshake,
    /// To say that nothing was lost.
    Heartbeat,
    Event,
    /// Somebody asked.
    QueryStatus,
}

impl Kind {
    const fn code(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Heartbeat => "heartbeat",
            Self::Event => "event-notification",
            Self::QueryStatus => "query-status",
        }
    }
}

/// An event, as it is told.
pub(super) struct Event<'a> {
    pub(super) id: &'a ResourceId,
    pub(super) at: At,
    pub(super) record: &'a [u8],
    pub(super) notice: Option<&'a Notice>,
}

/// The topic of all changes here.
pub(crate) fn topic_url(base: &str) -> String {
    format!("{base}/SubscriptionTopic/record-change")
}

/// The code of a status.
pub(super) const fn status_code(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Requested => "requested",
        SubscriptionStatus::Active => "active",
        SubscriptionStatus::Error => "error",
        SubscriptionStatus::Off => "off",
    }
}

/// What a subscription says of itself.
fn status(
    base: &str,
    own: &Subscription,
    progress: &SubscriptionProgress,
    kind: Kind,
    event: Option<&Event<'_>>,
) -> Vec<u8> {
    let events = progress.events + u64::from(event.is_some());
    object(|out| {
        out.string("resourceType", "Parameters");
        out.object("meta", |meta| meta.array("profile", |all| all.string(STATUS_PROFILE)));
        out.array("parameter", |all| {
            all.object(|one| {
                one.string("name", "subscription");
                let reference = format!("{base}/Subscription/{}", own.id);
                one.object("valueReference", |value| value.string("reference", &reference));
            });
            if own.topic.is_some() {
                valued(all, "topic", "valueCanonical", &topic_url(base));
            }
            valued(all, "status", "valueCode", status_code(progress.status));
            valued(all, "type", "valueCode", kind.code());
            let name = "events-since-subscription-start";
            valued(all, name, "valueString", &events.to_string());
            if let Some(event) = event {
                all.object(|one| {
                    one.string("name", "notification-event");
                    one.array("part", |parts| {
                        valued(parts, "event-number", "valueString", &events.to_string());
                        valued(parts, "timestamp", "valueInstant", &event.at.to_rfc3339());
                        if own.topic.as_ref().is_some_and(Topic::names_the_record) {
                            parts.object(|part| {
                                part.string("name", "focus");
                                let url = format!("{base}/{}/{}", own.kind, event.id);
                                part.object("valueReference", |value| {
                                    value.string("reference", &url);
                                });
                            });
                        }
                    });
                });
            }
        });
    })
}

fn valued(out: &mut ArrayWriter<'_>, name: &str, key: &str, value: &str) {
    out.object(|one| {
        one.string("name", name);
        one.string(key, value);
    });
}

/// A Bundle to be sent; `random` names its first entry.
pub(super) fn bundle(
    base: &str,
    own: &Subscription,
    progress: &SubscriptionProgress,
    kind: Kind,
    event: Option<&Event<'_>>,
    random: [u8; 10],
) -> Vec<u8> {
    let answered = || Some(EntryResponse { status: "200".to_owned(), ..EntryResponse::default() });
    let mut bundle = Bundle::new(BundleType::History);
    bundle.profile = Some(NOTIFICATION_PROFILE);
    bundle.entries.push(Entry {
        full_url: Some(format!("urn:uuid:{}", uuid(random))),
        resource: Some(status(base, own, progress, kind, event)),
        request: Some(("GET", format!("{base}/Subscription/{}/$status", own.id))),
        response: answered(),
        ..Entry::default()
    });
    let whole = own.topic.as_ref().is_some_and(|topic| topic.content == Content::FullResource);
    if let Some(event) = event.filter(|_| whole) {
        if event.notice.is_some() {
            bundle.security = Notice::LABELS.to_vec();
        }
        bundle.entries.push(Entry {
            full_url: Some(format!("{base}/{}/{}", own.kind, event.id)),
            resource: Some(event.record.to_vec()),
            request: Some(("PUT", format!("{}/{}", own.kind, event.id))),
            response: answered(),
            ..Entry::default()
        });
    }
    bundle.to_bytes()
}

/// The answer to `$status`.
pub(super) fn status_bundle(
    base: &str,
    own: &Subscription,
    progress: &SubscriptionProgress,
) -> Vec<u8> {
    let mut bundle = Bundle::new(BundleType::Searchset);
    bundle.total = Some(1);
    bundle.links = vec![("self", format!("{base}/Subscription/{}/$status", own.id))];
    bundle.entries.push(Entry {
        resource: Some(status(base, own, progress, Kind::QueryStatus, None)),
        search: Some(SearchMode::Match),
        ..Entry::default()
    });
    bundle.to_bytes()
}

/// RFC 9562 §5.8: a UUID of our own kind, of random bytes.
fn uuid(random: [u8; 10]) -> String {
    let text = hex(&random);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    format!(
        "{}-{}-8{}-8{}-{:0>12}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 20)
    )
}
