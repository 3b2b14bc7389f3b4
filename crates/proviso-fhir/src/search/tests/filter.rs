//! `_filter`: FHIR R4 `search_filter.html`.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proviso_core::resource_type::ResourceType;
use serde_json::Value;

use super::laws::{encoded, observation, patient, satisfies};
use super::{BASE, doc, matches, oracle, parse};
use crate::search::{Direction, Indexer, Joined, LookupKind, matches_scope_filter};

fn filtered(json: &str, expression: &str) -> bool {
    matches(json, &encoded(&[("_filter".to_string(), expression.to_string())]))
}

fn check(json: &str, rows: &[(&str, bool)]) {
    for (expression, expected) in rows {
        assert_eq!(filtered(json, expression), *expected, "{expression} on {json}");
    }
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"P1",
    "identifier":[{"system":"urn:mrn","value":"Ab-1"}],"active":true,"gender":"female",
    "name":[{"family":"Álvarez","given":["María (Mia) José"]}],"birthDate":"1980-02",
    "generalPractitioner":[{"reference":"Practitioner/d1"}]}"#;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o1","status":"final",
    "code":{"coding":[{"system":"http://loinc.org","code":"2339-0"},{"system":"urn:x","code":"G"}]},
    "subject":{"reference":"Patient/P1"},"effectivePeriod":{"start":"2020-03","end":"2020-05"},
    "valueQuantity":{"value":7.2,"system":"http://unitsofmeasure.org","code":"mmol/L"}}"#;

#[test]
fn each_operator_compares_as_the_table_says() {
    check(
        PATIENT,
        &[
            ("family eq alvarez", true),
            ("family eq alva", false),
            ("family ne alva", true),
            ("family ne ALVAREZ", false),
            ("family co VAR", true),
            ("family sw alv", true),
            ("family sw var", false),
            ("family ew REZ", true),
            ("family ew alv", false),
            ("given co \"(mia) j\"", true),
            ("given co \"x\\\"y\" or gender eq female", true),
            ("given co \"x\\\\\" or gender eq female", true),
            ("given co \"\\u0028mia\\u0029\"", true),
            ("gender eq FEMALE", true),
            ("gender ne male", true),
            ("gender ne female", false),
            ("identifier eq urn:mrn|aB-1", true),
            ("identifier eq urn:x|ab-1", false),
            ("_id eq P1", true),
            ("_id eq p1", false),
            ("active eq true", true),
            ("birthdate eq 1980", true),
            ("birthdate ge 1980-02", true),
            ("birthdate gt 1980-02", false),
            ("birthdate lt 1980-02-28", true),
            ("birthdate sa 1980-01", true),
            ("birthdate eb 1980-02", false),
            ("birthdate ne 1980", false),
            ("address-city pr true", false),
            ("address-city pr false", true),
            ("general-practitioner re Practitioner/d1", true),
            ("general-practitioner re Practitioner/d2", false),
            ("general-practitioner eq d1", true),
            ("general-practitioner ne Practitioner/d1", false),
        ],
    );
    check(
        OBSERVATION,
        &[
            ("code eq loinc|2339-0", true),
            ("code eq snomed|2339-0", false),
            ("code eq http://loinc.org|2339-0", true),
            ("code eq g", true),
            ("code ne g", true),
            ("status ne final", false),
            ("date po 2020-05-20", true),
            ("date po 2020-06", false),
            ("date po 2020-02", false),
            ("value-quantity gt 7.1", true),
            ("value-quantity lt 7.1|ucum|mmol/L", false),
            ("value-quantity ge 7.2|ucum|mmol/L", true),
            ("value-quantity ge 7.2|ucum|mg", false),
            ("value-quantity ge 7.2|ucum", true),
            ("value-quantity ge 7.2|loinc", false),
            ("value-quantity ne 7.2", false),
            ("value-quantity ap 7", true),
        ],
    );
}

