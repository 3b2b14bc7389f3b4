//! FHIR Subscriptions: an app is told of new and changed records that it may see.
//!
//! A subscription is a search that goes on. Its app needs no more for it than the search itself, it
//! ends with the grant that it was made with, and each notification walks the verbs of a request:
//! decided by what is in force at that moment, matched and shown as its app sees it, in the log
//! before it leaves (leaks 129, 130).
//!
//! Source: FHIR R4 (4.0.1) `subscription.html`.

mod line;
mod message;
mod tell;
mod wanted;

use http::StatusCode;
use proviso_app::records::Op;
use proviso_app::subscriptions::{
    ALL_MAX, Held, OF_GRANT_MAX, Presence, Subscription, SubscriptionProgress, SubscriptionStatus,
};
use proviso_core::id::{GrantId, ResourceId, hex};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::bundle::{Bundle, BundleType, Entry, SearchMode};
use proviso_fhir::classify::{self, Target};
use proviso_fhir::json::edit::Edit;
use proviso_fhir::json::write::{object, string_text};
use proviso_fhir::json::{Doc, Node};

pub(crate) use self::message::topic_url;
use self::message::{status_bundle, status_code};
use self::wanted::Wanted;
use crate::classify::{Asked, Body, check_type, only_format};
use crate::decide::Parts;
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};

/// What is asked about the caller's own subscriptions.
#[derive(Debug)]
pub(crate) enum SubscriptionAsk {
    /// Makes one.
    Make(Doc),
    /// Replaces one.
    Replace {
        id: ResourceId,
        doc: Doc,
        if_match: Option<String>,
    },
    Read(ResourceId),
    /// How far one is.
    Status(ResourceId),
    List,
    End {
        id: ResourceId,
        if_match: Option<String>,
    },
}

/// What was found or is to be done.
#[derive(Debug)]
pub(crate) struct SubscriptionAnswer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    pub(crate) version: Option<u64>,
    pub(crate) at: Option<At>,
    pub(crate) location: Option<String>,
    /// What changes with its entry in the log.
    pub(crate) op: Option<Op>,
}

/// Reads what is asked; `None` where it is not about subscriptions.
pub(crate) fn asked(
    line: &classify::Classified,
    query: &str,
    body: Body,
    if_match: Option<String>,
) -> Result<Asked, Refusal> {
    if line.interaction != Interaction::Delete || matches!(line.target, Target::Instance(..)) {
        only_format(query)?;
    }
    let kind = ResourceType::SUBSCRIPTION;
    let ask = match (&line.interaction, &line.target, body) {
        (Interaction::Create, Target::Type(_), Body::Json(doc)) => {
            check_type(&doc, kind)?;
            SubscriptionAsk::Make(doc)
        }
        (Interaction::Update, Target::Instance(_, id), Body::Json(doc)) => {
            check_type(&doc, kind)?;
            if doc.id().as_ref() != Some(id) {
                return Err(Refusal::from(Problem::BodyMismatch).at("id"));
            }
            SubscriptionAsk::Replace { id: id.clone(), doc, if_match }
        }
        (Interaction::Read, Target::Instance(_, id), Body::None) => {
            SubscriptionAsk::Read(id.clone())
        }
        (Interaction::Search, Target::Type(_), Body::None) => SubscriptionAsk::List,
        (Interaction::Delete, Target::Instance(_, id), Body::None) => {
            SubscriptionAsk::End { id: id.clone(), if_match }
        }
        _ => return Err(Problem::NotOffered.into()),
    };
    Ok(Asked::Subscription(ask))
}

impl SubscriptionAsk {
    /// What is written, for the decision.
    pub(crate) const fn doc(&self) -> Option<&Doc> {
        match self {
            Self::Make(doc) | Self::Replace { doc, .. } => Some(doc),
            Self::Read(_) | Self::Status(_) | Self::List | Self::End { .. } => None,
        }
    }
}

/// The type whose changes a Subscription is about, as far as it can be read.
pub(crate) fn kind_of(doc: &Doc) -> Option<ResourceType> {
    wanted::criteria(doc.root()).map(|(kind, _)| kind)
}

/// Carries out what is permitted: it is about subscriptions of the caller's own grant and no other,
/// and one of another grant is as one that never was.
pub(crate) async fn carry(
    gateway: &Gateway,
    parts: &mut Parts,
    ask: SubscriptionAsk,
) -> Result<SubscriptionAnswer, Refusal> {
    // What changes in a server by URL, nobody here hears of.
    gateway.upstream.own()?;
    match ask {
        SubscriptionAsk::List => Ok(list(gateway, &parts.caller.grant)),
        SubscriptionAsk::Read(id) => {
            let held = own(gateway, parts, &id)?;
            Ok(SubscriptionAnswer::of(&held.asked, &held.progress, StatusCode::OK, None))
        }
        SubscriptionAsk::Status(id) => {
            let held = own(gateway, parts, &id)?;
            let body = status_bundle(&gateway.base, &held.asked, &held.progress);
            Ok(SubscriptionAnswer::plain(StatusCode::OK, body))
        }
        SubscriptionAsk::Make(doc) => {
            let wanted = Wanted::of(gateway, parts, &doc)?;
            let of_grant = gateway.app.subscriptions_of(&parts.caller.grant).len();
            if of_grant >= OF_GRANT_MAX || gateway.app.subscriptions().len() >= ALL_MAX {
                return Err(Problem::SubscriptionsTooMany.into());
            }
            let entropy = gateway.app.entropy().for_id().map_err(|_| Problem::Unavailable)?;
            let id: ResourceId = hex(&entropy).parse().map_err(|_| Problem::Unavailable)?;
            parts.trail.about(ResourceType::SUBSCRIPTION, &id);
            let new = wanted.into_subscription(parts, id, 1);
            put(gateway, new, &doc, StatusCode::CREATED).await
        }
        SubscriptionAsk::Replace { id, doc, if_match } => {
            let held = own(gateway, parts, &id)?;
            check_version(&held, if_match.as_deref())?;
            let wanted = Wanted::of(gateway, parts, &doc)?;
            let next = wanted.into_subscription(parts, id, held.asked.version + 1);
            put(gateway, next, &doc, StatusCode::OK).await
        }
        SubscriptionAsk::End { id, if_match } => {
            let held = own(gateway, parts, &id)?;
            check_version(&held, if_match.as_deref())?;
            let answer = SubscriptionAnswer::plain(StatusCode::NO_CONTENT, Vec::new());
            Ok(SubscriptionAnswer { op: Some(Op::DeleteSubscription { id }), ..answer })
        }
    }
}

