//! The patient portal.

pub(crate) mod activity;
pub(crate) mod apps;
pub(crate) mod choice;
pub(crate) mod filed;
pub(crate) mod home;
pub(crate) mod people;
pub(crate) mod person;
pub(crate) mod sentence;
pub(crate) mod who;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use proviso_app::authorize::PatientRelation;
use proviso_core::consent::Capacity;

use self::person::{Person, Standing};
use crate::authorize::failed;
use crate::form::Form;
use crate::frame::Visit;
use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::Member;

/// A signed-in person on the portal, and whose pages they may see. Relationships are looked up
/// anew at each request, so that one that ends takes the pages with it.
#[derive(Debug, Clone)]
pub(crate) struct PortalVisit {
    pub(crate) member: Member,
    pub(crate) people: Vec<Person>,
    /// Whose pages are shown: the one asked for, else one's own, else the first.
    pub(crate) chosen: Option<Person>,
    pub(crate) query: Form,
}

impl PortalVisit {
    pub(crate) const fn visit(&self) -> &Visit {
        self.member.visit()
    }
}

impl FromRequestParts<HttpState> for PortalVisit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Response> {
        let member = Member::from_request_parts(parts, state).await?;
        let query = Form::parse(parts.uri.query().unwrap_or("").as_bytes()).unwrap_or_default();
        let candidates = state
            .app
            .candidates(&member.signed_in.account)
            .await
            .map_err(|error| failed(member.visit(), &error))?;
        let people: Vec<Person> = candidates
            .into_iter()
            .filter_map(|candidate| {
                let standing = match candidate.relation {
                    PatientRelation::Own => Standing::Own,
                    PatientRelation::ActingFor => Standing::Proxy,
                    PatientRelation::InCare => return None,
                };
                Some(Person { patient: candidate.patient, name: candidate.name, standing })
            })
            .collect();
        let chosen = match query.one("patient") {
            Some(id) => {
                let found = people.iter().find(|person| person.patient.as_str() == id);
                // Whether there is such a patient is not for this person to know.
                let found = found.ok_or_else(|| Problem::NotFound.page(member.visit()))?;
                Some(found.clone())
            }
            None => people.first().cloned(),
        };
        Ok(Self { member, people, chosen, query })
    }
}

/// A portal visit to a particular patient's pages.
#[derive(Debug, Clone)]
pub(crate) struct PatientVisit {
    pub(crate) member: Member,
    pub(crate) person: Person,
    pub(crate) query: Form,
}

impl PatientVisit {
    pub(crate) const fn visit(&self) -> &Visit {
        self.member.visit()
    }

    /// In what capacity the person reads.
    pub(crate) const fn capacity(&self) -> Capacity {
        match self.person.standing {
            Standing::Own => Capacity::Patient,
            Standing::Proxy => Capacity::Proxy,
        }
    }

    /// Logs the view; what follows may be shown only afterwards.
    pub(crate) async fn log(&self, state: &HttpState, page: &str) -> Result<(), Response> {
        let Member { visitor, signed_in } = &self.member;
        state
            .app
            .log_portal_view(signed_in, &self.person.patient, self.capacity(), page, &visitor.via)
            .await
            .map_err(|error| failed(self.visit(), &error))
    }
}

impl FromRequestParts<HttpState> for PatientVisit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Response> {
        let PortalVisit { member, chosen, query, .. } =
            PortalVisit::from_request_parts(parts, state).await?;
        match chosen {
            Some(person) => Ok(Self { member, person, query }),
            None => Err(Problem::Forbidden.page(member.visit())),
        }
    }
}
