//! Everybody who could have a way to one patient's records, and what ways they have.

use std::collections::BTreeSet;

use proviso_core::account::{ActorKind, RelationshipKind};
use proviso_core::category::PurposeOfUse;
use proviso_core::consent::{Capacity, ConsentFacts, Recipient};
use proviso_core::decision::record::RecordedRequest;
use proviso_core::decision::{AccessMode, AccessPlan, AccessRequest, Decision, plan};
use proviso_core::emergency::Standing;
use proviso_core::id::{AccountId, ClientId, ConsentId, GrantId, PatientId, TokenId};
use proviso_core::org::Network;
use proviso_core::reason::ReasonCode;
use proviso_core::time::At;
use proviso_oauth::record::{Client, ClientStatus, GrantBasis};
use serde::{Deserialize, Serialize};

use super::{SubjectFilter, Viewer};
use crate::App;
use crate::access::{AskedBy, CARRIED_OUT_SHORTLY, Grounds, Planned, ground_of, plan_recorded};
use crate::caller::Caller;
use crate::evaluation::EvaluationSubject;
use crate::live::{About, Live};

/// By which right somebody could see records of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectStanding {
    /// The patient.
    Patient,
    /// Somebody who acts for the patient.
    Proxy,
    /// An app, by a sharing choice.
    App,
    /// Staff, by their role and relationship.
    Staff,
    /// An app that staff use, within their role.
    StaffApp,
    /// A service that the organisation has an agreement with.
    Service,
}

/// Somebody who could have a way in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PossibleSubject {
    /// By which right.
    pub standing: SubjectStanding,
    /// Which app or service.
    pub client: Option<ClientId>,
    /// Which person; for an app, for whom it acts.
    pub account: Option<AccountId>,
    /// The choices that it acts on, those that have ended included.
    pub consents: Vec<ConsentId>,
    /// Whether one of them is the patient's own, so that what it names is in confidence.
    pub in_confidence: bool,
}

/// Somebody, with the ways they have and would have.
#[derive(Debug)]
pub struct SubjectWays {
    /// Who.
    pub who: PossibleSubject,
    /// The ways now. Never empty: without any there is a denial that says why.
    pub before: Vec<Planned>,
    /// The ways after the change; `None` where they are the same, or nothing is changed.
    pub after: Option<Vec<Planned>>,
}

impl PossibleSubject {
    fn new(
        standing: SubjectStanding,
        client: Option<&ClientId>,
        account: Option<&AccountId>,
    ) -> Self {
        let (client, account) = (client.cloned(), account.cloned());
        Self { standing, client, account, consents: Vec::new(), in_confidence: false }
    }

    /// A stable name: `account:<id>`, `app:<client>:<account>` or `app:<client>`.
    pub fn key(&self) -> String {
        match (&self.client, &self.account) {
            (Some(client), Some(account)) => format!("app:{client}:{account}"),
            (Some(client), None) => format!("app:{client}"),
            (None, account) => {
                format!("account:{}", account.as_ref().map_or("", |own| own.as_str()))
            }
        }
    }

    /// How an enforcement point asks about the same.
    pub fn evaluation_subject(&self) -> Option<EvaluationSubject> {
        match (&self.client, &self.account) {
            (Some(client), account) => {
                Some(EvaluationSubject::App { client: client.clone(), account: account.clone() })
            }
            (None, Some(account)) => Some(EvaluationSubject::Account(account.clone())),
            (None, None) => None,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.standing, &self.client, &self.account)
            == (other.standing, &other.client, &other.account)
    }

    /// Whether somebody who looks in this capacity may know that there is this subject. Who treats a
    /// patient tells what for.
    fn may_be_known_to(&self, reader: Capacity) -> bool {
        match reader {
            Capacity::Patient => true,
            Capacity::Proxy | Capacity::LegalAuthority => match self.standing {
                SubjectStanding::Staff | SubjectStanding::StaffApp => false,
                SubjectStanding::Patient
                | SubjectStanding::Proxy
                | SubjectStanding::App
                | SubjectStanding::Service => true,
            },
        }
    }
}

impl SubjectFilter {
    fn takes(&self, who: &PossibleSubject) -> bool {
        match self {
            Self::All => true,
            Self::OfConsent(consent) => who.consents.contains(consent),
            Self::Named(key) => who.key() == *key,
        }
    }
}

