//! Every tree up to depth three over a small alphabet, against the naive evaluator.
//!
//! What a tree says depends on its shape, its rules and whether each provision applies. So the
//! alphabet of conditions is one of each kind: applies, does not apply, not known, unknown code,
//! unreadable, and applies to a label or a level; records carry no label, one that is named, one
//! that is not, one below its level, and none that is known.

extern crate std;

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::oracle::naive;
use super::worlds::{OURS, THEIRS};
use super::*;
use crate::time::At;

fn purpose(code: &str) -> Purpose {
    Purpose::Hl7(code.parse().unwrap())
}

/// The conditions, each as a provision without exceptions.
fn alphabet(conditions: usize) -> Vec<Provision> {
    let mut all = Vec::new();
    for rule in [Rule::Permit, Rule::Deny] {
        let bare = || Provision::new(rule);
        let kinds = [
            bare(),
            Provision { purposes: vec![purpose("HPAYMT")], ..bare() },
            Provision { classes: vec![Coding::new(OURS, "class")], ..bare() },
            Provision { labels: vec![Label::Sensitivity(Sensitivity::Psychiatry)], ..bare() },
            Provision { labels: vec![Label::Confidentiality(Confidentiality::Normal)], ..bare() },
            Provision { purposes: vec![Purpose::Foreign(Coding::new(THEIRS, "zap"))], ..bare() },
            Provision { unreadable: vec![Unreadable::Element("expression".into())], ..bare() },
        ];
        all.extend(kinds.into_iter().take(conditions));
    }
    all
}

fn with_children(one: &Provision, children: &[&Provision]) -> Provision {
    Provision { children: children.iter().map(|it| (*it).clone()).collect(), ..one.clone() }
}

/// The provision alone, with each of `below` as its exception, and with each pair.
fn over(alphabet: &[Provision], below: &[Provision], pairs: bool) -> Vec<Provision> {
    let mut all = Vec::new();
    for one in alphabet {
        all.push(one.clone());
        for (index, first) in below.iter().enumerate() {
            all.push(with_children(one, &[first]));
            if pairs {
                all.extend(below[index..].iter().map(|it| with_children(one, &[first, it])));
            }
        }
    }
    all
}

fn request() -> RequestFacts {
    RequestFacts {
        at: At::from_secs(0),
        asker: Identities::default(),
        others: Vec::new(),
        purpose: Fact::Known(purpose("TREAT")),
        action: Fact::Unknown,
        locations: Fact::Unknown,
        understood: BTreeSet::from([OURS.into()]),
    }
}

fn records() -> Vec<RecordFacts> {
    let psychiatry = Label::Sensitivity(Sensitivity::Psychiatry);
    let hiv = Label::Sensitivity(Sensitivity::Hiv);
    let normal = Label::Confidentiality(Confidentiality::Normal);
    [
        Fact::Known(LabelSet::default()),
        Fact::Known(LabelSet::default().with(psychiatry.clone())),
        Fact::Known(LabelSet::default().with(normal).with(hiv.clone())),
        Fact::Known(LabelSet::default().with(psychiatry).with(hiv)),
        Fact::Unknown,
    ]
    .into_iter()
    .map(|labels| RecordFacts { labels, ..RecordFacts::UNKNOWN })
    .collect()
}

fn check(dialects: &[Dialect], base: Option<Rule>, roots: &[Provision]) -> usize {
    let (request, records) = (request(), records());
    let mut checked = 0;
    for dialect in dialects {
        let directive = Directive::new(*dialect, base, roots.to_vec(), Vec::new()).unwrap();
        for record in &records {
            let got = evaluate(&directive, &request, record);
            let wanted = naive(&directive, &request, record);
            let outcome = got.outcome(&record.labels);
            assert!(
                wanted.agrees_with(got.said, outcome),
                "{dialect} {:?} {:?}: {outcome:?}, not {wanted:?}",
                serde_json::to_string(&directive),
                record.labels
            );
            checked += 1;
        }
    }
    checked
}

#[test]
fn every_small_tree_is_read_as_the_text_says() {
    let flat = Dialect::Permission(CombiningCode::PermitOverrides);
    // The others read one consent as one of these does.
    let dialects = [
        Dialect::FhirTree,
        Dialect::PcfAdvanced,
        Dialect::Fast,
        Dialect::Joint,
        flat,
        Dialect::Permission(CombiningCode::DenyUnlessPermit),
        Dialect::Permission(CombiningCode::PermitUnlessDeny),
    ];
    let leaves = alphabet(7);
    let mut checked = 0;
    // Depth two with pairs of siblings, under every dialect and every base.
    for tree in over(&leaves, &leaves, true) {
        for base in [None, Some(Rule::Permit), Some(Rule::Deny)] {
            checked += check(&dialects, base, core::slice::from_ref(&tree));
        }
    }
    // Depth three, with pairs of siblings at both levels over the conditions that interact.
    let few = alphabet(4);
    for tree in over(&few, &over(&few, &few, false), true) {
        checked += check(&[Dialect::FhirTree], None, core::slice::from_ref(&tree));
    }
    for tree in over(&few, &over(&few, &few, true), false) {
        checked += check(&[Dialect::FhirTree, flat], None, core::slice::from_ref(&tree));
    }
    std::eprintln!("{checked} answers over every small tree");
}
