//! Requests that name a key of their own (`Idempotency-Key`): asked again, a change is not made again.
//!
//! Source: draft-ietf-httpapi-idempotency-key-header-07. What was done is kept in the commit that did
//! it, for a day. The answer is not: it is made again from what was done, decided, judged and logged
//! like any other, so that who may not see it any more does not see it this way either.

use aws_lc_rs::digest::{Context, SHA256};
use proviso_app::caller::Caller;
use proviso_app::records::{Change as RecordChange, Op, Prepared, PreparedEntry};
use proviso_app::records::{KeptAnswer, KeptChange, KeptKind, KeptRequest};
use proviso_core::time::At;

use crate::classify::{Asked, Classified, Work};
use crate::decide::{Parts, Permit, is_write};
use crate::door::Received;
use crate::forward::{Carried, Change, Found, Written, look_at_file, still_shown};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::stop::Stopped;
use crate::upstream::{Reading, Upstream};

/// LIMIT: how long a key is remembered: a client that tries again does so within the day.
const KEPT_SECS: i64 = 24 * 60 * 60;
/// LIMIT: characters of a key.
const KEY_MAX: usize = 255;

/// The key of a request, and a hash of the request.
#[derive(Debug, Clone)]
pub struct RequestKey {
    key: [u8; 32],
    request: [u8; 32],
}

/// What is known of a request by its key.
#[derive(Debug, Clone, Default)]
pub(crate) enum Kept {
    /// It has none.
    #[default]
    Nothing,
    /// It comes for the first time.
    First(RequestKey),
    /// It came before, and this was done.
    Again(Vec<KeptChange>),
}

impl Kept {
    /// The key under which what is done is to be kept.
    pub(crate) fn first(self) -> Option<RequestKey> {
        match self {
            Self::First(key) => Some(key),
            Self::Nothing | Self::Again(_) => None,
        }
    }

    /// What was done, if the request came before.
    pub(crate) fn before(&self) -> Option<&[KeptChange]> {
        match self {
            Self::Again(made) => Some(made),
            Self::Nothing | Self::First(_) => None,
        }
    }
}

impl RequestKey {
    /// The key that a request names.
    ///
    /// # Errors
    /// When the header is sent twice, or holds what is no key.
    pub(crate) fn of(
        gateway: &Gateway,
        received: &Received,
        caller: &Caller,
    ) -> Result<Option<Self>, Refusal> {
        let Some(text) = received.headers.idempotency_key.single()? else { return Ok(None) };
        // A string of structured fields has quotes; many clients send none.
        let text = text.trim();
        let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        if text.is_empty() || text.len() > KEY_MAX || text.contains(['"', '\\']) {
            return Err(Problem::HeaderMalformed.into());
        }
        let account = caller.account.as_ref().map_or("", |account| account.as_str());
        let mut named = Vec::new();
        for part in [caller.client.as_str(), account, text] {
            named.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            named.extend(part.as_bytes());
        }
        let key = gateway.app.keys().hmac(b"proviso request key 1", &named);
        let key = key.map_err(|_| Problem::Unavailable)?;
        Ok(Some(Self { key, request: hash_of(received) }))
    }

    /// Keeps what was done, in the commit that does it.
    pub(crate) fn keep(&self, at: At, made: Vec<KeptChange>) -> Op {
        Op::KeepAnswer(KeptAnswer {
            key: self.key,
            at,
            until: at.plus_secs(KEPT_SECS),
            done: KeptRequest { request: self.request, made },
        })
    }
}

/// A hash of everything from which the answer to a change comes; each part with its length, so that
/// no two requests have one hash.
fn hash_of(received: &Received) -> [u8; 32] {
    let headers = &received.headers;
    let mut context = Context::new(&SHA256);
    let mut add = |part: &[u8]| {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        context.update(part);
    };
    add(received.method.as_str().as_bytes());
    add(received.path.as_bytes());
    add(received.query.as_bytes());
    for header in [&headers.if_match, &headers.if_none_exist, &headers.content_type] {
        let value = header.single().ok().flatten();
        add(value.map_or(&b""[..], |text| text.as_bytes()));
    }
    add(headers.prefer.as_deref().unwrap_or("").as_bytes());
    add(&received.body);
    let digest = context.finish();
    digest.as_ref().try_into().unwrap_or_default()
}

