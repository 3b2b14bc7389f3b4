//! Checks a set as a whole: its tests, what its policies can ever do, and the invariants.

use std::collections::BTreeSet;
use std::sync::Arc;

use proviso_core::decision::Effect;
use proviso_core::org::{OrgAnswer, PolicyName};
use serde::Serialize;

use super::atom::{Atom, AtomError, Named, Tables, Truth, names_in, parts};
use super::compile::{PolicySet, Rule};
use super::describe::{describe_question, reasons};
use super::domain::{Domain, Point};
use super::finding::{Finding, FindingCode};
use super::invariant::{Invariant, Must};
use super::scenario::Scenario;
use super::solve::{Found, Query, solve};

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many policies there are.
    pub policies: usize,
    /// How many tests were run.
    pub tests: usize,
    /// How many invariants were checked.
    pub invariants: usize,
    /// What was found, errors first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the set can come into force.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

/// A policy with the tables of its parts.
pub(super) struct Tabled {
    pub(super) rule: Arc<Rule>,
    pub(super) atoms: Vec<Arc<Atom>>,
}

impl Tabled {
    /// Whether it applies at a point: every part is true.
    pub(super) fn applies(&self, point: &Point) -> bool {
        self.atoms.iter().all(|atom| atom.at(point) == Truth::True)
    }
}

impl PolicySet {
    /// Runs the tests alone.
    pub fn test(&self) -> Report {
        let mut findings = Vec::new();
        for scenario in &self.scenarios {
            findings.extend(self.run(scenario));
        }
        self.report(findings, 0)
    }

    /// Runs the tests, looks for policies that can do nothing or fail, and checks the invariants.
    pub fn check(&self) -> Report {
        let mut findings = Vec::new();
        for scenario in &self.scenarios {
            findings.extend(self.run(scenario));
        }
        self.uncovered(&mut findings);
        for rule in self.unplannable() {
            let text = "looks at the record in a way that cannot be worked out ahead; compare \
                        `resource.type`, `resource.categories` and `resource.kinds` with lists of \
                        words, one operator at a time";
            findings.push(Finding::new(FindingCode::Unplannable, Some(&rule.place), text));
        }
        let Some(domain) = Domain::new(&self.names()) else {
            let text = "names too many types, departments, places or numbers to be checked";
            findings.push(Finding::new(FindingCode::TooWide, None, text));
            return self.report(findings, 0);
        };
        match self.tabled(&mut Tables::new(&domain, &self.words), &mut findings) {
            None => self.report(findings, 0),
            Some(tabled) => {
                let analysis = Analysis::new(&domain, &tabled);
                analysis.policies(&mut findings);
                for invariant in Invariant::ALL {
                    findings.extend(analysis.invariant(*invariant));
                }
                self.report(findings, Invariant::ALL.len())
            }
        }
    }

    fn report(&self, mut findings: Vec<Finding>, invariants: usize) -> Report {
        findings.sort();
        findings.dedup();
        Report { policies: self.rules.len(), tests: self.scenarios.len(), invariants, findings }
    }

    /// Everything that the policies name and no closed list has.
    pub(super) fn names(&self) -> Named {
        let mut names = Named::default();
        for rule in &self.rules {
            names_in(&rule.json, &mut names);
        }
        names
    }