/// "Evaluated left to right, with no precedence."
#[test]
fn logic_goes_from_left_to_right_and_brackets_come_first() {
    check(
        PATIENT,
        &[
            ("active eq true or active eq true and gender eq male", false),
            ("active eq true or (active eq true and gender eq male)", true),
            ("gender eq male and active eq true or active eq true", true),
            ("not (gender eq male)", true),
            ("not(gender eq male) and active eq true", true),
            ("not (not (gender eq female))", true),
            ("  (  (gender eq female)  )  ", true),
            ("not (gender eq female or gender eq male) or family sw al", true),
        ],
    );
}

#[test]
fn what_is_no_filter_or_not_offered_is_refused_whatever_its_values_are() {
    const TOO_LARGE: &str =
        "the value of `_filter` is not a filter of at most 50 tests, in at most 16 brackets";
    const MALFORMED: &str = "the value of `_filter` is not a filter such as \
                             `code eq 1234-5 and not (status eq final)`";
    let fits = ["gender eq male"; 50].join(" and ");
    let brackets = format!("{}{fits}{}", "(".repeat(16), ")".repeat(16));
    assert!(!filtered(PATIENT, &brackets));
    let deep = format!("{}gender eq male{}", "(".repeat(17), ")".repeat(17));
    let long = ["gender eq male"; 51].join(" and ");
    for (expression, text) in [
        ("", MALFORMED),
        ("gender", MALFORMED),
        ("gender eq", MALFORMED),
        ("gender eq ", MALFORMED),
        ("gender is male", MALFORMED),
        ("gendereq male", MALFORMED),
        ("gender eq male female", MALFORMED),
        ("gender eq\"female\"", MALFORMED),
        ("gender eq|male", MALFORMED),
        ("!eq male", MALFORMED),
        ("gender!eq male", MALFORMED),
        ("gender eq male and", MALFORMED),
        ("and gender eq male", MALFORMED),
        ("(gender eq male", MALFORMED),
        ("gender eq male)", MALFORMED),
        ("not gender eq male", MALFORMED),
        ("()", MALFORMED),
        ("name eq \"a", MALFORMED),
        ("name eq \"a\\x\"", MALFORMED),
        ("name eq \"\"", MALFORMED),
        ("nonsense eq 1", "the search parameter `nonsense` is not known here"),
        ("_text eq a", "the search parameter `_text` is not supported by this server"),
        ("_filter eq a", "the search parameter `_filter` is not known here"),
        (
            "name.given eq x",
            "the chain `_filter=name.given` fits no type that has the last parameter",
        ),
        (
            "general-practitioner.nonsense eq x",
            "the chain `_filter=general-practitioner.nonsense` fits no type that has the last parameter",
        ),
        (
            "link.link.link.link.name eq x",
            "the parameter `_filter=link.name` reaches deeper than 3 steps",
        ),
        (
            "link[other eq 1].type eq x",
            "the search parameter `link[` is not supported by this server",
        ),
        (
            "general-practitioner co d1",
            "the search parameter `_filter=general-practitioner` is not supported by this server",
        ),
        (
            "_source re http://x",
            "the search parameter `_filter=_source` is not supported by this server",
        ),
        ("gender co ma", "the search parameter `_filter=gender` is not supported by this server"),
        ("name gt a", "the search parameter `_filter=name` is not supported by this server"),
        (
            "phonetic eq ana",
            "the search parameter `_filter=phonetic` is not supported by this server",
        ),
        ("birthdate eq abc", "the value of `_filter=birthdate` is not a date or time"),
        ("birthdate eq gt2020", "the value of `_filter=birthdate` is not a date or time"),
        ("gender pr maybe", "the value of `_filter=gender` is not `true` or `false`"),
        (&deep, TOO_LARGE),
        (&long, TOO_LARGE),
    ] {
        let raw = encoded(&[("_filter".to_string(), expression.to_string())]);
        let error = parse(ResourceType::PATIENT, &raw).unwrap_err();
        assert_eq!(error.to_string(), text, "{expression}");
    }
}

#[test]
fn a_short_name_of_a_system_is_one_only_where_a_system_stands() {
    let named = OBSERVATION.replace("2339-0", "loinc");
    check(&named, &[("code eq loinc", true), ("code eq loinc|loinc", true)]);
}

