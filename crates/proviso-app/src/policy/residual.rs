//! From a set to the rules for one who asks: what is known of the person and the place is worked in,
//! and what is left is tests on the purpose, the action, the relation and the record
//! ([`OrgRules`]).
//!
//! Cedar itself says what every part means that does not look at the record; of parts that do, only
//! the operators between them are read here, and sets that they compare with are asked of Cedar
//! member by member. A part that cannot be read this way keeps its policy from permitting, and lets
//! it forbid: nothing is opened by what is not understood. A set with such a part does not come into
//! force ([`FindingCode::Unplannable`](super::FindingCode::Unplannable)).

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Authorizer, Decision};
use proviso_core::category::{Category, CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::decision::Effect;
use proviso_core::org::{
    Condition, OrgAction, OrgQuestion, OrgResource, OrgRules, RecordKind, Related, RuleInForce,
    RuleTarget, RuleTargetSet, SetTest, Test, Truth, standings_of,
};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use serde_json::{Value, json};

use super::atom::dims_of;
use super::compile::{PolicySet, Rule, open_conditions};
use super::domain::Dim;
use super::outline::{OutlinedRule, Part};

/// What is not known before a record is looked at.
pub(super) const OPEN: [Dim; 5] =
    [Dim::Purpose, Dim::Action, Dim::Relation, Dim::Record, Dim::Labels];

/// A part that cannot be read without asking Cedar about each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unplannable;

impl PolicySet {
    /// The rules of this set for one who asks, who is related to patients in these ways.
    ///
    /// `ground` says who asks and from where, and in which mode. What it costs grows with the policies
    /// that could apply to somebody with these roles, and with the ways.
    pub fn rules_for(
        &self,
        ground: &OrgQuestion,
        ways: impl IntoIterator<Item = Related>,
    ) -> OrgRules {
        let standings = standings_of(ways);
        let slice = self.outline().slice(ground);
        let towards = |related: &Related| {
            slice.relations.ask(self, &OrgQuestion { related: related.clone(), ..ground.clone() })
        };
        let known = Known {
            ground: slice.ground.ask(self, ground),
            relations: standings.iter().map(towards).collect(),
        };
        let residual = Residual { set: self, ground, standings: &standings };
        let rules = slice.rules.iter().filter_map(|own| residual.rule(own, &known)).collect();
        OrgRules { standings, rules }
    }

    /// The policies that no rules can be made of.
    pub(super) fn unplannable(&self) -> Vec<&Arc<Rule>> {
        let Ok(somebody) = "acc_somebody".parse() else { return Vec::new() };
        let ground = OrgQuestion::of_account(
            somebody,
            proviso_core::account::ActorKind::Staff,
            proviso_core::org::Mode::Operational,
        );
        let standings = standings_of([]);
        let residual = Residual { set: self, ground: &ground, standings: &standings };
        let fails = |rule: &&Arc<Rule>| {
            let about_records = rule.head.reach.record || rule.head.reach.directory;
            let mut bodies = open_conditions(&rule.json).into_iter();
            about_records && bodies.any(|part| residual.condition(&part).is_err())
        };
        self.rules.iter().filter(fails).collect()
    }
}

/// A set asked part by part, on some ground.
pub(super) struct Residual<'a> {
    pub(super) set: &'a PolicySet,
    pub(super) ground: &'a OrgQuestion,
    pub(super) standings: &'a [Related],
}

/// An expression as a part of a policy.
pub(super) fn when(body: &Value) -> Value {
    let all = json!({ "op": "All" });
    json!({
        "effect": "permit", "principal": all, "action": all, "resource": all,
        "conditions": [{ "kind": "when", "body": body }],
    })
}

/// The facts behind an expression that are still open.
pub(super) fn open_dims(expression: &Value) -> Vec<Dim> {
    dims_of(&when(expression)).into_iter().filter(|dim| OPEN.contains(dim)).collect()
}

/// An operator with its operands.
pub(super) fn operator(expression: &Value) -> Option<(&str, &Value)> {
    let (operator, operands) = expression.as_object()?.iter().next()?;
    Some((operator, operands))
}

/// The attribute of the resource that an expression is, if it is one.
fn of_resource(expression: &Value) -> Option<&str> {
    let (".", access) = operator(expression)? else { return None };
    let of = access.get("left")?.get("Var")?.as_str()?;
    (of == "resource").then(|| access.get("attr")?.as_str()).flatten()
}

fn is_resource(expression: &Value) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some("resource")
}

fn word(of: &str, id: &str) -> Value {
    json!({ "Value": { "__entity": { "type": of, "id": id } } })
}

/// What the parts that are asked of Cedar once for each ground came to, by their places.
struct Known {
    ground: Vec<Truth>,
    /// Towards each way of being related.
    relations: Vec<Vec<Truth>>,
}

