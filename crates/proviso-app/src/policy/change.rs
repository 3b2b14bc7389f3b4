//! How a set of policies comes into force: proposed by one person, approved by another, made live
//! or shadow, and gone back from. Every step is one commit with its audit entry; a step that is
//! refused leaves an entry too.

use std::sync::Arc;

use proviso_core::account::{Account, AccountStatus};
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::org::lifecycle::{
    PoliciesInForce, PolicySetId, PolicySetRecord, PolicyStepError,
};
use proviso_core::org::{Environment, Governance, OrgAction, OrgQuestion, OrgResource};
use proviso_core::reason::ReasonCode;
use proviso_store::{Batch, Op, Precondition, StoredPolicySet};

use super::compile::PolicySet;
use super::documents::{Documents, SCHEMA};
use super::finding::{Finding, FindingCode};
use super::in_force::{LoadPoliciesError, Policies, stored};
use crate::App;
use crate::failure::Failure;
use crate::via::Via;

/// LIMIT: a note says why in a paragraph.
const MAX_NOTE_CHARS: usize = 2_000;

/// Why policies were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePoliciesError {
    /// The policies in force do not let this person do it.
    #[error("the person may not change policies")]
    NotAllowed,
    /// There is no such set.
    #[error("there is no such set of policies")]
    NotFound,
    /// It was proposed before.
    #[error("this set was proposed before")]
    Known,
    /// The note is empty or too long.
    #[error("a note says why, in at most {MAX_NOTE_CHARS} characters")]
    Note,
    /// The set is wrong.
    #[error("the set cannot come into force: {} errors", .0.iter().filter(|own| own.is_error()).count())]
    Refused(Vec<Finding>),
    /// The step is not one that the set can take.
    #[error(transparent)]
    Step(#[from] PolicyStepError),
    /// Somebody else was faster.
    #[error("the policies were changed in the meantime")]
    Changed,
    /// The set cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadPoliciesError),
    /// Something inside failed; nothing was changed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Who does it, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Changer<'a> {
    /// Who.
    pub account: &'a Account,
    /// From which network and device, and how they signed in.
    pub environment: &'a Environment,
    /// How the request reached us.
    pub via: &'a Via,
}

impl App {
    /// The policies in force.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Proposes a set. It is checked as a whole first: a set with errors is not even proposed.
    ///
    /// # Errors
    /// When the person may not, or the set is wrong or known.
    pub async fn propose_policies(
        &self,
        who: Changer<'_>,
        documents: Documents,
        note: &str,
    ) -> Result<PolicySetRecord, ChangePoliciesError> {
        self.may_change(who, OrgAction::Create, "policy-propose").await?;
        if note.trim().is_empty() || note.chars().count() > MAX_NOTE_CHARS {
            return Err(ChangePoliciesError::Note);
        }
        let id = documents.id();
        let text = serde_json::to_string(&documents)
            .map_err(|_| ChangePoliciesError::Refused(Vec::new()))?;
        sound(documents).await?;
        let by = who.account.id.clone();
        let record = PolicySetRecord::propose(id.clone(), note.to_owned(), by, self.now());
        let set = StoredPolicySet { record: record.clone(), documents: text };
        let entry = self.policy_entry(who, AuditOutcome::Success, "policy-propose", Some(&id))?;
        self.write_policies(Op::ProposePolicySet(set), entry).await?;
        Ok(record)
    }

    /// Approves a proposed set.
    ///
    /// # Errors
    /// When the person may not, proposed it, or it was decided on before.
    pub async fn approve_policies(
        &self,
        who: Changer<'_>,
        id: &PolicySetId,
    ) -> Result<PolicySetRecord, ChangePoliciesError> {
        self.decide_policies(who, id, "policy-approve", PolicySetRecord::approve).await
    }

    /// Rejects a proposed set for good.
    ///
    /// # Errors
    /// As [`App::approve_policies`].
    pub async fn reject_policies(
        &self,
        who: Changer<'_>,
        id: &PolicySetId,
    ) -> Result<PolicySetRecord, ChangePoliciesError> {
        self.decide_policies(who, id, "policy-reject", PolicySetRecord::reject).await
    }

    async fn decide_policies(
        &self,
        who: Changer<'_>,
        id: &PolicySetId,
        action: &'static str,
        step: impl FnOnce(
            PolicySetRecord,
            proviso_core::id::AccountId,
            proviso_core::time::At,
        ) -> Result<PolicySetRecord, PolicyStepError>,
    ) -> Result<PolicySetRecord, ChangePoliciesError> {
        self.may_change(who, OrgAction::Update, action).await?;
        let record = self.policy_record(id).await?;
        let decided = match step(record, who.account.id.clone(), self.now()) {
            Ok(decided) => decided,
            Err(why) => return self.refuse_policies(who, action, Some(id), why).await,
        };
        let entry = self.policy_entry(who, AuditOutcome::Success, action, Some(id))?;
        self.write_policies(Op::DecidePolicySet(decided.clone()), entry).await?;
        Ok(decided)
    }

    /// Makes an approved set the live one. Any set that was ever approved can come back at once:
    /// this is also how one goes back. `None` is the set that comes with this release.
    ///
    /// # Errors
    /// When the person may not, or the set is not approved.
    pub async fn activate_policies(
        self: &Arc<Self>,
        who: Changer<'_>,
        id: Option<&PolicySetId>,
    ) -> Result<PoliciesInForce, ChangePoliciesError> {
        self.put_in_force(who, "policy-activate", id, |before, record| match record {
            Some(record) => before.activate(record),
            None => before.activate_shipped(),
        })
        .await
    }

