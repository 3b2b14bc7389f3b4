//! The authorized view: what one caller may see, as a judgement on one resource at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use proviso_app::App;
use proviso_app::filed::Hearing;
use proviso_app::policy::{Beside, Policies};
use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::decision::record::JudgedResource;
use proviso_core::decision::{
    AccessPlan, Belonging, Decision, Effect, FiledRule, Labels, PatientReach, ResourceFacts,
};
use proviso_core::id::PatientId;
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::ScopeFilter;
use proviso_fhir::facts::resource_facts;
use proviso_fhir::json::{Doc, Node};
use proviso_fhir::label::RuleSet;
use proviso_fhir::redact::{RedactError, Redactions};
use proviso_fhir::search::{Query, SearchError, matches_scope_filter};
use sha2::{Digest as _, Sha256};

use crate::overseen::Overseen;
use crate::problem::Problem;
use crate::upstream::Stored;

/// A plan, ready to judge resources.
#[derive(Debug, Clone)]
pub(crate) struct View {
    plan: AccessPlan,
    labels: Arc<RuleSet>,
    /// The consents on file, as this request hears them.
    hearing: Arc<Hearing>,
    /// Policies that are tried out beside those in force; they decide nothing.
    beside: Option<Arc<Beside>>,
    /// What of a record is not shown.
    redactions: Arc<Redactions>,
    redaction: Option<String>,
    /// What policies demand with the records that this request was answered from.
    overseen: Arc<Mutex<Overseen>>,
}

/// One resource, judged.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// `None` when it is no resource of FHIR R4; such a thing is never permitted.
    pub(crate) facts: Option<ResourceFacts>,
    pub(crate) decision: Decision,
    /// The sensitive kinds that those who act for its patients may know of.
    open_to_proxies: SensitiveSet,
    /// What it was judged for.
    interaction: Interaction,
    /// The filters of granular scopes that it matches.
    filters: Vec<ScopeFilter>,
}

/// LIMIT: so many of the resources that a search withholds are kept for the log one by one; the
/// others are counted.
const WITHHELD_KEPT_MAX: usize = 200;

/// What a search came across and does not show.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    count: u32,
    judged: Vec<Judged>,
}

impl Withheld {
    pub(crate) fn add(&mut self, judged: Judged) {
        self.count = self.count.saturating_add(1);
        if self.judged.len() < WITHHELD_KEPT_MAX {
            self.judged.push(judged);
        }
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn judged(&self) -> &[Judged] {
        &self.judged
    }
}

impl FromIterator<Judged> for Withheld {
    fn from_iter<I: IntoIterator<Item = Judged>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |mut withheld, judged| {
            withheld.add(judged);
            withheld
        })
    }
}

impl Judged {
    pub(crate) fn permits(&self) -> bool {
        self.facts.is_some() && self.decision.effect == Effect::Permit
    }

    /// Whether it is a patient's, and one that those who act for the patient may know of.
    pub(crate) fn is_open_to_proxies(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| match (&facts.belonging, facts.labels) {
            (Belonging::Patients(_), Labels::Known(kinds)) => {
                kinds.is_subset_of(self.open_to_proxies)
            }
            (Belonging::Patients(_), Labels::Unclassified)
            | (Belonging::Directory | Belonging::Unknown, _) => false,
        })
    }

    /// What the log keeps of it; nothing for what is no resource.
    pub(crate) fn for_record(&self) -> Option<(&Interaction, JudgedResource<'_>)> {
        let facts = self.facts.as_ref()?;
        let judged = JudgedResource { facts, filters: &self.filters, decision: &self.decision };
        Some((&self.interaction, judged))
    }

    fn unknown(interaction: &Interaction) -> Self {
        let decision = Decision { effect: Effect::Deny, reasons: vec![ReasonCode::FactMissing] };
        Self {
            facts: None,
            decision,
            open_to_proxies: SensitiveSet::EMPTY,
            interaction: interaction.clone(),
            filters: Vec::new(),
        }
    }
}

/// What a resource is judged by, with the sensitive kinds that it has from elsewhere.
pub(crate) fn facts_of(
    root: Node<'_>,
    around: SensitiveSet,
    labels: &RuleSet,
) -> Option<ResourceFacts> {
    let mut facts = resource_facts(root, labels)?;
    facts.labels = match facts.labels {
        Labels::Known(kinds) => Labels::Known(kinds.union(around)),
        Labels::Unclassified if around.is_empty() => Labels::Unclassified,
        // What cannot be read is as if restricted; what it has from elsewhere counts besides.
        Labels::Unclassified => Labels::Known(around.with(SensitiveKind::Restricted)),
    };
    Some(facts)
}

/// Whether an interaction brings records to light that nobody named.
const fn looks_around(interaction: &Interaction) -> bool {
    matches!(
        interaction,
        Interaction::Search
            | Interaction::SearchSystem
            | Interaction::HistoryType
            | Interaction::HistorySystem
            | Interaction::Operation(_)
    )
}

