//! From texts to something that answers: every policy parsed, named, placed and validated.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use cedar_policy::{
    ActionConstraint, Effect as CedarEffect, Policy, PolicyId, PrincipalConstraint,
    ResourceConstraint, Schema, ValidationMode, Validator,
};
use proviso_core::decision::Effect;
use proviso_core::org::lifecycle::PolicySetId;
use proviso_core::org::{
    Mode, ModeSet, Obligation, OrgAction, OrgActionSet, OrgQuestion, PolicyName, Role,
};
use proviso_core::reason::ReasonCode;

use super::ask::Words;
use super::atom::{dims_of, parts, single};
use super::documents::{Documents, SCHEMA, TextFile};
use super::domain::Dim;
use super::evaluate::Engine;
use super::finding::{Finding, FindingCode, Place};
use super::outline::Outline;
use super::scenario::{Scenario, read_scenarios};
use super::split::split;

/// Which kinds of entity a head reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) record: bool,
    pub(super) directory: bool,
    pub(super) governance: bool,
}

/// What the head of a policy says, as far as it chooses which policies are asked at all.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) actions: OrgActionSet,
    pub(super) reach: Reach,
    /// Needs a person, a service, or either.
    pub(super) person: bool,
    pub(super) service: bool,
    /// The role without which it cannot apply.
    pub(super) role: Option<Role>,
    /// The modes in which it can apply: those that its conditions about the mode alone leave.
    pub(super) modes: ModeSet,
}

/// One policy.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: PolicyName,
    pub(super) place: Place,
    pub(super) effect: Effect,
    pub(super) policy: Policy,
    pub(super) json: serde_json::Value,
    pub(super) head: Head,
    pub(super) reason: ReasonCode,
    /// For a permit: each condition alone, and the reason given when it does not hold.
    pub(super) otherwise: Vec<(cedar_policy::PolicySet, ReasonCode)>,
    pub(super) obligations: BTreeSet<Obligation>,
    pub(super) advice: Option<String>,
}

/// A set of policies that answers questions.
#[derive(Debug)]
pub struct PolicySet {
    pub(super) id: PolicySetId,
    pub(super) version: String,
    pub(super) documents: Documents,
    pub(super) words: Words,
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) scenarios: Vec<Scenario>,
    pub(super) engine: Engine,
    /// Worked out when it is first needed.
    pub(super) outlined: OnceLock<Outline>,
}

impl PolicySet {
    /// Parses and validates a set.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its file, line and policy.
    pub fn compile(documents: Documents) -> Result<Self, Vec<Finding>> {
        let whole = |text: String| vec![Finding::new(FindingCode::Schema, None, text)];
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|why| whole(format!("the schema of this release: {why}")))?;
        let words = Words::new(&schema).map_err(|why| whole(why.to_string()))?;
        let mut findings = Vec::new();
        let rules: Vec<Arc<Rule>> = documents
            .policies
            .iter()
            .flat_map(|file| rules_of_file(file, &words, &mut findings))
            .map(Arc::new)
            .collect();
        names_differ(&rules, &mut findings);
        let scenarios: Vec<Scenario> =
            documents.tests.iter().flat_map(|file| read_scenarios(file, &mut findings)).collect();
        if findings.is_empty() {
            validate(&schema, &rules, &mut findings);
        }
        if !findings.is_empty() {
            findings.sort();
            return Err(findings);
        }
        let id = documents.id();
        let version = format!("policy/{}", id.short());
        let engine = Engine::new();
        let outlined = OnceLock::new();
        Ok(Self { id, version, documents, words, rules, scenarios, engine, outlined })
    }

    /// The set that comes with this release, compiled once: its text cannot change while the
    /// program runs, and its answers depend on nothing else.
    ///
    /// # Errors
    /// Never in a release: a test compiles and checks it.
    pub fn starter() -> Result<Arc<Self>, Vec<Finding>> {
        static STARTER: OnceLock<Result<Arc<PolicySet>, Vec<Finding>>> = OnceLock::new();
        STARTER.get_or_init(|| Self::compile(Documents::starter()).map(Arc::new)).clone()
    }

    /// The name that its content gives it.
    pub const fn id(&self) -> &PolicySetId {
        &self.id
    }

    /// Its name and version, as plans and the log carry it.
    pub fn policy_version(&self) -> String {
        self.version.clone()
    }

    /// Its texts.
    pub const fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Its tests.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// How many policies it has.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has no policy; such a set denies everything.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn rules_of_file(file: &TextFile, words: &Words, findings: &mut Vec<Finding>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for piece in split(&file.text) {
        let place = Place { file: file.name.clone(), line: piece.line, name: None };
        match Policy::parse(None, piece.text) {
            Ok(policy) => match rule(&policy, place, words) {
                Ok(rule) => rules.push(rule),
                Err(finding) => findings.push(finding),
            },
            Err(why) => {
                let place = Place { name: name_in(piece.text), ..place };
                let text = format!("this is no policy: {why}");
                findings.push(Finding::new(FindingCode::Syntax, Some(&place), text));
            }
        }
    }
    rules
}

