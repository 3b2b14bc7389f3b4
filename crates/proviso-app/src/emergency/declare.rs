//! Declaring an emergency: every condition, then the declaration, its review and the entry in one
//! commit.

use std::collections::BTreeSet;

use proviso_core::account::Account;
use proviso_core::audit::AuditOutcome;
use proviso_core::emergency::review::Review;
use proviso_core::emergency::{Emergency, EmergencyFacts, Minutes, STEP_UP_SECS_MAX, Terms, Why};
use proviso_core::id::{EmergencyId, PatientId, ResourceId};
use proviso_core::org::EmergencyReason;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::secret::Secret;
use proviso_core::time::At;
use proviso_store::{Batch, Op};

use super::describe;
use crate::App;
use crate::failure::Failure;
use crate::password::PasswordError;
use crate::session::SignedIn;
use crate::settings::RecordsAt;
use crate::via::Via;

/// LIMIT: one person declares so many emergencies within a day. Who needs more works with a rule
/// that is too tight, and has to be asked.
const DECLARED_A_DAY_MAX: usize = 20;

/// What a person declares, as they typed it.
#[derive(Debug, Clone)]
pub struct DeclaredTerms {
    /// The id of the patient.
    pub patient: String,
    /// The code of the reason.
    pub reason: String,
    /// Why, in their own words.
    pub why: String,
    /// For how many minutes.
    pub minutes: String,
    /// Their password, again.
    pub password: Secret<String>,
}

/// What has to be put right before it can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum DeclareProblem {
    /// No patient is named.
    #[error("name one patient")]
    Patient,
    /// No reason of the list is chosen, or none for which this person may.
    #[error("choose one of the reasons")]
    Reason,
    /// Nothing is said in words, or too much.
    #[error("say why in your own words")]
    Why,
    /// Not 1 to 60 minutes.
    #[error("choose 1 to 60 minutes")]
    Minutes,
    /// The password was not typed again.
    #[error("type your password again")]
    NoPassword,
}

/// Why an emergency is not declared. Nothing of it depends on any patient but the last, which is
/// told only to one who met every other condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclareRefusal {
    /// The policy in force does not let this person.
    #[error("the person may not declare an emergency")]
    NotAllowed(BTreeSet<ReasonCode>),
    /// Something has to be put right.
    #[error("the declaration is not complete")]
    Problems(BTreeSet<DeclareProblem>),
    /// The password is wrong.
    #[error("the password is wrong")]
    Password,
    /// Too many wrong answers; nothing was checked.
    #[error("too many wrong answers")]
    Throttled {
        /// When to try again.
        wait_secs: i64,
    },
    /// This person has declared too many emergencies within a day.
    #[error("too many emergencies within a day")]
    TooMany,
    /// There is no such patient.
    #[error("there is no such patient")]
    NoPatient,
}

/// What was typed, once read.
struct Read {
    patient: PatientId,
    reason: EmergencyReason,
    why: Why,
    minutes: Minutes,
}

fn read(terms: &DeclaredTerms) -> Result<Read, BTreeSet<DeclareProblem>> {
    let patient = terms.patient.trim().parse::<PatientId>();
    let reason = terms.reason.parse::<EmergencyReason>();
    let why = terms.why.parse::<Why>();
    let minutes =
        terms.minutes.trim().parse::<u32>().ok().and_then(|own| Minutes::try_from(own).ok());
    let problems: BTreeSet<DeclareProblem> = [
        (patient.is_err(), DeclareProblem::Patient),
        (reason.is_err(), DeclareProblem::Reason),
        (why.is_err(), DeclareProblem::Why),
        (minutes.is_none(), DeclareProblem::Minutes),
        (terms.password.expose().is_empty(), DeclareProblem::NoPassword),
    ]
    .into_iter()
    .filter_map(|(wrong, problem)| wrong.then_some(problem))
    .collect();
    match (patient, reason, why, minutes) {
        (Ok(patient), Ok(reason), Ok(why), Some(minutes)) if problems.is_empty() => {
            Ok(Read { patient, reason, why, minutes })
        }
        _ => Err(problems),
    }
}

/// An emergency as the person would declare it at this instant, to ask the policy about.
pub(super) fn as_if(account: &Account, reason: EmergencyReason, at: At) -> Option<EmergencyFacts> {
    Some(EmergencyFacts {
        // Names of nobody and nothing: policies are told neither.
        id: "emg_none".parse::<EmergencyId>().ok()?,
        patient: "none".parse::<PatientId>().ok()?,
        by: account.id.clone(),
        reason,
        authenticated_at: at,
        declared_at: at,
        ends_at: at.plus_secs(Minutes::MAX.secs()),
        ended_at: None,
    })
}

