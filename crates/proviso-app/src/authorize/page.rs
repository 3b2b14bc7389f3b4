//! What the pages of a request are made from.

use std::sync::Arc;

use jiff::civil::Date;
use proviso_core::account::{Account, Relationship, RelationshipKind};
use proviso_core::category::{CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::consent::{Capacity, OfflineAccess};
use proviso_core::decision::org_rules::proxy_sensitive;
use proviso_core::id::{AuthorizationRequestId, PatientId, ResourceId};
use proviso_core::scope::{Permissions, Scope, requested_categories};
use proviso_core::time::At;
use proviso_oauth::record::{AuthorizationRequest, Client, LaunchContext};
use proviso_oauth::token::scope_text;

use super::{Access, Step, context};
use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;

/// Everything the consent page is made from.
#[derive(Debug, Clone)]
pub struct ConsentModel {
    /// The request to answer.
    pub request: AuthorizationRequestId,
    /// The app that asks.
    pub client: Arc<Client>,
    /// Host of the redirect URI.
    pub returns_to: String,
    /// Whose data.
    pub patient: PatientId,
    /// Their name.
    pub patient_name: String,
    /// Whether the patient or a proxy decides.
    pub capacity: Capacity,
    /// What for.
    pub purpose: PurposeOfUse,
    /// Kinds of record asked for.
    pub categories: CategorySet,
    /// Kinds that are ticked at first. None: a box ticked beforehand is no choice (CJEU C-673/17).
    pub preselected: CategorySet,
    /// Sensitive kinds that may be named; never ticked at first.
    pub sensitive: SensitiveSet,
    /// Whether the app asks to go on while the person is away.
    pub offline: OfflineAccess,
    /// Whether it asks to create or change records.
    pub writes: bool,
    /// Whether it asks to delete records.
    pub deletes: bool,
    /// Whether it asks who the person is.
    pub identity: bool,
    /// The scopes, for those who read them.
    pub scope_text: String,
    /// The terms.
    pub policy_uri: String,
}

/// Everything the page for staff is made from.
#[derive(Debug, Clone)]
pub struct OperationalModel {
    /// The request to answer.
    pub request: AuthorizationRequestId,
    /// The app that asks.
    pub client: Arc<Client>,
    /// Host of the redirect URI.
    pub returns_to: String,
    /// The patient in context.
    pub patient: Option<PatientId>,
    /// Their name.
    pub patient_name: Option<String>,
    /// The visit in context.
    pub encounter: Option<ResourceId>,
    /// Until when the emergency lasts under which the app would act, if it would.
    pub emergency_until: Option<At>,
    /// Kinds of record the app may look at, within the person's role.
    pub view: CategorySet,
    /// Kinds of record the app may change.
    pub write: CategorySet,
    /// The scopes, for those who read them.
    pub scope_text: String,
}

impl App {
    /// The page on which the person decides.
    pub(super) async fn page(
        &self,
        request: AuthorizationRequest,
        client: Arc<Client>,
        person: &SignedIn,
        context: LaunchContext,
        access: Access,
    ) -> Result<Step, Failure> {
        let scopes = &request.requested.scopes;
        let returns_to = host_of(&request.requested.redirect_uri);
        let patient_name = match &context.patient {
            Some(patient) => Some(self.patient_name(patient).await?),
            None => None,
        };
        match (access, context.patient) {
            (Access::PatientDirected, Some(patient)) => {
                let capacity = context::capacity_of(&person.account, &patient);
                let own = self.proxy_scope(&person.account, &patient);
                Ok(Step::Consent(Box::new(ConsentModel {
                    returns_to,
                    patient_name: patient_name.unwrap_or_default(),
                    capacity,
                    purpose: client.purpose,
                    categories: requested_categories(scopes).intersection(own.categories),
                    preselected: CategorySet::EMPTY,
                    sensitive: self.offered_sensitive(capacity, own.sensitive, &patient).await?,
                    offline: if scopes.contains(&Scope::OfflineAccess) {
                        OfflineAccess::Allowed
                    } else {
                        OfflineAccess::Refused
                    },
                    writes: any_permission(scopes, |p| p.create || p.update),
                    deletes: any_permission(scopes, |p| p.delete),
                    identity: scopes.iter().any(|scope| {
                        matches!(scope, Scope::OpenId | Scope::FhirUser | Scope::Profile)
                    }),
                    scope_text: scope_text(scopes),
                    policy_uri: self.settings.policy_uri.clone(),
                    request: request.id,
                    patient,
                    client,
                })))
            }
            (Access::PatientDirected | Access::Operational, patient) => {
                let emergency = context.emergency.and_then(|id| self.live.emergency(&id));
                // An emergency opens records to be read.
                let write = match &emergency {
                    Some(_) => CategorySet::EMPTY,
                    None => categories_with(scopes, |p| p.create || p.update || p.delete),
                };
                Ok(Step::Operational(Box::new(OperationalModel {
                    returns_to,
                    emergency_until: emergency.map(|own| own.declaration.ends_at),
                    patient,
                    patient_name,
                    encounter: context.encounter,
                    view: categories_with(scopes, |p| p.read || p.search),
                    write,
                    scope_text: scope_text(scopes),
                    request: request.id,
                    client,
                })))
            }
        }
    }
}

/// From this age on a person has no confidential teen care to share.
const ADULT_YEARS: i16 = 18;

/// Sensitive kinds that the consent page offers: those that can take effect, and no other. What a
/// proxy may not see is not a proxy's to share (design §5).
fn offered_sensitive(
    capacity: Capacity,
    open: SensitiveSet,
    born: Option<Date>,
    today: Option<Date>,
) -> SensitiveSet {
    match capacity {
        Capacity::Patient => {
            let adult = born.zip(today).is_some_and(|(born, today)| {
                born.checked_add(jiff::Span::new().years(ADULT_YEARS)).is_ok_and(|of| of <= today)
            });
            let all = SensitiveSet::all();
            if adult { all.without(SensitiveKind::Adolescent) } else { all }
        }
        Capacity::Proxy | Capacity::LegalAuthority => open,
    }
}

/// How far somebody acts for a patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProxyScope {
    /// In which kinds of record.
    pub(super) categories: CategorySet,
    /// In which sensitive kinds.
    pub(super) sensitive: SensitiveSet,
}

