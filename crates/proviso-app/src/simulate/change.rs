//! What would be changed, as the operations that the change would commit.
//!
//! Each is made by the code that makes it when it is really done, up to the commit.

use proviso_core::account::AccountStatus;
use proviso_core::category::{CategorySet, PurposeSet, SensitiveSet};
use proviso_core::consent::{
    ConsentError, ConsentStatus, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess,
    Part2Parties, part2_statements,
};
use proviso_core::id::{AccountId, ClientId, ConsentId, GrantId, PatientId};
use proviso_core::reason::Language;
use proviso_core::scope::{Scope, compile};
use proviso_core::time::{At, Period};
use proviso_oauth::record::{
    Client, ClientStatus, Grant, GrantBasis, GrantEnd, GrantEndReason, LaunchContext, Renewal,
};
use proviso_store::Op;

use crate::App;
use crate::authorize::{ChoiceProblem, ConsentChoice};
use crate::consent::{ChoiceError, ending};
use crate::failure::Failure;
use crate::live::Live;
use crate::proxies::ended_now;

/// What would be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupposedChange {
    /// A person would let an app see records.
    Sign(Box<NewTerms>),
    /// A choice would let less be seen.
    Narrow {
        /// Which.
        consent: ConsentId,
        /// To what.
        to: Box<NarrowerTerms>,
    },
    /// A choice would be stopped.
    Stop {
        /// Which.
        consent: ConsentId,
    },
    /// Somebody would no longer act for the patient.
    EndProxy {
        /// Who.
        account: AccountId,
    },
}

/// A choice that could be made on the consent page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTerms {
    /// For which app.
    pub client: ClientId,
    /// By whom: the patient, or somebody who acts for them.
    pub given_by: AccountId,
    /// Kinds of record.
    pub categories: CategorySet,
    /// Sensitive kinds.
    pub sensitive: SensitiveSet,
    /// What for; what the app is for, when left out.
    pub purposes: Option<PurposeSet>,
    /// For how long.
    pub duration: DurationChoice,
    /// Whether the app may go on while the person is away.
    pub offline: OfflineAccess,
    /// Which clinical time the data may come from.
    pub data_period: Period,
    /// What the app asks for; the most it may, when left out.
    pub scopes: Option<Vec<Scope>>,
}

/// What a choice would be narrowed to; what is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NarrowerTerms {
    /// Kinds of record.
    pub categories: Option<CategorySet>,
    /// Sensitive kinds.
    pub sensitive: Option<SensitiveSet>,
    /// What for.
    pub purposes: Option<PurposeSet>,
    /// Whether the app may go on while the person is away.
    pub offline: Option<OfflineAccess>,
    /// Which clinical time the data may come from.
    pub data_period: Option<Period>,
}