/// Of the hierarchy of a code: what it subsumes lies below it, what subsumes it above.
#[test]
fn what_subsumes_looks_below_and_what_is_subsumed_above() {
    for (operator, wanted) in [("ss", Direction::Below), ("sb", Direction::Above)] {
        let raw = encoded(&[("_filter".to_string(), format!("code {operator} loinc|1"))]);
        let query = parse(ResourceType::OBSERVATION, &raw).unwrap();
        let [lookup] = query.lookups.as_slice() else { panic!("{:?}", query.lookups) };
        let LookupKind::Concept { system, code, direction } = &lookup.kind else { panic!() };
        assert_eq!((system.as_str(), code.as_str()), ("http://loinc.org", "1"));
        assert_eq!(*direction, wanted, "{operator}");
    }
}

/// What stands behind a chain is not known before it is looked for: no `not` makes a match of it.
#[test]
fn what_was_not_answered_is_no_match_and_neither_is_its_opposite() {
    for (expression, expected) in [
        ("subject.name co x", false),
        ("not (subject.name co x)", false),
        ("not (not (subject.name co x))", false),
        ("subject.name co x or status eq final", true),
        ("not (subject.name co x and status eq amended)", true),
        ("not (code in http://x/vs)", false),
        ("code ni http://x/vs", false),
        ("not (code ss loinc|1)", false),
    ] {
        assert_eq!(filtered(OBSERVATION, expression), expected, "{expression}");
    }
}

#[test]
fn every_test_in_an_expression_says_what_it_reads() {
    let raw = encoded(&[(
        "_filter".to_string(),
        "code eq 1 or not (value-quantity gt 1 and subject:Patient.name eq x)"
            .replace(":Patient", ""),
    )]);
    let query = parse(ResourceType::OBSERVATION, &raw).unwrap();
    let reads: Vec<String> = query.reads().iter().map(|(t, code)| format!("{t}.{code}")).collect();
    for wanted in
        ["Observation.code", "Observation.subject", "Observation.value-quantity", "Patient.name"]
    {
        assert!(reads.iter().any(|read| read == wanted), "{wanted} in {reads:?}");
    }
}

/// SMART 2.2: a scope's filter is a plain parameter; `not (…)` must not widen one.
#[test]
fn a_scope_has_no_filter_expressions() {
    let doc = doc(PATIENT);
    assert!(!matches_scope_filter(doc.root(), "_filter", "gender eq female"));
    assert!(!matches_scope_filter(doc.root(), "_filter", "not (gender eq male)"));
}

/// A test, and the parameter by which the oracle knows whether it holds.
type Leaf = (String, String, String);

#[derive(Debug, Clone)]
enum Expression {
    Leaf(Leaf),
    Not(Box<Expression>),
    /// Whether each operand is joined by `and`, from left to right.
    Joined(Box<Expression>, Vec<(bool, Expression)>),
}

impl Expression {
    fn text(&self) -> String {
        match self {
            Self::Leaf((text, ..)) => text.clone(),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::Joined(first, rest) => {
                let mut text = first.operand();
                for (both, next) in rest {
                    text.push_str(if *both { " and " } else { " or " });
                    text.push_str(&next.operand());
                }
                text
            }
        }
    }

    fn operand(&self) -> String {
        if matches!(self, Self::Joined(..)) { format!("({})", self.text()) } else { self.text() }
    }

    fn holds(&self, resource: &Value) -> bool {
        match self {
            Self::Leaf((_, name, value)) => oracle::holds(resource, name, value),
            Self::Not(inner) => !inner.holds(resource),
            Self::Joined(first, rest) => {
                rest.iter().fold(first.holds(resource), |all, (both, next)| {
                    let next = next.holds(resource);
                    if *both { all && next } else { all || next }
                })
            }
        }
    }
}

fn expression(leaf: impl Strategy<Value = Leaf> + 'static) -> impl Strategy<Value = Expression> {
    leaf.prop_map(Expression::Leaf).prop_recursive(3, 12, 3, |inner| {
        let rest = vec((any::<bool>(), inner.clone()), 1..3);
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            (inner, rest).prop_map(|(first, rest)| Expression::Joined(Box::new(first), rest)),
        ]
    })
}

