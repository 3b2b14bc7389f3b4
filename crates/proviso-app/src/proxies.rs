//! People who act for a patient: approved, approved again, ended.
//!
//! Each change is one batch with its audit entry and in force before it is acknowledged. A mandate
//! that has run out needs nobody to end it ([`proviso_core::mandate`]).

use proviso_core::account::{Account, AccountStatus, ActorKind, Relationship, RelationshipKind};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::CategorySet;
use proviso_core::id::{AccountId, PatientId};
use proviso_core::mandate::{Jurisdiction, Mandate, MandateBasis};
use proviso_core::org::FactSource;
use proviso_core::time::{At, Period};
use proviso_fhir::consent::Zone;
use proviso_store::{Batch, Op};

use crate::App;
use crate::access::is_patient;
use crate::failure::Failure;
use crate::via::Via;

/// A proxy is approved for so many days, unless whoever approves says otherwise.
pub const REAPPROVE_DAYS: u16 = 365;

/// On what somebody shall act for a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyBasis {
    /// A parent of a minor, under the law of a place.
    Parent {
        /// ISO 3166 code.
        jurisdiction: String,
        /// When the days of that place begin.
        zone: Zone,
    },
    /// The patient appointed them.
    Appointed,
    /// A court did.
    Court,
}

/// How far somebody shall act for a patient, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyReach {
    /// For how long.
    pub period: Period,
    /// For which kinds of record.
    pub categories: CategorySet,
}

impl ProxyReach {
    /// For every kind of record, for a stated time.
    pub fn whole(period: Period) -> Self {
        Self { period, categories: CategorySet::all() }
    }
}

