//! Promise P1, at the store: an answer over a view is the answer of a store that holds only what
//! the view sees.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proviso_core::resource_type::ResourceType;

use super::search::RESOURCES;
use super::{model, shown};
use crate::records::{PageStart, Record, View, WholeStore};

pub(super) struct Hides(pub(super) BTreeSet<String>);

impl View for Hides {
    fn sees(&self, record: &Record) -> bool {
        !self.0.contains(record.id.as_str())
    }
}

const QUERIES: [(ResourceType, &str); 16] = [
    (ResourceType::OBSERVATION, ""),
    (ResourceType::OBSERVATION, "code=x&_count=1&_total=accurate"),
    (ResourceType::OBSERVATION, "_sort=-date&_count=2"),
    (ResourceType::OBSERVATION, "patient.name=alv"),
    (ResourceType::OBSERVATION, "patient.organization.partof.name=beta"),
    (ResourceType::OBSERVATION, "_include=*&_count=2"),
    (
        ResourceType::OBSERVATION,
        "_include=Observation:subject&_include:iterate=Patient:organization",
    ),
    (ResourceType::OBSERVATION, "_summary=count"),
    (ResourceType::OBSERVATION, "subject:missing=false&_sort=subject"),
    (ResourceType::PATIENT, "_has:Observation:patient:code=x"),
    (ResourceType::PATIENT, "_has:Observation:patient:code=y&_revinclude=Observation:subject"),
    (ResourceType::PATIENT, "_revinclude=*:*"),
    (ResourceType::PATIENT, "family:contains=o"),
    (ResourceType::PATIENT, "organization.name=alpha&_total=accurate"),
    (ResourceType::ORGANIZATION, "_has:Patient:organization:_has:Observation:patient:code=x"),
    (
        ResourceType::ORGANIZATION,
        "_revinclude=Patient:organization&_revinclude:iterate=Observation:patient",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn an_answer_over_a_view_is_that_of_the_projected_store(
        hidden in subsequence(vec!["o1", "o2", "p1", "p2", "a", "b", "c", "d"], 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let hidden: BTreeSet<String> = hidden.into_iter().map(str::to_owned).collect();
            let (whole, projected) = (model(), model());
            whole.put(&RESOURCES).await;
            let left: Vec<&str> = RESOURCES
                .iter()
                .copied()
                .filter(|json| !hidden.iter().any(|id| json.contains(&format!(r#""id":"{id}""#))))
                .collect();
            projected.put(&left).await;
            let view = Hides(hidden.clone());
            for (kind, raw) in QUERIES {
                let query = whole.query(kind, raw);
                let seen = whole.page(&query, None, &PageStart::First, &view).await.unwrap();
                let query = projected.query(kind, raw);
                let plain =
                    projected.page(&query, None, &PageStart::First, &WholeStore).await.unwrap();
                assert_eq!(shown(&seen), shown(&plain), "{raw} without {hidden:?}");
                assert_eq!((seen.total, seen.more), (plain.total, plain.more), "{raw}");
            }
        });
    }
}
