use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Scope, ScopeError> {
    text.parse()
}

fn list(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap().known
}

fn narrowed(asked: &str, ceiling: &str) -> String {
    list(asked).narrow(list(ceiling).as_slice()).to_string()
}

#[test]
fn scopes_are_printed_as_they_were_asked_for() {
    // Covers: SMART App Launch 2.2 "Scopes for requesting FHIR Resources"; requirements 126-128.
    for text in [
        "openid",
        "fhirUser",
        "profile",
        "launch",
        "launch/patient",
        "launch/encounter",
        "offline_access",
        "online_access",
        "patient/*.rs",
        "patient/*.cruds",
        "patient/*.read",
        "patient/*.*",
        "user/Observation.write",
        "system/Patient.r",
        "user/Condition.cud",
        "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
        "patient/Observation.rs?category=laboratory&status=final",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn v1_means_the_v2_letters() {
    let permissions = |text: &str| parse(text).unwrap().as_resource().unwrap().permissions;
    assert_eq!(permissions("patient/Patient.read"), permissions("patient/Patient.rs"));
    assert_eq!(permissions("patient/Patient.write"), permissions("patient/Patient.cud"));
    assert_eq!(permissions("patient/Patient.*"), permissions("patient/Patient.cruds"));
}

#[test]
fn malformed_permissions_are_refused() {
    // Covers: SMART App Launch 2.2 requirement 129 (`.sr` is out of order).
    for text in [
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.",
        "patient/Observation",
        "patient/Observation.rx",
        "patient/Observation.Read",
        "patient/*",
        "patient/",
    ] {
        assert_eq!(parse(text), Err(ScopeError::Permissions), "{text}");
    }
}

#[test]
fn an_encoded_bar_is_echoed_decoded() {
    // Covers: US Core granular scope tests (oauth-smart §1.9).
    let scope = parse("patient/Condition.rs?category=http%3A%2F%2Fexample.org%2Fx%7Cy").unwrap();
    assert_eq!(scope.to_string(), "patient/Condition.rs?category=http://example.org/x|y");
}

#[test]
fn what_would_end_a_scope_token_stays_encoded() {
    let scope = parse("patient/Condition.rs?code=a%20b%26c%25d%c3%a9").unwrap();
    assert_eq!(scope.as_resource().unwrap().filters[0].value, "a b&c%dé");
    assert_eq!(scope.to_string(), "patient/Condition.rs?code=a%20b%26c%25d%C3%A9");
}

#[test]
fn filters_that_could_be_ignored_are_refused() {
    for text in [
        "patient/Observation.rs?",
        "patient/Observation.rs?category",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?=x",
        "patient/Observation.rs?category=a,b",
        "patient/Observation.rs?category:in=a",
        "patient/Observation.rs?subject.name=a",
        "patient/Observation.rs?_count=1",
        "patient/Observation.rs?category=%7",
        "patient/Observation.rs?category=%zz",
        "patient/Observation.rs?category=%ff",
        "patient/Observation.rs?category=%00",
        "patient/Observation.rs?category=a&",
        "patient/Observation.read?category=a",
        "patient/*.rs?category=a",
    ] {
        assert_eq!(parse(text), Err(ScopeError::Filter), "{text}");
    }
}

#[test]
fn unknown_scopes_are_told_apart_from_malformed_ones() {
    let parsed =
        ScopeSet::parse("openid  email patient/Foo.rs launch/practitioner openid").unwrap();
    assert_eq!(parsed.known.to_string(), "openid");
    assert_eq!(parsed.unknown, ["email", "patient/Foo.rs", "launch/practitioner"]);

    let refused = ScopeSet::parse("openid patient/Patient.sr").unwrap_err();
    assert_eq!(refused.scope, "patient/Patient.sr");
    assert_eq!(ScopeSet::parse("a\tb").unwrap_err().error, ScopeError::Character);
    assert_eq!(ScopeSet::parse("a\"b").unwrap_err().error, ScopeError::Character);
}

#[test]
fn lists_and_scopes_have_limits() {
    let scope_of = |bytes: usize| {
        let head = "patient/Observation.rs?code=";
        let mut text = String::from(head);
        text.extend(core::iter::repeat_n('a', bytes - head.len()));
        text
    };
    assert!(parse(&scope_of(512)).is_ok());
    assert_eq!(parse(&scope_of(513)), Err(ScopeError::TooLong));
    let many = |count: usize| core::iter::repeat_n("openid", count).collect::<Vec<_>>().join(" ");
    assert!(ScopeSet::parse(&many(256)).is_ok());
    assert_eq!(ScopeSet::parse(&many(257)).unwrap_err().error, ScopeError::TooLong);
}

#[test]
fn narrowing_keeps_what_both_allow() {
    assert_eq!(narrowed("openid offline_access", "openid"), "openid");
    assert_eq!(
        narrowed("patient/*.rs", "patient/Observation.cruds patient/Patient.r"),
        "patient/Observation.rs patient/Patient.r"
    );
    assert_eq!(narrowed("patient/Observation.cruds", "patient/*.rs"), "patient/Observation.rs");
    assert_eq!(narrowed("patient/Observation.rs", "user/Observation.rs"), "");
    assert_eq!(narrowed("patient/Observation.c", "patient/Observation.rs"), "");
    assert_eq!(
        narrowed("patient/Observation.rs", "patient/*.r patient/*.s"),
        "patient/Observation.rs"
    );
    assert_eq!(
        narrowed(
            "patient/Observation.rs",
            "patient/Observation.rs?category=a patient/Condition.rs"
        ),
        "patient/Observation.rs?category=a"
    );
    assert_eq!(
        narrowed("patient/Observation.rs?category=a", "patient/Observation.rs?category=b"),
        "patient/Observation.rs?category=a&category=b"
    );
    assert_eq!(
        narrowed("patient/Observation.rs", "patient/*.rs patient/Observation.rs?category=a"),
        "patient/Observation.rs"
    );
}

#[test]
fn v1_asked_is_v1_answered_where_v1_can_say_it() {
    assert_eq!(narrowed("patient/Patient.read", "patient/*.rs"), "patient/Patient.read");
    assert_eq!(narrowed("patient/Patient.rs", "patient/*.read"), "patient/Patient.rs");
    assert_eq!(narrowed("patient/Patient.*", "patient/*.rs"), "patient/Patient.read");
    assert_eq!(narrowed("patient/Patient.*", "patient/*.r"), "patient/Patient.r");
}

#[test]
fn a_list_is_within_a_ceiling_or_not() {
    let within = |asked: &str, ceiling: &str| list(asked).is_within(list(ceiling).as_slice());
    assert!(within("patient/Patient.rs openid", "openid patient/*.read"));
    assert!(within("patient/Patient.rs", "patient/Patient.r patient/Patient.s"));
    assert!(!within("patient/Patient.rs", "patient/Patient.r"));
    assert!(!within("patient/*.rs", "patient/Patient.rs"));
    assert!(!within("patient/Patient.rs", "patient/Patient.rs?_id=1"));
    assert!(within("patient/Patient.rs?_id=1", "patient/Patient.rs"));
    assert!(!within("openid", "fhirUser"));
}

#[test]
fn serialized_scopes_are_their_text() {
    let scope = parse("patient/Observation.rs?category=a|b").unwrap();
    let json = serde_json::to_string(&scope).unwrap();
    assert_eq!(json, "\"patient/Observation.rs?category=a|b\"");
    assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
    assert!(serde_json::from_str::<Scope>("\"patient/Observation.sr\"").is_err());
}

pub(crate) fn any_resource_scope() -> impl Strategy<Value = ResourceScope> {
    let types = prop_oneof![
        Just(None),
        Just(Some(ResourceType::OBSERVATION)),
        Just(Some(ResourceType::CONDITION)),
        Just(Some(ResourceType::PATIENT)),
        Just(Some(ResourceType::PRACTITIONER)),
    ];
    let contexts = prop_oneof![
        Just(ScopeContext::Patient),
        Just(ScopeContext::User),
        Just(ScopeContext::System)
    ];
    let filters = proptest::collection::btree_set(("category|code|status", "[a-c|]{1,3}"), 0..3);
    let permissions = (1_u8..32).prop_map(|bits| Permissions {
        create: bits & 1 != 0,
        read: bits & 2 != 0,
        update: bits & 4 != 0,
        delete: bits & 8 != 0,
        search: bits & 16 != 0,
    });
    let syntax = prop_oneof![Just(ScopeSyntax::V1), Just(ScopeSyntax::V2)];
    (contexts, types, permissions, filters, syntax).prop_map(
        |(context, resource_type, permissions, filters, syntax)| {
            let filters = filters
                .into_iter()
                .filter(|_| resource_type.is_some())
                .map(|(param, value)| ScopeFilter { param, value })
                .collect();
            ResourceScope::new(context, resource_type, permissions, filters, syntax)
        },
    )
}

pub(crate) fn any_scopes() -> impl Strategy<Value = ScopeSet> {
    let scope = prop_oneof![
        8 => any_resource_scope().prop_map(Scope::Resource),
        1 => Just(Scope::OpenId),
        1 => Just(Scope::OfflineAccess),
    ];
    proptest::collection::vec(scope, 0..5).prop_map(ScopeSet::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_scope_reads_back_as_itself(scope in any_resource_scope()) {
        prop_assert_eq!(scope.to_string().parse::<ResourceScope>().unwrap(), scope);
    }

    #[test]
    fn any_text_is_a_scope_or_an_error(text in "(patient|user|x)/[A-Zo*][a-z]{0,3}\\.[cruds*]{0,4}(\\?[a-z=%&7c|]{0,8})?") {
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }
    }

    #[test]
    fn narrowing_never_widens(asked in any_scopes(), ceiling in any_scopes()) {
        let result = asked.narrow(ceiling.as_slice());
        prop_assert!(result.is_within(asked.as_slice()), "{} of {}", result, asked);
        prop_assert!(result.is_within(ceiling.as_slice()), "{} of {}", result, ceiling);
        prop_assert_eq!(result.narrow(ceiling.as_slice()).to_string(), result.to_string());
    }

    #[test]
    fn compiling_never_widens(asked in any_scopes(), bits in proptest::collection::vec(any::<bool>(), 21)) {
        let chosen: crate::category::CategorySet = crate::category::Category::ALL
            .iter()
            .zip(bits)
            .filter_map(|(category, chosen)| chosen.then_some(*category))
            .collect();
        let granted = compile(asked.as_slice(), chosen);
        prop_assert!(granted.is_within(asked.as_slice()), "{} of {}", granted, asked);
        prop_assert_eq!(compile(granted.as_slice(), chosen).to_string(), granted.to_string());
    }
}