/// Why a proxy is not approved or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The person may not decide this.
    #[error("not for this person to decide")]
    NotEntitled,
    /// There is no such proxy, or it has ended.
    #[error("there is no such proxy")]
    NotFound,
    /// The table of ages does not know the place.
    #[error("the age of majority in `{0}` is not known here")]
    UnknownJurisdiction(String),
    /// A parent's access ends on a birthday, and the record here says none.
    #[error("the patient's date of birth is not known")]
    NoBirthDate,
    /// Nothing would be open to them.
    #[error("no kind of record is named")]
    NothingToSee,
    /// The patient is of age.
    #[error("the patient is of age")]
    OfAge,
    /// Something inside failed; nothing was changed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl App {
    /// Approves that somebody acts for a patient, for a stated time at most.
    ///
    /// # Errors
    /// When the approver may not, or the end of a parent's access cannot be dated.
    pub async fn approve_proxy(
        &self,
        by: &Account,
        proxy: &AccountId,
        patient: &PatientId,
        basis: &ProxyBasis,
        reach: ProxyReach,
        via: &Via,
    ) -> Result<Relationship, ProxyError> {
        may_approve(by)?;
        let at = self.now();
        if reach.categories.is_empty() {
            return Err(ProxyError::NothingToSee);
        }
        let basis = match basis {
            ProxyBasis::Parent { jurisdiction, zone } => {
                let parent = self.parent(patient, jurisdiction, zone).await?;
                if let MandateBasis::Parent { of_age, .. } = parent
                    && of_age <= at
                {
                    return Err(ProxyError::OfAge);
                }
                parent
            }
            ProxyBasis::Appointed => MandateBasis::Appointed,
            ProxyBasis::Court => MandateBasis::Court,
        };
        let mandate = Mandate {
            basis,
            approved_at: at,
            approved_by: Some(by.id.clone()),
            reapprove_days: Some(REAPPROVE_DAYS),
            categories: reach.categories,
        };
        let relationship = Relationship {
            account: proxy.clone(),
            patient: patient.clone(),
            kind: RelationshipKind::Proxy,
            period: reach.period,
            mandate: Some(mandate),
            source: FactSource::Relationship,
        };
        self.put_proxy(by, relationship, "proxy-approve", via).await
    }

    /// Approves a proxy again, from now on for as long as the first time. What it rests on still
    /// limits it: nobody can approve a parent beyond the day on which the patient comes of age.
    ///
    /// # Errors
    /// When the approver may not, or there is no such proxy.
    pub async fn approve_proxy_again(
        &self,
        by: &Account,
        proxy: &AccountId,
        patient: &PatientId,
        via: &Via,
    ) -> Result<Relationship, ProxyError> {
        may_approve(by)?;
        let at = self.now();
        let own = self.stored_proxy(proxy, patient).await?;
        let mandate = own.mandate.clone().ok_or(ProxyError::NotFound)?;
        if let MandateBasis::Parent { of_age, .. } = mandate.basis
            && of_age <= at
        {
            return Err(ProxyError::OfAge);
        }
        let mandate = Some(mandate.approved_again(at, Some(by.id.clone())));
        self.put_proxy(by, Relationship { mandate, ..own }, "proxy-approve", via).await
    }

    /// Ends at once that somebody acts for a patient. The patient may, and so may whoever acts, and
    /// those who approve. Sessions of others, the patient's among them, go on.
    ///
    /// # Errors
    /// When the person may not, or there is no such proxy.
    pub async fn end_proxy(
        &self,
        by: &Account,
        proxy: &AccountId,
        patient: &PatientId,
        via: &Via,
    ) -> Result<Relationship, ProxyError> {
        if !is_patient(by, patient) && by.id != *proxy {
            may_approve(by)?;
        }
        let at = self.now();
        let own = self.stored_proxy(proxy, patient).await?;
        let ended = ended_now(own, at).ok_or(ProxyError::NotFound)?;
        self.put_proxy(by, ended, "proxy-end", via).await
    }

    /// Everybody who acts or acted for somebody, or for one patient, for whoever runs the
    /// installation, in the order of patients.
    ///
    /// # Errors
    /// When the store fails or the look cannot be logged.
    pub async fn proxies_for_operator(
        &self,
        patient: Option<&PatientId>,
        via: &Via,
    ) -> Result<Vec<Relationship>, Failure> {
        let mut all = self.store.relationships().await?;
        all.retain(|own| {
            own.kind == RelationshipKind::Proxy && patient.is_none_or(|only| own.patient == *only)
        });
        all.sort_by(|a, b| (&a.patient, &a.account).cmp(&(&b.patient, &b.account)));
        let (kind, outcome) = (AuditKind::Administration, AuditOutcome::Success);
        let mut entry = self.draft_entry(via, kind, outcome, "proxy-list")?;
        entry.patients = all.iter().map(|own| own.patient.clone()).collect();
        entry.patients.dedup();
        self.append_audit(entry).await?;
        Ok(all)
    }

    pub(crate) async fn stored_proxy(
        &self,
        proxy: &AccountId,
        patient: &PatientId,
    ) -> Result<Relationship, ProxyError> {
        let all = self.store.relationships().await.map_err(Failure::from)?;
        all.into_iter()
            .find(|own| {
                own.kind == RelationshipKind::Proxy
                    && own.account == *proxy
                    && own.patient == *patient
            })
            .ok_or(ProxyError::NotFound)
    }

    async fn put_proxy(
        &self,
        by: &Account,
        relationship: Relationship,
        action: &str,
        via: &Via,
    ) -> Result<Relationship, ProxyError> {
        let entry = self.draft_entry(via, AuditKind::Administration, AuditOutcome::Success, action);
        let mut entry = entry.map_err(Failure::from)?;
        entry.account = Some(by.id.clone());
        entry.patients = vec![relationship.patient.clone()];
        let op = Op::PutRelationship(relationship.clone());
        self.commit(Batch::new().with(op), entry).await.map_err(Failure::from)?;
        Ok(relationship.limited())
    }

    async fn parent(
        &self,
        patient: &PatientId,
        jurisdiction: &str,
        zone: &Zone,
    ) -> Result<MandateBasis, ProxyError> {
        let row = Jurisdiction::of(jurisdiction)
            .ok_or_else(|| ProxyError::UnknownJurisdiction(jurisdiction.to_owned()))?;
        let born = self.birth_date(patient).await?.ok_or(ProxyError::NoBirthDate)?;
        let here = |birthday: Option<At>| birthday.and_then(|own| zone.start_of_utc_day(own));
        let of_age = here(row.of_age_at(born, 0)).ok_or(ProxyError::NoBirthDate)?;
        let confidential_from = here(row.confidential_at(born, 0));
        Ok(MandateBasis::Parent { of_age, confidential_from })
    }
}

/// A relationship that ends now; `None` for one that has ended.
pub(crate) fn ended_now(own: Relationship, at: At) -> Option<Relationship> {
    if own.period.end.is_some_and(|end| end <= at) {
        return None;
    }
    Some(Relationship { period: Period { end: Some(at), ..own.period }, ..own })
}

fn may_approve(by: &Account) -> Result<(), ProxyError> {
    let entitled = match by.kind {
        ActorKind::Administrator | ActorKind::PrivacyOfficer => true,
        ActorKind::Patient
        | ActorKind::Proxy
        | ActorKind::Clinician
        | ActorKind::Nurse
        | ActorKind::Staff
        | ActorKind::SupportAgent
        | ActorKind::System => false,
    };
    if entitled && by.status == AccountStatus::Active {
        Ok(())
    } else {
        Err(ProxyError::NotEntitled)
    }
}