    /// Evaluates an approved set beside the live one, or stops doing so.
    ///
    /// # Errors
    /// As [`App::activate_policies`].
    pub async fn shadow_policies(
        self: &Arc<Self>,
        who: Changer<'_>,
        id: Option<&PolicySetId>,
    ) -> Result<PoliciesInForce, ChangePoliciesError> {
        self.put_in_force(who, "policy-shadow", id, PoliciesInForce::shadow).await
    }

    async fn put_in_force(
        self: &Arc<Self>,
        who: Changer<'_>,
        action: &'static str,
        id: Option<&PolicySetId>,
        step: impl FnOnce(
            PoliciesInForce,
            Option<&PolicySetRecord>,
        ) -> Result<PoliciesInForce, PolicyStepError>,
    ) -> Result<PoliciesInForce, ChangePoliciesError> {
        self.may_change(who, OrgAction::Update, action).await?;
        let record = match id {
            None => None,
            Some(id) => Some(self.policy_record(id).await?),
        };
        let expect = self.store.policies_in_force().await.map_err(Failure::from)?;
        let now = match step(expect.clone(), record.as_ref()) {
            Ok(now) => now,
            Err(why) => return self.refuse_policies(who, action, id, why).await,
        };
        // It must still compile with this release before anything rests on it.
        if let Some(id) = id {
            stored(&self.store, id).await?;
        }
        let entry = self.policy_entry(who, AuditOutcome::Success, action, id)?;
        let op = Op::PutPoliciesInForce { now: now.clone(), expect };
        // The write and what it puts into force are one task: a caller that goes away in between
        // must not leave a set on disk that does not decide.
        let app = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _one_at_a_time = app.policies.changing.lock().await;
            app.write_policies(op, entry).await?;
            app.policies.reload(&app.store).await.map_err(ChangePoliciesError::from)
        });
        // The task fails only when the runtime is being shut down.
        task.await.unwrap_or(Err(ChangePoliciesError::Changed))?;
        Ok(now)
    }

    async fn policy_record(
        &self,
        id: &PolicySetId,
    ) -> Result<PolicySetRecord, ChangePoliciesError> {
        let stored = self.store.policy_set(id).await.map_err(Failure::from)?;
        stored.map(|stored| stored.record).ok_or(ChangePoliciesError::NotFound)
    }

    async fn write_policies(&self, op: Op, entry: AuditEntry) -> Result<(), ChangePoliciesError> {
        match self.commit(Batch::new().with(op), entry).await.map_err(Failure::from) {
            Ok(_) => Ok(()),
            Err(failure) => Err(match failure.precondition() {
                Some(Precondition::Exists) => ChangePoliciesError::Known,
                Some(Precondition::Missing) => ChangePoliciesError::NotFound,
                Some(Precondition::Changed | Precondition::Contradiction) => {
                    ChangePoliciesError::Changed
                }
                Some(
                    Precondition::UsernameTaken
                    | Precondition::Ended
                    | Precondition::AlreadyConsumed
                    | Precondition::GrantEnded
                    | Precondition::VersionConflict { .. },
                )
                | None => failure.into(),
            }),
        }
    }

    /// Asks the policies in force whether this person may change policies.
    async fn may_change(
        &self,
        who: Changer<'_>,
        action: OrgAction,
        word: &'static str,
    ) -> Result<(), ChangePoliciesError> {
        let ground = OrgQuestion::of_staff(who.account);
        let answer = self.policies.answer(&OrgQuestion {
            purpose: PurposeOfUse::Operations,
            action,
            resource: OrgResource::Governance(Governance::Policies),
            environment: who.environment.clone(),
            ..ground
        });
        if answer.is_permit() && who.account.status == AccountStatus::Active {
            return Ok(());
        }
        let mut entry = self.policy_entry(who, AuditOutcome::Denied, word, None)?;
        entry.reasons = answer.reasons.iter().copied().collect();
        self.append_audit(entry).await.map_err(Failure::from)?;
        Err(ChangePoliciesError::NotAllowed)
    }

    async fn refuse_policies<T>(
        &self,
        who: Changer<'_>,
        action: &'static str,
        id: Option<&PolicySetId>,
        why: PolicyStepError,
    ) -> Result<T, ChangePoliciesError> {
        let mut entry = self.policy_entry(who, AuditOutcome::Denied, action, id)?;
        entry.reasons = vec![ReasonCode::PolicyForbids];
        self.append_audit(entry).await.map_err(Failure::from)?;
        Err(why.into())
    }

    fn policy_entry(
        &self,
        who: Changer<'_>,
        outcome: AuditOutcome,
        action: &str,
        id: Option<&PolicySetId>,
    ) -> Result<AuditEntry, Failure> {
        let mut entry = self.draft_entry(who.via, AuditKind::Administration, outcome, action)?;
        entry.account = Some(who.account.id.clone());
        entry.policy_version = Some(id.map_or_else(
            || self.policies.live().policy_version(),
            |id| format!("policy/{}", id.short()),
        ));
        Ok(entry)
    }
}

/// Checks a set, on a thread that may take its time.
async fn sound(documents: Documents) -> Result<(), ChangePoliciesError> {
    let checked = tokio::task::spawn_blocking(move || {
        if documents.schema != SCHEMA {
            let text = "is written against the schema of another release";
            return Err(vec![Finding::new(FindingCode::Schema, None, text)]);
        }
        let report = PolicySet::compile(documents)?.check();
        if report.is_sound() { Ok(()) } else { Err(report.findings) }
    });
    // The check fails to answer only when the runtime is being shut down.
    checked.await.unwrap_or(Err(Vec::new())).map_err(ChangePoliciesError::Refused)
}
