//! The set that comes with this release, and what the checks say of sets that are wrong.

mod change;
mod laws;
mod residual;
mod wrong;

use proviso_core::account::ActorKind;
use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::org::{
    AuthLevel, Device, EmergencyReason, FactSource, Governance, Mode, Network, OrgAction,
    OrgPolicy as _, OrgQuestion, Role, kind_code,
};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;

use super::domain::Domain;
use super::*;

fn starter() -> std::sync::Arc<PolicySet> {
    PolicySet::starter().unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

fn domain(set: &PolicySet) -> Domain {
    Domain::new(&set.names()).unwrap()
}

#[test]
fn the_starter_set_is_sound_and_every_policy_of_it_is_shown_by_a_test() {
    let report = starter().check();
    assert!(report.findings.is_empty(), "{}", lines(&report.findings));
    assert_eq!(report.invariants, Invariant::ALL.len());
    assert!(report.tests > report.policies);
}

#[test]
fn the_starter_set_can_be_read_in_an_afternoon() {
    let documents = Documents::starter();
    let count: usize =
        documents.policies.iter().map(|file| file.text.split_whitespace().count()).sum();
    // About twenty minutes of slow reading at a hundred words a minute, and the rest for thinking.
    assert!(count < 2_500, "{count} words");
    for rule in &starter().rules {
        let file = documents.policies.iter().find(|file| file.name == rule.place.file).unwrap();
        assert!(file.text.starts_with("//"), "{} says nothing of why", file.name);
    }
}

/// The values of a list in the schema.
fn listed(name: &str) -> Vec<&'static str> {
    let (_, rest) = SCHEMA.split_once(&format!("entity {name} enum [")).unwrap();
    let (values, _) = rest.split_once(']').unwrap();
    values.split('"').skip(1).step_by(2).collect()
}

#[test]
fn the_schema_names_what_the_program_names() {
    let kinds = [
        ActorKind::Patient,
        ActorKind::Proxy,
        ActorKind::Clinician,
        ActorKind::Nurse,
        ActorKind::Staff,
        ActorKind::PrivacyOfficer,
        ActorKind::Administrator,
        ActorKind::SupportAgent,
        ActorKind::System,
    ];
    assert_eq!(listed("ActorKind"), kinds.map(kind_code));
    let check = |name: &str, codes: Vec<&'static str>| assert_eq!(listed(name), codes, "{name}");
    check("Role", Role::ALL.iter().map(|own| own.code()).collect());
    check("Mode", Mode::ALL.iter().map(|own| own.code()).collect());
    check("Purpose", PurposeOfUse::ALL.iter().map(|own| own.code()).collect());
    check("Category", Category::ALL.iter().map(|own| own.code()).collect());
    check("SensitiveKind", SensitiveKind::ALL.iter().map(|own| own.code()).collect());
    check("Source", FactSource::ALL.iter().map(|own| own.code()).collect());
    check("Network", Network::ALL.iter().map(|own| own.code()).collect());
    check("Device", Device::ALL.iter().map(|own| own.code()).collect());
    check("AuthLevel", AuthLevel::ALL.iter().map(|own| own.code()).collect());
    check("EmergencyReason", EmergencyReason::ALL.iter().map(|own| own.code()).collect());
    check("Governance", Governance::ALL.iter().map(|own| own.code()).collect());
    check("Type", ResourceType::all().map(ResourceType::as_str).collect());
    for action in OrgAction::ALL {
        assert!(SCHEMA.contains(&format!("\"{}\"", action.code())), "{action}");
        let groups: Vec<String> =
            starter().words.groups_of(*action).map(|uid| uid.to_string()).collect();
        let group = |name: &str| groups.contains(&format!("Action::\"{name}\""));
        assert_eq!((group("view"), group("change")), (action.is_view(), action.is_change()));
    }
}

#[test]
fn the_name_of_a_set_is_its_content() {
    let one = Documents::starter();
    assert_eq!(one.id(), Documents::starter().id());
    let mut other = Documents::starter();
    other.policies[0].text.push(' ');
    assert_ne!(one.id(), other.id());
    let mut other = Documents::starter();
    other.tests[0].text.push(' ');
    assert_ne!(one.id(), other.id());
    let mut other = Documents::starter();
    other.schema.push(' ');
    assert_ne!(one.id(), other.id());
    // A text that moves from one file into the next is another set.
    let mut other = Documents::starter();
    let moved = other.policies[0].text.pop().unwrap();
    other.policies[1].text.insert(0, moved);
    assert_ne!(one.id(), other.id());
}

#[test]
fn a_repeated_question_is_not_worked_out_again() {
    let set = starter();
    let question = OrgQuestion::of_service("quality-study".parse().unwrap());
    let (first, second) = (set.answer(&question), set.answer(&question));
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert_eq!(*first, set.evaluate(&question));
}

/// The starter set and many policies about a role, an action and a kind of resource that the
/// question is not about.
fn crowded(count: usize) -> PolicySet {
    let mut documents = Documents::starter();
    let one = |number: usize| {
        format!(
            "@id(\"crowd-{number}\") @reason(\"oversight\") \
             permit (principal in Role::\"privacy-officer\", action == Action::\"export\", \
             resource is Governance);"
        )
    };
    let text = (0..count).map(one).collect::<Vec<_>>().join("\n");
    documents.policies.push(TextFile { name: "95-crowd.cedar".to_owned(), text });
    PolicySet::compile(documents).unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

#[test]
fn policies_about_other_roles_and_actions_are_not_even_asked() {
    let question = OrgQuestion::of_service("quality-study".parse().unwrap());
    let (few, many) = (starter(), crowded(300));
    assert_eq!(many.len(), few.len() + 300);
    let (asked_of_few, asked_of_many) = (few.asked(&question), many.asked(&question));
    assert_eq!(asked_of_few, asked_of_many);
    // The service's own policy, and the limits that hold for everybody in this mode.
    assert!((2..8).contains(&asked_of_few), "{asked_of_few}");
    assert_eq!(few.evaluate(&question), many.evaluate(&question));
}

/// The first block of a page that has these words.
fn block<'a>(page: &'a str, words: &str) -> &'a str {
    page.split("```").find(|block| block.contains(words)).unwrap().trim_start_matches("text\n")
}

#[test]
fn the_example_of_the_guide_is_a_sound_addition_to_the_starter_set() {
    let page = include_str!("../../../../../docs/src/guides/write-and-change-policy.md");
    let mut documents = Documents::starter();
    let file =
        |name: &str, words| TextFile { name: name.to_owned(), text: block(page, words).to_owned() };
    documents.policies.push(file("90-guide.cedar", "@id(\"nurse-on-call\")"));
    documents.tests.push(file("tests/zz-guide.toml", "[[scenario]]"));
    let set = PolicySet::compile(documents).unwrap_or_else(|found| panic!("{}", lines(&found)));
    let report = set.check();
    assert!(report.findings.is_empty(), "{}", lines(&report.findings));
}