/// Everybody who could have a way to the records of a patient.
///
/// `by_role` are those whose role alone opens something of every patient.
fn subjects(about: &About, by_role: &[AccountId], at: At) -> Vec<PossibleSubject> {
    let mut found: Vec<PossibleSubject> = Vec::new();
    let mut add = |who: PossibleSubject| match found.iter_mut().find(|own| own.is_same(&who)) {
        Some(own) => {
            own.consents.extend(who.consents);
            own.in_confidence |= who.in_confidence;
        }
        None => found.push(who),
    };
    for account in &about.own {
        add(PossibleSubject::new(SubjectStanding::Patient, None, Some(account)));
    }
    for own in &about.relationships {
        let standing = match own.kind {
            // The patient has a way of their own, whatever else is on record.
            RelationshipKind::Proxy if about.own.contains(&own.account) => continue,
            RelationshipKind::Proxy => SubjectStanding::Proxy,
            RelationshipKind::Care
            | RelationshipKind::Shift
            | RelationshipKind::Covering
            | RelationshipKind::Consult
            | RelationshipKind::Protocol => SubjectStanding::Staff,
        };
        add(PossibleSubject::new(standing, None, Some(&own.account)));
    }
    for account in by_role {
        add(PossibleSubject::new(SubjectStanding::Staff, None, Some(account)));
    }
    for consent in &about.consents {
        let facts = consent.facts();
        if let Recipient::App(client) = facts.recipient {
            let mut who =
                PossibleSubject::new(SubjectStanding::App, Some(client), Some(facts.given_by));
            who.consents.push(facts.consent.clone());
            who.in_confidence = facts.sensitive_known_to(Capacity::Proxy).is_none();
            add(who);
        }
    }
    let open = about.emergencies.iter().filter(|own| own.standing(at) == Standing::InForce);
    for emergency in open {
        add(PossibleSubject::new(SubjectStanding::Staff, None, Some(&emergency.declaration.by)));
    }
    for grant in &about.grants {
        if matches!(grant.basis, GrantBasis::Operational | GrantBasis::Emergency { .. }) {
            let (client, account) = (Some(&grant.client), grant.account.as_ref());
            add(PossibleSubject::new(SubjectStanding::StaffApp, client, account));
        }
    }
    let by_agreement = about.services.iter().map(|client| &client.id);
    for client in by_agreement.chain(about.service_grants.iter().map(|grant| &grant.client)) {
        add(PossibleSubject::new(SubjectStanding::Service, Some(client), None));
    }
    found.sort();
    found
}

