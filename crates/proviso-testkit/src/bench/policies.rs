//! Sets of policies that grow ward by ward, asked as the gateway asks them and as Cedar does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hint::black_box;

use anyhow::Context as _;
use proviso_app::policy::{ByLibrary, Documents, PolicySet, Put, TextFile};
use proviso_core::account::{ActorKind, Relationship, RelationshipKind};
use proviso_core::category::{Category, CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::decision::{
    AccessMode, AccessPlan, AccessRequest, Belonging, Labels, OrgGround, ResourceFacts, plan,
    standings_among,
};
use proviso_core::id::{AccountId, ClientId, PatientId};
use proviso_core::interaction::Interaction;
use proviso_core::org::{
    Age, FactSource, Mode, ObligationSet, OrgAction, OrgQuestion, OrgResource, OrgRules,
    Provenance, RecordKind, Related, RuleQuestion, SharedRules, Sourced,
};
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::{At, Period};

/// Policies of one ward: what may be seen there, by role, relation, purpose and type.
pub const OF_A_WARD: usize = 50;

const AT: At = At::from_secs(1_790_000_000);
const ROLES: [&str; 2] = ["clinician", "nurse"];
const RELATIONS: [&str; 3] = ["care", "shift", "covering"];
const PURPOSES: [PurposeOfUse; 3] =
    [PurposeOfUse::Treatment, PurposeOfUse::Coordination, PurposeOfUse::Operations];
const TYPES: [ResourceType; 5] = [
    ResourceType::OBSERVATION,
    ResourceType::CONDITION,
    ResourceType::PATIENT,
    ResourceType::ENCOUNTER,
    ResourceType::CONSENT,
];

/// The policies of so many wards.
///
/// # Errors
/// When they make no set.
pub fn wards(count: usize) -> anyhow::Result<PolicySet> {
    let mut text = String::new();
    for ward in 0..count {
        for number in 0..OF_A_WARD {
            policy(&mut text, ward, number)?;
        }
    }
    let policies = vec![TextFile { name: "wards.cedar".to_owned(), text }];
    let documents = Documents { policies, tests: Vec::new(), ..Documents::starter() };
    PolicySet::compile(documents).map_err(|findings| {
        let told: Vec<String> = findings.iter().take(3).map(ToString::to_string).collect();
        anyhow::anyhow!("the policies of the benchmark: {}", told.join("; "))
    })
}

fn policy(text: &mut String, ward: usize, number: usize) -> anyhow::Result<()> {
    let pick = |all: &[&'static str], place: usize| all.get(place % all.len()).copied();
    let role = pick(&ROLES, number).context("a role")?;
    let relation = pick(&RELATIONS, number / 2).context("a relation")?;
    let purpose = PURPOSES.get(number / 6 % PURPOSES.len()).context("a purpose")?.code();
    let kind = TYPES.get(number / 3 % TYPES.len()).context("a type")?;
    // One in ten forbids.
    let (effect, reason) = if number % 10 == 9 {
        ("forbid", "kind-not-for-role")
    } else {
        ("permit", "care-relationship")
    };
    writeln!(text, "@id(\"ward-{ward}-{number}\") @reason(\"{reason}\")")?;
    if effect == "permit" {
        let otherwise = "role-without-clinical-data; no-care-relationship; purpose-not-allowed; \
                         kind-not-for-role; sensitive-kind-not-shared";
        writeln!(text, "@otherwise(\"{otherwise}\")")?;
    }
    writeln!(
        text,
        "{effect} (principal in Role::\"{role}\", action in Action::\"view\", resource is Record)\n\
         when {{ principal in Department::\"ward-{ward}\" }}\n\
         when {{ context has {relation} }}\n\
         when {{ context.purpose == Purpose::\"{purpose}\" }}\n\
         when {{ resource.type == Type::\"{kind}\" }}"
    )?;
    let sensitive =
        if effect == "permit" { "isEmpty()" } else { "contains(SensitiveKind::\"hiv\")" };
    writeln!(text, "when {{ resource.kinds.{sensitive} }};\n")?;
    Ok(())
}

/// Numbers that look random and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, many: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % many.max(1)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> anyhow::Result<T> {
        all.get(self.below(all.len())).copied().context("nothing to draw from")
    }
}

/// Somebody of the first ward, and what they could ask.
#[derive(Debug)]
pub struct Asker<'a> {
    library: ByLibrary<'a>,
    ground: OrgQuestion,
    rules: SharedRules,
    account: AccountId,
}