    /// The policies with their tables; `None` when one cannot be tabled.
    pub(super) fn tabled(
        &self,
        tables: &mut Tables<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Vec<Tabled>> {
        let mut ready = Vec::new();
        for rule in &self.rules {
            let atoms: Result<Vec<Arc<Atom>>, AtomError> =
                parts(&rule.json).iter().map(|part| tables.atom(part)).collect();
            match atoms {
                Ok(atoms) => ready.push(Tabled { rule: Arc::clone(rule), atoms }),
                Err(why) => {
                    let text = match why {
                        AtomError::TooWide => {
                            "has a condition that looks at too many facts at once to be checked; \
                             write it as several `when`"
                        }
                        AtomError::Broken => "has a condition that cannot be checked by itself",
                    };
                    findings.push(Finding::new(FindingCode::TooWide, Some(&rule.place), text));
                }
            }
        }
        (ready.len() == self.rules.len()).then_some(ready)
    }

    fn run(&self, scenario: &Scenario) -> Option<Finding> {
        let answer = self.evaluate(&scenario.question);
        let wrong = differs(scenario, &answer)?;
        let finding = Finding::new(FindingCode::TestFails, Some(&scenario.place), wrong);
        Some(finding.with_case(describe_question(&scenario.question)))
    }

    /// Policies that no test shows at work.
    fn uncovered(&self, findings: &mut Vec<Finding>) {
        let shown: BTreeSet<PolicyName> = self
            .scenarios
            .iter()
            .flat_map(|scenario| self.evaluate(&scenario.question).determining)
            .collect();
        for rule in self.rules.iter().filter(|rule| !shown.contains(&rule.name)) {
            let (code, text) = match rule.effect {
                Effect::Permit => (FindingCode::Untested, "permits, and no test shows it"),
                Effect::Deny => (FindingCode::UntestedLimit, "forbids, and no test shows it"),
            };
            findings.push(Finding::new(code, Some(&rule.place), text));
        }
    }
}

fn differs(scenario: &Scenario, answer: &OrgAnswer) -> Option<String> {
    let word = |effect| if effect == Effect::Permit { "permit" } else { "deny" };
    let by = |names: &BTreeSet<PolicyName>| {
        let names: Vec<&str> = names.iter().map(PolicyName::as_str).collect();
        if names.is_empty() { "no policy".to_owned() } else { names.join(" and ") }
    };
    if scenario.expect != answer.effect {
        return Some(format!(
            "expects {}, and {} ({}) by {}",
            word(scenario.expect),
            word(answer.effect),
            reasons(&answer.reasons),
            by(&answer.determining)
        ));
    }
    if scenario.reasons != answer.reasons {
        let (wanted, got) = (reasons(&scenario.reasons), reasons(&answer.reasons));
        return Some(format!("expects the reasons {wanted}, and they are {got}"));
    }
    if let Some(wanted) = &scenario.by
        && *wanted != answer.determining
    {
        let (wanted, got) = (by(wanted), by(&answer.determining));
        return Some(format!("expects a decision by {wanted}, and it is by {got}"));
    }
    if let Some(wanted) = &scenario.obligations
        && *wanted != answer.obligations
    {
        return Some(format!("expects {wanted:?}, and it comes with {:?}", answer.obligations));
    }
    None
}

/// The tables of a set, ready to be searched.
pub(super) struct Analysis<'a> {
    domain: &'a Domain,
    permits: Vec<&'a Tabled>,
    forbids: Vec<&'a Tabled>,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(domain: &'a Domain, tabled: &'a [Tabled]) -> Self {
        let of = |effect| tabled.iter().filter(move |own| own.rule.effect == effect).collect();
        Self { domain, permits: of(Effect::Permit), forbids: of(Effect::Deny) }
    }

    fn absent(policies: &[&'a Tabled]) -> Vec<&'a [Arc<Atom>]> {
        policies.iter().map(|own| own.atoms.as_slice()).collect()
    }

    /// What policies can do at all.
    pub(super) fn policies(&self, findings: &mut Vec<Finding>) {
        let solve = |query: &Query<'_>| solve(self.domain, query);
        for own in self.permits.iter().chain(&self.forbids) {
            findings.extend(self.can_fail(own));
            let applies = solve(&Query { hold: own.atoms.iter().collect(), ..Query::default() });
            let text = "can never apply";
            let never = finding(FindingCode::NeverApplies, own, applies, text);
            if never.is_some() {
                findings.extend(never);
                continue;
            }
            findings.extend(match own.rule.effect {
                Effect::Permit => self.permit(own),
                Effect::Deny => self.forbid(own),
            });
        }
    }

    fn permit(&self, own: &'a Tabled) -> Option<Finding> {
        let mut query = Query {
            hold: own.atoms.iter().collect(),
            absent: Self::absent(&self.forbids),
            ..Query::default()
        };
        let found = solve(self.domain, &query);
        let text = "is always overridden: everything it permits, other policies forbid";
        let overridden = finding(FindingCode::AlwaysOverridden, own, found, text);
        if overridden.is_some() {
            return overridden;
        }
        let others = self.permits.iter().filter(|other| other.rule.name != own.rule.name);
        query.absent.extend(others.map(|other| other.atoms.as_slice()));
        let found = solve(self.domain, &query);
        let text = "adds nothing: everything it permits, other policies permit as well";
        finding(FindingCode::AddsNothing, own, found, text)
    }

    /// A forbid that meets no permit is a warning: limits are also there for permits to come.
    fn forbid(&self, own: &'a Tabled) -> Option<Finding> {
        let met = self.permits.iter().any(|permit| {
            let hold = own.atoms.iter().chain(&permit.atoms).collect();
            solve(self.domain, &Query { hold, ..Query::default() }) != Found::None
        });
        let text = "forbids nothing that any policy permits";
        (!met).then(|| Finding::new(FindingCode::ForbidsNothing, Some(&own.rule.place), text))
    }

    fn can_fail(&self, own: &'a Tabled) -> Option<Finding> {
        own.atoms.iter().enumerate().find_map(|(place, atom)| {
            let hold = own.atoms.iter().take(place).collect();
            match solve(self.domain, &Query { hold, fault: Some(atom), ..Query::default() }) {
                Found::None => None,
                Found::Undecided => Some(undecided(own)),
                Found::Case(point) => {
                    let text = "can fail while it is evaluated, which denies";
                    let found = Finding::new(FindingCode::CanFail, Some(&own.rule.place), text);
                    Some(found.with_case(self.case(&point)))
                }
            }
        })
    }

    fn case(&self, point: &Point) -> String {
        describe_question(&self.domain.question(point))
    }

    pub(super) fn invariant(&self, invariant: Invariant) -> Vec<Finding> {
        let regions = invariant.regions(self.domain);
        let findings = regions.iter().flat_map(|given| match invariant.must() {
            Must::Deny => self.denied(invariant, given),
            Must::Permit => self.permitted(invariant, given),
        });
        findings.collect()
    }

    /// Every permit that applies somewhere in the region without being forbidden breaks it.
    fn denied(&self, invariant: Invariant, given: &[(super::domain::Dim, u64)]) -> Vec<Finding> {
        let breaks = |own: &&'a Tabled| {
            let query = Query {
                given: given.to_vec(),
                hold: own.atoms.iter().collect(),
                absent: Self::absent(&self.forbids),
                ..Query::default()
            };
            self.broken(invariant, own, solve(self.domain, &query))
        };
        self.permits.iter().filter_map(breaks).collect()
    }

    /// It is broken where a policy forbids, and where no policy permits.
    fn permitted(&self, invariant: Invariant, given: &[(super::domain::Dim, u64)]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .forbids
            .iter()
            .filter_map(|own| {
                let hold = own.atoms.iter().collect();
                let query = Query { given: given.to_vec(), hold, ..Query::default() };
                self.broken(invariant, own, solve(self.domain, &query))
            })
            .collect();
        let absent = Self::absent(&self.permits);
        let query = Query { given: given.to_vec(), absent, ..Query::default() };
        match solve(self.domain, &query) {
            Found::None => {}
            Found::Undecided => findings.push(Finding::new(
                FindingCode::TooWide,
                None,
                format!("could not be decided: {}", invariant.sentence()),
            )),
            Found::Case(point) => {
                let text = format!("no policy permits what must be: {}", invariant.sentence());
                let found = Finding::new(FindingCode::InvariantBroken, None, text);
                findings.push(found.with_case(self.case(&point)));
            }
        }
        findings
    }

    fn broken(&self, invariant: Invariant, own: &Tabled, found: Found) -> Option<Finding> {
        match found {
            Found::None => None,
            Found::Undecided => Some(undecided(own)),
            Found::Case(point) => {
                let text = format!("breaks \"{}\"", invariant.sentence());
                let place = Some(&own.rule.place);
                let found = Finding::new(FindingCode::InvariantBroken, place, text);
                Some(found.with_case(self.case(&point)))
            }
        }
    }
}

/// What is wrong when a search for a case finds none.
fn finding(code: FindingCode, tabled: &Tabled, found: Found, text: &str) -> Option<Finding> {
    let place = Some(&tabled.rule.place);
    match found {
        Found::None => Some(Finding::new(code, place, text)),
        Found::Case(_) => None,
        Found::Undecided => Some(undecided(tabled)),
    }
}

fn undecided(tabled: &Tabled) -> Finding {
    let text = "could not be decided: the search took too many steps";
    Finding::new(FindingCode::TooWide, Some(&tabled.rule.place), text)
}
