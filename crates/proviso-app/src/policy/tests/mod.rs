//! The set that comes with this release, and what the checks say of sets that are wrong.

use super::*;

fn starter() -> PolicySet {
    PolicySet::starter().unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn the_starter_set_is_sound_and_every_policy_of_it_is_shown_by_a_test() {
    let report = starter().check();
    assert!(report.findings.is_empty(), "{}", lines(&report.findings));
    assert_eq!(report.invariants, Invariant::ALL.len());
    assert!(report.tests > report.policies);
}
