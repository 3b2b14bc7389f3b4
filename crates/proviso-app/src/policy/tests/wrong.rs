//! Sets that are wrong, one fault each: every fault is found, named by file, line and policy.

use super::super::analyse::Analysis;
use super::super::atom::Tables;
use super::super::domain::DIMS;
use super::*;
use crate::policy::FindingCode as Code;

/// The starter set with one more policy, from line 3 of a file of its own.
fn with(policy: &str) -> Documents {
    let mut documents = Documents::starter();
    let text = format!("// A policy on trial.\n\n{policy}\n");
    documents.policies.push(TextFile { name: "90-trial.cedar".to_owned(), text });
    documents
}

/// The starter set with a piece of text in the place of another.
fn edited(from: &str, to: &str) -> Documents {
    let mut documents = Documents::starter();
    let file = documents.policies.iter_mut().find(|file| file.text.contains(from));
    let file = file.unwrap_or_else(|| panic!("no `{from}`"));
    file.text = file.text.replacen(from, to, 1);
    documents
}

fn findings(documents: Documents) -> Vec<Finding> {
    match PolicySet::compile(documents) {
        Ok(set) => set.check().findings,
        Err(findings) => findings,
    }
}

/// The set has this fault, at the policy on trial.
fn check(policy: &str, code: Code) -> Finding {
    let findings = findings(with(policy));
    let found = findings.iter().find(|own| own.code == code);
    let found = found.unwrap_or_else(|| panic!("no {code:?} in: {}", lines(&findings)));
    let place = found.place.as_ref().unwrap();
    assert_eq!((place.file.as_str(), place.line), ("90-trial.cedar", 3), "{found}");
    found.clone()
}

#[test]
fn what_is_no_policy_is_told_with_its_line() {
    let found = check("@id(\"half\") permit (principal, action, resource", Code::Syntax);
    assert_eq!(found.place.unwrap().name.as_deref(), Some("half"));
    check("@id(\"slot\") permit (principal == ?principal, action, resource);", Code::Syntax);
}

#[test]
fn an_annotation_that_says_nothing_known_is_refused() {
    for policy in [
        "permit (principal, action, resource);",
        "@id(\"no space\") @reason(\"on-shift\") permit (principal, action, resource);",
        "@id(\"a\") permit (principal, action, resource);",
        "@id(\"a\") @reason(\"because\") permit (principal, action, resource);",
        // A refusal is no basis, and a basis is no refusal.
        "@id(\"a\") @reason(\"no-consent\") permit (principal, action, resource);",
        "@id(\"a\") @reason(\"on-shift\") forbid (principal, action, resource);",
        "@id(\"a\") @reason(\"on-shift\") @otherwhise(\"a\") permit (principal, action, resource);",
        "@id(\"a\") @reason(\"on-shift\") permit (principal, action, resource) when { context has care };",
        "@id(\"a\") @reason(\"on-shift\") @otherwise(\"on-shift\") permit (principal, action, resource) when { context has care };",
        "@id(\"a\") @reason(\"on-shift\") @obligations(\"sing\") permit (principal, action, resource);",
        "@id(\"a\") @reason(\"policy-forbids\") @obligations(\"audit-twice\") forbid (principal, action, resource);",
    ] {
        check(policy, Code::Annotation);
    }
}

#[test]
fn two_policies_have_two_names() {
    let found = check(
        "@id(\"service\") @reason(\"on-shift\") permit (principal, action, resource);",
        Code::SameName,
    );
    assert!(found.text.contains("60-services.cedar:5"), "{found}");
}

#[test]
fn a_word_that_the_schema_does_not_know_is_refused() {
    for policy in [
        "@id(\"a\") @reason(\"on-shift\") permit (principal in Role::\"nurze\", action, resource);",
        "@id(\"a\") @reason(\"on-shift\") permit (principal, action == Action::\"look\", resource);",
        "@id(\"a\") @reason(\"on-shift\") @otherwise(\"no-consent\") permit (principal, action, resource) when { context.purpose == \"TREAT\" };",
        // An optional fact that is used without asking whether it is there.
        "@id(\"a\") @reason(\"on-shift\") @otherwise(\"no-consent\") permit (principal, action, resource) when { context.care.age <= 60 };",
    ] {
        check(policy, Code::Schema);
    }
}

