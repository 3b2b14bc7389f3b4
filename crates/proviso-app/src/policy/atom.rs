//! A policy taken apart: it applies where each of its parts is true, and each part looks at few
//! facts. The truth of a part over the values of those facts is a small table, filled by Cedar
//! itself, from which whole policies are reasoned about without asking Cedar again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{Authorizer, Decision, Policy, PolicyId};
use proviso_core::org::{Department, Place};
use proviso_core::resource_type::ResourceType;
use serde_json::Value;

use super::ask::Words;
use super::domain::{DIMS, Dim, Domain, Point};

/// LIMIT: a part whose facts have more combinations than this is not tabled.
const MAX_TABLE: usize = 100_000;

/// What a set names that no closed list has.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub(super) departments: BTreeSet<Department>,
    pub(super) places: BTreeSet<Place>,
    pub(super) types: BTreeSet<ResourceType>,
    pub(super) longs: BTreeSet<i64>,
}

/// What one part says at one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Fault,
}

/// One part of a policy.
#[derive(Debug)]
pub(super) struct Atom {
    /// The facts it looks at.
    pub(super) dims: Vec<Dim>,
    /// Its truth at every combination, the last fact counting fastest.
    table: Vec<Truth>,
    sizes: Vec<usize>,
}

/// Why a part cannot be tabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtomError {
    /// It looks at too many facts at once.
    TooWide,
    /// Cedar does not take the part by itself.
    Broken,
}

impl Atom {
    /// What it says, given the values of its facts.
    pub(super) fn at(&self, point: &Point) -> Truth {
        let mut place = 0;
        for (dim, size) in self.dims.iter().zip(&self.sizes) {
            place = place * size + point.get(*dim);
        }
        // A point outside the table is one that nobody thought of.
        self.table.get(place).copied().unwrap_or(Truth::Fault)
    }
}

/// The parts of a policy in Cedar's JSON form, in the order in which Cedar evaluates them: the
/// three of its head, then its conditions.
pub(super) fn parts(policy: &Value) -> Vec<Value> {
    let all = serde_json::json!({ "op": "All" });
    let bare = |name: &str, value: &Value| {
        let mut part = serde_json::json!({
            "effect": "permit", "principal": all, "action": all, "resource": all, "conditions": [],
        });
        if let Some(part) = part.as_object_mut() {
            part.insert(name.to_owned(), value.clone());
        }
        part
    };
    let heads = ["principal", "action", "resource"].into_iter().filter_map(|name| {
        let head = policy.get(name)?;
        (*head != all).then(|| bare(name, head))
    });
    let conditions = policy.get("conditions").and_then(Value::as_array);
    let conditions = conditions
        .into_iter()
        .flatten()
        .map(|condition| bare("conditions", &Value::Array(vec![condition.clone()])));
    heads.chain(conditions).collect()
}

/// The facts that a part looks at.
pub(super) fn dims_of(part: &Value) -> Vec<Dim> {
    let mut found = BTreeSet::new();
    let head = |name: &str| part.get(name).is_some_and(|own| own.get("op") != Some(&"All".into()));
    if head("principal") {
        looks_at("principal", None, &mut found);
    }
    if head("action") {
        looks_at("action", None, &mut found);
    }
    if head("resource") {
        found.insert(Dim::Record);
    }
    if let Some(conditions) = part.get("conditions") {
        walk(conditions, &mut found);
    }
    // Departments are told apart only by naming one or by asking where they come from.
    let text = part.to_string();
    if !text.contains("\"Department\"") && !text.contains("\"departmentsFrom\"") {
        found.remove(&Dim::Departments);
    }
    found.into_iter().collect()
}