impl Known {
    fn at(truths: &[Truth], place: usize) -> Truth {
        truths.get(place).copied().unwrap_or(Truth::Fault)
    }
}

impl Residual<'_> {
    fn rule(&self, outlined: &OutlinedRule, known: &Known) -> Option<RuleInForce> {
        let rule = &outlined.rule;
        let mut conditions: Vec<Condition> = outlined
            .heads
            .iter()
            .map(|head| Condition {
                test: self.resolve(head, known).unwrap_or(Test::Fails),
                otherwise: None,
            })
            .collect();
        for (part, otherwise) in &outlined.conditions {
            let test = part.as_ref().map_err(|own| *own).and_then(|own| self.resolve(own, known));
            let otherwise = *otherwise;
            conditions.push(match (test, rule.effect) {
                (Ok(test), _) => Condition { test, otherwise },
                (Err(Unplannable), Effect::Permit) => {
                    Condition { test: Test::Never, otherwise: Some(ReasonCode::PolicyFault) }
                }
                (Err(Unplannable), Effect::Deny) => Condition { test: Test::Always, otherwise },
            });
        }
        conditions.retain(|own| own.test != Test::Always);
        // A limit that does not touch whoever asks tells nothing.
        if rule.effect == Effect::Deny
            && conditions.first().is_some_and(|own| own.test == Test::Never)
        {
            return None;
        }
        Some(RuleInForce {
            name: rule.name.clone(),
            effect: rule.effect,
            reason: rule.reason,
            actions: rule.head.actions,
            targets: outlined.targets,
            when: conditions,
            obligations: rule.obligations.clone(),
        })
    }

    /// The test that a part comes to on this ground.
    fn resolve(&self, part: &Part, known: &Known) -> Result<Test, Unplannable> {
        let each = |parts: &[Part]| -> Result<Vec<Test>, Unplannable> {
            parts.iter().map(|own| self.resolve(own, known)).collect()
        };
        Ok(match part {
            Part::Fixed(test) => test.clone(),
            Part::Ground(place) => settled(Known::at(&known.ground, *place)),
            Part::Relation(place) => {
                of_relation(known.relations.iter().map(|truths| Known::at(truths, *place)))
            }
            Part::Deferred(expression) => self.test(expression)?,
            Part::Not(other) => not(self.resolve(other, known)?),
            Part::All(parts) => all(each(parts)?),
            Part::Any(parts) => any(each(parts)?),
        })
    }

    /// What a head says of the resource.
    pub(super) fn of_resource_head(&self, part: &Value) -> Test {
        let about = |target: RuleTarget| {
            self.truth_of(part, |question| {
                question.resource = match target {
                    RuleTarget::Record => OrgResource::Record(RecordKind {
                        resource_type: ResourceType::BASIC,
                        categories: CategorySet::EMPTY,
                        labels: proviso_core::decision::Labels::Unclassified,
                    }),
                    RuleTarget::Directory => OrgResource::Directory(ResourceType::BASIC),
                };
            })
        };
        let truths = RuleTarget::ALL.iter().map(|target| (*target, about(*target)));
        by_value(truths, Test::Target)
    }

    fn condition(&self, part: &Value) -> Result<Test, Unplannable> {
        let condition = part.get("conditions").and_then(|all| all.get(0)).ok_or(Unplannable)?;
        let body = condition.get("body").ok_or(Unplannable)?;
        match condition.get("kind").and_then(Value::as_str) {
            Some("when") => self.test(body),
            Some("unless") => Ok(not(self.test(body)?)),
            Some(_) | None => Err(Unplannable),
        }
    }

    fn truth_of(&self, part: &Value, change: impl FnOnce(&mut OrgQuestion)) -> Truth {
        let Some(policies) = self.set.engine.part(part) else { return Truth::Fault };
        let mut question = self.ground.clone();
        change(&mut question);
        let Ok((request, entities)) = self.set.words.ask(&question, None) else {
            return Truth::Fault;
        };
        let response = Authorizer::new().is_authorized(&request, &policies, &entities);
        match response.decision() {
            _ if response.diagnostics().errors().next().is_some() => Truth::Fault,
            Decision::Allow => Truth::True,
            Decision::Deny => Truth::False,
        }
    }

    /// The test that an expression comes to, asked of Cedar for every value of what is open.
    pub(super) fn test(&self, expression: &Value) -> Result<Test, Unplannable> {
        let truth = |change: &dyn Fn(&mut OrgQuestion)| self.truth_of(&when(expression), change);
        match open_dims(expression).as_slice() {
            [] => Ok(settled(truth(&|_| {}))),
            [Dim::Purpose] => {
                let all = PurposeOfUse::ALL.iter();
                let truths = all.map(|own| (*own, truth(&|question| question.purpose = *own)));
                Ok(by_value(truths, Test::Purpose))
            }
            [Dim::Action] => {
                let all = OrgAction::ALL.iter();
                let truths = all.map(|own| (*own, truth(&|question| question.action = *own)));
                Ok(by_value(truths, Test::Action))
            }
            [Dim::Relation] => {
                let towards =
                    |related: &Related| truth(&|question| question.related.clone_from(related));
                Ok(of_relation(self.standings.iter().map(towards)))
            }
            _ => self.operation(expression),
        }
    }

    fn operation(&self, expression: &Value) -> Result<Test, Unplannable> {
        if of_resource(expression) == Some("labelled") {
            return Ok(Test::Labelled);
        }
        let (operator, operands) = operator(expression).ok_or(Unplannable)?;
        let operand = |name: &str| operands.get(name).ok_or(Unplannable);
        match operator {
            "&&" => Ok(all(vec![self.test(operand("left")?)?, self.test(operand("right")?)?])),
            "||" => Ok(any(vec![self.test(operand("left")?)?, self.test(operand("right")?)?])),
            "!" => Ok(not(self.test(operand("arg")?)?)),
            "if-then-else" => {
                let (condition, then) = (self.test(operand("if")?)?, self.test(operand("then")?)?);
                let other = all(vec![not(condition.clone()), self.test(operand("else")?)?]);
                Ok(any(vec![all(vec![condition, then]), other]))
            }
            "is" if is_resource(operand("left")?) && operands.get("in").is_none() => {
                match operand("entity_type")?.as_str() {
                    Some("Record") => {
                        Ok(Test::Target(RuleTargetSet::EMPTY.with(RuleTarget::Record)))
                    }
                    Some("Directory") => {
                        Ok(Test::Target(RuleTargetSet::EMPTY.with(RuleTarget::Directory)))
                    }
                    Some(_) => Ok(Test::Never),
                    None => Err(Unplannable),
                }
            }
            "==" => self.equal(operand("left")?, operand("right")?),
            "!=" => Ok(not(self.equal(operand("left")?, operand("right")?)?)),
            "isEmpty" => {
                let attribute = of_resource(operand("arg")?).ok_or(Unplannable)?;
                sets(attribute, SetTest::Within, &[], &[])
            }
            "contains" | "containsAll" | "containsAny" => {
                self.contains(operator, operand("left")?, operand("right")?)
            }
            _ => Err(Unplannable),
        }
    }

    fn contains(&self, operator: &str, left: &Value, right: &Value) -> Result<Test, Unplannable> {
        match (of_resource(left), operator, of_resource(right)) {
            // One member, written as one.
            (Some(attribute), "contains", None) => {
                let set = json!({ "Set": [right] });
                self.compare(attribute, SetTest::HasAny, &set)
            }
            (Some(attribute), "containsAll", None) => {
                self.compare(attribute, SetTest::HasAll, right)
            }
            (Some(attribute), "containsAny", None) => {
                self.compare(attribute, SetTest::HasAny, right)
            }
            (None, "containsAll", Some(attribute)) => {
                self.compare(attribute, SetTest::Within, left)
            }
            (None, "containsAny", Some(attribute)) => {
                self.compare(attribute, SetTest::HasAny, left)
            }
            (None, "contains", Some("type")) => self.types(left),
            _ => Err(Unplannable),
        }
    }

    fn equal(&self, left: &Value, right: &Value) -> Result<Test, Unplannable> {
        match (of_resource(left), of_resource(right)) {
            (Some("type"), None) => self.types(&json!({ "Set": [right] })),
            (None, Some("type")) => self.types(&json!({ "Set": [left] })),
            (Some(attribute @ ("categories" | "kinds")), None) => self.same(attribute, right),
            (None, Some(attribute @ ("categories" | "kinds"))) => self.same(attribute, left),
            (Some("labelled"), None) => self.same_truth(right),
            (None, Some("labelled")) => self.same_truth(left),
            (_, _) => Err(Unplannable),
        }
    }

    fn same_truth(&self, other: &Value) -> Result<Test, Unplannable> {
        let other = self.test(other)?;
        let labelled = || Test::Labelled;
        let neither = all(vec![not(labelled()), not(other.clone())]);
        Ok(any(vec![all(vec![labelled(), other]), neither]))
    }

    fn same(&self, attribute: &str, set: &Value) -> Result<Test, Unplannable> {
        Ok(all(vec![
            self.compare(attribute, SetTest::HasAll, set)?,
            self.compare(attribute, SetTest::Within, set)?,
        ]))
    }

    /// The members of a set that does not depend on what is open, asked one by one.
    fn members<T: Copy>(
        &self,
        set: &Value,
        of: &str,
        values: impl Iterator<Item = (T, &'static str)>,
    ) -> Result<Vec<T>, Unplannable> {
        if !open_dims(set).is_empty() {
            return Err(Unplannable);
        }
        let mut found = Vec::new();
        for (value, code) in values {
            let asked = json!({ "contains": { "left": set, "right": word(of, code) } });
            match self.truth_of(&when(&asked), |_| {}) {
                Truth::True => found.push(value),
                Truth::False => {}
                Truth::Fault => return Err(Unplannable),
            }
        }
        Ok(found)
    }

    fn compare(&self, attribute: &str, test: SetTest, set: &Value) -> Result<Test, Unplannable> {
        let categories = || Category::ALL.iter().map(|own| (*own, own.code()));
        let kinds = || SensitiveKind::ALL.iter().map(|own| (*own, own.code()));
        match attribute {
            "categories" => {
                sets(attribute, test, &self.members(set, "Category", categories())?, &[])
            }
            "kinds" => sets(attribute, test, &[], &self.members(set, "SensitiveKind", kinds())?),
            _ => Err(Unplannable),
        }
    }

    fn types(&self, set: &Value) -> Result<Test, Unplannable> {
        let all = ResourceType::all().map(|own| (own, own.as_str()));
        Ok(Test::Type(self.members(set, "Type", all)?.into_iter().collect()))
    }
}