fn ordered(
    name: &'static str,
    values: &'static [&'static str],
    unit: (&'static str, &'static str),
) -> impl Strategy<Value = Leaf> {
    const OPERATORS: [&str; 8] = ["eq", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
    (select(&OPERATORS[..]), select(values)).prop_filter_map(
        "the oracle has no `ap`",
        move |(operator, value)| {
            let (written, asked) = unit;
            let leaf = format!("{name} {operator} {value}{written}");
            (operator != "ap")
                .then(|| (leaf, name.to_string(), format!("{operator}{value}{asked}")))
        },
    )
}

fn present(codes: &'static [&'static str]) -> impl Strategy<Value = Leaf> {
    (select(codes), any::<bool>()).prop_map(|(code, is)| {
        (format!("{code} pr {is}"), format!("{code}:missing"), (!is).to_string())
    })
}

fn observation_leaf() -> impl Strategy<Value = Leaf> {
    const TOKENS: [(&str, &str); 6] = [
        ("A", "a"),
        ("b", "b"),
        ("loinc|8867-4", "http://loinc.org|8867-4"),
        ("\"urn:x|2339-0\"", "urn:x|2339-0"),
        ("urn:x|B", "urn:x|b"),
        ("|a", "|a"),
    ];
    const DATES: [&str; 4] = ["1980", "1980-02", "1980-12-31", "1979-12"];
    prop_oneof![
        (select(&["code", "category", "combo-code"][..]), select(&TOKENS[..])).prop_map(
            |(name, (text, value))| (
                format!("{name} eq {text}"),
                name.to_string(),
                value.to_string()
            )
        ),
        ordered("date", &DATES, ("", "")),
        ordered("value-quantity", &["7", "7.2", "-3", "100"], ("", "")),
        (select(&["re", "eq"][..]), select(&["Patient/1", "Group/1", "http://o/Patient/1"][..]))
            .prop_map(|(how, to)| (
                format!("subject {how} {to}"),
                "subject".to_string(),
                to.to_string()
            )),
        present(&["date", "subject", "category", "value-quantity"]),
    ]
}

fn patient_leaf() -> impl Strategy<Value = Leaf> {
    const TEXTS: [&str; 5] = ["an", "JOS", "al", "e", "núñez mar"];
    prop_oneof![
        (select(&["name", "family", "given"][..]), any::<bool>(), select(&TEXTS[..])).prop_map(
            |(name, starts, text)| {
                let (how, modifier) = if starts { ("sw", "") } else { ("co", ":contains") };
                (format!("{name} {how} \"{text}\""), format!("{name}{modifier}"), text.to_string())
            }
        ),
        select(&["male", "female"][..]).prop_map(|value| (
            format!("gender eq {value}"),
            "gender".to_string(),
            value.to_string()
        )),
        ordered("birthdate", &["1980", "1980-02", "1981-01-01"], ("", "")),
        present(&["name", "birthdate", "gender", "active"]),
    ]
}

fn agrees(resource: &Value, expression: &Expression) -> Result<(), TestCaseError> {
    let doc = doc(&resource.to_string());
    let resource_type = doc.resource_type().unwrap();
    let text = expression.text();
    let query = parse(resource_type, &encoded(&[("_filter".to_string(), text.clone())])).unwrap();
    let found = query.matches(doc.root(), &Joined::default());
    prop_assert_eq!(found, expression.holds(resource), "{} on {}", text, resource);
    let indexer = Indexer::new(resource_type);
    let index = indexer.keys(doc.root(), BASE);
    for clause in query.clauses(&indexer, &Joined::default()) {
        let kept = !found || satisfies(&clause, &index, &doc);
        prop_assert!(kept, "{:?} of {} loses {}", clause, text, resource);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn expressions_over_observations_match_as_the_oracle_says(
        resource in observation(), expression in expression(observation_leaf()),
    ) {
        agrees(&resource, &expression)?;
    }

    #[test]
    fn expressions_over_patients_match_as_the_oracle_says(
        resource in patient(), expression in expression(patient_leaf()),
    ) {
        agrees(&resource, &expression)?;
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~]{0,60}|(not|and|or|\\(|\\)|code eq 1| |\"|\\\\){0,20}") {
        drop(parse(ResourceType::OBSERVATION, &encoded(&[("_filter".to_string(), text)])));
    }
}
