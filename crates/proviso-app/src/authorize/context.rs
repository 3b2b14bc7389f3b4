//! Whose records a request is about: from the EHR launch, from the person, or by a picker.

use proviso_core::account::{Account, ActorKind, RelationshipKind};
use proviso_core::consent::Capacity;
use proviso_core::emergency::Standing;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Scope, ScopeContext};
use proviso_oauth::authorize::AuthorizeError;
use proviso_oauth::record::{AuthorizationRequest, LaunchContext};

use super::Access;
use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

// LIMIT: a list that nobody could read; staff with more patients start from the EHR.
const CANDIDATES_MAX: usize = 200;

/// How the signed-in person relates to a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientRelation {
    /// The same person.
    Own,
    /// The person acts for the patient.
    ActingFor,
    /// The patient is in the person's care.
    InCare,
}

/// One patient whom the person may pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientCandidate {
    /// Who.
    pub patient: PatientId,
    /// Their name.
    pub name: String,
    /// How the person relates to them.
    pub relation: PatientRelation,
}

/// What is known about the context.
pub(super) enum Settled {
    Context(LaunchContext),
    Choose(Vec<PatientCandidate>),
    Refused(AuthorizeError),
}

/// Whether the person decides for themselves.
pub(super) fn capacity_of(account: &Account, patient: &PatientId) -> Capacity {
    if own_patient(account).as_ref() == Some(patient) { Capacity::Patient } else { Capacity::Proxy }
}

/// The patient that an account is, if it is one.
pub(crate) fn own_patient(account: &Account) -> Option<PatientId> {
    let (resource_type, id) = account.fhir_user.as_ref()?;
    (*resource_type == ResourceType::PATIENT).then(|| id.clone().into_patient())
}

impl App {
    pub(super) async fn settle_context(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
        access: Access,
        via: &Via,
    ) -> Result<Settled, Failure> {
        let context = match self.launch_context(request, person, via).await? {
            Ok(context) => context,
            Err(error) => return Ok(Settled::Refused(error)),
        };
        let candidates = self.candidates(&person.account).await?;
        if let Some(patient) = &context.patient {
            // The relationship may have ended since the launch.
            let still = candidates.iter().any(|candidate| candidate.patient == *patient);
            let still = match context.emergency {
                Some(_) => self.emergency_stands(&person.account, &context),
                None => still,
            };
            return Ok(if still {
                Settled::Context(context)
            } else {
                Settled::Refused(AuthorizeError::AccessDenied)
            });
        }
        let scopes = &request.requested.scopes;
        let asks_for_patient = scopes.iter().any(|scope| {
            matches!(scope, Scope::LaunchPatient)
                || scope
                    .as_resource()
                    .is_some_and(|resource| resource.context == ScopeContext::Patient)
        });
        // S5, A164: a patient/ scope needs a patient; so does every consent.
        if !asks_for_patient && access == Access::Operational {
            return Ok(Settled::Context(context));
        }
        Ok(match candidates.as_slice() {
            [] => Settled::Refused(AuthorizeError::AccessDenied),
            [only] => {
                Settled::Context(LaunchContext { patient: Some(only.patient.clone()), ..context })
            }
            _ => Settled::Choose(candidates),
        })
    }

    /// What the EHR launch of a request says, if its ticket is for this app and this person and
    /// still good; nothing when the request came without a launch. The visit is asked for again:
    /// what tied it to the person or to the patient may have ended since the launch.
    pub(super) async fn launch_context(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
        via: &Via,
    ) -> Result<Result<LaunchContext, AuthorizeError>, Failure> {
        let Some(launch) = &request.requested.launch else {
            return Ok(Ok(LaunchContext::default()));
        };
        let ticket = self.store.launch_ticket(launch).await?.filter(|ticket| {
            ticket.client == request.requested.client
                && ticket.account == person.account.id
                && ticket.consumed_at.is_none()
                && self.now() < ticket.expires_at
        });
        let Some(context) = ticket.map(|ticket| ticket.context) else {
            return Ok(Err(AuthorizeError::Launch));
        };
        if !self.visit_stands(person, &context, via).await? {
            return Ok(Err(AuthorizeError::AccessDenied));
        }
        Ok(Ok(context))
    }

    /// Whether the person may share or open the patient in context now; nobody in context is
    /// nobody's secret.
    pub(crate) fn context_stands(&self, account: &Account, context: &LaunchContext) -> bool {
        match (&context.emergency, &context.patient) {
            (Some(_), _) => self.emergency_stands(account, context),
            (None, Some(patient)) => self.is_related(account, patient),
            (None, None) => true,
        }
    }

    /// Whether a context rests on an emergency that this person declared for its patient and that
    /// is in force now.
    pub(crate) fn emergency_stands(&self, account: &Account, context: &LaunchContext) -> bool {
        let (Some(id), Some(patient)) = (&context.emergency, &context.patient) else {
            return false;
        };
        let declared = self.live.emergency(id);
        declared.is_some_and(|own| {
            own.declaration.by == account.id
                && own.declaration.patient == *patient
                && own.standing(self.now()) == Standing::InForce
        })
    }