fn related(kinds: &[RelationshipKind], account: &AccountId) -> anyhow::Result<Vec<Relationship>> {
    let one = |kind: &RelationshipKind| {
        anyhow::Ok(Relationship {
            account: account.clone(),
            patient: "maria".parse()?,
            kind: *kind,
            period: Period::ALWAYS,
            mandate: None,
            source: FactSource::Relationship,
        })
    };
    kinds.iter().map(one).collect()
}

impl<'a> Asker<'a> {
    /// A clinician of the first ward.
    ///
    /// # Errors
    /// When the world of the question cannot be made.
    pub fn of(set: &'a PolicySet) -> anyhow::Result<Self> {
        let account: AccountId = "acc_clinician".parse()?;
        let kind = ActorKind::Clinician;
        let departments = Sourced {
            value: BTreeSet::from(["ward-0".parse()?]),
            provenance: Provenance { source: FactSource::Account, age: Age::Now },
        };
        let who = OrgQuestion::of_account(account.clone(), kind, Mode::Operational);
        let ground = OrgQuestion { departments: Some(departments), ..who };
        let ways = [
            related(&[RelationshipKind::Care], &account)?,
            related(&[RelationshipKind::Shift, RelationshipKind::Covering], &account)?,
        ];
        let ways = ways.iter().flat_map(|own| standings_among(&account, own, AT));
        let rules = SharedRules::new(set.rules_for(&ground, ways.collect::<Vec<Related>>()));
        let library = set.by_library().context("the policies make no set")?;
        Ok(Self { library, ground, rules, account })
    }

    /// How many of the policies could apply to something that this person asks.
    pub fn left(&self) -> usize {
        self.rules.busy_count()
    }

    fn draw(&self, draw: &mut Draw) -> anyhow::Result<(RuleQuestion, OrgQuestion)> {
        let standing = draw.below(self.rules.standings.len());
        let related = self.rules.standings.get(standing).cloned().context("a standing")?;
        let labels = match draw.below(4) {
            0 => Labels::Known(SensitiveSet::EMPTY.with(draw.of(SensitiveKind::ALL)?)),
            1 => Labels::Unclassified,
            _ => Labels::Known(SensitiveSet::EMPTY),
        };
        let resource = OrgResource::Record(RecordKind {
            resource_type: draw.of(&TYPES)?,
            categories: CategorySet::EMPTY.with(draw.of(Category::ALL)?),
            labels,
        });
        let action = draw.of(&[OrgAction::Read, OrgAction::Read, OrgAction::Update])?;
        let purpose = draw.of(&PURPOSES)?;
        let short = RuleQuestion { standing: u8::try_from(standing)?, purpose, action, resource };
        Ok((short, OrgQuestion { related, purpose, action, resource, ..self.ground.clone() }))
    }

    /// Asks so many random questions both ways; how many were permitted.
    ///
    /// # Errors
    /// When the two ever differ, or hardly anything is permitted: then nothing is measured.
    pub fn agree(&self, questions: u32) -> anyhow::Result<u32> {
        let mut draw = Draw(1);
        let mut permitted = 0_u32;
        for number in 0..questions {
            let (short, whole) = self.draw(&mut draw)?;
            let put = self.library.put(&whole).context("a question cannot be put")?;
            let wanted = self.library.permits(&put);
            let said = self.rules.basis(&short, ObligationSet::EMPTY).is_some();
            anyhow::ensure!(wanted == said, "question {number}: Cedar {wanted}, the rules {said}");
            permitted += u32::from(said);
        }
        anyhow::ensure!(permitted > questions / 50, "only {permitted} of {questions} permitted");
        Ok(permitted)
    }

