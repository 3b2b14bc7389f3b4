//! The answer to an authorization request: a consent version, a grant and a code, or a refusal, in
//! one commit with the audit entry.

use proviso_core::account::Account;
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{
    Capacity, ConsentError, ConsentStatus, ConsentTerms, ConsentVersion, DurationChoice,
    OfflineAccess, Part2Gap, Recipient,
};
use proviso_core::emergency::Emergency;
use proviso_core::id::{AuthorizationRequestId, ConsentId, ConsentVersionId, GrantId, PatientId};
use proviso_core::scope::{Scope, ScopeContext, compile, requested_categories};
use proviso_core::time::{At, Period};
use proviso_oauth::authorize::{AuthorizeError, ReturnAddress};
use proviso_oauth::record::{
    AuthorizationCode, AuthorizationRequest, AuthorizationStage, Client, ClientStatus, Grant,
    GrantBasis, LaunchContext, Renewal, TokenHash,
};
use proviso_store::{Batch, Op, Precondition};

use super::{Access, PageRefusal, Step, access_of, context, is_fresh};
use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

/// R10: a code lives at most 60 seconds.
const CODE_TTL_SECS: i64 = 60;
/// The longest time of a choice "once" (design §5).
const ONCE_SECS: i64 = 3600;

/// What a person chose on the consent page.
#[derive(Debug, Clone)]
pub struct ConsentChoice {
    /// Kinds of record.
    pub categories: CategorySet,
    /// Sensitive kinds.
    pub sensitive: SensitiveSet,
    /// For how long.
    pub duration: DurationChoice,
    /// Whether the app may go on while the person is away.
    pub offline: OfflineAccess,
    /// The exact text that the page showed; its SHA-256 is kept with it.
    pub shown_text: String,
    /// BCP 47 tag of that text.
    pub language: String,
}

/// What a person answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// No.
    Deny,
    /// Yes, within what they chose.
    Share(Box<ConsentChoice>),
    /// Yes, within their role.
    ActWithinRole,
}

/// Why a choice cannot be recorded as it is; the page is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceProblem {
    /// No kind of record is ticked.
    #[error("no kind of record is chosen")]
    NothingChosen,
    /// Something was sent that the page did not offer.
    #[error("something was chosen that was not offered")]
    NotOffered,
    /// "Just this once", and going on while the person is away.
    #[error("a single visit and access while away were both chosen")]
    OnceAndAway,
    /// The text that was shown is missing.
    #[error("the text shown is missing")]
    NoShownText,
    /// Records of substance use were named, and the choice has no end (42 CFR 2.31(a)(7)).
    #[error("substance use was named without an end")]
    NoPart2End,
    /// The person no longer acts for the patient.
    #[error("the person does not act for the patient now")]
    NoStanding,
}

/// How deciding ended.
#[derive(Debug)]
pub enum Decided {
    /// Go on.
    Step(Step),
    /// Show the page again and say why.
    Problem(ChoiceProblem),
}

/// A grant under construction, with what is recorded together with it.
struct Parts {
    grant: Grant,
    consent: Option<(Op, ConsentId, ConsentVersionId)>,
    action: &'static str,
}

