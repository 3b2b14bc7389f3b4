//! A set made ready to be asked for many grounds: what depends on nobody is worked out once, and what
//! depends on who asks is gathered, so that Cedar is asked about all of it in one go.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Policy, PolicyId};
use proviso_core::org::{
    Mode, OrgQuestion, OrgSubject, RoleSet, RuleTarget, RuleTargetSet, Test, Truth,
};
use proviso_core::reason::ReasonCode;
use quick_cache::sync::Cache;
use serde_json::Value;

use super::ask::roles_held;
use super::atom::{dims_of, parts};
use super::compile::{PolicySet, Rule, open_conditions};
use super::domain::Dim;
use super::residual::{OPEN, Residual, Unplannable, open_dims, operator, when};

/// LIMIT: so many choices of policies are remembered, by roles, mode and kind of asker.
const MAX_SLICES: usize = 1_024;

/// A part of a policy, as far as it can be settled before anybody asks.
#[derive(Debug)]
pub(super) enum Part {
    /// It looks at nothing of who asks.
    Fixed(Test),
    /// It looks at who asks and from where alone; the place among such parts.
    Ground(usize),
    /// It looks at the relation, and perhaps at who asks; the place among such parts.
    Relation(usize),
    /// It looks at several in a way that only a ground settles.
    Deferred(Value),
    Not(Box<Part>),
    All(Vec<Part>),
    Any(Vec<Part>),
}

/// A policy about records or entries of the directory, in parts.
#[derive(Debug)]
pub(super) struct OutlinedRule {
    pub(super) rule: Arc<Rule>,
    pub(super) targets: RuleTargetSet,
    pub(super) heads: Vec<Part>,
    /// Each with the reason that is given where it does not hold.
    pub(super) conditions: Vec<(Result<Part, Unplannable>, Option<ReasonCode>)>,
}

/// A whole set in parts.
#[derive(Debug)]
pub(super) struct Outline {
    rules: Vec<Arc<OutlinedRule>>,
    ground: Gathered,
    relations: Gathered,
    slices: Cache<SliceKey, Arc<Slice>>,
}

/// What chooses the policies that can apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SliceKey {
    service: bool,
    mode: Mode,
    roles: RoleSet,
}

/// The policies that can apply to some, with their parts.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) rules: Vec<Arc<OutlinedRule>>,
    pub(super) ground: Asked,
    pub(super) relations: Asked,
}

/// Parts by themselves, each once however many policies have it.
#[derive(Debug, Default)]
struct Gathered {
    policies: Vec<Policy>,
    places: HashMap<String, usize>,
}

/// Parts that Cedar is asked about together.
#[derive(Debug)]
pub(super) struct Asked {
    /// `None` where Cedar does not take them together: nothing is answered then.
    set: Option<cedar_policy::PolicySet>,
    places: Vec<usize>,
    /// How many parts the whole set has.
    total: usize,
}

impl Gathered {
    /// The place of a part; `None` for one that Cedar does not take by itself.
    fn place(&mut self, part: &Value) -> Option<usize> {
        let text = part.to_string();
        if let Some(known) = self.places.get(&text) {
            return Some(*known);
        }
        let place = self.policies.len();
        let id = PolicyId::new(place.to_string());
        self.policies.push(Policy::from_json(Some(id), part.clone()).ok()?);
        self.places.insert(text, place);
        Some(place)
    }

    /// These of them.
    fn asked(&self, mut places: Vec<usize>) -> Asked {
        places.sort_unstable();
        places.dedup();
        let chosen = places.iter().filter_map(|place| self.policies.get(*place)).cloned();
        let set = cedar_policy::PolicySet::from_policies(chosen).ok();
        Asked { set, places, total: self.policies.len() }
    }
}

impl Asked {
    /// What each of them comes to; a part that was not asked about is a fault.
    pub(super) fn ask(&self, set: &PolicySet, question: &OrgQuestion) -> Vec<Truth> {
        let mut truths = vec![Truth::Fault; self.total];
        let Some(parts) = self.set.as_ref().filter(|_| !self.places.is_empty()) else {
            return truths;
        };
        let Ok((request, entities)) = set.words.ask(question, None) else { return truths };
        let response = set.engine.authorizer().is_authorized(&request, parts, &entities);
        let mut put = |place: Option<usize>, truth| {
            if let Some(own) = place.and_then(|place| truths.get_mut(place)) {
                *own = truth;
            }
        };
        for place in &self.places {
            put(Some(*place), Truth::False);
        }
        let place_of = |id: &PolicyId| {
            let text: &str = id.as_ref();
            text.parse().ok()
        };
        for id in response.diagnostics().reason() {
            put(place_of(id), Truth::True);
        }
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            put(place_of(error.policy_id()), Truth::Fault);
        }
        truths
    }
}

impl PolicySet {
    /// This set in parts, worked out when it is first needed.
    pub(super) fn outline(&self) -> &Outline {
        self.outlined.get_or_init(|| Outline::of(self))
    }
}

