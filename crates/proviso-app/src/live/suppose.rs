//! What is in force about one patient, and what would be in force if something were changed.
//!
//! A supposed state is made of the real one by the operations that the change would commit, applied
//! by the code that applies them after a commit. Nothing of it is ever written.

use std::collections::HashSet;
use std::sync::RwLock;

use proviso_core::account::Relationship;
use proviso_core::consent::index::{ConsentIndex, IndexedConsent};
use proviso_core::emergency::Emergency;
use proviso_core::id::{AccountId, ConsentId, GrantId, PatientId};
use proviso_core::resource_type::ResourceType;
use proviso_oauth::record::{Client, Grant, GrantBasis, GrantType};
use proviso_store::Op;

use super::{Arc, Change, Horizon, KeptNames, Live, State, change_of, put, seeds};

/// Whoever could have something to do with one patient's records, as of one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// The accounts that are the patient.
    pub(crate) own: Vec<AccountId>,
    /// Everybody's relationships to the patient, whatever their period.
    pub(crate) relationships: Vec<Relationship>,
    /// The latest version of every choice about the patient's records, those that ended included.
    pub(crate) consents: Vec<IndexedConsent>,
    /// Connections that rest on one of them or on an emergency, and those by which somebody related
    /// to the patient acts within a role.
    pub(crate) grants: Vec<Arc<Grant>>,
    /// Emergencies declared for the patient that are not long over.
    pub(crate) emergencies: Vec<Arc<Emergency>>,
    /// Services that act for themselves.
    pub(crate) services: Vec<Arc<Client>>,
    /// Their connections.
    pub(crate) service_grants: Vec<Arc<Grant>>,
}

impl Live {
    /// Whoever could have something to do with a patient's records; `None` when nothing is known.
    ///
    /// LIMIT: one pass over everything that is in force, as for who acts for a patient.
    pub(crate) fn about(&self, patient: &PatientId) -> Option<About> {
        self.read(|state| Some(state.about(patient)))
    }

    /// What would be in force about a patient after these operations. It holds everything that
    /// decisions about that patient's records are made from, and nothing else.
    pub(crate) fn supposing(&self, patient: &PatientId, ops: &[Op]) -> Option<Self> {
        let mut supposed = self.read(|state| Some(state.excerpt(&state.about(patient))))?;
        let epoch = self.epoch().saturating_add(1);
        for op in ops {
            if let Op::EndGrantsOfConsent { consent, .. } = op {
                for id in supposed.grants_resting_on(consent) {
                    supposed.apply(Change::GrantEnd(id), epoch);
                }
            } else if let Some(change) = change_of(op, &self.filed) {
                supposed.apply(change, epoch);
            }
        }
        Some(Self {
            state: RwLock::new(supposed),
            horizon: Horizon::at(epoch),
            writing: tokio::sync::Mutex::default(),
            filed: Arc::clone(&self.filed),
        })
    }
}