impl App {
    /// Answers a request: records the choice, makes the grant and its code, or refuses.
    ///
    /// # Errors
    /// When something inside fails; then nothing was recorded and no code exists.
    pub async fn decide_authorization(
        &self,
        id: &AuthorizationRequestId,
        browser: &str,
        signed_in: Option<&SignedIn>,
        answer: Answer,
        via: &Via,
    ) -> Result<Decided, Failure> {
        let request = match self.open_request(id, browser).await? {
            Ok(request) => request,
            Err(why) => return Ok(Decided::Step(Step::Refused { why, return_link: None })),
        };
        let stage = match (signed_in, &request.stage) {
            (Some(person), AuthorizationStage::PatientPicked { account, context, .. })
                if *account == person.account.id
                    && is_fresh(&request, person)
                    && self.context_stands(&person.account, context) =>
            {
                Some((person, context.clone()))
            }
            _ => None,
        };
        let Some((person, context)) = stage else {
            // A no needs no patient: whoever refuses before choosing one has answered.
            let refuses = matches!(answer, Answer::Deny);
            let person = signed_in.filter(|person| refuses && is_fresh(&request, person));
            return match person {
                Some(person) => {
                    self.fail(request, Some(person), AuthorizeError::AccessDenied, via).await
                }
                None => self.advance(request, signed_in, via).await,
            }
            .map(Decided::Step);
        };
        let client = self.live.client(&request.requested.client);
        // An app that was switched off meanwhile gets nothing.
        let client = client.filter(|client| client.status == ClientStatus::Active);
        let access =
            client.as_ref().and_then(|client| access_of(person, client, &request.requested.scopes));
        let (Some(client), Some(access)) = (client, access) else {
            return self
                .fail(request, Some(person), AuthorizeError::AccessDenied, via)
                .await
                .map(Decided::Step);
        };
        // Last of all the visit: the page may have been open for a while.
        let visit_stands =
            matches!(answer, Answer::Deny) || self.visit_stands(person, &context, via).await?;
        let turn;
        let parts = match (answer, access, context.patient.clone()) {
            _ if !visit_stands => {
                return self
                    .fail(request, Some(person), AuthorizeError::AccessDenied, via)
                    .await
                    .map(Decided::Step);
            }
            (Answer::Share(choice), Access::PatientDirected, Some(patient)) => {
                // One choice for each app: who answers in two windows at once changes the choice
                // made in the first, so that stopping it later stops everything.
                turn = Some(self.auth.choices.turn_of(&patient).await);
                match self.share(&request, &client, person, &context, &patient, *choice).await? {
                    Ok(parts) => parts,
                    Err(problem) => return Ok(Decided::Problem(problem)),
                }
            }
            (Answer::ActWithinRole, Access::Operational, _) => {
                turn = None;
                match context.emergency.as_ref().map(|id| self.live.emergency(id)) {
                    None => self.act_within_role(&request, &client, person, &context)?,
                    // It stood a moment ago; one that is not there opens nothing.
                    Some(None) => {
                        return self
                            .fail(request, Some(person), AuthorizeError::AccessDenied, via)
                            .await
                            .map(Decided::Step);
                    }
                    Some(Some(own)) => self.act_in_emergency(&request, person, &context, &own)?,
                }
            }
            // The wrong kind of yes is a no.
            _ => {
                return self
                    .fail(request, Some(person), AuthorizeError::AccessDenied, via)
                    .await
                    .map(Decided::Step);
            }
        };
        let step = self.conclude(request, person, parts, via).await;
        drop(turn);
        step.map(Decided::Step)
    }

    async fn share(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
        context: &LaunchContext,
        patient: &PatientId,
        choice: ConsentChoice,
    ) -> Result<Result<Parts, ChoiceProblem>, Failure> {
        let at = self.now();
        let scopes = &request.requested.scopes;
        let account = &person.account;
        let chosen = self.terms_chosen((scopes, client), account, context, choice, at).await?;
        let terms = match chosen {
            Ok(terms) => terms,
            Err(problem) => return Ok(Err(problem)),
        };
        let (granted, period, offline) =
            (terms.granted_scopes.clone(), terms.period, terms.offline);
        let (duration, capacity) = (terms.duration, terms.capacity);
        let (op, consent, version, action) =
            match self.consent_op(patient, client, capacity, terms, at).await? {
                Ok(made) => made,
                Err(problem) => return Ok(Err(problem)),
            };
        let renewal = match (duration, offline) {
            (DurationChoice::Once, _) => Renewal::None,
            (_, OfflineAccess::Allowed) => Renewal::Offline,
            _ if granted.contains(&Scope::OnlineAccess) => {
                Renewal::WhileSignedIn { session: person.session.id.clone() }
            }
            _ => Renewal::None,
        };
        let mut grant = self.grant_for(request, person, context, granted, renewal)?;
        grant.basis = GrantBasis::Consent { consent: consent.clone() };
        grant.purpose = client.purpose;
        grant.expires_at = period.end;
        Ok(Ok(Parts { grant, consent: Some((op, consent, version)), action }))
    }