/// The name of a policy that does not parse.
fn name_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("@id(\"")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

fn rule(policy: &Policy, mut place: Place, words: &Words) -> Result<Rule, Finding> {
    let annotation = |key: &str| policy.annotation(key);
    let name = annotation("id").and_then(|id| id.parse::<PolicyName>().ok());
    let wrong =
        |place: &Place, text: String| Finding::new(FindingCode::Annotation, Some(place), text);
    let Some(name) = name else {
        return Err(wrong(
            &place,
            "a policy needs an `@id` of letters, digits, `-`, `_`, `.`".into(),
        ));
    };
    place.name = Some(name.to_string());
    for (key, _) in policy.annotations() {
        if !["id", "reason", "otherwise", "obligations", "advice"].contains(&key) {
            return Err(wrong(&place, format!("`@{key}` means nothing here")));
        }
    }
    let effect = match policy.effect() {
        CedarEffect::Permit => Effect::Permit,
        CedarEffect::Forbid => Effect::Deny,
    };
    let reason = annotation("reason").and_then(|code| code.parse::<ReasonCode>().ok());
    let fits = |reason: &ReasonCode| reason.is_basis() == (effect == Effect::Permit);
    let Some(reason) = reason.filter(fits) else {
        let kind = if effect == Effect::Permit { "of a permit" } else { "of a refusal" };
        return Err(wrong(&place, format!("needs an `@reason` with the code of a reason {kind}")));
    };
    let obligations: BTreeSet<Obligation> = listed(annotation("obligations"))
        .map_err(|word| wrong(&place, format!("`{word}` is no obligation")))?;
    let json = policy.to_json().map_err(|why| wrong(&place, why.to_string()))?;
    let (mode, others) = conditions(&json);
    let modes = words.modes(mode).map_err(|text| wrong(&place, text))?;
    let otherwise =
        otherwise(others, annotation("otherwise"), effect).map_err(|text| wrong(&place, text))?;
    if effect == Effect::Deny && !obligations.is_empty() {
        return Err(wrong(&place, "obligations come with permits only".into()));
    }
    Ok(Rule {
        head: head(policy, words, modes),
        policy: policy.new_id(PolicyId::new(name.as_str())),
        advice: annotation("advice").map(str::to_owned),
        name,
        place,
        effect,
        json,
        reason,
        otherwise,
        obligations,
    })
}

/// A list of codes, separated by `;`.
fn listed<T: FromStr, C: FromIterator<T>>(text: Option<&str>) -> Result<C, String> {
    text.into_iter()
        .flat_map(|text| text.split(';'))
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| word.parse::<T>().map_err(|_| word.to_owned()))
        .collect()
}

/// The conditions about the mode alone, and all others.
fn conditions(json: &serde_json::Value) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
    parts(json)
        .into_iter()
        .filter(|part| part.get("conditions").is_some_and(|own| own != &serde_json::json!([])))
        .partition(|part| dims_of(part) == [Dim::Mode])
}

/// The conditions of a policy beside those on the mode, in their order.
pub(super) fn open_conditions(json: &serde_json::Value) -> Vec<serde_json::Value> {
    conditions(json).1
}

fn otherwise(
    conditions: Vec<serde_json::Value>,
    codes: Option<&str>,
    effect: Effect,
) -> Result<Vec<(cedar_policy::PolicySet, ReasonCode)>, String> {
    let codes: Vec<ReasonCode> = listed(codes).map_err(|word| format!("`{word}` is no reason"))?;
    if effect == Effect::Deny {
        return if codes.is_empty() {
            Ok(Vec::new())
        } else {
            Err("only a permit has `@otherwise`".to_owned())
        };
    }
    if conditions.len() != codes.len() {
        return Err(format!(
            "has {} conditions beside those on the mode and {} reasons in `@otherwise`; each \
             needs one",
            conditions.len(),
            codes.len()
        ));
    }
    if let Some(basis) = codes.iter().find(|code| code.is_basis()) {
        return Err(format!("`{}` is the reason of a permit", basis.code()));
    }
    let singles = conditions.into_iter().map(|part| {
        single(part).map_err(|_| "a condition cannot be evaluated by itself".to_owned())
    });
    singles.zip(codes).map(|(single, code)| Ok((single?, code))).collect()
}