    /// Cedar asks all policies about one record that is permitted.
    ///
    /// # Errors
    /// When the question cannot be put.
    pub fn by_cedar(&self) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + '_> {
        let (_, whole) = self.permitted()?;
        let put: Put = self.library.put(&whole).context("a question cannot be put")?;
        Ok(move || {
            anyhow::ensure!(self.library.permits(black_box(&put)), "Cedar does not permit");
            Ok(())
        })
    }

    /// The rules left for this person, asked about the same record.
    ///
    /// # Errors
    /// When nothing is permitted.
    pub fn by_rules(&self) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + '_> {
        let (short, _) = self.permitted()?;
        Ok(move || {
            anyhow::ensure!(
                self.rules.basis(black_box(&short), ObligationSet::EMPTY).is_some(),
                "not permitted"
            );
            Ok(())
        })
    }

    /// The rules asked about another random record each time.
    ///
    /// # Errors
    /// When no question can be drawn.
    pub fn by_rules_at_random(&self) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + '_> {
        let mut draw = Draw(7);
        let drawn = (0..1 << 16).map(|_| Ok(self.draw(&mut draw)?.0));
        let drawn: Vec<RuleQuestion> = drawn.collect::<anyhow::Result<_>>()?;
        let mut next = 0_usize;
        Ok(move || {
            next = (next + 1) % drawn.len();
            black_box(drawn.get(next).map(|short| self.rules.basis(short, ObligationSet::EMPTY)));
            Ok(())
        })
    }

    /// A whole decision about the same record, with a plan that was made before.
    ///
    /// # Errors
    /// When the request is refused.
    pub fn by_plan(&self) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + '_> {
        let (client, patient): (ClientId, PatientId) = ("chart-lens".parse()?, "maria".parse()?);
        let scopes: Vec<Scope> = vec!["user/*.rs".parse()?];
        let relationships = related(&[RelationshipKind::Care], &self.account)?;
        let policy = OrgGround::by_rules("wards".to_owned(), OrgRules::clone(&self.rules));
        let request = AccessRequest {
            policy: &policy,
            at: AT,
            client: &client,
            account: Some(&self.account),
            mode: AccessMode::Operational {
                kind: ActorKind::Clinician,
                relationships: &relationships,
                objections: &[],
            },
            scopes: Some(&scopes),
            patient_in_context: Some(&patient),
            purpose: PurposeOfUse::Treatment,
            met: proviso_core::org::ObligationSet::EMPTY,
        };
        let plan: AccessPlan = plan(&request).map_err(|denial| anyhow::anyhow!("{denial:?}"))?;
        let facts = ResourceFacts {
            resource_type: ResourceType::OBSERVATION,
            id: None,
            belonging: Belonging::Patients([patient].into()),
            categories: CategorySet::EMPTY.with(Category::Laboratory),
            labels: Labels::Known(SensitiveSet::EMPTY),
            clinical_period: None,
            filed: None,
        };
        Ok(move || {
            let decision = plan.decide(&Interaction::Read, black_box(&facts), &|_| true);
            anyhow::ensure!(decision.is_permit(), "the decision is no permit: {decision:?}");
            Ok(())
        })
    }

    /// The plan of a request by these rules.
    ///
    /// # Errors
    /// Never; what is measured is the same for refusals.
    pub fn planning<'b>(
        &'b self,
        set: &'b PolicySet,
    ) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + 'b> {
        let relationships = related(&[RelationshipKind::Care], &self.account)?;
        Ok(move || {
            let ways = standings_among(&self.account, &relationships, AT);
            let rules = set.rules_for(black_box(&self.ground), ways);
            anyhow::ensure!(!rules.rules.is_empty(), "no rules are left");
            Ok(())
        })
    }

    fn permitted(&self) -> anyhow::Result<(RuleQuestion, OrgQuestion)> {
        let resource = OrgResource::Record(RecordKind {
            resource_type: ResourceType::OBSERVATION,
            categories: CategorySet::EMPTY.with(Category::Laboratory),
            labels: Labels::Known(SensitiveSet::EMPTY),
        });
        let (purpose, action) = (PurposeOfUse::Treatment, OrgAction::Read);
        for (place, related) in (0_u8..).zip(&self.rules.standings) {
            let short = RuleQuestion { standing: place, purpose, action, resource };
            if self.rules.basis(&short, ObligationSet::EMPTY).is_some() {
                let related = related.clone();
                let ground = self.ground.clone();
                return Ok((short, OrgQuestion { related, purpose, action, resource, ..ground }));
            }
        }
        anyhow::bail!("nobody of the ward may read an observation")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_decided_alike_and_does_not_grow_with_other_wards() {
        let (small, large) = (wards(1).unwrap(), wards(3).unwrap());
        let (one, three) = (Asker::of(&small).unwrap(), Asker::of(&large).unwrap());
        assert!(one.agree(300).unwrap() > 6);
        three.agree(100).unwrap();
        assert_eq!(one.left(), three.left());
        assert!(one.left() >= OF_A_WARD / 3, "{}", one.left());
        for mut call in [
            Box::new(one.by_cedar().unwrap()) as Box<dyn FnMut() -> anyhow::Result<()>>,
            Box::new(one.by_rules().unwrap()),
            Box::new(one.by_rules_at_random().unwrap()),
            Box::new(one.by_plan().unwrap()),
            Box::new(one.planning(&small).unwrap()),
        ] {
            call().unwrap();
        }
    }
}