/// Why a change cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SupposeError {
    /// There is no such sharing choice of this patient.
    #[error("there is no such sharing choice")]
    NoConsent,
    /// The choice has ended.
    #[error("the sharing choice has ended")]
    Ended,
    /// There is no such app, or it is switched off.
    #[error("there is no such app")]
    NoApp,
    /// There is no such person.
    #[error("there is no such person")]
    NoPerson,
    /// Nobody acts for the patient under this name, or not any more.
    #[error("this person does not act for the patient")]
    NoProxy,
    /// Something would be added to the choice; that is to sign anew.
    #[error("a choice is narrowed to something within it; to add to it is to sign anew")]
    NotNarrower,
    /// The consent page would not take it.
    #[error(transparent)]
    Choice(#[from] ChoiceProblem),
    /// The terms are incomplete or contradict themselves.
    #[error("{0}")]
    Terms(ConsentError),
    /// What the law asks of the text is missing.
    #[error("{0}")]
    Change(ChoiceError),
    /// What is in force cannot be known.
    #[error("what is in force cannot be known")]
    Unknown,
    /// Something inside failed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What would be in force.
#[derive(Debug)]
pub struct Supposed(pub(crate) Live);

impl Supposed {
    /// The values that decisions would be made from.
    pub const fn live(&self) -> &Live {
        &self.0
    }
}

impl App {
    /// What would be in force about a patient after a change. Nothing is written.
    ///
    /// # Errors
    /// When the change could not be made.
    pub async fn suppose(
        &self,
        patient: &PatientId,
        change: &SupposedChange,
        at: At,
    ) -> Result<Supposed, SupposeError> {
        let ops = match change {
            SupposedChange::Sign(terms) => self.signing(patient, terms, at).await?,
            SupposedChange::Narrow { consent, to } => {
                self.narrowing(patient, consent, to, at).await?
            }
            SupposedChange::Stop { consent } => {
                let latest = self.choice_of(patient, consent).await?;
                let next = latest.version().revoke(at, None).map_err(|_| SupposeError::Ended)?;
                let end = GrantEnd { at, reason: GrantEndReason::ConsentRevoked };
                Vec::from(ending(&NamedConsent::new(next), latest.id().clone(), end))
            }
            SupposedChange::EndProxy { account } => {
                let own = self.stored_proxy(account, patient).await;
                let own = own.map_err(|_| SupposeError::NoProxy)?;
                let ended = ended_now(own, at).ok_or(SupposeError::NoProxy)?;
                vec![Op::PutRelationship(ended)]
            }
        };
        self.live.supposing(patient, &ops).map(Supposed).ok_or(SupposeError::Unknown)
    }

    /// The latest version of a choice, with its text.
    async fn choice_of(
        &self,
        patient: &PatientId,
        id: &ConsentId,
    ) -> Result<NamedConsent, SupposeError> {
        let stored = self.store.consent(id).await.map_err(Failure::from)?;
        let stored = stored.filter(|own| own.version.patient == *patient);
        stored.map(|own| NamedConsent::new(own.version)).ok_or(SupposeError::NoConsent)
    }

    async fn signing(
        &self,
        patient: &PatientId,
        new: &NewTerms,
        at: At,
    ) -> Result<Vec<Op>, SupposeError> {
        let client = self.live.client(&new.client);
        let client = client.filter(|client| client.status == ClientStatus::Active);
        let client = client.ok_or(SupposeError::NoApp)?;
        let person = self.live.account(&new.given_by);
        let person = person.filter(|person| person.status == AccountStatus::Active);
        let person = person.ok_or(SupposeError::NoPerson)?;
        let context = LaunchContext { patient: Some(patient.clone()), ..LaunchContext::default() };
        let choice = ConsentChoice {
            categories: new.categories,
            sensitive: new.sensitive,
            duration: new.duration,
            offline: new.offline,
            shown_text: self.supposed_text(&client, patient).await?,
            language: "en".to_owned(),
        };
        let scopes = new.scopes.as_deref().unwrap_or(&client.scopes);
        let asked = (scopes, &*client);
        let mut terms = self.terms_chosen(asked, &person, &context, choice, at).await??;
        terms.data_period = new.data_period;
        if let Some(purposes) = new.purposes {
            terms.purposes = purposes;
        }
        let (scopes, expires_at) = (terms.granted_scopes.clone(), terms.period.end);
        let capacity = terms.capacity;
        let (op, consent, ..) = self.consent_op(patient, &client, capacity, terms, at).await??;
        let grant = Grant {
            id: GrantId::generate(at, self.entropy.for_id().map_err(Failure::from)?),
            client: client.id.clone(),
            account: Some(person.id.clone()),
            basis: GrantBasis::Consent { consent },
            scopes,
            context,
            purpose: client.purpose,
            renewal: Renewal::None,
            fhir_user: person.fhir_user.clone(),
            authenticated_at: Some(at),
            nonce: None,
            created_at: at,
            expires_at,
            ended: None,
        };
        Ok(vec![op, Op::PutGrant(grant)])
    }

    /// A text that says what the law asks for; the page says more, and nothing of it decides.
    async fn supposed_text(
        &self,
        client: &Client,
        patient: &PatientId,
    ) -> Result<String, SupposeError> {
        let patient = self.patient_name(patient).await?;
        let parties = Part2Parties {
            patient: &patient,
            discloser: &self.settings.organization_name,
            recipient: &client.name,
        };
        let statements = part2_statements(Language::English, parties);
        Ok(statements.join("\n"))
    }

    async fn narrowing(
        &self,
        patient: &PatientId,
        id: &ConsentId,
        to: &NarrowerTerms,
        at: At,
    ) -> Result<Vec<Op>, SupposeError> {
        let latest = self.choice_of(patient, id).await?;
        let version = latest.version();
        if version.status != ConsentStatus::Active
            || version.period.end.is_some_and(|end| end <= at)
        {
            return Err(SupposeError::Ended);
        }
        let mut terms = version.terms();
        terms.categories = to.categories.unwrap_or(version.categories);
        terms.sensitive = to.sensitive.unwrap_or(version.sensitive);
        terms.purposes = to.purposes.unwrap_or(version.purposes);
        terms.offline = to.offline.unwrap_or(version.offline);
        terms.data_period = to.data_period.unwrap_or(version.data_period);
        let within = terms.categories.is_subset_of(version.categories)
            && terms.sensitive.is_subset_of(version.sensitive)
            && terms.purposes.iter().all(|purpose| version.purposes.contains(purpose))
            && version.data_period.covers(&terms.data_period)
            && (terms.offline == OfflineAccess::Refused || version.offline == terms.offline);
        if !within {
            return Err(SupposeError::NotNarrower);
        }
        terms.granted_scopes = narrowed_scopes(version, terms.categories, terms.offline);
        self.check_part2(&terms).await.map_err(SupposeError::Change)?;
        let next = version.amend(terms, at, None).map_err(SupposeError::Terms)?;
        let next = NamedConsent::new(next);
        Ok(vec![crate::consent::put(&next, Some(latest.id().clone()))])
    }
}

/// The scopes of a choice, cut down to fewer kinds of record.
fn narrowed_scopes(
    version: &ConsentVersion,
    categories: CategorySet,
    offline: OfflineAccess,
) -> Vec<Scope> {
    let mut scopes = if categories == version.categories {
        version.granted_scopes.clone()
    } else {
        compile(&version.granted_scopes, categories).into_vec()
    };
    scopes.retain(|scope| offline == OfflineAccess::Allowed || *scope != Scope::OfflineAccess);
    scopes
}