/// Looks up what was done for a request that names a key.
///
/// # Errors
/// When the key stands for another request, or nothing can be kept for this one.
pub(crate) async fn recall(
    gateway: &Gateway,
    key: Option<RequestKey>,
    mut work: Work,
) -> Result<Work, Stopped> {
    let Some(key) = key else { return Ok(work) };
    let (kept, trail, can_be_kept) = match &mut work {
        Work::Single(single) if !is_write(&single.interaction) => return Ok(work),
        Work::Single(single) => {
            let Classified { kept, trail, asked, .. } = &mut **single;
            (kept, trail, !asked.is_by_own_rules() && !matches!(asked, Asked::Validate { .. }))
        }
        // Each entry of a batch is on its own.
        Work::Batch { .. } => {
            let Work::Batch { bundle, .. } = work else { return Ok(work) };
            return Err(Stopped::new(Problem::KeyMisplaced, *bundle));
        }
        Work::Transaction(together) => (&mut together.kept, &mut together.bundle, true),
    };
    // A server by URL cannot make a change and keep the key in one commit.
    let refusal = if !can_be_kept || matches!(gateway.upstream, Upstream::Http(_)) {
        Problem::KeyMisplaced
    } else {
        match gateway.app.store().kept_answer(&key.key, trail.at).await {
            Ok(None) => {
                *kept = Kept::First(key);
                return Ok(work);
            }
            Ok(Some(done)) if done.request == key.request => {
                *kept = Kept::Again(done.made);
                return Ok(work);
            }
            Ok(Some(_)) => Problem::KeyReused,
            Err(_) => Problem::Unavailable,
        }
    };
    Err(Stopped::new(refusal, trail.clone()))
}

/// What was done before, as far as the caller still sees it.
pub(crate) async fn again(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    (made, index): (&[KeptChange], usize),
) -> Result<Found, Refusal> {
    let before = made.iter().find(|change| change.index == index);
    let Some(before) = before else { return Ok(Found::NothingToDelete) };
    still_shown(gateway, parts, permit, &before.id).await?;
    let upstream = gateway.upstream_of(before.resource_type);
    let read = upstream.vread(permit, before.resource_type, &before.id, &before.version).await?;
    let (Reading::Live(mut stored) | Reading::Deleted { last: Some(mut stored) }) = read else {
        return Err(Problem::NotFound.into());
    };
    look_at_file(gateway, parts, permit, &mut stored).await?;
    let change = match before.change {
        KeptKind::Created => Change::Created,
        KeptKind::Existing => Change::Existing,
        KeptKind::Updated => Change::Updated,
        KeptKind::Deleted => Change::Deleted,
    };
    Ok(Found::Written(Box::new(Written { change, stored, carried: Carried::Before })))
}

/// What is kept of a change.
pub(crate) fn change_of(index: usize, prepared: &Prepared) -> Option<KeptChange> {
    let version = match prepared.change {
        RecordChange::Deleted => prepared.before.as_ref()?.version,
        RecordChange::NothingThere => return None,
        RecordChange::Created
        | RecordChange::Existing
        | RecordChange::Updated
        | RecordChange::Unchanged => prepared.version,
    };
    let change = match prepared.change {
        RecordChange::Created => KeptKind::Created,
        RecordChange::Existing => KeptKind::Existing,
        RecordChange::Updated | RecordChange::Unchanged => KeptKind::Updated,
        RecordChange::Deleted | RecordChange::NothingThere => KeptKind::Deleted,
    };
    let (resource_type, id) = (prepared.resource_type, prepared.id.clone());
    Some(KeptChange { index, change, resource_type, id, version: version.to_string() })
}

/// What is kept of the changes of a transaction, by their positions.
pub(crate) fn changes_of<'a>(
    entries: impl IntoIterator<Item = (usize, &'a PreparedEntry)>,
) -> Vec<KeptChange> {
    entries
        .into_iter()
        .filter_map(|(index, entry)| match entry {
            PreparedEntry::Write(prepared) => change_of(index, prepared),
            PreparedEntry::NothingFound | PreparedEntry::Read(_) => None,
        })
        .collect()
}
