//! The laws of the provision engine, each over random worlds.
//!
//! "Enlarges" is asked of the last answer, with both things that can hold where nothing speaks.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::worlds::{OURS, Random, Richness, World, directive, provision, record, request};
use super::*;
use crate::time::{At, Period};

fn worlds() -> impl Strategy<Value = (World, u64)> {
    (any::<u64>(), any::<u64>()).prop_map(|(seed, choice)| (World::of_seed(seed), choice))
}

fn allowed(world: &World, fallback: Rule) -> bool {
    decide(world.outcome(), fallback) == Rule::Permit
}

/// Nothing that was withheld before is released after, with the answers that are shipped for where
/// nothing speaks.
fn never_enlarges_as_shipped(before: &World, after: &World) {
    for fallback in [Fallback::Deny, Fallback::RoutineCare] {
        let allowed = |world: &World| allowed(world, fallback.rule(&world.request, &world.record));
        assert!(
            allowed(before) || !allowed(after),
            "enlarged, with {fallback:?}: {before:#?} to {after:#?}"
        );
    }
}

/// Nothing that was withheld before is released after.
fn never_enlarges(before: &World, after: &World) {
    for fallback in [Rule::Permit, Rule::Deny] {
        assert!(
            allowed(before, fallback) || !allowed(after, fallback),
            "enlarged, with {fallback:?} as fallback: {before:#?} to {after:#?}"
        );
    }
}

fn never_changes(before: &World, after: &World) {
    for fallback in [Rule::Permit, Rule::Deny] {
        assert_eq!(
            allowed(before, fallback),
            allowed(after, fallback),
            "changed, with {fallback:?} as fallback: {before:#?} to {after:#?}"
        );
    }
}

fn with_provisions(world: &World, change: impl FnOnce(&mut Vec<Provision>)) -> World {
    let mut provisions = world.directive.provisions().to_vec();
    change(&mut provisions);
    let old = &world.directive;
    let directive =
        Directive::new(old.dialect(), old.base(), provisions, old.unreadable().to_vec()).unwrap();
    World { directive, ..world.clone() }
}

fn count(provisions: &[Provision]) -> usize {
    provisions.iter().map(|it| 1 + count(&it.children)).sum()
}

/// Calls `change` with the list that holds the chosen provision, and its index.
fn at_place(
    provisions: &mut Vec<Provision>,
    place: usize,
    change: &mut dyn FnMut(&mut Vec<Provision>, usize),
) -> usize {
    let mut left = place;
    for index in 0..provisions.len() {
        if left == 0 {
            change(provisions, index);
            return usize::MAX;
        }
        left = at_place(&mut provisions[index].children, left - 1, change);
        if left == usize::MAX {
            return left;
        }
    }
    left
}

/// The world with one provision changed, if it has any.
fn change_one(
    world: &World,
    choice: u64,
    mut change: impl FnMut(&mut Vec<Provision>, usize, &mut Random),
) -> World {
    let mut random = Random::new(choice);
    with_provisions(world, |provisions| {
        let many = count(provisions);
        if many > 0 {
            let place = random.below(many);
            at_place(provisions, place, &mut |list, index| change(list, index, &mut random));
        }
    })
}

fn leaf(random: &mut Random, rule: Rule) -> Provision {
    Provision { rule, children: Vec::new(), ..provision(random, Richness::FULL) }
}

/// The same, without anything that cannot be read.
fn readable_leaf(random: &mut Random, rule: Rule) -> Provision {
    let ordered = |period: Option<Period>| {
        period.filter(|period| period.end.is_none_or(|end| period.start.is_none_or(|it| it < end)))
    };
    let it = leaf(random, rule);
    Provision {
        period: ordered(it.period),
        data_period: ordered(it.data_period),
        unreadable: Vec::new(),
        ..it
    }
}

