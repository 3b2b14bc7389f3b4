//! How staff are related to patients, as records of our own store say.
//!
//! Beside the relations on file here ([`Relationship`]) an operator can let records speak: care teams,
//! visits, appointments, referrals and schedules. They are read for one person at a time, kept for less
//! than a minute, and each holds for exactly the time that it states: a shift that ends at seven is
//! over at seven, whenever it was read. What cannot be read, or says less than it must, gives nothing.
//!
//! TRUST: whoever can write such a record decides by it who sees whose chart. The store does not keep
//! who wrote a version, so which types count is the operator's word ([`RelationSources`]). Schedules
//! are entries of the directory, which only services write; they count unless the operator says
//! otherwise. The other types are part of a chart: a clinician who may write into it could stay on a
//! care team for good, or put a friend on it. They count only where the operator knows that a system
//! of the organisation writes them and nobody else can.

use std::collections::BTreeSet;
use std::sync::Arc;

use proviso_core::account::{Relationship, RelationshipKind};
use proviso_core::category::CategorySet;
use proviso_core::id::{AccountId, IdError, PatientId};
use proviso_core::org::FactSource;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};
use proviso_fhir::consent::{ConsentDate, Zone};
use proviso_fhir::json::Node;

use crate::App;
use crate::access::Grounds;
use crate::aged::AGE_SECS_MAX;
use crate::filed::{entries_naming, matching};
use crate::records::{Record, RecordFault, Records};
use crate::settings::RecordsAt;

/// What is older than this is read again by whoever begins something that takes a while.
const RENEWED_AFTER_SECS: i64 = 30;
/// LIMIT: relations kept for one person.
const RELATIONS_MAX: usize = 4_000;
/// The codes by which a Schedule says what kind of duty it is.
pub const DUTY_SYSTEM: &str = "https://proviso.dev/fhir/CodeSystem/duty";

/// A kind of record that says how somebody is related to patients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelationSource {
    /// Schedule: on shift at a place, or covering for somebody.
    Schedule,
    /// CareTeam: a participant treats.
    CareTeam,
    /// Encounter: a participant treats while it goes on.
    Encounter,
    /// Appointment: a participant treats on its day.
    Appointment,
    /// ServiceRequest: the performer is consulted.
    Referral,
}

impl RelationSource {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Schedule, Self::CareTeam, Self::Encounter, Self::Appointment, Self::Referral];

    /// The word for it in the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::CareTeam => "care-team",
            Self::Encounter => "encounter",
            Self::Appointment => "appointment",
            Self::Referral => "referral",
        }
    }

    const fn fact_source(self) -> FactSource {
        match self {
            Self::Schedule => FactSource::Schedule,
            Self::CareTeam => FactSource::CareTeam,
            Self::Encounter => FactSource::Encounter,
            Self::Appointment => FactSource::Appointment,
            Self::Referral => FactSource::Referral,
        }
    }
}

impl std::str::FromStr for RelationSource {
    type Err = IdError;

    fn from_str(code: &str) -> Result<Self, IdError> {
        Self::ALL.iter().copied().find(|own| own.code() == code).ok_or(IdError::Malformed)
    }
}

/// The kinds of record that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationSources(BTreeSet<RelationSource>);

impl RelationSources {
    /// No record counts.
    pub const NONE: Self = Self(BTreeSet::new());

    fn has(&self, source: RelationSource) -> bool {
        self.0.contains(&source)
    }
}

impl Default for RelationSources {
    fn default() -> Self {
        Self(BTreeSet::from([RelationSource::Schedule]))
    }
}

impl FromIterator<RelationSource> for RelationSources {
    fn from_iter<I: IntoIterator<Item = RelationSource>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// A relation before it is known whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    patient: PatientId,
    kind: RelationshipKind,
    period: Period,
    source: RelationSource,
}