impl Grounds<'_> {
    /// The ways of somebody; without any, one denial that says why.
    fn ways_of(
        self,
        who: &PossibleSubject,
        about: &About,
        patient: &PatientId,
        at: At,
    ) -> Vec<Planned> {
        let patients = BTreeSet::from([patient.clone()]);
        let of = |subject: EvaluationSubject| self.ways_in(&subject, None, &patients, at);
        let mut ways: Vec<Planned> = Vec::new();
        match (who.standing, &who.client, &who.account) {
            (SubjectStanding::Patient | SubjectStanding::Proxy, _, Some(account)) => {
                ways.extend(self.way_of_own(account, patient, at));
            }
            (SubjectStanding::Staff, _, Some(account)) => {
                ways.extend(self.ways_of_staff(account, at));
                ways.extend(self.way_of_emergency(account, patient, Some(Network::Internal), at));
            }
            (SubjectStanding::App | SubjectStanding::StaffApp, Some(client), _) => {
                let by_choice = who.standing == SubjectStanding::App;
                let own = about.grants.iter().filter(|grant| {
                    grant.client == *client
                        && grant.account == who.account
                        && grant.consent().is_some() == by_choice
                });
                for grant in own {
                    ways.extend(of(EvaluationSubject::Grant(grant.id.clone())));
                }
                if !ways.iter().any(|way| way.plan.is_ok()) {
                    ways.extend(self.ways_of_ended(who, about, at));
                }
            }
            (SubjectStanding::Service, Some(client), _) => {
                let own = about.service_grants.iter().filter(|grant| grant.client == *client);
                for grant in own {
                    ways.extend(of(EvaluationSubject::Grant(grant.id.clone())));
                }
                let agreed = about.services.iter().find(|service| service.id == *client);
                ways.extend(agreed.map(|service| self.way_of_service(service, at)));
            }
            (
                SubjectStanding::Patient
                | SubjectStanding::Proxy
                | SubjectStanding::Staff
                | SubjectStanding::App
                | SubjectStanding::StaffApp
                | SubjectStanding::Service,
                _,
                _,
            ) => {}
        }
        unlike(ways)
    }

    /// Why each choice that an app had gives it no way now: as it would be told for a token whose
    /// connection has ended.
    fn ways_of_ended(
        self,
        who: &PossibleSubject,
        about: &About,
        at: At,
    ) -> impl Iterator<Item = Planned> {
        let (client, account) = (who.client.clone(), who.account.clone());
        let own = about.consents.iter().filter(|own| {
            let facts = own.facts();
            account.as_ref() == Some(facts.given_by)
                && matches!(facts.recipient, Recipient::App(app) if client.as_ref() == Some(app))
        });
        let callers: Vec<Caller> =
            own.filter_map(|consent| self.caller_of_ended(&consent.facts())).collect();
        callers.into_iter().map(move |caller| plan_recorded(self, &caller, at))
    }

    /// Who would show a token that rested on a choice and has no connection any more.
    fn caller_of_ended(self, facts: &ConsentFacts<'_>) -> Option<Caller> {
        let Recipient::App(client) = facts.recipient else { return None };
        let account = self.live.account(facts.given_by);
        let purpose = self.live.client(client).map(|client| client.purpose);
        // The ids are those of no token and no connection that was ever made.
        let never = At::from_micros(0);
        Some(Caller {
            client: client.clone(),
            account: Some(facts.given_by.clone()),
            kind: account.map_or(ActorKind::System, |account| account.kind),
            token: TokenId::generate(never, [0; 10]),
            scopes: facts.granted_scopes.to_vec(),
            patient: Some(facts.patient.clone()),
            consent: Some(facts.consent.clone()),
            purpose: purpose.or_else(|| facts.purposes.iter().next())?,
            fhir_user: None,
            network: None,
            expires_at: never,
            token_secs: i64::MAX,
            grant: GrantId::generate(never, [0; 10]),
        })
    }

    /// What a service may do by its agreement: it can have a token for it whenever it asks.
    fn way_of_service(self, service: &Client, at: At) -> Planned {
        let mode = AccessMode::PreAuthorized;
        let environment = self.environment(None, at);
        let asking = AskedBy { account: None, client: &service.id, environment, at };
        let policy = ground_of(self, mode, &asking);
        let request = AccessRequest {
            policy: &policy,
            at,
            client: &service.id,
            account: None,
            mode,
            scopes: Some(&service.scopes),
            patient_in_context: None,
            purpose: service.purpose,
            met: self.met,
        };
        let recorded = RecordedRequest::of(&request);
        match service.status {
            ClientStatus::Active => Planned { request: recorded, plan: plan(&request) },
            ClientStatus::Disabled => {
                let gate = vec![ReasonCode::AccountDisabled];
                let plan = Err(Decision::deny(gate.clone()));
                Planned { request: recorded.stopped_by(gate), plan }
            }
        }
    }

    fn all_ways(self, patient: &PatientId, at: At) -> Option<Vec<(PossibleSubject, Vec<Planned>)>> {
        let about = self.live.about(patient)?;
        let ways = |who: PossibleSubject| {
            let ways = self.ways_of(&who, &about, patient, at);
            (who, ways)
        };
        Some(subjects(&about, &self.staff_by_role(at), at).into_iter().map(ways).collect())
    }
}

/// Ways that come to the same plan are one.
fn unlike(ways: Vec<Planned>) -> Vec<Planned> {
    let mut kept: Vec<Planned> = Vec::with_capacity(ways.len());
    for way in ways {
        if !kept.iter().any(|own| own.plan == way.plan) {
            kept.push(way);
        }
    }
    kept
}

