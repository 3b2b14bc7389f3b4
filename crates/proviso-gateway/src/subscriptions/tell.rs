//! Telling apps: for each change, the search of the subscription is made again for that one record,
//! through the verbs of a request.
//!
//! A record that its app may not see is not told of by a connection either: one is opened only for
//! what would be told, and what is sent is decided once more when it is open.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use proviso_app::caller::Caller;
use proviso_app::subscriptions::{
    Changed, Held, Subscription, SubscriptionProgress, SubscriptionStatus,
};
use proviso_core::id::{ClientId, RequestId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::time::At;
use proviso_fhir::json::{Doc, Node};
use proviso_fhir::search::{Context, Joined, Query, SearchScope};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::MissedTickBehavior;

use super::line::{Allowed, Line, LineError, Message, Notification};
use super::message::{Event, Kind, bundle};
use super::wanted::{is_loopback, may_be_told_at};
use crate::audit::{audit, settle};
use crate::classify::{Asked, Classified, Conditions};
use crate::decide::decide;
use crate::filter::{Filtered, filter, refuse};
use crate::forward::forward;
use crate::gateway::Gateway;
use crate::kept::Kept;
use crate::query;
use crate::trail::Trail;
use crate::upstream::Upstream;

/// LIMIT: changes that are looked at in one step.
const STEP: usize = 64;
/// LIMIT: subscriptions that are told at the same time.
const AT_ONCE: usize = 16;
/// LIMIT: of these, those of one app: a slow receiver keeps the others of its app waiting.
const AT_ONCE_OF_APP: usize = 4;
/// After so many deliveries that failed one after the other a subscription is given up.
const FAILURES_MAX: u32 = 12;
/// Waits after failures: 5 s, doubled each time, at most an hour.
const WAIT_MIN_SECS: i64 = 5;
const WAIT_MAX_SECS: i64 = 3600;
/// How often it is looked whether a wait is over.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What came of one change.
enum Told {
    /// Nothing that is to be told.
    Nothing,
    Sent,
    Failed(LineError),
    /// Not now: the log cannot be written, or something else inside failed.
    Later,
}

impl Gateway {
    /// Tells apps of what they asked to be told of, until the server stops.
    pub async fn tell(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if !matches!(self.upstream, Upstream::Embedded(_)) {
            return;
        }
        let mut news = self.app.subscription_news();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut at_work = JoinSet::new();
        let mut busy: HashMap<Id, (ResourceId, ClientId)> = HashMap::new();
        let mut waiting: BTreeSet<ResourceId> = BTreeSet::new();
        // Waits end by the clock, which is looked at now and then only: what cannot be noted would
        // else be tried without end.
        let mut ticked = true;
        loop {
            news.mark_unchanged();
            waiting.extend(self.app.take_due_subscriptions());
            if ticked {
                waiting.extend(self.over_by_now());
                ticked = false;
            }
            self.begin(&mut waiting, &mut busy, &mut at_work);
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                Some(ended) = at_work.join_next_with_id() => {
                    let task = ended.map_or_else(|error| error.id(), |(task, _)| task);
                    busy.remove(&task);
                }
                _ = ticks.tick() => ticked = true,
                changed = stop.changed() => if changed.is_err() || *stop.borrow() { return },
            }
        }
    }

    /// Begins to tell of as many as may be told of at once.
    fn begin(
        self: &Arc<Self>,
        waiting: &mut BTreeSet<ResourceId>,
        busy: &mut HashMap<Id, (ResourceId, ClientId)>,
        at_work: &mut JoinSet<usize>,
    ) {
        let ready: Vec<ResourceId> = waiting.iter().cloned().collect();
        for id in ready {
            if busy.len() >= AT_ONCE {
                return;
            }
            let Some(held) = self.app.subscription(&id) else {
                waiting.remove(&id);
                continue;
            };
            let client = held.asked.client.clone();
            let of_app = busy.values().filter(|(_, other)| *other == client).count();
            if of_app >= AT_ONCE_OF_APP || busy.values().any(|(other, _)| *other == id) {
                continue;
            }
            waiting.remove(&id);
            let (gateway, own) = (Arc::clone(self), id.clone());
            let task = at_work.spawn(async move { gateway.tell_of(&own).await });
            busy.insert(task.id(), (id, client));
        }
    }

    /// The subscriptions whose wait, time or grant is over by now.
    fn over_by_now(&self) -> Vec<ResourceId> {
        let now = self.app.now();
        let over = |held: &Held| is_due(held, now) || self.app.has_ended(&held.asked, now);
        let all = self.app.subscriptions().into_iter();
        all.filter(over).map(|held| held.asked.id.clone()).collect()
    }

    /// Does once, one after the other, what there is to do now; says how many notifications were sent.
    pub async fn tell_all(&self) -> usize {
        let mut due = self.app.take_due_subscriptions();
        due.extend(self.over_by_now());
        let mut sent = 0;
        for id in due {
            sent += self.tell_of(&id).await;
        }
        sent
    }

    /// Tells of everything that has changed since the last time; says how many were sent.
    async fn tell_of(&self, id: &ResourceId) -> usize {
        let mut sent = 0;
        while let Some(step) = self.tell_some(id).await {
            sent += step;
        }
        sent
    }

    /// One step; `None` where there is nothing more to do now.
    async fn tell_some(&self, id: &ResourceId) -> Option<usize> {
        let Held { asked, progress } = self.app.subscription(id)?;
        let now = self.app.now();
        let Ok(told) = self.app.told_by(&asked, now).await else {
            self.later(id, &progress, now);
            return None;
        };
        if told.is_none() {
            if let Err(error) = self.app.forget_subscription(id).await {
                tracing::warn!(%error, "a subscription that has ended was not forgotten");
            }
            return None;
        }
        let waits = progress.next_try.is_some_and(|next| now < next);
        let goes_on =
            matches!(progress.status, SubscriptionStatus::Active | SubscriptionStatus::Requested);
        if !goes_on || waits {
            return None;
        }
        if asked.end.is_some_and(|end| end <= now) {
            let status = SubscriptionStatus::Off;
            self.note(id, SubscriptionProgress { status, ..progress }).await;
            return None;
        }
        if progress.status == SubscriptionStatus::Requested {
            return self.knock(&asked, progress, Kind::Handshake).await.then_some(0);
        }
        let Ok(changes) = self.app.changes(&asked, progress.reached, STEP).await else {
            self.later(id, &progress, now);
            return None;
        };
        if changes.is_empty() {
            if beats(&asked, &progress, now) {
                self.knock(&asked, progress, Kind::Heartbeat).await;
            }
            return None;
        }
        let mut sent = 0;
        for change in &changes {
            // A subscription that was changed or ended meanwhile goes on as it is now.
            let same = self.app.subscription(id).is_some_and(|held| held.asked == asked);
            if !same {
                return Some(sent);
            }
            match self.tell_of_change(&asked, change).await {
                Told::Nothing => self.app.pass_over(id, change.seq),
                Told::Sent => {
                    sent += 1;
                    let before = self.app.subscription(id)?.progress;
                    let next = SubscriptionProgress {
                        reached: change.seq,
                        events: before.events + 1,
                        ..after_success(&before, now)
                    };
                    self.note(id, next).await;
                }
                Told::Failed(error) => {
                    tracing::info!(subscription = %id, %error, "a notification was not taken");
                    let before = self.app.subscription(id)?.progress;
                    self.note(id, after_failure(&before, now)).await;
                    return None;
                }
                Told::Later => {
                    self.later(id, &self.app.subscription(id)?.progress, now);
                    return None;
                }
            }
        }
        Some(sent)
    }

    async fn note(&self, id: &ResourceId, progress: SubscriptionProgress) {
        // What was told and not written is told again after a restart: at least once, never not at all.
        if let Err(error) = self.app.move_subscription(id, progress.clone()).await {
            tracing::warn!(%error, "how far a subscription is was not written");
            self.app.hold_progress(id, progress);
        }
    }

    /// Tries again when what failed inside may have passed. It is not the receiver's fault.
    fn later(&self, id: &ResourceId, progress: &SubscriptionProgress, now: At) {
        let next_try = Some(now.plus_secs(WAIT_MIN_SECS));
        self.app.hold_progress(id, SubscriptionProgress { next_try, ..progress.clone() });
    }

    /// Says that there is nothing to be told: to learn whether anybody is there, or that nothing was
    /// lost. Nothing of any record is in it.
    async fn knock(&self, own: &Subscription, progress: SubscriptionProgress, kind: Kind) -> bool {
        let opened = self.line_for(own).await;
        let now = self.app.now();
        // It may have been ended or changed while the connection was made.
        let same = self.app.subscription(&own.id).is_some_and(|held| *held.asked == *own);
        if !same || self.app.has_ended(own, now) {
            return false;
        }
        let sent = match (opened, self.app.entropy().for_id()) {
            (Ok(line), Ok(random)) => {
                let body = bundle(&self.base, own, &progress, kind, None, random);
                let (notice, content) = (None, Message::Bundle(body));
                line.send(Notification { headers: &own.headers, notice, content }).await
            }
            (Err(error), _) => Err(error),
            (Ok(_), Err(_)) => Err(LineError::Connection),
        };
        let next = match sent {
            Ok(()) => after_success(&progress, now),
            Err(error) => {
                tracing::info!(subscription = %own.id, %error, "a notification was not taken");
                after_failure(&progress, now)
            }
        };
        self.note(&own.id, next).await;
        sent.is_ok()
    }

    /// A connection to where an app is told. It may have been registered anew since it asked.
    async fn line_for(&self, own: &Subscription) -> Result<Line, LineError> {
        let client = self.app.live().client(&own.client);
        if !client.is_some_and(|client| may_be_told_at(self, &client, &own.endpoint)) {
            return Err(LineError::Address);
        }
        Line::open(&own.endpoint, self.allowed(&own.endpoint)).await
    }

    async fn tell_of_change(&self, own: &Subscription, change: &Changed) -> Told {
        let Some(body) = &change.body else { return Told::Nothing };
        let now = self.app.now();
        let caller = match self.app.told_by(own, now).await {
            Ok(Some(caller)) => caller,
            Ok(None) => return Told::Nothing,
            Err(_) => return Told::Later,
        };
        if !self.could_match(own, &caller, body, now) {
            return Told::Nothing;
        }
        // Whether it would be told at all; nothing of this leaves.
        match self.found(own, &caller, &change.id, now).await {
            Some(filtered) if passes(filtered.status()) => return Told::Later,
            None => return Told::Later,
            Some(filtered) if record_in(&filtered, &change.id).is_none() => return Told::Nothing,
            Some(_) => {}
        }
        let line = match self.line_for(own).await {
            Ok(line) => line,
            Err(error) => return Told::Failed(error),
        };
        let now = self.app.now();
        let Ok(Some(caller)) = self.app.told_by(own, now).await else { return Told::Later };
        let Some(filtered) = self.found(own, &caller, &change.id, now).await else {
            return Told::Later;
        };
        let record = record_in(&filtered, &change.id);
        let Ok(random) = self.app.entropy().for_id() else { return Told::Later };
        let audited = audit(self, settle(self, filtered).await, None).await;
        let (answer, _, _) = audited.into_parts();
        if passes(answer.status) {
            return Told::Later;
        }
        // Its app may have ended or changed it meanwhile: what was acknowledged is in force.
        let same = self.app.subscription(&own.id).is_some_and(|held| *held.asked == *own);
        let Some(record) = record.filter(|_| same && answer.status.is_success()) else {
            return Told::Nothing;
        };
        let content = if own.topic.is_some() {
            let Some(progress) = self.app.subscription(&own.id).map(|held| held.progress) else {
                return Told::Nothing;
            };
            let notice = answer.notice.as_ref();
            let event = Event { id: &change.id, at: now, record: &record, notice };
            Message::Bundle(bundle(&self.base, own, &progress, Kind::Event, Some(&event), random))
        } else if own.with_record {
            Message::Record(own.kind, change.id.clone(), record)
        } else {
            Message::Ping
        };
        let shows = !matches!(content, Message::Ping);
        let notice = answer.notice.filter(|_| shows);
        match line.send(Notification { headers: &own.headers, notice, content }).await {
            Ok(()) => Told::Sent,
            Err(error) => Told::Failed(error),
        }
    }

    fn allowed(&self, endpoint: &str) -> Allowed {
        let is_here = is_loopback(endpoint) && is_loopback(&self.settings.public_url);
        if is_here { Allowed::Here } else { Allowed::Elsewhere(self.settings.receivers) }
    }

    /// Whether a record could be a match, by what is stored: most changes are none, and need no
    /// decision. Where records are shown in part, or other records count, that does not tell.
    fn could_match(&self, own: &Subscription, caller: &Caller, body: &[u8], at: At) -> bool {
        let context = Context { own_base: &self.base, at };
        let scope = SearchScope::Type(own.kind);
        let Ok(query) = Query::parse(&context, scope, &[&own.criteria]) else { return false };
        let Ok(plan) = self.app.plan_access(caller, at) else { return false };
        if !query.joins.is_empty()
            || !query.lookups.is_empty()
            || !self.app.redactions_for(&plan).is_empty()
        {
            return true;
        }
        let Ok(doc) = Doc::parse(body.to_vec()) else { return false };
        query.matches(doc.root(), &Joined::default())
    }

    /// The search of a subscription for one record, as its app would make it now; `None` where it
    /// cannot be made.
    async fn found(
        &self,
        own: &Subscription,
        caller: &Caller,
        id: &ResourceId,
        at: At,
    ) -> Option<Filtered> {
        let entropy = self.app.entropy().for_id().ok()?;
        let mut asked = own.criteria.clone();
        if !asked.is_empty() {
            asked.push('&');
        }
        asked.push_str("_id=");
        query::encode(id.as_str(), &mut asked);
        let mut trail = Trail::of_notification(caller, RequestId::generate(at, entropy), at);
        trail.interaction = Some(Interaction::Search);
        trail.resource_type = Some(own.kind);
        trail.query_shape = query::shape(&asked);
        let classified = Classified {
            caller: caller.clone(),
            trail,
            interaction: Interaction::Search,
            resource_type: own.kind,
            asked: Asked::Search { compartment: None, query: asked },
            conditions: Conditions::default(),
            kept: Kept::default(),
        };
        let walked = async {
            let permitted = decide(self, classified).await?;
            filter(self, forward(self, permitted).await?)
        };
        Some(Box::pin(walked).await.unwrap_or_else(refuse))
    }
}