impl App {
    /// Reads anew what records say of a person, unless that was done a moment ago. What cannot be
    /// read gives nothing, and is tried again the next time.
    pub async fn renew_relations(&self, account: &AccountId, at: At) {
        let sources = &self.settings.relations;
        let fresh = self.relations.younger_than(RENEWED_AFTER_SECS, account, at);
        if *sources == RelationSources::NONE
            || self.settings.records == RecordsAt::Upstream
            || fresh.is_some()
        {
            return;
        }
        let takes_roles = self.live.account(account).is_some_and(|own| own.kind.takes_roles());
        if !takes_roles {
            return;
        }
        if let Ok(found) = self.read_relations(account, at).await {
            self.relations.put(account, at, found);
        }
    }

    async fn read_relations(
        &self,
        account: &AccountId,
        at: At,
    ) -> Result<Arc<[Relationship]>, RecordFault> {
        let own = self.live.account(account).and_then(|own| own.fhir_user.clone());
        let Some((ResourceType::PRACTITIONER, id)) = own else { return Ok(Arc::default()) };
        let records = self.records();
        let person = format!("Practitioner/{id}");
        let reading = Reading { app: self, records: &records, zone: &self.settings.filed.zone, at };
        let mut found = reading.care_of(&person).await?;
        if self.settings.relations.has(RelationSource::Referral) {
            found.extend(reading.referrals(&person).await?);
        }
        if self.settings.relations.has(RelationSource::Schedule) {
            found.extend(reading.duties(&person).await?);
        }
        found.truncate(RELATIONS_MAX);
        let relationship = |own: Found| Relationship {
            account: account.clone(),
            patient: own.patient,
            kind: own.kind,
            period: own.period,
            mandate: None,
            source: own.source.fact_source(),
        };
        Ok(found.into_iter().map(relationship).collect())
    }
}

impl Grounds<'_> {
    /// The relations of a person: those on file, and those that records were found to say.
    pub(crate) fn relations_now(
        self,
        account: &AccountId,
        mut on_file: Vec<Relationship>,
        at: At,
    ) -> Vec<Relationship> {
        if let Some(read) = self.relations.get(account, at) {
            on_file.extend(read.iter().cloned());
        }
        on_file
    }

    /// The same with the objections of the patients.
    pub(crate) fn staff_relations(
        self,
        account: &AccountId,
        on_file: Vec<Relationship>,
        at: At,
    ) -> (Vec<Relationship>, Vec<(PatientId, CategorySet)>) {
        let relationships = self.relations_now(account, on_file, at);
        let objections = self.live.objections_among(&relationships);
        (relationships, objections)
    }
}

/// Reading what records say of people at an instant.
struct Reading<'a> {
    app: &'a App,
    records: &'a Records,
    zone: &'a Zone,
    at: At,
}

/// A period that a record states; `None` where it cannot be read.
fn period_of(node: Option<Node<'_>>, zone: &Zone) -> Option<Period> {
    let Some(node) = node else { return Some(Period::ALWAYS) };
    let bound = |name: &str| match node.string_at(&[name]) {
        None => Some(None),
        Some(text) => ConsentDate::parse(&text, zone).map(|date| Some(date.span())),
    };
    // FHIR R4 Period: the end includes any time that it names.
    Some(Period {
        start: bound("start")?.and_then(|span| span.start),
        end: bound("end")?.and_then(|span| span.end),
    })
}

/// The time that lies in both periods; `None` where there is none.
fn both(one: Period, other: Period) -> Option<Period> {
    let start = one.start.max(other.start);
    let end = match (one.end, other.end) {
        (Some(own), Some(other)) => Some(own.min(other)),
        (end, None) | (None, end) => end,
    };
    match (start, end) {
        (Some(start), Some(end)) if end <= start => None,
        (start, end) => Some(Period { start, end }),
    }
}

fn has_status(root: Node<'_>, wanted: &[&str]) -> bool {
    root.string_at(&["status"]).is_some_and(|own| wanted.contains(&&*own))
}