    /// The terms that a choice on the page comes to for what an app asks for, if they can be
    /// recorded.
    pub(crate) async fn terms_chosen(
        &self,
        (scopes, client): (&[Scope], &Client),
        person: &Account,
        context: &LaunchContext,
        choice: ConsentChoice,
        at: At,
    ) -> Result<Result<ConsentTerms, ChoiceProblem>, Failure> {
        let Some(patient) = &context.patient else { return Ok(Err(ChoiceProblem::NoStanding)) };
        let capacity = context::capacity_of(person, patient);
        // A proxy whose time is over between the page and the answer shares nothing.
        if self.standing_for(person, patient, at).is_none() {
            return Ok(Err(ChoiceProblem::NoStanding));
        }
        if choice.categories.is_empty() {
            return Ok(Err(ChoiceProblem::NothingChosen));
        }
        let own = self.proxy_scope(person, patient);
        let offered = self.offered_sensitive(capacity, own.sensitive, patient).await?;
        let categories = requested_categories(scopes).intersection(own.categories);
        if !choice.categories.is_subset_of(categories) || !choice.sensitive.is_subset_of(offered) {
            return Ok(Err(ChoiceProblem::NotOffered));
        }
        let asked_offline = scopes.contains(&Scope::OfflineAccess);
        let offline = if asked_offline { choice.offline } else { OfflineAccess::Refused };
        // "Once" ends with the visit: who also lets the app go on while they are away means one of
        // the two, and which one is not for us to guess.
        if choice.duration == DurationChoice::Once && offline == OfflineAccess::Allowed {
            return Ok(Err(ChoiceProblem::OnceAndAway));
        }
        let compiled = compile(scopes, choice.categories).into_vec();
        let granted = settle_scopes(compiled, context, person, offline);
        let period = period_of(choice.duration, at);
        let terms = ConsentTerms {
            patient: patient.clone(),
            given_by: person.id.clone(),
            capacity,
            recipient: Recipient::App(client.id.clone()),
            categories: choice.categories,
            sensitive: choice.sensitive,
            purposes: PurposeSet::EMPTY.with(client.purpose),
            period,
            data_period: Period::ALWAYS,
            duration: choice.duration,
            offline,
            granted_scopes: granted,
            legal_basis: "consent".to_owned(),
            policy_uri: self.settings.policy_uri.clone(),
            language: choice.language,
            shown_text: choice.shown_text,
        };
        match self.part2_gap(&terms).await? {
            None => {}
            Some(Part2Gap::Expiry) => return Ok(Err(ChoiceProblem::NoPart2End)),
            // Everything else is in the text of the page, or the page is not the one of now.
            Some(
                Part2Gap::Patient
                | Part2Gap::Discloser
                | Part2Gap::Description
                | Part2Gap::Recipient
                | Part2Gap::Purpose
                | Part2Gap::RightToRevoke
                | Part2Gap::Signature
                | Part2Gap::Date
                | Part2Gap::Redisclosure,
            ) => return Ok(Err(ChoiceProblem::NoShownText)),
        }
        Ok(Ok(terms))
    }