/// Judges a resource as it is now for a change. A patch tells by its answer what it met (`test`
/// guesses values, and what it leaves alone comes back), and so does a version that has to match.
/// TRUST: whoever may change but not read could learn everything by them, so for these the resource
/// must be readable as well; what is not is as if it were not there.
pub(crate) fn judge_before(
    interaction: &Interaction,
    if_match: Option<&str>,
    judge: impl Fn(&Interaction) -> Judged,
) -> Judged {
    let judged = judge(interaction);
    let tells = *interaction == Interaction::Patch || if_match.is_some();
    if tells && judged.permits() {
        return judge(&Interaction::Read);
    }
    judged
}

impl View {
    /// A plan that judges resources by what the rules in effect label them, and by what consents on
    /// file say of them.
    pub(crate) fn new(app: &App, plan: AccessPlan, hearing: Arc<Hearing>) -> Self {
        let redactions = app.redactions_for(&plan);
        let version = || app.settings().redaction.version().to_owned();
        let redaction = (!redactions.is_empty()).then(version);
        let (labels, overseen) = (app.labels(), Arc::default());
        Self { plan, labels, hearing, beside: None, redactions, redaction, overseen }
    }

    /// The same, noting what policies that are tried out would have said.
    pub(crate) fn with_beside(self, policies: &Policies) -> Self {
        let beside = policies.beside(&self.plan);
        Self { beside, ..self }
    }

    pub(crate) fn hearing(&self) -> &Arc<Hearing> {
        &self.hearing
    }

    pub(crate) fn plan(&self) -> &AccessPlan {
        &self.plan
    }

    /// Whether records of a type are seen in part: they have no versions of their own then, and who
    /// sees them cannot change them without losing what is not shown (leaks 54, 93).
    pub(crate) fn sees_in_part(&self, resource_type: ResourceType) -> bool {
        self.redactions.covers(resource_type)
    }

    /// Whether any record is seen in part.
    pub(crate) fn is_partial(&self) -> bool {
        !self.redactions.is_empty()
    }

    /// The rules by which records are seen in part, by the hash of their text.
    pub(crate) fn redaction(&self) -> Option<&str> {
        self.redaction.as_deref()
    }