/// Narrows one attribute of a provision.
fn narrow(it: &mut Provision, random: &mut Random) {
    fn fewer<T: Clone>(values: &mut Vec<T>, whole: &[T], random: &mut Random) {
        match values.len() {
            0 => values.push(random.pick(whole).clone()),
            1 => {}
            many => {
                values.remove(random.below(many));
            }
        }
    }
    let inside = |period: Option<Period>, random: &mut Random| {
        let whole = period.unwrap_or_default();
        let cut = At::from_secs(i64::try_from(random.below(6)).unwrap());
        Some(if random.once_in(2) {
            Period { start: whole.start.max(Some(cut)), ..whole }
        } else {
            Period { end: Some(whole.end.map_or(cut, |end| end.min(cut))), ..whole }
        })
    };
    match random.below(4) {
        0 => fewer(&mut it.purposes, &super::worlds::purposes(), random),
        1 => it.period = inside(it.period, random),
        2 => it.data_period = inside(it.data_period, random),
        _ => {
            let who = ActorClause {
                role: ActorRole::Recipient,
                who: Some(Who::reference("Practitioner/p")),
            };
            // Actors of one role are alternatives, those of several are all required: the last of
            // its role is a condition, and without it the permit is wider.
            let place = random.below(it.actors.len().max(1));
            let role = it.actors.get(place).map(|own| own.role.clone());
            if it.actors.iter().filter(|own| Some(&own.role) == role.as_ref()).count() != 1 {
                if it.actors.is_empty() {
                    it.actors.push(who);
                } else {
                    drop(it.actors.remove(place));
                }
            }
        }
    }
}

/// Makes one thing unknown that was known.
fn forget(world: &World, random: &mut Random) -> World {
    let mut world = world.clone();
    let record = &mut world.record;
    match random.below(12) {
        0 => record.instance = Fact::Unknown,
        1 => record.labels = Fact::Unknown,
        2 => record.clinical = Fact::Unknown,
        3 => record.authors = Fact::Unknown,
        4 => record.custodian = Fact::Unknown,
        5 => record.refers_to = Fact::Unknown,
        6 => record.referred_by = Fact::Unknown,
        7 => record.classes = Fact::Unknown,
        8 => record.codes = Fact::Unknown,
        9 => world.request.purpose = Fact::Unknown,
        10 => {
            let asker = &mut world.request.asker;
            if let Some(kind) = asker.known.first().map(Who::kind) {
                asker.known.retain(|who| who.kind() != kind);
                asker.unresolved.insert(kind);
            }
        }
        _ => world.request.locations = Fact::Unknown,
    }
    world
}