fn walk(expression: &Value, found: &mut BTreeSet<Dim>) {
    match expression {
        Value::Object(fields) => {
            for (operator, operand) in fields {
                if operator == "Var" {
                    looks_at(operand.as_str().unwrap_or_default(), None, found);
                    continue;
                }
                let of = operand.get("left").and_then(|left| left.get("Var"));
                let attribute = operand.get("attr").and_then(Value::as_str);
                if let (Some(of), Some(attribute)) = (of.and_then(Value::as_str), attribute)
                    && matches!(operator.as_str(), "." | "has")
                {
                    looks_at(of, Some(attribute), found);
                } else {
                    walk(operand, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Which facts are behind an attribute of a variable, or behind the variable as a whole. What is
/// not known here might be anything.
fn looks_at(variable: &str, attribute: Option<&str>, found: &mut BTreeSet<Dim>) {
    let dims: &[Dim] = match (variable, attribute) {
        ("principal", Some("kind")) => &[Dim::Persona],
        ("principal", Some("rolesFrom")) => &[Dim::RoleFacts],
        ("principal", Some("departmentsFrom")) => &[Dim::Persona, Dim::Departments],
        ("principal", _) => &[Dim::Persona, Dim::RoleFacts, Dim::Departments, Dim::Mode],
        ("action", _) => &[Dim::Action],
        ("resource", Some("type" | "categories")) => &[Dim::Record],
        ("resource", _) => &[Dim::Record, Dim::Labels],
        ("context", Some("mode")) => &[Dim::Mode],
        ("context", Some("purpose")) => &[Dim::Purpose],
        ("context", Some("ownTenant")) => &[Dim::Tenant],
        ("context", Some("tokenReaches")) => &[Dim::Token],
        ("context", Some("named")) => &[Dim::Named],
        (
            "context",
            Some("self" | "proxy" | "care" | "shift" | "covering" | "consult" | "protocol"),
        ) => &[Dim::Relation],
        ("context", Some("network")) => &[Dim::Network],
        ("context", Some("place" | "placeFrom")) => &[Dim::Place],
        ("context", Some("device" | "deviceFrom")) => &[Dim::Device],
        ("context", Some("acr")) => &[Dim::Auth],
        ("context", Some("hour")) => &[Dim::Hour],
        ("context", Some("weekday")) => &[Dim::Weekday],
        ("context", Some("emergency")) => &[Dim::Emergency, Dim::Minutes, Dim::EmergencyPatient],
        (_, _) => &DIMS,
    };
    found.extend(dims);
}

/// Notes what an expression names.
pub(super) fn names_in(expression: &Value, names: &mut Named) {
    match expression {
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            if let (Some(of), Some(id)) = (text("type"), text("id")) {
                match of {
                    "Department" => names.departments.extend(id.parse::<Department>()),
                    "Type" => names.types.extend(id.parse::<ResourceType>()),
                    _ => {}
                }
            }
            if let Some(value) = fields.get("Value") {
                names.places.extend(value.as_str().and_then(|text| text.parse::<Place>().ok()));
                names.longs.extend(value.as_i64());
            }
            fields.values().for_each(|value| names_in(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Makes the tables, each part once however many policies have it.
pub(super) struct Tables<'a> {
    domain: &'a Domain,
    words: &'a Words,
    authorizer: Authorizer,
    known: HashMap<String, Result<Arc<Atom>, AtomError>>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(domain: &'a Domain, words: &'a Words) -> Self {
        Self { domain, words, authorizer: Authorizer::new(), known: HashMap::new() }
    }

    /// The table of a part.
    pub(super) fn atom(&mut self, part: &Value) -> Result<Arc<Atom>, AtomError> {
        let text = part.to_string();
        if let Some(known) = self.known.get(&text) {
            return known.clone();
        }
        let made = self.fill(part).map(Arc::new);
        self.known.insert(text, made.clone());
        made
    }

    fn fill(&self, part: &Value) -> Result<Atom, AtomError> {
        let dims = dims_of(part);
        let sizes: Vec<usize> = dims.iter().map(|dim| self.domain.size(*dim)).collect();
        let total = sizes
            .iter()
            .try_fold(1_usize, |total, size| total.checked_mul(*size))
            .filter(|total| *total <= MAX_TABLE)
            .ok_or(AtomError::TooWide)?;
        let single = single(part.clone())?;
        let table = (0..total)
            .map(|place| {
                let mut point = Domain::ordinary();
                let mut rest = place;
                for (dim, size) in dims.iter().zip(&sizes).rev() {
                    point.set(*dim, rest % size);
                    rest /= size;
                }
                self.ask(&single, &point)
            })
            .collect();
        Ok(Atom { dims, table, sizes })
    }

    fn ask(&self, single: &cedar_policy::PolicySet, point: &Point) -> Truth {
        let Ok((request, entities)) = self.words.ask(&self.domain.question(point), None) else {
            return Truth::Fault;
        };
        let response = self.authorizer.is_authorized(&request, single, &entities);
        match response.decision() {
            _ if response.diagnostics().errors().next().is_some() => Truth::Fault,
            Decision::Allow => Truth::True,
            Decision::Deny => Truth::False,
        }
    }
}

/// A set of one policy: the part, as a permit.
pub(super) fn single(part: Value) -> Result<cedar_policy::PolicySet, AtomError> {
    let policy = Policy::from_json(Some(PolicyId::new("part")), part);
    let policy = policy.map_err(|_| AtomError::Broken)?;
    cedar_policy::PolicySet::from_policies([policy]).map_err(|_| AtomError::Broken)
}

/// The facts that several parts look at.
pub(super) fn dims_among<'a>(atoms: impl IntoIterator<Item = &'a Arc<Atom>>) -> BTreeSet<Dim> {
    atoms.into_iter().flat_map(|atom| atom.dims.iter().copied()).collect()
}