fn sets(
    attribute: &str,
    test: SetTest,
    categories: &[Category],
    kinds: &[SensitiveKind],
) -> Result<Test, Unplannable> {
    match attribute {
        "categories" => {
            Ok(Test::Categories(test, categories.iter().copied().collect::<CategorySet>()))
        }
        "kinds" => Ok(Test::Kinds(test, kinds.iter().copied().collect::<SensitiveSet>())),
        _ => Err(Unplannable),
    }
}

const fn settled(truth: Truth) -> Test {
    match truth {
        Truth::True => Test::Always,
        Truth::False => Test::Never,
        Truth::Fault => Test::Fails,
    }
}

/// The test of a part about the relation, by its truth towards each way of being related.
fn of_relation(truths: impl ExactSizeIterator<Item = Truth>) -> Test {
    let count = truths.len();
    let (mut holds, mut fails) = (BTreeSet::new(), BTreeSet::new());
    for (place, truth) in truths.enumerate() {
        let Ok(place) = u8::try_from(place) else { continue };
        match truth {
            Truth::True => holds.insert(place),
            Truth::Fault => fails.insert(place),
            Truth::False => false,
        };
    }
    let test = if holds.is_empty() {
        Test::Never
    } else if holds.len() == count {
        Test::Always
    } else {
        Test::Standing(holds)
    };
    if fails.is_empty() { test } else { any(vec![test, Test::StandingFails(fails)]) }
}