impl State {
    fn about(&self, patient: &PatientId) -> About {
        let is_own = |account: &proviso_core::account::Account| {
            account.fhir_user.as_ref().is_some_and(|(kind, id)| {
                *kind == ResourceType::PATIENT && id.as_str() == patient.as_str()
            })
        };
        let mut about = About {
            own: self
                .accounts
                .iter()
                .filter(|(_, account)| is_own(&account.value))
                .map(|(id, _)| id.clone())
                .collect(),
            relationships: self
                .relationships
                .values()
                .flat_map(std::collections::HashMap::values)
                .filter(|own| own.value.patient == *patient)
                .map(|own| own.value.clone().limited())
                .collect(),
            consents: self.consents.of_patient(patient),
            emergencies: self
                .emergencies
                .values()
                .filter(|own| own.declaration.patient == *patient)
                .cloned()
                .collect(),
            services: self
                .clients
                .values()
                .filter(|client| client.value.may_use(GrantType::ClientCredentials))
                .map(|client| Arc::clone(&client.value))
                .collect(),
            ..About::default()
        };
        let related: HashSet<&AccountId> =
            about.relationships.iter().map(|own| &own.account).collect();
        let chosen: HashSet<&ConsentId> =
            about.consents.iter().map(|consent| consent.facts().consent).collect();
        for grant in self.grants.values().filter_map(|grant| grant.value.as_ref()) {
            match &grant.basis {
                GrantBasis::Consent { consent } if chosen.contains(consent) => {
                    about.grants.push(Arc::clone(grant));
                }
                GrantBasis::Operational
                    if grant.account.as_ref().is_some_and(|own| related.contains(own)) =>
                {
                    about.grants.push(Arc::clone(grant));
                }
                GrantBasis::Emergency { emergency }
                    if about.emergencies.iter().any(|own| own.declaration.id == *emergency) =>
                {
                    about.grants.push(Arc::clone(grant));
                }
                GrantBasis::PreAuthorized => about.service_grants.push(Arc::clone(grant)),
                GrantBasis::Consent { .. }
                | GrantBasis::Operational
                | GrantBasis::Emergency { .. } => {}
            }
        }
        about.own.sort();
        about.relationships.sort_by(|a, b| (&a.account, a.kind).cmp(&(&b.account, b.kind)));
        about.grants.sort_by(|a, b| a.id.cmp(&b.id));
        about.services.sort_by(|a, b| a.id.cmp(&b.id));
        about.service_grants.sort_by(|a, b| a.id.cmp(&b.id));
        about
    }

    /// Everything that decisions about one patient's records are made from.
    fn excerpt(&self, about: &About) -> Self {
        let consents = ConsentIndex::new(seeds(), KeptNames::within(None));
        let mut excerpt = Self { clients: self.clients.clone(), ..Self::with(consents) };
        let givers = about.consents.iter().map(|consent| consent.facts().given_by);
        let related = about.relationships.iter().map(|own| &own.account);
        let declared = about.emergencies.iter().map(|own| &own.declaration.by);
        let people: HashSet<&AccountId> =
            about.own.iter().chain(related).chain(givers).chain(declared).collect();
        for id in people {
            if let Some(account) = self.accounts.get(id) {
                excerpt.accounts.insert(id.clone(), account.clone());
            }
            if let Some(relationships) = self.relationships.get(id) {
                // Whether somebody objects is asked for everybody they are related to.
                for (patient, _) in relationships.keys() {
                    if let Some(objection) = self.objections.get(patient) {
                        excerpt.objections.insert(patient.clone(), objection.clone());
                    }
                }
                excerpt.relationships.insert(id.clone(), relationships.clone());
            }
        }
        for consent in &about.consents {
            if let Err(error) = excerpt.consents.put(&consent.facts()) {
                // It answers nothing in what is supposed.
                tracing::error!(%error, "a consent cannot be held in memory");
            }
        }
        for emergency in &about.emergencies {
            let id = emergency.declaration.id.clone();
            excerpt.emergencies.insert(id, Arc::clone(emergency));
        }
        for grant in about.grants.iter().chain(&about.service_grants) {
            let epoch = self.grants.get(&grant.id).map_or(0, |stamped| stamped.epoch);
            let of_client = excerpt.grants_of.entry(grant.client.clone()).or_default();
            of_client.insert(grant.id.clone());
            put(&mut excerpt.grants, grant.id.clone(), epoch, Some(Arc::clone(grant)));
            if let Some(own) = grant.emergency().and_then(|id| self.emergencies.get(id)) {
                excerpt.emergencies.insert(own.declaration.id.clone(), Arc::clone(own));
            }
        }
        excerpt
    }

    fn grants_resting_on(&self, consent: &ConsentId) -> Vec<GrantId> {
        let live = self.grants.values().filter_map(|grant| grant.value.as_ref());
        live.filter(|grant: &&Arc<Grant>| grant.consent() == Some(consent))
            .map(|grant| grant.id.clone())
            .collect()
    }
}