/// Leaves the categories out of every permit, and all labels out of whatever has exceptions: what
/// stands under a label is about that label.
fn name_no_category(provisions: &mut [Provision]) {
    for it in provisions {
        if !it.children.is_empty() {
            it.labels.clear();
        }
        if it.rule == Rule::Permit {
            it.labels.retain(|label| matches!(label, Label::Confidentiality(_)));
        }
        name_no_category(&mut it.children);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Nothing said is nothing released, whatever is asked.
    #[test]
    fn default_deny((world, _) in worlds()) {
        let silent = combine(&[], Combination::DenyOverrides, &world.record.labels);
        prop_assert_eq!(silent.outcome, Outcome::NotApplicable);
        let shipped = Fallback::Deny.rule(&world.request, &world.record);
        prop_assert_eq!(decide(silent.outcome, shipped), Rule::Deny);
    }

    #[test]
    fn deny_overrides_permit((world, choice) in worlds()) {
        let other = World {
            directive: super::worlds::any_directive(&mut Random::new(choice)),
            ..world.clone()
        };
        let said = [world.evaluation(), other.evaluation()];
        let voices = said.each_ref().map(|evaluation| Voice {
            recorded_at: At::from_secs(0),
            evaluation,
        });
        let together = combine(&voices, Combination::DenyOverrides, &world.record.labels);
        if said.iter().any(|one| one.said == Outcome::Deny) {
            prop_assert_eq!(together.outcome, Outcome::Deny);
        }
    }

    /// A permit names the consents it rests on, and in each the provision or step that gave it.
    #[test]
    fn permit_names_its_basis((world, _) in worlds()) {
        fn permits(traces: &[Trace]) -> bool {
            traces.iter().any(|it| it.outcome == Outcome::Permit || permits(&it.exceptions))
        }
        let evaluation = world.evaluation();
        let voice = Voice { recorded_at: At::from_secs(0), evaluation: &evaluation };
        let told = combine(&[voice], Combination::DenyOverrides, &world.record.labels);
        prop_assert_eq!(&told.deciding, &vec![0]);
        if told.outcome == Outcome::Permit {
            let by_default = matches!(evaluation.step, Step::Base | Step::NothingForbids | Step::OwnRule);
            prop_assert!(by_default || permits(&evaluation.provisions), "{evaluation:#?}");
        }
    }

    #[test]
    fn adding_a_deny_never_permits((world, choice) in worlds()) {
        let changed = change_one(&world, choice, |list, index, random| {
            let deny = leaf(random, Rule::Deny);
            if random.once_in(2) { list.push(deny) } else { list[index].children.push(deny) }
        });
        never_enlarges(&world, &changed);
    }

    /// Coverage grows with every permit. IHE's profiles hold one root only, so a second one makes
    /// the document unreadable there; a permit that matches in a limited way can also give an
    /// answer where before the fallback spoke, so the fallback here denies.
    #[test]
    fn adding_a_permit_never_denies((world, choice) in worlds()) {
        let changed = change_one(&world, choice, |list, index, random| {
            let permit = readable_leaf(random, Rule::Permit);
            if random.once_in(2) { list.push(permit) } else { list[index].children.push(permit) }
        });
        if changed.evaluation().step != Step::OutsideProfile {
            prop_assert!(!allowed(&world, Rule::Deny) || allowed(&changed, Rule::Deny));
        }
    }

    #[test]
    fn ending_a_permit_consent_never_enlarges((world, choice) in worlds()) {
        let mut random = Random::new(choice);
        let other = World { directive: super::worlds::any_directive(&mut random), ..world.clone() };
        let (one, two) = (world.evaluation(), other.evaluation());
        let (first, second) = (
            Voice { recorded_at: At::from_secs(1), evaluation: &one },
            Voice { recorded_at: At::from_secs(2), evaluation: &two },
        );
        let labels = &world.record.labels;
        let both = combine(&[first, second], Combination::DenyOverrides, labels);
        let left = combine(&[first], Combination::DenyOverrides, labels);
        if two.said == Outcome::Permit {
            prop_assert!(left.outcome != Outcome::Permit || both.outcome == Outcome::Permit);
        } else if two.said != Outcome::NotApplicable {
            prop_assert_ne!(both.outcome, Outcome::Permit);
        }
    }

    /// A permit that names a category is about records that carry it, so the law is said of
    /// directives whose permits name none.
    #[test]
    fn adding_a_sensitivity_label_never_enlarges((world, choice) in worlds()) {
        let world = with_provisions(&world, |provisions| name_no_category(provisions));
        let mut random = Random::new(choice);
        let code = *random.pick(Sensitivity::ALL);
        if let Fact::Known(labels) = &world.record.labels {
            let mut changed = world.clone();
            changed.record.labels = Fact::Known(labels.clone().with(Label::Sensitivity(code)));
            never_enlarges_as_shipped(&world, &changed);
        }
    }

    /// A permit with exceptions protects by them, so the law is said of permits without.
    #[test]
    fn narrowing_a_permit_never_enlarges((world, choice) in worlds()) {
        let changed = change_one(&world, choice, |list, index, random| {
            if list[index].rule == Rule::Permit && list[index].children.is_empty() {
                narrow(&mut list[index], random);
            }
        });
        // Leaving out what its profile does not have makes a consent readable, not narrower.
        let was_read = world.evaluation().step != Step::OutsideProfile;
        let before = allowed(&world, Rule::Deny);
        prop_assert!(before || !was_read || !allowed(&changed, Rule::Deny));
    }

    #[test]
    fn order_is_irrelevant((world, choice) in worlds()) {
        let changed = change_one(&world, choice, |list, index, random| {
            let other = random.below(list.len());
            list.swap(index, other);
            list.reverse();
            let it = &mut list[index];
            it.labels.reverse();
            it.purposes.reverse();
            it.actors.reverse();
            it.classes.reverse();
            it.actions.reverse();
            it.children.reverse();
        });
        never_changes(&world, &changed);
    }

    #[test]
    fn duplicate_is_irrelevant((world, choice) in worlds()) {
        let rooted_once = matches!(
            world.directive.dialect(),
            Dialect::PcfBasic | Dialect::PcfIntermediate | Dialect::PcfAdvanced | Dialect::PcfImplicit
        );
        let mut at_root = false;
        let changed = change_one(&world, choice, |list, index, _| {
            at_root = list.len() == world.directive.provisions().len() && list == world.directive.provisions();
            let twin = list[index].clone();
            list.push(twin);
        });
        if !(rooted_once && at_root) {
            never_changes(&world, &changed);
        }
    }

    /// Splitting the values of one attribute over two provisions says the same. A permit that
    /// mixes confidentiality with categories covers the categories only, so labels are split
    /// where they are all of one sort; actors where they have one role.
    #[test]
    fn splitting_values_never_changes((world, choice) in worlds()) {
        let rooted_once = matches!(
            world.directive.dialect(),
            Dialect::PcfBasic | Dialect::PcfIntermediate | Dialect::PcfAdvanced | Dialect::PcfImplicit
        );
        let dialect = if rooted_once { Dialect::FhirTree } else { world.directive.dialect() };
        let world = World { directive: world.directive.under(dialect), ..world };
        let changed = change_one(&world, choice, |list, index, random| {
            let whole = list[index].clone();
            let (mut one, mut two) = (whole.clone(), whole.clone());
            match random.below(4) {
                0 if whole.purposes.len() > 1 => {
                    two.purposes = one.purposes.split_off(1);
                }
                1 if whole.labels.len() > 1 => {
                    let levels = whole.labels.iter().filter(|it| matches!(it, Label::Confidentiality(_)));
                    if !matches!(levels.count(), n if n == 0 || n == whole.labels.len()) {
                        return;
                    }
                    two.labels = one.labels.split_off(1);
                }
                2 if whole.actors.len() > 1
                    && whole.actors.iter().all(|it| it.role == whole.actors[0].role) =>
                {
                    two.actors = one.actors.split_off(1);
                }
                3 if whole.classes.len() > 1 => {
                    two.classes = one.classes.split_off(1);
                }
                _ => return,
            }
            list[index] = one;
            list.push(two);
        });
        never_changes(&world, &changed);
    }

    #[test]
    fn outside_every_period_is_as_absent((world, _) in worlds()) {
        let mut late = with_provisions(&world, |provisions| {
            for root in provisions {
                root.period = Some(Period { start: None, end: Some(At::from_secs(50)) });
                root.data_period = None;
                root.unreadable.clear();
            }
        });
        late.request.at = At::from_secs(50);
        let absent = with_provisions(&late, Vec::clear);
        let in_profile = late.evaluation().step != Step::OutsideProfile;
        if in_profile {
            never_changes(&late, &absent);
        }
        late.request.at = At::from_secs(49);
        let open = with_provisions(&late, |provisions| {
            for root in provisions {
                root.period = None;
            }
        });
        prop_assert_eq!(late.evaluation().said, open.evaluation().said);
    }

    #[test]
    fn indeterminate_never_permits((world, _) in worlds()) {
        if world.outcome() == Outcome::Indeterminate {
            prop_assert_eq!(decide(world.outcome(), Rule::Permit), Rule::Deny);
        }
        let mut broken = world.clone();
        broken.directive = Directive::new(
            world.directive.dialect(),
            world.directive.base(),
            world.directive.provisions().to_vec(),
            vec![Unreadable::Element("Consent.verification".into())],
        ).unwrap();
        prop_assert_eq!(broken.outcome(), Outcome::Indeterminate);
    }

    /// What is not known never releases anything.
    #[test]
    fn forgetting_never_enlarges((world, choice) in worlds()) {
        let changed = forget(&world, &mut Random::new(choice));
        never_enlarges_as_shipped(&world, &changed);
    }

    /// FHIR R5 says a child's rule by its depth, so only trees whose rules alternate have a
    /// translation, and R5's root answers where R4's root did not match.
    #[test]
    fn r4_tree_is_its_r5_translation(seed in any::<u64>()) {
        fn alternate(it: &mut Provision, rule: Rule) {
            it.rule = rule;
            for child in &mut it.children {
                alternate(child, rule.opposite());
            }
        }
        let mut random = Random::new(seed);
        let mut root = provision(&mut random, Richness::FULL);
        let rule = root.rule;
        alternate(&mut root, rule);
        let make = |base| {
            Directive::new(Dialect::FhirTree, base, vec![root.clone()], Vec::new()).unwrap()
        };
        let (request, record) = (request(&mut random), record(&mut random));
        let labels = &record.labels;
        let r4 = evaluate(&make(None), &request, &record);
        let r5 = evaluate(&make(Some(rule.opposite())), &request, &record);
        let (four, five) = (
            decide(r4.outcome(labels), rule.opposite()),
            decide(r5.outcome(labels), Rule::Deny),
        );
        // R5's own permit knows what a deny that may apply would take away; a fallback does not.
        let same = rule == Rule::Permit || !r5.rests_on_unknown();
        prop_assert!(four == five || (!same && five == Rule::Deny));
        // An unrestricted R4 root is R5's decision with the root's exceptions.
        let bare = Provision { children: root.children.clone(), ..Provision::new(rule) };
        let whole = Directive::new(Dialect::FhirTree, None, vec![bare], Vec::new()).unwrap();
        let parts = Directive::new(Dialect::FhirTree, Some(rule), root.children, Vec::new()).unwrap();
        prop_assert_eq!(
            evaluate(&whole, &request, &record).outcome(labels),
            evaluate(&parts, &request, &record).outcome(labels)
        );
    }

    #[test]
    fn a_token_and_its_enforcement_are_the_direct_decision(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let dialect = *random.pick(&[
            Dialect::PcfBasic, Dialect::PcfIntermediate, Dialect::PcfAdvanced, Dialect::PcfImplicit,
        ]);
        let mut directive = directive(&mut random, dialect, Richness::PCF);
        if !random.once_in(4) {
            let mut provisions = directive.provisions().to_vec();
            for root in &mut provisions {
                super::worlds::fit_profile(root, dialect);
            }
            directive = Directive::new(dialect, directive.base(), provisions, Vec::new()).unwrap();
        }
        let (request, record) = (request(&mut random), record(&mut random));
        let direct = evaluate(&directive, &request, &record);
        let (said, cover) = match issue_pcf_token(&directive, &request) {
            PcfAnswer::Token(token) => token.enforce(&request, &record),
            PcfAnswer::None(outcome) => (outcome, Cover::Nothing),
        };
        prop_assert_eq!((direct.said, direct.cover), (said, cover));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes((world, _) in worlds()) {
        let bytes = |world: &World| serde_json::to_string(&world.evaluation()).unwrap();
        prop_assert_eq!(bytes(&world), bytes(&world.clone()));
        let text = serde_json::to_string(&world.directive).unwrap();
        let read: Directive = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &world.directive);
    }

    #[test]
    fn every_patient_named_must_permit(mask in 0u8..8, excused in 0u8..8, permits in 0u8..8) {
        let names: Vec<crate::id::PatientId> =
            ["maria", "james", "lily"].iter().map(|id| id.parse().unwrap()).collect();
        let set = |bits: u8| -> BTreeSet<crate::id::PatientId> {
            (0..3).filter(|bit| bits >> bit & 1 == 1).map(|bit| names[bit].clone()).collect()
        };
        let answer = across_patients(&Fact::Known(set(mask)), &set(excused), |patient| {
            if set(permits).contains(patient) { Rule::Permit } else { Rule::Deny }
        });
        let asked = mask & !excused;
        let wanted = asked != 0 && asked & !permits == 0;
        prop_assert_eq!(answer == Rule::Permit, wanted);
        prop_assert_eq!(across_patients(&Fact::Unknown, &set(excused), |_| Rule::Permit), Rule::Deny);
    }

    #[test]
    fn codes_of_systems_nobody_knows_never_release((world, _) in worlds()) {
        let mut changed = world.clone();
        changed.request.understood = BTreeSet::new();
        let before = BTreeSet::from([alloc::string::String::from(OURS)]);
        prop_assert_eq!(&world.request.understood, &before);
        never_enlarges(&world, &changed);
    }
}