impl App {
    /// Declares an emergency for one patient. Whoever is refused is in the log with the reason; what
    /// they are told depends on no patient until they have met every other condition.
    ///
    /// # Errors
    /// When something inside fails; nothing is open then.
    pub async fn declare_emergency(
        &self,
        person: &SignedIn,
        terms: DeclaredTerms,
        via: &Via,
    ) -> Result<Result<Emergency, DeclareRefusal>, Failure> {
        let account = &person.account;
        let reasons = self.emergency_reasons(account, via);
        if reasons.is_empty() {
            let refused = self.emergency_refusals(account, EmergencyReason::LifeThreat, via);
            let why = refused.unwrap_or_else(|| BTreeSet::from([ReasonCode::PolicyForbids]));
            let told: Vec<ReasonCode> = why.iter().copied().collect();
            return self
                .refuse_declaration(person, DeclareRefusal::NotAllowed(why), &told, None, via)
                .await;
        }
        let checked = read(&terms).and_then(|own| {
            let allowed = reasons.contains(&own.reason);
            if allowed { Ok(own) } else { Err(BTreeSet::from([DeclareProblem::Reason])) }
        });
        let own = match checked {
            Ok(own) => own,
            Err(problems) => {
                let refusal = DeclareRefusal::Problems(problems);
                return self
                    .refuse_declaration(person, refusal, &[ReasonCode::EmergencyNotOpen], None, via)
                    .await;
            }
        };
        let authenticated_at = match self.step_up(person, terms.password, via).await? {
            Ok(at) => at,
            Err(refusal) => {
                return self
                    .refuse_declaration(person, refusal, &[ReasonCode::StepUpNeeded], None, via)
                    .await;
            }
        };
        let since = self.now().plus_days(-1);
        let earlier = self.store.emergencies_of_account(&account.id).await?;
        if earlier.iter().filter(|one| one.declaration.declared_at > since).count()
            >= DECLARED_A_DAY_MAX
        {
            let why = [ReasonCode::PolicyForbids];
            return self.refuse_declaration(person, DeclareRefusal::TooMany, &why, None, via).await;
        }
        if !self.knows_patient(&own.patient).await? {
            // Counted as a wrong answer, so that nobody learns by trying who is a patient here.
            let why = [ReasonCode::FactMissing];
            return self
                .refuse_declaration(person, DeclareRefusal::NoPatient, &why, None, via)
                .await;
        }
        let address = via.network.as_deref().unwrap_or("unknown");
        self.auth.throttle.succeeded(&account.username, address);
        self.open_emergency(person, own, authenticated_at, via).await
    }

    async fn open_emergency(
        &self,
        person: &SignedIn,
        own: Read,
        authenticated_at: At,
        via: &Via,
    ) -> Result<Result<Emergency, DeclareRefusal>, Failure> {
        let mut entry = self.emergency_entry(via, AuditOutcome::Success, "declare")?;
        let id = EmergencyId::generate(entry.at, self.entropy.for_id()?);
        let terms = Terms {
            by: person.account.id.clone(),
            patient: own.patient.clone(),
            reason: own.reason,
            why: own.why,
            minutes: own.minutes,
            authenticated_at,
        };
        let Ok(emergency) = Emergency::declare(id, terms, entry.at) else {
            // The password took so long to be checked that it proves nothing any more.
            let why = [ReasonCode::StepUpNeeded];
            return self
                .refuse_declaration(person, DeclareRefusal::Password, &why, Some(own.patient), via)
                .await;
        };
        describe(&mut entry, &emergency);
        entry.account = Some(person.account.id.clone());
        entry.session = Some(person.session.id.clone());
        entry.policy_version = Some(self.policies.ground_of_patient().version.clone());
        let batch = Batch::new()
            .with(Op::PutEmergencyVersion(emergency.clone()))
            .with(Op::PutReviewVersion(Review::open(&emergency)));
        self.commit(batch, entry).await?;
        Ok(Ok(emergency))
    }

    /// Logs a refusal and passes it on.
    async fn refuse_declaration<T>(
        &self,
        person: &SignedIn,
        refusal: DeclareRefusal,
        why: &[ReasonCode],
        patient: Option<PatientId>,
        via: &Via,
    ) -> Result<Result<T, DeclareRefusal>, Failure> {
        let mut entry = self.emergency_entry(via, AuditOutcome::Denied, "declare")?;
        entry.account = Some(person.account.id.clone());
        entry.session = Some(person.session.id.clone());
        entry.reasons = why.to_vec();
        entry.patients = patient.into_iter().collect();
        self.append_audit(entry).await?;
        Ok(Err(refusal))
    }

    /// Proves again who the person is, and says when that began: a proof counts from before it was
    /// checked.
    async fn step_up(
        &self,
        person: &SignedIn,
        password: Secret<String>,
        via: &Via,
    ) -> Result<Result<At, DeclareRefusal>, Failure> {
        let address = via.network.as_deref().unwrap_or("unknown");
        let username = &person.account.username;
        let at = self.now();
        if let Some(wait_secs) = self.auth.throttle.wait_secs(username, address, at) {
            return Ok(Err(DeclareRefusal::Throttled { wait_secs }));
        }
        self.auth.throttle.tried(username, address, at);
        // As it is stored now: a password that was changed a moment ago counts as it is.
        let stored = self.store.account(&person.account.id).await?;
        let hash = stored.and_then(|own| own.password_hash);
        let right = match self.auth.passwords.check(hash, password).await {
            Ok(right) => right,
            Err(PasswordError::Busy) => {
                return Ok(Err(DeclareRefusal::Throttled { wait_secs: 2 }));
            }
            Err(PasswordError::Hash) => false,
        };
        let fresh = self.now() < at.plus_secs(STEP_UP_SECS_MAX);
        Ok(if right && fresh { Ok(at) } else { Err(DeclareRefusal::Password) })
    }

    /// Whether there is such a patient. Where records are elsewhere nothing here can tell, and an id
    /// that is nobody's opens nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn knows_patient(&self, patient: &PatientId) -> Result<bool, Failure> {
        if self.settings.records == RecordsAt::Upstream {
            return Ok(true);
        }
        let id = ResourceId::from(patient.clone());
        let record = self.store.record(ResourceType::PATIENT, &id, None).await?;
        Ok(record.is_some_and(|record| record.body.is_some()))
    }
}