fn reference(node: Node<'_>, path: &[&str], kind: &str) -> Option<String> {
    let text = node.string_at(path)?;
    let id = text.strip_prefix(kind)?.strip_prefix('/')?;
    Some(id.to_owned())
}

fn patient_at(node: Node<'_>, path: &[&str]) -> Option<PatientId> {
    reference(node, path, "Patient")?.parse().ok()
}

impl Reading<'_> {
    /// Whether a period goes on, or begins while what is read now still counts.
    fn is_near(&self, period: Period) -> bool {
        let begins = period.start.is_none_or(|start| start <= self.at.plus_secs(AGE_SECS_MAX));
        begins && period.end.is_none_or(|end| self.at < end)
    }

    fn has(&self, source: RelationSource) -> bool {
        self.app.settings.relations.has(source)
    }

    /// The names of a person in records: as a Practitioner, and in each role that holds now.
    async fn names_of(&self, person: &str) -> Result<Vec<String>, RecordFault> {
        let mut names = vec![person.to_owned()];
        let kind = ResourceType::PRACTITIONER_ROLE;
        for role in entries_naming(self.records, kind, "practitioner", person).await? {
            let root = role.doc.root();
            let active = root.get("active").is_some_and(|own| own.as_bool() == Some(true));
            // One that is over before what is read now is forgotten is none for all that time.
            let until = self.at.plus_secs(AGE_SECS_MAX);
            let holds = |own: Period| own.contains(self.at) && own.contains(until);
            if active && period_of(root.get("period"), self.zone).is_some_and(holds) {
                names.push(format!("PractitionerRole/{}", role.id));
            }
        }
        Ok(names)
    }

    /// Whom a person treats.
    async fn care_of(&self, person: &str) -> Result<Vec<Found>, RecordFault> {
        let mut found = Vec::new();
        let any =
            [RelationSource::CareTeam, RelationSource::Encounter, RelationSource::Appointment];
        if !any.into_iter().any(|source| self.has(source)) {
            return Ok(found);
        }
        for name in self.names_of(person).await? {
            if self.has(RelationSource::CareTeam) {
                let kind = ResourceType::CARE_TEAM;
                let teams = entries_naming(self.records, kind, "participant", &name).await?;
                found.extend(teams.iter().flat_map(|own| self.of_team(own, &name)));
            }
            if self.has(RelationSource::Encounter) {
                let named = format!("participant={name}");
                let going = "status=arrived,triaged,in-progress";
                let kind = ResourceType::ENCOUNTER;
                let visits = matching(self.records, kind, &[&named, going]).await?;
                found.extend(visits.iter().flat_map(|own| self.of_visit(own, &name)));
            }
            if self.has(RelationSource::Appointment) {
                found.extend(self.appointments(&name).await?);
            }
        }
        Ok(found)
    }

    fn of_team(&self, team: &Record, name: &str) -> Vec<Found> {
        let root = team.doc.root();
        let whole = period_of(root.get("period"), self.zone);
        let (Some(patient), Some(whole), true) =
            (patient_at(root, &["subject", "reference"]), whole, has_status(root, &["active"]))
        else {
            return Vec::new();
        };
        self.participations(root, "member", name, whole)
            .map(|period| Found {
                patient: patient.clone(),
                kind: RelationshipKind::Care,
                period,
                source: RelationSource::CareTeam,
            })
            .collect()
    }

    fn of_visit(&self, visit: &Record, name: &str) -> Vec<Found> {
        let root = visit.doc.root();
        let going = has_status(root, &["arrived", "triaged", "in-progress"]);
        let whole = period_of(root.get("period"), self.zone);
        let (Some(patient), Some(whole), true) =
            (patient_at(root, &["subject", "reference"]), whole, going)
        else {
            return Vec::new();
        };
        // A visit that does not say when it began could be any.
        if whole.start.is_none() {
            return Vec::new();
        }
        self.participations(root, "individual", name, whole)
            .map(|period| Found {
                patient: patient.clone(),
                kind: RelationshipKind::Care,
                period,
                source: RelationSource::Encounter,
            })
            .collect()
    }

    /// The times in which somebody takes part, within those of the whole.
    fn participations<'n>(
        &'n self,
        root: Node<'n>,
        who: &'n str,
        name: &'n str,
        whole: Period,
    ) -> impl Iterator<Item = Period> + 'n {
        root.at(&["participant"])
            .filter(move |own| own.string_at(&[who, "reference"]).as_deref() == Some(name))
            .filter_map(move |own| both(whole, period_of(own.get("period"), self.zone)?))
    }

    async fn appointments(&self, name: &str) -> Result<Vec<Found>, RecordFault> {
        let named = format!("actor={name}");
        // Wider than the day here, whatever the zone; what counts is asked of each below.
        let from = format!("date=ge{}", self.at.plus_days(-2).to_rfc3339());
        let until = format!("date=le{}", self.at.plus_days(2).to_rfc3339());
        let parameters = [&*named, "status=booked,arrived,checked-in", &from, &until];
        let booked = matching(self.records, ResourceType::APPOINTMENT, &parameters).await?;
        Ok(booked.iter().flat_map(|own| self.of_appointment(own, name)).collect())
    }

    fn of_appointment(&self, booked: &Record, name: &str) -> Vec<Found> {
        let root = booked.doc.root();
        let start = root.string_at(&["start"]).and_then(|text| At::parse(&text));
        let day = start.and_then(|start| self.zone.day(start)).filter(|day| self.is_near(*day));
        let (Some(day), true) = (day, has_status(root, &["booked", "arrived", "checked-in"]))
        else {
            return Vec::new();
        };
        let accepted = root.at(&["participant"]).any(|own| {
            own.string_at(&["actor", "reference"]).as_deref() == Some(name)
                && own.string_at(&["status"]).as_deref() == Some("accepted")
        });
        if !accepted {
            return Vec::new();
        }
        root.at(&["participant"])
            .filter_map(|own| patient_at(own, &["actor", "reference"]))
            .map(|patient| Found {
                patient,
                kind: RelationshipKind::Care,
                period: day,
                source: RelationSource::Appointment,
            })
            .collect()
    }

    async fn referrals(&self, person: &str) -> Result<Vec<Found>, RecordFault> {
        let mut found = Vec::new();
        for name in self.names_of(person).await? {
            let named = format!("performer={name}");
            let kind = ResourceType::SERVICE_REQUEST;
            for order in matching(self.records, kind, &[&named, "status=active"]).await? {
                found.extend(self.of_referral(&order, &name));
            }
        }
        Ok(found)
    }

    fn of_referral(&self, order: &Record, name: &str) -> Option<Found> {
        const ORDERS: [&str; 5] =
            ["order", "original-order", "reflex-order", "filler-order", "instance-order"];
        let root = order.doc.root();
        let ordered = root.string_at(&["intent"]).is_some_and(|own| ORDERS.contains(&&*own));
        let asked = root
            .at(&["performer"])
            .any(|own| own.string_at(&["reference"]).as_deref() == Some(name));
        if !has_status(root, &["active"]) || !ordered || !asked {
            return None;
        }
        // From when it was asked; one that does not say when could be any.
        let authored = ConsentDate::parse(&root.string_at(&["authoredOn"])?, self.zone)?;
        let since = Period { start: authored.span().start, end: None };
        let period = both(since, period_of(root.get("occurrencePeriod"), self.zone)?)?;
        Some(Found {
            patient: patient_at(root, &["subject", "reference"])?,
            kind: RelationshipKind::Consult,
            period,
            source: RelationSource::Referral,
        })
    }

    /// Shifts and covers of a person that are going on.
    async fn duties(&self, person: &str) -> Result<Vec<Found>, RecordFault> {
        let mut found = Vec::new();
        for name in self.names_of(person).await? {
            let kind = ResourceType::SCHEDULE;
            for schedule in entries_naming(self.records, kind, "actor", &name).await? {
                let root = schedule.doc.root();
                let active = root.get("active").is_some_and(|own| own.as_bool() == Some(true));
                let horizon = root.get("planningHorizon");
                let Some(period) = horizon.and_then(|own| period_of(Some(own), self.zone)) else {
                    continue;
                };
                // A duty without a beginning or an end is no duty that was planned.
                let bounded = period.start.is_some() && period.end.is_some();
                if !active || !bounded || !self.is_near(period) {
                    continue;
                }
                let others: Vec<String> = root
                    .at(&["actor"])
                    .filter_map(|own| own.string_at(&["reference"]))
                    .map(std::borrow::Cow::into_owned)
                    .collect();
                if is_duty(root, "shift") {
                    found.extend(self.shift(&others, period).await?);
                }
                // The first is who covers, the others are those who are covered.
                if is_duty(root, "cover") && others.first() == Some(&name) {
                    let covered = others.iter().skip(1).filter(|own| **own != name);
                    for colleague in covered {
                        found.extend(self.cover(colleague, period).await?);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Everybody whose visit goes on at the places of a shift.
    async fn shift(&self, actors: &[String], period: Period) -> Result<Vec<Found>, RecordFault> {
        let mut found = Vec::new();
        for place in actors.iter().filter(|own| own.starts_with("Location/")) {
            let named = format!("location={place}");
            let kind = ResourceType::ENCOUNTER;
            let going = "status=arrived,triaged,in-progress";
            for visit in matching(self.records, kind, &[&named, going]).await? {
                let root = visit.doc.root();
                let whole = period_of(root.get("period"), self.zone);
                let patient = patient_at(root, &["subject", "reference"]);
                let (Some(patient), Some(whole)) = (patient, whole) else { continue };
                let here = root
                    .at(&["location"])
                    .filter(|own| {
                        own.string_at(&["location", "reference"]).as_deref() == Some(place)
                    })
                    .filter_map(|own| both(whole, period_of(own.get("period"), self.zone)?))
                    .filter_map(|there| both(period, there));
                found.extend(here.map(|period| Found {
                    patient: patient.clone(),
                    kind: RelationshipKind::Shift,
                    period,
                    source: RelationSource::Schedule,
                }));
            }
        }
        Ok(found)
    }

    /// Everybody whom a colleague treats, by what is on file and by what records say; not those whom
    /// the colleague covers in turn.
    async fn cover(&self, colleague: &str, period: Period) -> Result<Vec<Found>, RecordFault> {
        let Some(id) = colleague.strip_prefix("Practitioner/") else { return Ok(Vec::new()) };
        let live = &self.app.live;
        let on_file = live
            .account_ids()
            .into_iter()
            .filter(|account| {
                live.account(account).and_then(|own| own.fhir_user.clone()).is_some_and(
                    |(kind, own)| kind == ResourceType::PRACTITIONER && own.as_str() == id,
                )
            })
            .flat_map(|account| live.relationships(&account))
            .filter(|own| own.kind == RelationshipKind::Care)
            .map(|own| (own.patient, own.period));
        let by_records = self.care_of(colleague).await?;
        let by_records = by_records.into_iter().map(|own| (own.patient, own.period));
        Ok(on_file
            .chain(by_records)
            .filter_map(|(patient, treated)| {
                Some(Found {
                    patient,
                    kind: RelationshipKind::Covering,
                    period: both(period, treated)?,
                    source: RelationSource::Schedule,
                })
            })
            .collect())
    }
}

fn is_duty(root: Node<'_>, code: &str) -> bool {
    root.at(&["serviceType", "coding"]).any(|own| {
        own.string_at(&["system"]).as_deref() == Some(DUTY_SYSTEM)
            && own.string_at(&["code"]).as_deref() == Some(code)
    })
}
