//! Decisions in process: a plan made for the request, then one resource judged.

use std::collections::BTreeSet;
use std::hint::black_box;

use proviso_core::account::ActorKind;
use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::provision::{
    ACTION_SYSTEM, ActorClause, ActorRole, Coding, Combination, Dialect, Directive, Fact,
    Identities, Label, PURPOSE_SYSTEM, Plan, Provision, Purpose, RequestFacts, Rule, Who,
};
use proviso_core::consent::{
    Capacity, ConsentTerms, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess, Recipient,
};
use proviso_core::decision::{
    AccessMode, AccessRequest, ActingPerson, Belonging, Labels, OrgGround, ResourceFacts, plan,
};
use proviso_core::id::{AccountId, ClientId, ConsentId, PatientId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::{At, Period};

/// One whole decision, to be made again and again: the plan of a patient-directed request, and one
/// resource that it permits. A call fails when the decision is no permit: a benchmark that denies
/// measures nothing.
///
/// # Errors
/// When the world of the decision cannot be made.
pub fn decider() -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let at = At::from_secs(1_790_000_000);
    let client: ClientId = "glucose-coach".parse()?;
    let account = AccountId::generate(at, [1; 10]);
    let patient: PatientId = "maria".parse()?;
    let scopes: Vec<Scope> = ["patient/Observation.rs", "patient/MedicationRequest.rs"]
        .into_iter()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let terms = ConsentTerms {
        patient: patient.clone(),
        given_by: account.clone(),
        capacity: Capacity::Patient,
        recipient: Recipient::App(client.clone()),
        categories: CategorySet::EMPTY.with(Category::Laboratory).with(Category::Medications),
        sensitive: SensitiveSet::EMPTY,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: DurationChoice::OneYear.period_from(at),
        data_period: Period::ALWAYS,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Allowed,
        granted_scopes: scopes.clone(),
        legal_basis: "consent".to_owned(),
        policy_uri: "https://example.org/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: "text".to_owned(),
    };
    let id = ConsentId::generate(at, [2; 10]);
    let version = ConsentVersion::record(id, terms, at)?;
    let consent = NamedConsent::new(version);
    let facts = ResourceFacts {
        resource_type: ResourceType::OBSERVATION,
        id: None,
        belonging: Belonging::Patients([patient.clone()].into()),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        labels: Labels::Known(SensitiveSet::EMPTY),
        clinical_period: None,
        filed: None,
    };
    let policy = OrgGround::fixed(ActorKind::Patient);
    Ok(move || {
        let request = AccessRequest {
            policy: &policy,
            at: at.plus_secs(60),
            client: &client,
            account: Some(&account),
            mode: AccessMode::PatientDirected {
                consent: Some(consent.facts()),
                person: ActingPerson::Patient,
            },
            scopes: Some(&scopes),
            patient_in_context: Some(&patient),
            purpose: PurposeOfUse::PatientRequest,
            met: proviso_core::org::ObligationSet::EMPTY,
        };
        let plan = plan(black_box(&request)).map_err(|denial| anyhow::anyhow!("{denial:?}"))?;
        let decision = plan.decide(&Interaction::Read, black_box(&facts), &|_| true);
        anyhow::ensure!(decision.is_permit(), "the decision is no permit: {decision:?}");
        Ok(())
    })
}

/// Levels of provisions of each consent that is compiled, the root being one.
const LEVELS: u8 = 4;
const SENSITIVITIES: [&str; 6] = ["HIV", "PSY", "ETH", "SEX", "SDV", "GDIS"];

/// How many exceptions each provision has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceptions {
    /// One: four provisions in all.
    One,
    /// Two: fifteen in all.
    Two,
}

/// The plan of so many consents on file, for one request, each four levels deep. A call fails when the
/// plan cannot be made.
///
/// # Errors
/// When the consents cannot be made.
pub fn compiler(
    count: u32,
    exceptions: Exceptions,
) -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let at = At::from_secs(1_790_000_000);
    let directives: Vec<(At, Directive)> = (0..count)
        .map(|which| {
            let root = provision(which, Rule::Permit, LEVELS, exceptions)?;
            let directive = Directive::new(Dialect::FhirTree, None, vec![root], Vec::new())?;
            Ok((at.plus_secs(i64::from(which)), directive))
        })
        .collect::<anyhow::Result<_>>()?;
    let request = RequestFacts {
        at,
        asker: Identities::exactly([Who::reference("Practitioner/one")]),
        others: Vec::new(),
        purpose: Fact::Known(Purpose::from_coding(Coding::new(PURPOSE_SYSTEM, "TREAT"))),
        action: Fact::Known(Coding::new(ACTION_SYSTEM, "access")),
        locations: Fact::Unknown,
        understood: BTreeSet::new(),
    };
    Ok(move || {
        let consents: Vec<(At, &Directive)> =
            directives.iter().map(|(at, directive)| (*at, directive)).collect();
        let plan = Plan::compile(black_box(&consents), Combination::DenyOverrides, &request)?;
        black_box(plan);
        Ok(())
    })
}

/// A provision with exceptions down to the last level: one about a sensitive kind, and where there are
/// two, one about a class of records.
fn provision(
    which: u32,
    rule: Rule,
    levels: u8,
    exceptions: Exceptions,
) -> anyhow::Result<Provision> {
    let mut own = Provision::new(rule);
    own.purposes = ["TREAT", "ETREAT"]
        .map(|code| Purpose::from_coding(Coding::new(PURPOSE_SYSTEM, code)))
        .into();
    own.actors = vec![ActorClause {
        role: ActorRole::Recipient,
        who: Some(Who::reference("Practitioner/one")),
    }];
    if levels < LEVELS {
        let places = SENSITIVITIES.iter().cycle().skip(which as usize + usize::from(levels));
        for code in places.take(2) {
            own.labels.push(Label::Sensitivity(code.parse()?));
        }
    }
    if levels > 1 {
        let other = match rule {
            Rule::Permit => Rule::Deny,
            Rule::Deny => Rule::Permit,
        };
        own.children.push(provision(which + 1, other, levels - 1, exceptions)?);
        if exceptions == Exceptions::Two {
            let mut of_class = provision(which, other, levels - 1, exceptions)?;
            of_class.labels.clear();
            let class = Coding::new("http://hl7.org/fhir/resource-types", "Observation");
            of_class.classes.push(class);
            own.children.push(of_class);
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_decided_and_compiled() {
        decider().unwrap()().unwrap();
        compiler(200, Exceptions::One).unwrap()().unwrap();
        compiler(200, Exceptions::Two).unwrap()().unwrap();
        let root = provision(0, Rule::Permit, LEVELS, Exceptions::Two).unwrap();
        let depth = |own: &Provision| {
            let mut levels = 1;
            let mut at = own;
            while let Some(child) = at.children.first() {
                (levels, at) = (levels + 1, child);
            }
            levels
        };
        assert_eq!(depth(&root), LEVELS);
    }
}
