//! Laws over generated resources and queries.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::oracle;
use crate::json::Doc;
use crate::search::{Clause, IndexKeys, Indexer, Joined, Query};

const CODES: [&str; 4] = ["a", "b", "8867-4", "2339-0"];
const SYSTEMS: [&str; 2] = ["http://loinc.org", "urn:x"];
const NAMES: [&str; 7] = ["Ana", "Anabel", "José", "JOSE", "Núñez Marín", "al", "Alexander"];
const DATES: [&str; 7] =
    ["1980", "1980-02", "1980-02-10", "1980-12-31", "1981", "1979-12", "1981-01-01"];
const NUMBERS: [&str; 7] = ["7", "7.2", "7.20", "-3", "0", "100", "6.55"];
const TARGETS: [&str; 5] = [
    "Patient/1",
    "Patient/2",
    "Group/1",
    "https://fhir.example/r4/Patient/1",
    "http://o/Patient/1",
];

const ADDRESSES: [&str; 9] = [
    "http://x/a",
    "http://x/a|1",
    "http://x/a/b",
    "http://x/a/b|1",
    "http://x/a/b|1.2",
    "http://x/a/b|1.2.3",
    "http://x/a/b|12",
    "http://x/a/bc",
    "https://fhir.example/r4/PlanDefinition/p",
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(from).prop_map(ToString::to_string)
}

fn object(members: Vec<(&str, Option<Value>)>) -> Value {
    members.into_iter().filter_map(|(k, v)| Some((k.to_string(), v?))).collect()
}

fn coding() -> impl Strategy<Value = Value> {
    (option::of(pick(&SYSTEMS)), pick(&CODES)).prop_map(|(s, c)| {
        object([("system", s.map(Value::from)), ("code", Some(c.into()))].into())
    })
}

fn concept() -> impl Strategy<Value = Value> {
    vec(coding(), 1..3).prop_map(|codings| json!({ "coding": codings }))
}

fn quantity() -> impl Strategy<Value = Value> {
    (pick(&NUMBERS), option::of(select(&["mg", "mmol/L"][..]))).prop_map(|(number, unit)| {
        let value: Value = serde_json::from_str(&number).unwrap();
        object([("value", Some(value)), ("code", unit.map(Value::from))].into())
    })
}

fn effective() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        pick(&DATES).prop_map(|date| ("effectiveDateTime", date.into())),
        (option::of(pick(&DATES)), option::of(pick(&DATES))).prop_map(|(start, end)| {
            // A period that ends before it starts is no valid FHIR.
            let (start, end) = match (start, end) {
                (Some(a), Some(b)) if a > b => (Some(b), Some(a)),
                other => other,
            };
            let period = [("start", start.map(Value::from)), ("end", end.map(Value::from))];
            ("effectivePeriod", object(period.into()))
        }),
    ]
}

fn reference() -> impl Strategy<Value = Value> {
    pick(&TARGETS).prop_map(|text| json!({ "reference": text }))
}

pub(super) fn observation() -> impl Strategy<Value = Value> {
    let identity = (select(&["o1", "o2"][..]), select(&["final", "amended"][..]));
    let codes = (concept(), vec(concept(), 0..3), vec(concept(), 0..3));
    let rest = (option::of(effective()), option::of(quantity()), option::of(reference()));
    (identity, codes, rest).prop_map(
        |((id, status), (code, category, parts), (when, value, who))| {
            let component: Vec<Value> =
                parts.into_iter().map(|code| json!({ "code": code })).collect();
            let mut members: Vec<(&str, Option<Value>)> = Vec::from([
                ("resourceType", Some("Observation".into())),
                ("id", Some(id.into())),
                ("status", Some(status.into())),
                ("code", Some(code)),
                ("category", (!category.is_empty()).then(|| category.into())),
                ("component", (!component.is_empty()).then(|| component.into())),
                ("valueQuantity", value),
                ("subject", who),
            ]);
            members.extend(when.map(|(key, value)| (key, Some(value))));
            object(members)
        },
    )
}