    /// A new consent, or a new version of the one that this person gave this app before.
    pub(crate) async fn consent_op(
        &self,
        patient: &PatientId,
        client: &Client,
        capacity: Capacity,
        terms: ConsentTerms,
        at: At,
    ) -> Result<Result<(Op, ConsentId, ConsentVersionId, &'static str), ChoiceProblem>, Failure>
    {
        let recipient = Recipient::App(client.id.clone());
        let existing = self.store.consents_of_patient(patient).await?.into_iter().find(|stored| {
            stored.version.recipient == recipient
                && stored.version.given_by == terms.given_by
                && stored.version.capacity == capacity
                && stored.version.status == ConsentStatus::Active
        });
        let (version, expect, action) = if let Some(stored) = existing {
            (stored.version.amend(terms, at, None), Some(stored.id), "amend")
        } else {
            let id = ConsentId::generate(at, self.entropy.for_id()?);
            (ConsentVersion::record(id, terms, at), None, "record")
        };
        let version = match version {
            Ok(version) => version,
            Err(ConsentError::NoShownText | ConsentError::NoLegalContext) => {
                return Ok(Err(ChoiceProblem::NoShownText));
            }
            Err(_) => return Ok(Err(ChoiceProblem::NotOffered)),
        };
        let (consent, id) = (version.consent.clone(), version.version_id());
        let op = Op::PutConsentVersion { id: id.clone(), version, expect };
        Ok(Ok((op, consent, id, action)))
    }

    fn act_within_role(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
        context: &LaunchContext,
    ) -> Result<Parts, Failure> {
        let asked = &request.requested.scopes;
        let offline = if asked.contains(&Scope::OfflineAccess) {
            OfflineAccess::Allowed
        } else {
            OfflineAccess::Refused
        };
        let granted = settle_scopes(asked.clone(), context, &person.account, offline);
        let renewal = if granted.contains(&Scope::OfflineAccess) {
            Renewal::Offline
        } else if granted.contains(&Scope::OnlineAccess) {
            Renewal::WhileSignedIn { session: person.session.id.clone() }
        } else {
            Renewal::None
        };
        let mut grant = self.grant_for(request, person, context, granted, renewal)?;
        grant.expires_at =
            Some(grant.created_at.plus_secs(i64::from(client.lifetimes.refresh_absolute_secs)));
        Ok(Parts { grant, consent: None, action: "allow" })
    }

    /// For BTG and the one patient, to the end of the declaration at the longest, and only while the
    /// person stays signed in: there is nobody away whose emergency goes on.
    fn act_in_emergency(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
        context: &LaunchContext,
        emergency: &Emergency,
    ) -> Result<Parts, Failure> {
        let asked = &request.requested.scopes;
        let renewed =
            asked.iter().any(|scope| matches!(scope, Scope::OnlineAccess | Scope::OfflineAccess));
        let account = &person.account;
        let granted = settle_scopes(asked.clone(), context, account, OfflineAccess::Refused);
        let renewal = if renewed {
            Renewal::WhileSignedIn { session: person.session.id.clone() }
        } else {
            Renewal::None
        };
        let declaration = &emergency.declaration;
        let mut grant = self.grant_for(request, person, context, granted, renewal)?;
        grant.basis = GrantBasis::Emergency { emergency: declaration.id.clone() };
        grant.purpose = PurposeOfUse::BreakGlass;
        grant.expires_at = Some(declaration.ends_at);
        Ok(Parts { grant, consent: None, action: "allow" })
    }

    /// A grant for operational access; sharing changes what differs.
    pub(super) fn grant_for(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
        context: &LaunchContext,
        scopes: Vec<Scope>,
        renewal: Renewal,
    ) -> Result<Grant, Failure> {
        let at = self.now();
        let may_be_known =
            scopes.iter().any(|scope| matches!(scope, Scope::FhirUser | Scope::Profile));
        Ok(Grant {
            id: GrantId::generate(at, self.entropy.for_id()?),
            client: request.requested.client.clone(),
            account: Some(person.account.id.clone()),
            basis: GrantBasis::Operational,
            context: context.clone(),
            purpose: PurposeOfUse::Treatment,
            renewal,
            fhir_user: person.account.fhir_user.clone().filter(|_| may_be_known),
            authenticated_at: Some(person.session.authenticated_at),
            nonce: request.requested.nonce.clone(),
            created_at: at,
            expires_at: None,
            ended: None,
            scopes,
        })
    }

    /// Writes everything at once and sends the code on its way.
    async fn conclude(
        &self,
        request: AuthorizationRequest,
        person: &SignedIn,
        parts: Parts,
        via: &Via,
    ) -> Result<Step, Failure> {
        let kind = match parts.consent {
            Some(_) => AuditKind::Consent,
            None => AuditKind::Authorization,
        };
        let mut entry = self.draft_entry(via, kind, AuditOutcome::Success, parts.action)?;
        let mut batch = Batch::new();
        if let Some((op, consent, version)) = parts.consent {
            if let Op::PutConsentVersion { version, .. } = &op {
                entry.categories = version.categories;
                entry.sensitive = version.sensitive;
                if version.capacity != Capacity::Patient {
                    entry.on_behalf_of = Some(version.patient.clone());
                }
            }
            batch.push(op);
            entry.consent = Some((consent, version));
        }
        entry.patients = parts.grant.context.patient.iter().cloned().collect();
        self.finish_with_code(request, person, parts.grant, batch, entry).await
    }

    /// Adds grant, code, used launch and answered request to a batch, and commits it.
    pub(super) async fn finish_with_code(
        &self,
        mut request: AuthorizationRequest,
        person: &SignedIn,
        grant: Grant,
        mut batch: Batch,
        mut entry: proviso_core::audit::AuditEntry,
    ) -> Result<Step, Failure> {
        let at = entry.at;
        let code = self.new_secret()?;
        let url = ReturnAddress::of(&request).with_code(code.expose(), self.urls().issuer());
        entry.client = Some(grant.client.clone());
        entry.account = Some(person.account.id.clone());
        entry.session = Some(person.session.id.clone());
        entry.purpose = Some(grant.purpose);
        entry.grant = Some(grant.id.clone());
        entry.emergency = grant.emergency().cloned();
        if let Some(hash) = request.requested.launch {
            batch.push(Op::ConsumeLaunchTicket { hash, at });
        }
        let code = AuthorizationCode {
            hash: TokenHash::of(code.expose()),
            client: grant.client.clone(),
            redirect_uri: request.requested.redirect_uri.clone(),
            challenge: Some(request.requested.challenge.clone()),
            grant: grant.id.clone(),
            issued_at: at,
            expires_at: at.plus_secs(CODE_TTL_SECS),
            consumed_at: None,
        };
        let expect = Some(request.revision);
        request.revision += 1;
        request.stage = AuthorizationStage::Decided {
            account: person.account.id.clone(),
            at,
            grant: Some(grant.id.clone()),
        };
        batch.push(Op::PutGrant(grant));
        batch.push(Op::PutAuthorizationCode(code));
        batch.push(Op::PutAuthorizationRequest { request, expect });
        match self.commit(batch, entry).await {
            Ok(_) => Ok(Step::Return { url }),
            Err(error) => match error.precondition() {
                Some(Precondition::Changed | Precondition::VersionConflict { .. }) => {
                    Ok(Step::Refused { why: PageRefusal::ChangedElsewhere, return_link: None })
                }
                Some(
                    Precondition::AlreadyConsumed | Precondition::Ended | Precondition::Missing,
                ) => Ok(Step::Refused { why: PageRefusal::Ended, return_link: None }),
                _ => Err(error.into()),
            },
        }
    }
}

/// Leaves out scopes whose promise cannot be kept here.
fn settle_scopes(
    scopes: Vec<Scope>,
    context: &LaunchContext,
    person: &Account,
    offline: OfflineAccess,
) -> Vec<Scope> {
    scopes
        .into_iter()
        .filter(|scope| match scope {
            Scope::LaunchPatient => context.patient.is_some(),
            Scope::LaunchEncounter => context.encounter.is_some(),
            // A197: nobody without a FHIR resource gets `fhirUser`.
            Scope::FhirUser | Scope::Profile => person.fhir_user.is_some(),
            Scope::OfflineAccess => offline == OfflineAccess::Allowed,
            // S5: no patient/ scope without a patient.
            Scope::Resource(resource) => {
                resource.context != ScopeContext::Patient || context.patient.is_some()
            }
            Scope::OpenId | Scope::Launch | Scope::OnlineAccess => true,
            // For services that the organisation runs; no person can give it.
            Scope::AccessEvaluation => false,
        })
        .collect()
}

/// The period of validity that a duration means, counted from the decision.
fn period_of(duration: DurationChoice, at: At) -> Period {
    let end = match duration {
        DurationChoice::Once => Some(at.plus_secs(ONCE_SECS)),
        DurationChoice::ThirtyDays => Some(at.plus_days(30)),
        DurationChoice::OneYear => Some(at.plus_days(365)),
        DurationChoice::UntilStopped => None,
    };
    Period { start: Some(at), end }
}