    /// Whether the patient is one of those whom the person may share or open now.
    pub(crate) fn is_related(&self, account: &Account, patient: &PatientId) -> bool {
        self.relations_of(account).iter().any(|(related, _)| related == patient)
    }

    /// The patients whom a person may share or open, by relationships in force now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn candidates(&self, account: &Account) -> Result<Vec<PatientCandidate>, Failure> {
        self.renew_relations(&account.id, self.now()).await;
        let mut found = self.relations_of(account);
        found.truncate(CANDIDATES_MAX);
        let accounts = self.store.accounts().await?;
        let mut candidates = Vec::with_capacity(found.len());
        for (patient, relation) in found {
            let name = self.name_of(&patient, &accounts).await?;
            candidates.push(PatientCandidate { patient, name, relation });
        }
        Ok(candidates)
    }

    /// The same without names, and all of them.
    fn relations_of(&self, account: &Account) -> Vec<(PatientId, PatientRelation)> {
        let at = self.now();
        let mut found: Vec<(PatientId, PatientRelation)> = Vec::new();
        if let Some(own) = own_patient(account) {
            found.push((own, PatientRelation::Own));
        }
        let on_file = self.live.relationships(&account.id);
        for relationship in self.grounds().relations_now(&account.id, on_file, at) {
            let relation = match (account.kind, relationship.kind) {
                (ActorKind::Patient | ActorKind::Proxy, RelationshipKind::Proxy) => {
                    PatientRelation::ActingFor
                }
                (
                    ActorKind::Clinician | ActorKind::Nurse | ActorKind::Staff,
                    RelationshipKind::Care
                    | RelationshipKind::Shift
                    | RelationshipKind::Covering
                    | RelationshipKind::Consult
                    | RelationshipKind::Protocol,
                ) => PatientRelation::InCare,
                _ => continue,
            };
            let applies = relationship.period.contains(at);
            if applies && !found.iter().any(|(patient, _)| *patient == relationship.patient) {
                found.push((relationship.patient, relation));
            }
        }
        // Own record first, then by id: the same order on every load.
        found.sort_by(|(a, of_a), (b, of_b)| {
            (*of_a != PatientRelation::Own, a).cmp(&(*of_b != PatientRelation::Own, b))
        });
        found
    }

    /// How pages call a patient: as their own account does, else as their record does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn patient_name(&self, patient: &PatientId) -> Result<String, Failure> {
        let accounts = self.store.accounts().await?;
        self.name_of(patient, &accounts).await
    }

    /// When a patient was born, if their record here says the day.
    pub(crate) async fn birth_date(
        &self,
        patient: &PatientId,
    ) -> Result<Option<jiff::civil::Date>, Failure> {
        let id = ResourceId::from(patient.clone());
        let record = self.store.record(ResourceType::PATIENT, &id, None).await?;
        let body = record.and_then(|record| record.body);
        let resource: Option<serde_json::Value> =
            body.and_then(|body| serde_json::from_slice(&body).ok());
        let date = resource.as_ref().and_then(|it| it.get("birthDate")).and_then(|it| it.as_str());
        Ok(date.and_then(|date| date.parse().ok()))
    }

    async fn name_of(&self, patient: &PatientId, accounts: &[Account]) -> Result<String, Failure> {
        let own = accounts.iter().find(|account| own_patient(account).as_ref() == Some(patient));
        if let Some(account) = own {
            return Ok(account.display_name.clone());
        }
        let id = ResourceId::from(patient.clone());
        let record = self.store.record(ResourceType::PATIENT, &id, None).await?;
        let name = record.and_then(|record| record.body).and_then(|body| name_in(&body));
        Ok(name.unwrap_or_else(|| patient.as_str().to_owned()))
    }
}

/// The first name of a Patient resource as text (FHIR R4 HumanName).
fn name_in(body: &[u8]) -> Option<String> {
    let resource: serde_json::Value = serde_json::from_slice(body).ok()?;
    let name = resource.get("name")?.get(0)?;
    if let Some(text) = name.get("text").and_then(serde_json::Value::as_str) {
        return Some(text.to_owned());
    }
    let given = name.get("given").and_then(|given| given.get(0));
    let parts: Vec<&str> = [given, name.get("family")]
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_text_or_from_parts() {
        let name = |json: &str| name_in(json.as_bytes());
        assert_eq!(name(r#"{"name":[{"text":"Ann B"}]}"#).as_deref(), Some("Ann B"));
        assert_eq!(
            name(r#"{"name":[{"given":["Ann","C"],"family":"B"}]}"#).as_deref(),
            Some("Ann B")
        );
        assert_eq!(name(r#"{"name":[{"family":"B"}]}"#).as_deref(), Some("B"));
        assert_eq!(name(r#"{"name":[]}"#), None);
        assert_eq!(name("{}"), None);
    }
}