fn own(gateway: &Gateway, parts: &mut Parts, id: &ResourceId) -> Result<Held, Refusal> {
    let held = gateway.app.subscription(id);
    let held = held.filter(|held| held.asked.grant == parts.caller.grant);
    let held = held.ok_or(Problem::NotFound)?;
    parts.trail.about(ResourceType::SUBSCRIPTION, id);
    Ok(held)
}

fn check_version(held: &Held, if_match: Option<&str>) -> Result<(), Refusal> {
    let same = if_match.is_none_or(|wanted| wanted == held.asked.version.to_string());
    if same { Ok(()) } else { Err(Problem::VersionMismatch.into()) }
}

/// An app may switch its own off; on it goes by `requested` or `active`. By topic, once its receiver has
/// answered.
fn status_of(own: &Subscription, doc: &Doc) -> SubscriptionStatus {
    if doc.root().get("status").and_then(Node::as_str).as_deref() == Some("off") {
        SubscriptionStatus::Off
    } else if own.topic.is_some() {
        SubscriptionStatus::Requested
    } else {
        SubscriptionStatus::Active
    }
}

async fn put(
    gateway: &Gateway,
    new: Subscription,
    doc: &Doc,
    answer: StatusCode,
) -> Result<SubscriptionAnswer, Refusal> {
    // What was written before it was made is none of its business, nor what was while it was off.
    let reached = gateway.app.records().latest_seq().await.map_err(|_| Problem::Unavailable)?;
    let status = status_of(&new, doc);
    let (events, sent_at) = (0, None);
    let version = new.version;
    let (failures, next_try) = (0, None);
    let progress =
        SubscriptionProgress { version, status, reached, failures, next_try, events, sent_at };
    let expect = if new.version == 1 { Presence::Absent } else { Presence::Present };
    let op = gateway.app.put_subscription(&new, progress.clone(), expect);
    let op = op.map_err(|_| Problem::Unavailable)?;
    Ok(SubscriptionAnswer::of(&new, &progress, answer, Some(op)))
}

fn list(gateway: &Gateway, grant: &GrantId) -> SubscriptionAnswer {
    let own = gateway.app.subscriptions_of(grant);
    let mut bundle = Bundle::new(BundleType::Searchset);
    bundle.total = u64::try_from(own.len()).ok();
    bundle.links = vec![("self", format!("{}/Subscription", gateway.base))];
    bundle.entries = own
        .iter()
        .map(|held| Entry {
            full_url: Some(format!("{}/Subscription/{}", gateway.base, held.asked.id)),
            resource: Some(shown(&held.asked, &held.progress)),
            search: Some(SearchMode::Match),
            ..Entry::default()
        })
        .collect();
    SubscriptionAnswer::plain(StatusCode::OK, bundle.to_bytes())
}

impl SubscriptionAnswer {
    fn plain(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body, version: None, at: None, location: None, op: None }
    }

    fn of(
        own: &Subscription,
        progress: &SubscriptionProgress,
        status: StatusCode,
        op: Option<Op>,
    ) -> Self {
        let location = format!("Subscription/{}/_history/{}", own.id, own.version);
        Self {
            status,
            body: shown(own, progress),
            version: Some(own.version),
            at: Some(own.at),
            location: (status == StatusCode::CREATED).then_some(location),
            op,
        }
    }
}

/// The resource as it is now: as its app wrote it, with what the server says of it.
fn shown(own: &Subscription, progress: &SubscriptionProgress) -> Vec<u8> {
    let Ok(doc) = Doc::parse(own.resource.as_bytes().to_vec()) else { return Vec::new() };
    let mut edit = Edit::new(&doc);
    let root = doc.root();
    edit.set(root, "id", string_text(own.id.as_str()).as_bytes());
    let meta = object(|meta| {
        meta.string("versionId", &own.version.to_string());
        meta.string("lastUpdated", &own.at.to_rfc3339());
    });
    edit.set(root, "meta", &meta);
    let error = (progress.status == SubscriptionStatus::Error)
        .then_some("\"the endpoint did not take notifications\"");
    edit.set(root, "status", string_text(status_code(progress.status)).as_bytes());
    match (error, root.get("error")) {
        (Some(error), _) => edit.set(root, "error", error.as_bytes()),
        (None, Some(said)) => edit.remove(said),
        (None, None) => {}
    }
    edit.finish().unwrap_or_default()
}