/// The test of a value of a closed list; where it fails for one, it fails.
fn by_value<T: Copy, S: FromIterator<T>>(
    truths: impl Iterator<Item = (T, Truth)>,
    test: impl FnOnce(S) -> Test,
) -> Test {
    let (mut holding, mut count) = (Vec::new(), 0_usize);
    for (value, truth) in truths {
        count += 1;
        match truth {
            Truth::True => holding.push(value),
            Truth::False => {}
            Truth::Fault => return Test::Fails,
        }
    }
    if holding.is_empty() {
        Test::Never
    } else if holding.len() == count {
        Test::Always
    } else {
        test(holding.into_iter().collect())
    }
}

fn not(test: Test) -> Test {
    if test == Test::Always {
        Test::Never
    } else if test == Test::Never {
        Test::Always
    } else if let Test::Not(other) = test {
        *other
    } else {
        Test::Not(Box::new(test))
    }
}

/// Each of them, with nested ones laid out and what is settled left out. Order and short cuts stay
/// as they are.
fn all(tests: Vec<Test>) -> Test {
    let mut kept = Vec::new();
    for test in tests {
        if test == Test::Never {
            kept.push(test);
            break;
        } else if let Test::All(inner) = test {
            kept.extend(inner);
        } else if test != Test::Always {
            kept.push(test);
        }
    }
    match kept.as_slice() {
        [] => Test::Always,
        [_] => kept.pop().unwrap_or(Test::Never),
        [Test::Never, ..] => Test::Never,
        _ => Test::All(kept),
    }
}

/// One of them, likewise.
fn any(tests: Vec<Test>) -> Test {
    let mut kept = Vec::new();
    for test in tests {
        if test == Test::Always {
            kept.push(test);
            break;
        } else if let Test::Any(inner) = test {
            kept.extend(inner);
        } else if test != Test::Never {
            kept.push(test);
        }
    }
    match kept.as_slice() {
        [] => Test::Never,
        [_] => kept.pop().unwrap_or(Test::Never),
        [Test::Always, ..] => Test::Always,
        _ => Test::Any(kept),
    }
}