    /// A record as it may be shown, once it was judged: a function of the record and of what is not
    /// shown to this caller.
    pub(crate) fn form(&self, stored: Stored, judged: &Judged) -> Result<Stored, Problem> {
        let partial = stored.doc.resource_type().is_none_or(|own| self.sees_in_part(own));
        let shown = self.part(&stored.doc, judged).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a record was not redacted");
            Problem::Unavailable
        })?;
        let stored = match shown {
            Some(doc) => Stored { doc, ..stored },
            None => stored,
        };
        Ok(if partial { Stored { version: None, at: None, ..stored } } else { stored })
    }

    /// What of a record is shown; `None` where that is the whole.
    pub(crate) fn part(&self, doc: &Doc, judged: &Judged) -> Result<Option<Doc>, RedactError> {
        let labels = judged.facts.as_ref().map_or(Labels::Unclassified, |facts| facts.labels);
        self.redactions.apply(doc, labels)
    }

    /// A search as it is over records as they are shown.
    pub(crate) fn blinded(&self, query: Query) -> Query {
        if !self.is_partial() {
            return query;
        }
        query.blind_to(&|resource_type, code| self.redactions.hides(resource_type, code))
    }

    /// Refuses a query that would look at what is not shown: whatever it answered would tell of it
    /// (leaks 25, 26). The same for any value.
    pub(crate) fn admits(&self, query: &Query) -> Result<(), SearchError> {
        if !self.is_partial() {
            return Ok(());
        }
        let hidden =
            query.reads().into_iter().find(|(own, code)| self.redactions.hides(*own, code));
        match hidden {
            Some((_, parameter)) => Err(SearchError::Unsupported { parameter }),
            None if self.redactions.hides_identifiers() && query.compares_identifiers() => {
                Err(SearchError::Unsupported { parameter: ":identifier".to_owned() })
            }
            None => Ok(()),
        }
    }

    /// Whether policies demand anything with records.
    pub(crate) fn oversees(&self) -> bool {
        self.plan.rules.as_ref().is_some_and(|own| !own.rules().demands().is_empty())
    }

    /// Notes that an answer was made from a record: it leaves, or was matched, counted, or led to
    /// others.
    pub(crate) fn uses(&self, judged: &Judged) {
        let Some((interaction, resource)) = judged.for_record().filter(|_| judged.permits()) else {
            return;
        };
        let demanded = self.plan.obligations(interaction, resource.facts);
        if demanded.is_empty() {
            return;
        }
        let patients = match &resource.facts.belonging {
            Belonging::Patients(patients) => Some(patients),
            Belonging::Directory | Belonging::Unknown => None,
        };
        let mut overseen = self.overseen.lock().unwrap_or_else(PoisonError::into_inner);
        overseen.add(demanded, patients.into_iter().flatten());
    }

    /// What is demanded with what was used; it grows with the request.
    pub(crate) const fn overseen(&self) -> &Arc<Mutex<Overseen>> {
        &self.overseen
    }

    /// Judges one resource version by itself. What the facts cannot say denies.
    pub(crate) fn judge(&self, interaction: &Interaction, root: Node<'_>) -> Judged {
        self.judge_with(interaction, root, SensitiveSet::EMPTY)
    }

    /// Judges one resource version as it is stored, with what it refers to.
    pub(crate) fn judge_stored(&self, interaction: &Interaction, stored: &Stored) -> Judged {
        match &stored.belongs_to {
            Some(records) => self.judge_file(interaction, stored, records),
            None => self.judge_with(interaction, stored.doc.root(), stored.around),
        }
    }

    /// Judges a file with the records that it belongs to: each must be seen, and each says whose it
    /// is and how sensitive.
    fn judge_file(&self, interaction: &Interaction, file: &Stored, records: &[Stored]) -> Judged {
        let (mut around, mut owners) = (file.around, BTreeSet::new());
        for record in records {
            let judged = self.judge_stored(&Interaction::Read, record);
            if !judged.permits() {
                return judged;
            }
            let Some(facts) = &judged.facts else { return judged };
            if let Labels::Known(kinds) = facts.labels {
                around = around.union(kinds);
            }
            if let Belonging::Patients(patients) = &facts.belonging {
                owners.extend(patients.iter().cloned());
            }
        }
        let facts = facts_of(file.doc.root(), around, &self.labels).map(|facts| {
            let belonging = match facts.belonging {
                Belonging::Unknown if !owners.is_empty() => Belonging::Patients(owners),
                Belonging::Patients(own) => {
                    Belonging::Patients(own.into_iter().chain(owners).collect())
                }
                Belonging::Directory => Belonging::Directory,
                Belonging::Unknown => Belonging::Unknown,
            };
            ResourceFacts { belonging, ..facts }
        });
        self.judge_facts(interaction, file.doc.root(), facts)
    }

    /// As [`Self::judge`], with sensitive kinds that the resource has from elsewhere.
    pub(crate) fn judge_with(
        &self,
        interaction: &Interaction,
        root: Node<'_>,
        around: SensitiveSet,
    ) -> Judged {
        // A file is come by through what refers to it, and by nothing that looks around.
        if root.resource_type() == Some(ResourceType::BINARY) && looks_around(interaction) {
            return Judged::unknown(interaction);
        }
        self.judge_facts(interaction, root, facts_of(root, around, &self.labels))
    }

    fn judge_facts(
        &self,
        interaction: &Interaction,
        root: Node<'_>,
        facts: Option<ResourceFacts>,
    ) -> Judged {
        let Some(mut facts) = facts else { return Judged::unknown(interaction) };
        if self.plan.filed != FiledRule::NotHeard && facts.resource_type != ResourceType::CONSENT {
            facts.filed = self.hearing.answers(root, facts.labels, &facts.belonging);
        }
        let filters: Vec<ScopeFilter> = self
            .plan
            .scope_filters()
            .filter(|filter| matches_scope_filter(root, &filter.param, &filter.value))
            .cloned()
            .collect();
        let decision = self.plan.decide(interaction, &facts, &|filter| filters.contains(filter));
        if let Some(beside) = &self.beside {
            beside.note(&self.plan, interaction, &facts);
        }
        let open_to_proxies = self.hearing.open_to_proxies(&facts.belonging);
        let interaction = interaction.clone();
        Judged { facts: Some(facts), decision, open_to_proxies, interaction, filters }
    }

    /// The only patients whose records are reached, if the plan names them.
    pub(crate) fn patients(&self) -> Option<Vec<PatientId>> {
        match &self.plan.reach {
            PatientReach::Only(patients) => Some(patients.iter().cloned().collect()),
            PatientReach::Any => None,
        }
    }

    /// A hash of everything that makes this view what it is, except the instant: the plan, the rule
    /// set by which resources are labelled, and the consents on file.
    pub(crate) fn fingerprint(&self) -> Option<[u8; 32]> {
        let mut plan = self.plan.clone();
        plan.at = proviso_core::time::At::from_micros(0);
        let bytes = serde_json::to_vec(&plan).ok()?;
        let mut hash = Sha256::new();
        hash.update(self.labels.version().as_str().as_bytes());

        // Of a plan that reaches anybody, each record is decided anew; the page stays a page.
        if let PatientReach::Only(patients) = &self.plan.reach {
            for name in self.hearing.names(patients) {
                hash.update(name.as_str().as_bytes());
            }
        }
        hash.update(&bytes);
        Some(hash.finalize().into())
    }
}
