//! How long it takes to compile the consents of a patient, and to decide on a record.
//!
//!     cargo bench -p proviso-core --bench provision
//!
//! 200 consents of depth four, each with eleven provisions; 1 000 records. Figures are the median of
//! 51 rounds.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::indexing_slicing, clippy::expect_used, reason = "its own fixed values fit")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proviso_core::consent::provision::{
    ActorClause, ActorRole, Coding, Combination, DataClause, DataMeaning, Dialect, Directive, Fact,
    Identities, Label, LabelSet, Plan, Provision, Purpose, PurposeCode, RecordFacts, RequestFacts,
    Rule, Sensitivity, Voice, Who, combine, evaluate,
};
use proviso_core::time::{At, Period};

const TYPES: [&str; 6] =
    ["Observation", "Condition", "MedicationRequest", "Encounter", "Procedure", "Immunization"];
const CODES: [&str; 8] =
    ["4548-4", "2339-0", "718-7", "2345-7", "8480-6", "8462-4", "29463-7", "1"];

fn class(index: usize) -> Coding {
    Coding::new("http://hl7.org/fhir/resource-types", TYPES[index % TYPES.len()])
}

fn code(index: usize) -> Coding {
    Coding::new("http://loinc.org", CODES[index % CODES.len()])
}

fn label(index: usize) -> Label {
    Label::Sensitivity(Sensitivity::ALL[index % Sensitivity::ALL.len()])
}

/// Permits treatment by one team, but for restricted kinds, unless the care team asks, and even then
/// not for one period and one visit.
fn consent(index: usize) -> Directive {
    let bare = Provision::new;
    let team =
        |name: &str| ActorClause { role: ActorRole::Recipient, who: Some(Who::reference(name)) };
    let years = Period { start: Some(At::from_secs(0)), end: Some(At::from_secs(90)) };
    let last = [
        Provision { data_period: Some(years), ..bare(Rule::Deny) },
        Provision {
            data: vec![DataClause {
                meaning: DataMeaning::Dependents,
                reference: Who::reference(format!("Encounter/{}", index % 40)),
            }],
            ..bare(Rule::Deny)
        },
    ];
    let lifted = |actors: Vec<ActorClause>| Provision {
        actors,
        classes: vec![class(index), class(index + 1)],
        children: last.to_vec(),
        ..bare(Rule::Permit)
    };
    let kept = |labels| Provision {
        labels,
        children: vec![lifted(vec![team("CareTeam/t"), team("CareTeam/u")])],
        ..bare(Rule::Deny)
    };
    let root = Provision {
        purposes: vec![Purpose::Hl7(PurposeCode::Treatment), Purpose::Hl7(PurposeCode::Payment)],
        actors: vec![team("Organization/o")],
        children: vec![
            kept(vec![label(index), label(index + 7)]),
            kept(vec![label(index + 13)]),
            Provision {
                codes: vec![code(index)],
                actors: vec![team("Group/g")],
                ..bare(Rule::Deny)
            },
        ],
        ..bare(Rule::Permit)
    };
    Directive::new(Dialect::FhirTree, None, vec![root], Vec::new()).expect("within bounds")
}

fn request() -> RequestFacts {
    RequestFacts {
        at: At::from_secs(1_000),
        asker: Identities::exactly(
            ["Practitioner/p", "Organization/o", "CareTeam/t"].map(Who::reference),
        ),
        others: Vec::new(),
        purpose: Fact::Known(Purpose::Hl7(PurposeCode::Treatment)),
        action: Fact::Unknown,
        locations: Fact::Unknown,
        understood: BTreeSet::new(),
    }
}

fn record(index: usize) -> RecordFacts {
    let at = At::from_secs(i64::try_from(100 + index).expect("small"));
    let mut labels = LabelSet::default();
    if index.is_multiple_of(5) {
        labels = labels.with(label(index / 5));
    }
    RecordFacts {
        instance: Fact::Known(Who::reference(format!("Observation/{index}"))),
        labels: Fact::Known(labels),
        clinical: Fact::Known(Period { start: Some(at), end: Some(at.plus_secs(60)) }),
        authors: Fact::Known(Identities::exactly([Who::reference("Practitioner/a")])),
        custodian: Fact::Known(Identities::exactly([Who::reference("Organization/o")])),
        refers_to: Fact::Known(
            ["Patient/maria".to_owned(), format!("Encounter/{}", 40 + index % 100)]
                .map(Who::reference)
                .into(),
        ),
        referred_by: Fact::Known(BTreeSet::new()),
        classes: Fact::Known([class(index)].into()),
        codes: Fact::Known([code(index), code(index + 3)].into()),
        patients: Fact::Known(["maria".parse().expect("an id")].into()),
    }
}

/// The median of many rounds.
fn median(rounds: usize, mut round: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..rounds).map(|_| round()).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

fn main() {
    let directives: Vec<Directive> = (0..200).map(consent).collect();
    let records: Vec<RecordFacts> = (0..1_000).map(record).collect();
    let consents: Vec<(At, &Directive)> =
        directives.iter().map(|one| (At::from_secs(0), one)).collect();
    let request = request();
    let compile = || Plan::compile(&consents, Combination::DenyOverrides, &request).expect("fits");
    let plan = compile();
    let compiling = median(51, || {
        let start = Instant::now();
        std::hint::black_box(compile());
        start.elapsed()
    });
    let looking = median(51, || {
        let start = Instant::now();
        for record in &records {
            std::hint::black_box(plan.view(record));
        }
        start.elapsed()
    });
    let views: Vec<_> = records.iter().map(|record| plan.view(record)).collect();
    let deciding = median(51, || {
        let start = Instant::now();
        for view in &views {
            std::hint::black_box(plan.decide(view));
        }
        start.elapsed()
    });
    let mut permits = 0;
    for (record, view) in records.iter().zip(&views) {
        let evaluations: Vec<_> =
            directives.iter().map(|one| evaluate(one, &request, record)).collect();
        let voices: Vec<Voice<'_>> = evaluations
            .iter()
            .map(|evaluation| Voice { recorded_at: At::from_secs(0), evaluation })
            .collect();
        let wanted = combine(&voices, Combination::DenyOverrides, &record.labels).outcome;
        assert_eq!(plan.decide(view), wanted);
        permits += usize::from(wanted == proviso_core::consent::provision::Outcome::Permit);
    }
    let each = |whole: Duration| whole.as_nanos() / 1_000;
    eprintln!("200 consents of depth 4 compiled: {} us", compiling.as_micros());
    eprintln!("bits of a record: {} ns", each(looking));
    eprintln!("decision on all 200 consents: {} ns", each(deciding));
    eprintln!("of 1000 records: {permits} permitted, all as evaluated directly");
}