fn head(policy: &Policy, words: &Words, modes: ModeSet) -> Head {
    let named = |own: &cedar_policy::EntityTypeName| own.to_string();
    let role = |uid: &cedar_policy::EntityUid| {
        (*uid.type_name() == words.role)
            .then(|| uid.id().unescaped().parse::<Role>().ok())
            .flatten()
    };
    let (person, service, role) = match policy.principal_constraint() {
        PrincipalConstraint::Any => (true, true, None),
        PrincipalConstraint::In(uid) => (true, true, role(&uid)),
        PrincipalConstraint::Eq(uid) => {
            let of = named(uid.type_name());
            (of == "Person", of == "Service", None)
        }
        PrincipalConstraint::Is(of) => (named(&of) == "Person", named(&of) == "Service", None),
        PrincipalConstraint::IsIn(of, uid) => {
            (named(&of) == "Person", named(&of) == "Service", role(&uid))
        }
    };
    let actions = match policy.action_constraint() {
        ActionConstraint::Any => OrgActionSet::all(),
        ActionConstraint::In(uids) => words.actions_in(&uids),
        ActionConstraint::Eq(uid) => words.actions_in(&[uid]),
    };
    let only = |of: String| Reach {
        record: of == "Record",
        directory: of == "Directory",
        governance: of == "Governance",
    };
    let reach = match policy.resource_constraint() {
        ResourceConstraint::Any => Reach { record: true, directory: true, governance: true },
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) => only(named(uid.type_name())),
        ResourceConstraint::Is(of) | ResourceConstraint::IsIn(of, _) => only(named(&of)),
    };
    Head { actions, reach, person, service, role, modes }
}

impl Words {
    /// The modes in which all of these conditions hold, which look at nothing but the mode.
    fn modes(&self, conditions: Vec<serde_json::Value>) -> Result<ModeSet, String> {
        let authorizer = cedar_policy::Authorizer::new();
        let mut modes = ModeSet::all();
        for part in conditions {
            let alone = || "a condition cannot be evaluated by itself".to_owned();
            let single = single(part).map_err(|_| alone())?;
            let client = "some-service".parse().map_err(|_| alone())?;
            let ground = OrgQuestion::of_service(client);
            for mode in Mode::ALL {
                let question = OrgQuestion { mode: *mode, ..ground.clone() };
                let (request, entities) = self.ask(&question, None).map_err(|_| alone())?;
                let response = authorizer.is_authorized(&request, &single, &entities);
                if response.decision() == cedar_policy::Decision::Deny {
                    modes = modes.without(*mode);
                }
            }
        }
        Ok(modes)
    }

    /// The actions that are one of these or in one of these groups.
    fn actions_in(&self, uids: &[cedar_policy::EntityUid]) -> OrgActionSet {
        OrgAction::ALL
            .iter()
            .copied()
            .filter(|action| self.groups_of(*action).any(|own| uids.contains(&own)))
            .collect()
    }
}

fn names_differ(rules: &[Arc<Rule>], findings: &mut Vec<Finding>) {
    let mut first: BTreeMap<&PolicyName, &Place> = BTreeMap::new();
    for rule in rules {
        if let Some(other) = first.insert(&rule.name, &rule.place) {
            let text = format!("has the name of the policy at {other}");
            findings.push(Finding::new(FindingCode::SameName, Some(&rule.place), text));
        }
    }
}

fn validate(schema: &Schema, rules: &[Arc<Rule>], findings: &mut Vec<Finding>) {
    let policies = rules.iter().map(|rule| rule.policy.clone());
    let all = match cedar_policy::PolicySet::from_policies(policies) {
        Ok(all) => all,
        Err(why) => {
            findings.push(Finding::new(FindingCode::Schema, None, why.to_string()));
            return;
        }
    };
    let result = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
    let place = |id: &PolicyId| {
        let name: &str = id.as_ref();
        rules.iter().find(|rule| rule.name.as_str() == name).map(|rule| &rule.place)
    };
    for error in result.validation_errors() {
        let text = format!("does not fit the schema: {error}");
        findings.push(Finding::new(FindingCode::Schema, place(error.policy_id()), text));
    }
    for warning in result.validation_warnings() {
        // What Cedar warns of (a policy that can never apply, letters that look like others) is
        // no less wrong in a rule about health records.
        let text = format!("does not fit the schema: {warning}");
        findings.push(Finding::new(FindingCode::Schema, place(warning.policy_id()), text));
    }
}