#[test]
fn a_policy_that_can_never_apply_is_found() {
    // No condition is wrong by itself; together they leave nothing.
    check(
        "@id(\"a\") @reason(\"on-shift\") @otherwise(\"no-consent; no-consent\") \
         permit (principal in Role::\"nurse\", action, resource is Record) \
         when { context.purpose == Purpose::\"TREAT\" } when { context.purpose == Purpose::\"COC\" };",
        Code::NeverApplies,
    );
    // Roles are not held in the portal.
    check(
        "@id(\"a\") @reason(\"on-shift\") \
         permit (principal in Role::\"nurse\", action, resource is Record) \
         when { context.mode == Mode::\"own-record\" };",
        Code::NeverApplies,
    );
}

#[test]
fn a_permit_that_others_always_forbid_is_found() {
    check(
        "@id(\"a\") @reason(\"platform-work\") \
         permit (principal in Role::\"support\", action, resource is Record);",
        Code::AlwaysOverridden,
    );
}

#[test]
fn a_permit_that_no_test_shows_is_found() {
    check(
        "@id(\"a\") @reason(\"on-shift\") @otherwise(\"no-consent\") \
         permit (principal in Role::\"nurse\", action == Action::\"read\", resource is Directory) \
         when { context.purpose == Purpose::\"PUBHLTH\" };",
        Code::Untested,
    );
}

#[test]
fn a_permit_that_adds_nothing_is_found() {
    check(
        "@id(\"a\") @reason(\"on-shift\") @otherwise(\"not-on-shift; purpose-not-allowed; unlabelled; unlabelled\") \
         permit (principal in Role::\"nurse\", action == Action::\"read\", resource is Record) \
         when { context has shift } when { context.purpose == Purpose::\"TREAT\" } \
         when { resource.labelled } when { resource.kinds.isEmpty() };",
        Code::AddsNothing,
    );
}

#[test]
fn a_policy_that_can_fail_is_found_and_denies_meanwhile() {
    let policy = "@id(\"a\") @reason(\"policy-forbids\") \
         forbid (principal, action, resource is Record) \
         when { context has hour && context.hour * 9223372036854775807 > 9 };";
    let found = check(policy, Code::CanFail);
    assert!(found.case.is_some());
    let set = PolicySet::compile(with(policy)).unwrap();
    let mut question = OrgQuestion::of_service("quality-study".parse().unwrap());
    question.resource = proviso_core::org::OrgResource::Record(proviso_core::org::RecordKind {
        resource_type: ResourceType::OBSERVATION,
        categories: [Category::Laboratory].into_iter().collect(),
        labels: proviso_core::decision::Labels::Known(proviso_core::category::SensitiveSet::EMPTY),
    });
    assert!(set.evaluate(&question).is_permit());
    question.environment.hour = Some(12);
    let answer = set.evaluate(&question);
    assert!(!answer.is_permit());
    assert_eq!(answer.faults.iter().next().unwrap().as_str(), "a");
    // Without the policy that fails, this is permitted: the failure alone denied.
    assert!(starter().evaluate(&question).is_permit());
}

#[test]
fn a_test_that_comes_out_otherwise_is_found() {
    let mut documents = Documents::starter();
    let file = &mut documents.tests[6];
    file.text = file.text.replacen("reasons = [\"pre-authorized\"]", "reasons = [\"on-shift\"]", 1);
    let found = findings(documents);
    assert_eq!(found.len(), 1, "{}", lines(&found));
    assert_eq!(found[0].code, Code::TestFails);
    assert_eq!(found[0].place.as_ref().unwrap().file, "tests/services.toml");
}

#[test]
fn a_test_that_cannot_be_read_is_found_with_its_line() {
    for (text, line) in [
        ("[[scenario]]\nname = \"a\"\nask = 1", 3),
        (
            "\n\n[[scenario]]\nname = \"a\"\nask = { who = \"surgeon\", purpose = \"TREAT\", action = \"read\", record = \"Patient\" }\nexpect = \"deny\"\nreasons = []",
            3,
        ),
        (
            "[[scenario]]\nname = \"a\"\nask = { who = \"nurse\", purpose = \"TREAT\", action = \"read\" }\nexpect = \"deny\"\nreasons = []",
            1,
        ),
        ("[[scenario]]\nnaem = \"a\"", 2),
    ] {
        let mut documents = Documents::starter();
        documents.tests.push(TextFile { name: "tests/zz.toml".to_owned(), text: text.to_owned() });
        let found = findings(documents);
        assert_eq!(found[0].code, Code::TestSyntax, "{text}");
        assert_eq!(found[0].place.as_ref().unwrap().line, line, "{}", lines(&found));
    }
}

/// Sets are checked with the tables of what they have in common.
struct Trial<'a> {
    domain: &'a Domain,
    tables: Tables<'a>,
}