pub(super) fn patient() -> impl Strategy<Value = Value> {
    let name = (option::of(pick(&NAMES)), vec(pick(&NAMES), 0..3)).prop_map(|(family, given)| {
        let given = (!given.is_empty()).then(|| given.into());
        object([("family", family.map(Value::from)), ("given", given)].into())
    });
    let identifier = (option::of(pick(&SYSTEMS)), pick(&CODES)).prop_map(|(system, value)| {
        object([("system", system.map(Value::from)), ("value", Some(value.into()))].into())
    });
    let telecom = (select(&["phone", "email"][..]), pick(&CODES))
        .prop_map(|(system, value)| json!({ "system": system, "value": value }));
    let bare = (
        option::of(select(&["male", "female"][..])),
        option::of(pick(&DATES)),
        option::of(any::<bool>()),
        option::of(pick(&NAMES)),
    );
    (vec(name, 0..3), vec(identifier, 0..3), vec(telecom, 0..3), bare).prop_map(
        |(names, identifiers, telecom, (gender, born, active, city))| {
            let list = |list: Vec<Value>| (!list.is_empty()).then(|| list.into());
            object(Vec::from([
                ("resourceType", Some("Patient".into())),
                ("id", Some("p1".into())),
                ("name", list(names)),
                ("identifier", list(identifiers)),
                ("telecom", list(telecom)),
                ("gender", gender.map(Value::from)),
                ("birthDate", born.map(Value::from)),
                ("active", active.map(Value::from)),
                ("address", city.map(|city| json!([{ "city": city }]))),
            ]))
        },
    )
}

fn care_plan() -> impl Strategy<Value = Value> {
    (vec(pick(&ADDRESSES), 0..3), vec(pick(&ADDRESSES), 0..3)).prop_map(|(profile, followed)| {
        let list = |list: Vec<String>| (!list.is_empty()).then(|| list.into());
        let profile = list(profile).map(|list: Value| json!({ "profile": list }));
        object(Vec::from([
            ("resourceType", Some("CarePlan".into())),
            ("id", Some("c1".into())),
            ("meta", profile),
            ("instantiatesCanonical", list(followed)),
        ]))
    })
}

fn care_plan_filter() -> impl Strategy<Value = (String, String)> {
    const CODES: [&str; 2] = ["_profile", "instantiates-canonical"];
    prop_oneof![
        (select(&CODES[..]), select(&["", ":above", ":below"][..]), several(pick(&ADDRESSES)))
            .prop_map(|(code, modifier, value)| (format!("{code}{modifier}"), value)),
        missing(&CODES),
    ]
}

fn several(one: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec(one, 1..3).prop_map(|list| list.join(","))
}

fn token_value() -> impl Strategy<Value = String> {
    several(prop_oneof![
        pick(&CODES),
        (pick(&SYSTEMS), pick(&CODES)).prop_map(|(s, c)| format!("{s}|{c}")),
        pick(&CODES).prop_map(|c| format!("|{c}")),
        pick(&SYSTEMS).prop_map(|s| format!("{s}|")),
    ])
}

fn prefixed(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    (select(&["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"][..]), pick(from))
        .prop_map(|(prefix, value)| format!("{prefix}{value}"))
}

fn amount() -> impl Strategy<Value = String> {
    (prefixed(&NUMBERS), select(&["", "||mg"][..])).prop_map(|(n, unit)| format!("{n}{unit}"))
}

fn missing(codes: &'static [&'static str]) -> impl Strategy<Value = (String, String)> {
    (select(codes), any::<bool>()).prop_map(|(c, m)| (format!("{c}:missing"), m.to_string()))
}

fn observation_filter() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (
            select(&["code", "category", "component-code", "combo-code"][..]),
            select(&["", ":not"][..]),
            token_value()
        )
            .prop_map(|(code, modifier, value)| (format!("{code}{modifier}"), value)),
        (
            Just("status"),
            select(
                &[
                    "final",
                    "http://hl7.org/fhir/observation-status|final",
                    "|amended",
                    "urn:x|final"
                ][..]
            )
        )
            .prop_map(|(n, v)| (n.to_string(), v.to_string())),
        several(prefixed(&DATES)).prop_map(|value| ("date".to_string(), value)),
        several(amount()).prop_map(|value| ("value-quantity".to_string(), value)),
        several((pick(&CODES), amount()).prop_map(|(c, q)| format!("{c}${q}")))
            .prop_map(|value| ("code-value-quantity".to_string(), value)),
        (
            select(&["subject", "patient"][..]),
            several(pick(&[
                "1",
                "2",
                "Patient/1",
                "Group/1",
                "http://o/Patient/1",
                "https://fhir.example/r4/Patient/1"
            ]))
        )
            .prop_map(|(name, value)| (name.to_string(), value)),
        several(pick(&["o1", "o2"])).prop_map(|value| ("_id".to_string(), value)),
        missing(&["date", "subject", "category", "value-quantity", "component-code"]),
    ]
}