impl App {
    /// What [`offered_sensitive`] is for this person and patient now.
    pub(super) async fn offered_sensitive(
        &self,
        capacity: Capacity,
        open: SensitiveSet,
        patient: &PatientId,
    ) -> Result<SensitiveSet, Failure> {
        let born = self.birth_date(patient).await?;
        let today = jiff::Timestamp::from_microsecond(self.now().as_micros())
            .ok()
            .map(|stamp| jiff::tz::Offset::UTC.to_datetime(stamp).date());
        Ok(offered_sensitive(capacity, open, born, today))
    }

    /// How far somebody acts for a patient now; a patient acts in everything.
    pub(super) fn proxy_scope(&self, account: &Account, patient: &PatientId) -> ProxyScope {
        let own = self.live.relationships(&account.id);
        let own =
            own.iter().find(|own| own.kind == RelationshipKind::Proxy && own.patient == *patient);
        ProxyScope {
            categories: own.map_or_else(CategorySet::all, Relationship::proxy_categories),
            sensitive: own.map_or_else(proxy_sensitive, |own| own.proxy_sensitive_at(self.now())),
        }
    }
}

fn any_permission(scopes: &[Scope], wanted: impl Fn(Permissions) -> bool) -> bool {
    scopes.iter().filter_map(Scope::as_resource).any(|scope| wanted(scope.permissions))
}

fn categories_with(scopes: &[Scope], wanted: impl Fn(Permissions) -> bool) -> CategorySet {
    let fitting: Vec<Scope> = scopes
        .iter()
        .filter(|scope| scope.as_resource().is_some_and(|resource| wanted(resource.permissions)))
        .cloned()
        .collect();
    requested_categories(&fitting)
}

/// The part of a redirect URI by which a person may know the app's place.
fn host_of(redirect_uri: &str) -> String {
    let rest = redirect_uri.split_once("://").map_or(redirect_uri, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_take_effect_is_offered() {
        let check = |capacity, born: Option<&str>, expected: SensitiveSet| {
            let born = born.map(|date| date.parse().unwrap());
            let today = Some("2026-11-22".parse().unwrap());
            let open = proxy_sensitive();
            assert_eq!(
                offered_sensitive(capacity, open, born, today),
                expected,
                "{capacity:?} {born:?}"
            );
        };
        let all = SensitiveSet::all();
        check(Capacity::Patient, Some("2011-05-05"), all);
        check(Capacity::Patient, Some("2008-11-23"), all);
        check(Capacity::Patient, Some("2008-11-22"), all.without(SensitiveKind::Adolescent));
        check(Capacity::Patient, None, all);
        for born in [Some("2011-05-05"), Some("1955-05-05"), None] {
            check(Capacity::Proxy, born, proxy_sensitive());
        }
        for hidden in [
            SensitiveKind::Adolescent,
            SensitiveKind::PsychotherapyNotes,
            SensitiveKind::Restricted,
        ] {
            assert!(!proxy_sensitive().contains(hidden));
        }
    }
}