impl Trial<'_> {
    /// The set breaks this invariant, and a case shows it.
    fn breaks(&mut self, documents: Documents, invariant: Invariant) {
        let set = PolicySet::compile(documents).unwrap_or_else(|found| panic!("{}", lines(&found)));
        assert!(DIMS.iter().all(|dim| domain(&set).size(*dim) <= self.domain.size(*dim)));
        let mut findings = Vec::new();
        let tabled = set.tabled(&mut self.tables, &mut findings).unwrap();
        let found = Analysis::new(self.domain, &tabled).invariant(invariant);
        assert!(!found.is_empty(), "{invariant:?} is not broken");
        for one in found {
            assert_eq!(one.code, Code::InvariantBroken, "{one}");
            assert!(one.text.contains(invariant.sentence()) && one.case.is_some(), "{one}");
        }
    }
}

// Covers: issue "invariants that no set may break", each broken once
#[test]
#[expect(clippy::too_many_lines, reason = "a list: one broken set after the other")]
fn each_invariant_is_found_broken_by_a_set_that_breaks_it() {
    // The only trial that names a number.
    let set = PolicySet::compile(with(NIGHT)).unwrap();
    let domain = domain(&set);
    let mut trial = Trial { domain: &domain, tables: Tables::new(&domain, &set.words) };
    let mut breaks = |documents, invariant| trial.breaks(documents, invariant);
    let without = |limit: &str, instead: &str| edited(limit, instead);
    breaks(
        without(
            "when { !context.tokenReaches }",
            "when { !context.tokenReaches && context.purpose != Purpose::\"BTG\" }",
        ),
        Invariant::ScopeHolds,
    );
    breaks(
        without(
            "when { !context.ownTenant }",
            "when { !context.ownTenant && context.purpose != Purpose::\"BTG\" }",
        ),
        Invariant::TenantHolds,
    );
    let named = "unless { context.named.containsAll(resource.kinds) }";
    breaks(
        without(
            named,
            "unless { context.named.containsAll(resource.kinds) || resource.kinds.contains(SensitiveKind::\"psychotherapy-notes\") }",
        ),
        Invariant::AppsAndPsychotherapyNotes,
    );
    breaks(
        without(
            named,
            "unless { context.named.containsAll(resource.kinds) || context.named.contains(SensitiveKind::\"hiv\") }",
        ),
        Invariant::AppsAndSensitiveKinds,
    );
    breaks(with(NIGHT), Invariant::OwnActivity);
    breaks(
        edited("resource == Governance::\"activity\"", "resource == Governance::\"reviews\""),
        Invariant::OwnActivity,
    );
    breaks(without("principal in Role::\"support\" ||", ""), Invariant::SupportSeesNoRecords);
    breaks(
        without("principal in Role::\"administrator\" ||", ""),
        Invariant::AdministratorsSeeNoRecords,
    );
    breaks(
        edited(
            "permit (\n    principal in Role::\"emergency-clinician\"",
            "permit (\n    principal in Role::\"clinician\"",
        ),
        Invariant::EmergencyNeedsRole,
    );
    breaks(
        edited(
            "when { context has acr && context.acr == AuthLevel::\"step-up\" }",
            "when { context has acr }",
        ),
        Invariant::EmergencyNeedsStepUp,
    );
    breaks(
        edited("context.emergency.minutes < 60", "context.emergency.minutes <= 60"),
        Invariant::EmergencyNeedsOpening,
    );
    breaks(edited("context.emergency has reason &&", ""), Invariant::EmergencyNeedsOpening);
    breaks(edited("context.emergency.samePatient &&", ""), Invariant::EmergencyNeedsOpening);
    breaks(
        edited(
            "when { resource.kinds.isEmpty() }\nwhen { resource.labelled };\n\n// Entries",
            "when { resource.kinds.isEmpty() }\nwhen { true };\n\n// Entries",
        ),
        Invariant::UnlabelledIsRestricted,
    );
    breaks(
        edited("SensitiveKind::\"adolescent\",", "SensitiveKind::\"hiv\","),
        Invariant::ProxiesAndConfidences,
    );
    breaks(
        with(
            "@id(\"a\") @reason(\"front-desk-work\") @otherwise(\"unlabelled\") permit (principal is Person, action in Action::\"view\", resource is Record) when { context.mode == Mode::\"operational\" && resource.labelled };",
        ),
        Invariant::NoRoleNoRecords,
    );
    breaks(
        edited(
            "[Governance::\"reviews\", Governance::\"policies\"].contains(resource)",
            "resource == Governance::\"reviews\"",
        ),
        Invariant::PoliciesCanChange,
    );
}

/// A patient is told at night to come back in the morning.
const NIGHT: &str = "@id(\"night\") @reason(\"environment-not-allowed\") \
    forbid (principal, action, resource) when { context has hour && context.hour < 6 };";