/// The record that was looked for, as it would leave.
fn record_in(filtered: &Filtered, id: &ResourceId) -> Option<Vec<u8>> {
    let doc = Doc::parse(filtered.body()?.to_vec()).ok()?;
    let entries = doc.root().get("entry")?;
    entries.items().find_map(|entry| {
        let is_match = entry.string_at(&["search", "mode"]).as_deref() == Some("match");
        let resource = entry.get("resource").filter(|_| is_match)?;
        let own = resource.get("id").and_then(Node::as_str)?;
        (own == id.as_str()).then(|| resource.raw().to_vec())
    })
}

/// Whether a refusal is one that passes by itself.
fn passes(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn is_due(held: &Held, now: At) -> bool {
    let Held { asked, progress } = held;
    let goes_on =
        matches!(progress.status, SubscriptionStatus::Active | SubscriptionStatus::Requested);
    goes_on
        && (progress.next_try.is_some_and(|next| next <= now)
            || asked.end.is_some_and(|end| end <= now)
            || (progress.next_try.is_none() && beats(asked, progress, now)))
}

/// Whether it is time to say that there was nothing.
fn beats(own: &Subscription, progress: &SubscriptionProgress, now: At) -> bool {
    let period = own.topic.and_then(|topic| topic.heartbeat_secs);
    period.is_some_and(|secs| {
        progress.sent_at.is_none_or(|sent| sent.plus_secs(i64::from(secs)) <= now)
    })
}

fn after_success(progress: &SubscriptionProgress, now: At) -> SubscriptionProgress {
    let status = SubscriptionStatus::Active;
    let (failures, next_try, sent_at) = (0, None, Some(now));
    SubscriptionProgress { status, failures, next_try, sent_at, ..progress.clone() }
}

fn after_failure(progress: &SubscriptionProgress, now: At) -> SubscriptionProgress {
    let failures = progress.failures.saturating_add(1);
    if failures >= FAILURES_MAX {
        let status = SubscriptionStatus::Error;
        return SubscriptionProgress { status, failures, next_try: None, ..progress.clone() };
    }
    let doubled = WAIT_MIN_SECS.checked_shl(failures - 1).unwrap_or(WAIT_MAX_SECS);
    let next_try = Some(now.plus_secs(doubled.clamp(WAIT_MIN_SECS, WAIT_MAX_SECS)));
    SubscriptionProgress { failures, next_try, ..progress.clone() }
}