/// A way for which nothing in force stands.
fn no_way(at: At, patient: &PatientId, grounds: Grounds<'_>) -> Option<Planned> {
    let nobody: ClientId = "nobody".parse().ok()?;
    let policy = grounds.policies.ground_of_patient();
    let request = AccessRequest {
        policy: &policy,
        at,
        client: &nobody,
        account: None,
        mode: AccessMode::PatientDirected {
            consent: None,
            person: proviso_core::decision::ActingPerson::Proxy(None),
        },
        scopes: None,
        patient_in_context: Some(patient),
        purpose: PurposeOfUse::PatientRequest,
        met: grounds.met,
    };
    let gate = vec![ReasonCode::NoConsent];
    let plan = Err(Decision::deny(gate.clone()));
    Some(Planned { request: RecordedRequest::of(&request).stopped_by(gate), plan })
}

/// Whether two lists of ways come to the same, whatever the instant.
fn is_same(one: &[Planned], other: &[Planned]) -> bool {
    let same = |a: &Planned, b: &Planned| match (&a.plan, &b.plan) {
        (Ok(a), Ok(b)) => AccessPlan { at: a.at, ..b.clone() } == *a,
        (Err(a), Err(b)) => a == b,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    };
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
}

impl App {
    /// The way in of the patient, or of somebody who acts for them, before a page of ours.
    pub fn way_of_own(&self, account: &AccountId, patient: &PatientId, at: At) -> Option<Planned> {
        self.grounds().way_of_own(account, patient, at)
    }

    /// Everybody who could have a way to a patient's records, as far as who looks may know and asks,
    /// with the ways that each has and would have. `None` when what is in force cannot be known.
    pub fn ways_to(
        &self,
        viewer: Viewer<'_>,
        patient: &PatientId,
        filter: &SubjectFilter,
        supposed: Option<&Live>,
        at: At,
    ) -> Option<Vec<SubjectWays>> {
        // Whoever has a way can have a token that lives as short as it must.
        let grounds = Grounds { met: CARRIED_OUT_SHORTLY, ..self.grounds() };
        let mut before = grounds.all_ways(patient, at)?;
        let mut after = match supposed {
            None => Vec::new(),
            Some(live) => Grounds { live, ..grounds }.all_ways(patient, at)?,
        };
        let fresh: Vec<PossibleSubject> = after
            .iter()
            .filter(|(who, _)| !before.iter().any(|(own, _)| own.is_same(who)))
            .map(|(who, _)| who.clone())
            .collect();
        for who in fresh {
            before.push((who, vec![no_way(at, patient, grounds)?]));
        }
        before.sort_by(|a, b| a.0.cmp(&b.0));
        let or_none = |ways: Vec<Planned>| {
            if ways.is_empty() {
                no_way(at, patient, grounds).map(|way| vec![way])
            } else {
                Some(ways)
            }
        };
        let mut found = Vec::with_capacity(before.len());
        for (mut who, ways) in before {
            let would = after.iter().position(|(own, _)| own.is_same(&who));
            let would = would.map(|place| after.swap_remove(place));
            let (own, would) = would.map_or((None, Vec::new()), |(own, ways)| (Some(own), ways));
            if let Some(own) = own {
                who.consents.extend(own.consents);
                who.consents.sort();
                who.consents.dedup();
                who.in_confidence |= own.in_confidence;
            }
            if !filter.takes(&who) || !who.may_be_known_to(viewer.capacity()) {
                continue;
            }
            let (ways, would) = (or_none(ways)?, or_none(would)?);
            let changes = supposed.is_some() && !is_same(&ways, &would);
            found.push(SubjectWays { who, before: ways, after: changes.then_some(would) });
        }
        Some(found)
    }

    /// Whether the ways that everybody has now are still those that were looked at.
    pub fn ways_stand(
        &self,
        viewer: Viewer<'_>,
        patient: &PatientId,
        filter: &SubjectFilter,
        looked_at: &[SubjectWays],
        at: At,
    ) -> bool {
        let Some(now) = self.ways_to(viewer, patient, filter, None, at) else { return false };
        // Whoever would only come with the change has no way in either.
        let mut known: Vec<&SubjectWays> = looked_at.iter().collect();
        for own in &now {
            let Some(place) = known.iter().position(|old| old.who.is_same(&own.who)) else {
                return false;
            };
            if !is_same(&known.swap_remove(place).before, &own.before) {
                return false;
            }
        }
        known.iter().all(|old| old.before.iter().all(|way| way.plan.is_err()))
    }
}