fn patient_filter() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (
            select(&["name", "family", "given", "address-city"][..]),
            select(&["", ":exact", ":contains"][..]),
            several(pick(&[
                "A",
                "an",
                "ana",
                "jos",
                "José",
                "núñez mar",
                "alexande",
                "Alexander",
                "e"
            ]))
        )
            .prop_map(|(code, modifier, value)| (format!("{code}{modifier}"), value)),
        (select(&["identifier", "phone"][..]), token_value()).prop_filter_map(
            "a phone has no system in the oracle",
            |(name, value)| {
                (name == "identifier" || !value.contains('|')).then(|| (name.to_string(), value))
            }
        ),
        several(prefixed(&DATES)).prop_map(|value| ("birthdate".to_string(), value)),
        (select(&["gender", "gender:not"][..]), several(pick(&["male", "female", "other"])))
            .prop_map(|(name, value)| (name.to_string(), value)),
        select(&["true", "false"][..]).prop_map(|v| ("active".to_string(), v.to_string())),
        missing(&["name", "birthdate", "gender", "identifier", "active", "phone"]),
    ]
}

pub(super) fn encoded(filters: &[(String, String)]) -> String {
    let escape = |text: &str| {
        text.bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect::<String>()
    };
    let parts: Vec<String> =
        filters.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
    parts.join("&")
}

pub(super) fn satisfies(clause: &Clause, index: &IndexKeys, doc: &Doc) -> bool {
    match clause {
        Clause::AnyKey(keys) => keys.iter().any(|key| index.keys.contains(key)),
        Clause::Range(wanted) => index.ranges.iter().any(|range| {
            range.param == wanted.param && range.low <= wanted.high && wanted.low <= range.high
        }),
        Clause::Ids(ids) => doc.id().is_some_and(|id| ids.contains(&id)),
    }
}

fn check(resource: &Value, filters: &[(String, String)]) -> Result<(), TestCaseError> {
    let doc = super::doc(&resource.to_string());
    let resource_type = doc.resource_type().unwrap();
    let raw = encoded(filters);
    let query = super::parse(resource_type, &raw).unwrap();
    let expected = filters.iter().all(|(name, value)| oracle::holds(resource, name, value));
    let found = query.matches(doc.root(), &Joined::default());
    prop_assert_eq!(found, expected, "{:?} on {}", filters, resource);

    let indexer = Indexer::new(resource_type);
    let index = indexer.keys(doc.root(), super::BASE);
    for clause in query.clauses(&indexer, &Joined::default()) {
        prop_assert!(
            !found || satisfies(&clause, &index, &doc),
            "{:?} of {:?} loses {}",
            clause,
            filters,
            resource
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn observations_match_as_the_oracle_says_and_narrowing_loses_none(
        resource in observation(), filters in vec(observation_filter(), 1..3),
    ) {
        check(&resource, &filters)?;
    }

    #[test]
    fn patients_match_as_the_oracle_says_and_narrowing_loses_none(
        resource in patient(), filters in vec(patient_filter(), 1..3),
    ) {
        check(&resource, &filters)?;
    }

    #[test]
    fn canonical_urls_match_as_the_oracle_says_and_narrowing_loses_none(
        resource in care_plan(), filters in vec(care_plan_filter(), 1..3),
    ) {
        check(&resource, &filters)?;
    }

    #[test]
    fn everything_has_what_the_oracle_says_is_care_within_the_range(
        resource in observation(), start in option::of(pick(&DATES)), end in option::of(pick(&DATES)),
    ) {
        let side = |name: &str, date: &Option<String>| {
            date.as_ref().map(|date| format!("{name}={date}"))
        };
        let raw: Vec<String> =
            [side("start", &start), side("end", &end)].into_iter().flatten().collect();
        let patient = "1".parse().unwrap();
        let query = Query::everything(&super::context(), &patient, &raw.join("&"));
        let (start, end) = (start.as_deref(), end.as_deref());
        if oracle::is_backwards(start, end) {
            prop_assert!(query.is_err());
        } else {
            let query = query.unwrap();
            let doc = super::doc(&resource.to_string());
            let inside = oracle::is_care_within(&resource, start, end);
            prop_assert_eq!(query.admits(doc.root()), inside, "{:?} on {}", raw, resource);
            let own = oracle::holds(&resource, "patient", "Patient/1");
            prop_assert_eq!(query.matches(doc.root(), &Joined::default()), own && inside);
        }
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise_than_by_name(raw in "[a-z_:.=&%|$,\\\\0-9*-]{0,60}") {
        let parsed = super::parse(proviso_core::resource_type::ResourceType::PATIENT, &raw);
        prop_assert!(parsed.is_ok() || !parsed.unwrap_err().to_string().is_empty());
    }
}