impl Outline {
    fn of(set: &PolicySet) -> Self {
        let mut outline = Self {
            rules: Vec::new(),
            ground: Gathered::default(),
            relations: Gathered::default(),
            slices: Cache::new(MAX_SLICES),
        };
        // What depends on nobody is asked of anybody.
        let Ok(client) = "some-service".parse() else { return outline };
        let ground = OrgQuestion::of_service(client);
        let residual = Residual { set, ground: &ground, standings: &[] };
        for rule in &set.rules {
            let mut targets = RuleTargetSet::EMPTY;
            if rule.head.reach.record {
                targets = targets.with(RuleTarget::Record);
            }
            if rule.head.reach.directory {
                targets = targets.with(RuleTarget::Directory);
            }
            if targets.is_empty() {
                continue;
            }
            let heads = outline.heads(rule, &residual);
            let reasons = rule.otherwise.iter().map(|(_, reason)| Some(*reason));
            let reasons = reasons.chain(std::iter::repeat(None));
            let conditions = open_conditions(&rule.json);
            let conditions = conditions.iter().zip(reasons);
            let conditions = conditions
                .map(|(part, otherwise)| (outline.condition(part, &residual), otherwise))
                .collect();
            let rule = Arc::clone(rule);
            outline.rules.push(Arc::new(OutlinedRule { rule, targets, heads, conditions }));
        }
        outline
    }

    /// What a head says beside the action.
    fn heads(&mut self, rule: &Rule, residual: &Residual<'_>) -> Vec<Part> {
        let mut heads = Vec::new();
        for part in parts(&rule.json) {
            let says = |name: &str| {
                part.get(name).is_some_and(|own| own.get("op") != Some(&Value::from("All")))
            };
            if says("principal") {
                let place = self.ground.place(&part);
                heads.push(place.map_or(Part::Fixed(Test::Fails), Part::Ground));
            } else if says("resource") {
                heads.push(Part::Fixed(residual.of_resource_head(&part)));
            }
        }
        heads
    }

    fn condition(&mut self, part: &Value, residual: &Residual<'_>) -> Result<Part, Unplannable> {
        let condition = part.get("conditions").and_then(|all| all.get(0)).ok_or(Unplannable)?;
        let body = condition.get("body").ok_or(Unplannable)?;
        match condition.get("kind").and_then(Value::as_str) {
            Some("when") => self.part(body, residual),
            Some("unless") => Ok(Part::Not(Box::new(self.part(body, residual)?))),
            Some(_) | None => Err(Unplannable),
        }
    }

    fn part(&mut self, expression: &Value, residual: &Residual<'_>) -> Result<Part, Unplannable> {
        let whole = when(expression);
        let open = open_dims(expression);
        let of_ground = dims_of(&whole).iter().any(|dim| !OPEN.contains(dim));
        if !of_ground && !open.contains(&Dim::Relation) {
            return residual.test(expression).map(Part::Fixed);
        }
        let place = match open.as_slice() {
            [] => self.ground.place(&whole).map(Part::Ground),
            [Dim::Relation] => self.relations.place(&whole).map(Part::Relation),
            _ => None,
        };
        match place {
            Some(part) => Ok(part),
            None => self
                .joined(expression, residual)
                .unwrap_or_else(|| Ok(Part::Deferred(expression.clone()))),
        }
    }

    /// The parts of an expression that joins others; `None` for any other.
    fn joined(
        &mut self,
        expression: &Value,
        residual: &Residual<'_>,
    ) -> Option<Result<Part, Unplannable>> {
        let (operator, operands) = operator(expression)?;
        let mut part = |name: &str| self.part(operands.get(name).ok_or(Unplannable)?, residual);
        let joined = match operator {
            "&&" => part("left").and_then(|left| Ok(Part::All(vec![left, part("right")?]))),
            "||" => part("left").and_then(|left| Ok(Part::Any(vec![left, part("right")?]))),
            "!" => part("arg").map(|arg| Part::Not(Box::new(arg))),
            "if-then-else" => part("if").and_then(|condition| {
                let then = Part::All(vec![condition, part("then")?]);
                let otherwise = Part::Not(Box::new(part("if")?));
                Ok(Part::Any(vec![then, Part::All(vec![otherwise, part("else")?])]))
            }),
            _ => return None,
        };
        Some(joined)
    }

    /// The policies that can apply to whoever asks like this.
    pub(super) fn slice(&self, ground: &OrgQuestion) -> Arc<Slice> {
        let key = SliceKey {
            service: matches!(ground.subject, OrgSubject::Service(_)),
            mode: ground.mode,
            roles: roles_held(ground),
        };
        if let Some(known) = self.slices.get(&key) {
            return known;
        }
        let rules: Vec<Arc<OutlinedRule>> =
            self.rules.iter().filter(|own| key.lets(&own.rule)).cloned().collect();
        let (mut ground, mut relations) = (Vec::new(), Vec::new());
        for own in &rules {
            let conditions = own.conditions.iter().filter_map(|(part, _)| part.as_ref().ok());
            for part in own.heads.iter().chain(conditions) {
                part.places(&mut ground, &mut relations);
            }
        }
        let slice = Arc::new(Slice {
            rules,
            ground: self.ground.asked(ground),
            relations: self.relations.asked(relations),
        });
        self.slices.insert(key, Arc::clone(&slice));
        slice
    }
}

impl SliceKey {
    fn lets(self, rule: &Rule) -> bool {
        let head = &rule.head;
        let subject = if self.service { head.service } else { head.person };
        subject
            && head.role.is_none_or(|role| self.roles.contains(role))
            && head.modes.contains(self.mode)
    }
}

impl Part {
    fn places(&self, ground: &mut Vec<usize>, relations: &mut Vec<usize>) {
        match self {
            Self::Fixed(_) | Self::Deferred(_) => {}
            Self::Ground(place) => ground.push(*place),
            Self::Relation(place) => relations.push(*place),
            Self::Not(other) => other.places(ground, relations),
            Self::All(parts) | Self::Any(parts) => {
                for own in parts {
                    own.places(ground, relations);
                }
            }
        }
    }
}
