//! What an app that Maria connected may see of her observations, made from the records and not by
//! Proviso.

use std::collections::BTreeSet;

/// Maria's sensitive observations, by LOINC code: a test for HIV, scores of depression, opiates in
/// urine, sexual orientation.
const SENSITIVE: [&str; 4] = ["56888-1", "44261-6", "19295-5", "76690-7"];

/// One of her observations.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) id: String,
    /// The codes of `Observation.category`.
    pub(crate) categories: Vec<String>,
    /// Whether it is of a kind that is shared by name only.
    pub(crate) sensitive: bool,
}

pub(crate) fn observations() -> anyhow::Result<Vec<Observation>> {
    let mut all = Vec::new();
    for record in proviso::demo::parts(proviso::demo::SEED, 0).flatten() {
        let body: serde_json::Value = serde_json::from_slice(&record.body)?;
        if record.resource_type != "Observation" || body["subject"]["reference"] != "Patient/maria"
        {
            continue;
        }
        let codes = codes_of(&body["code"]);
        let sensitive = codes.iter().any(|code| SENSITIVE.contains(&code.as_str()));
        let categories = body["category"].as_array().into_iter().flatten().flat_map(codes_of);
        all.push(Observation { id: record.id, categories: categories.collect(), sensitive });
    }
    let hidden = all.iter().filter(|one| one.sensitive).count();
    anyhow::ensure!(hidden > 0 && all.len() - hidden > 20, "the demo world has changed");
    Ok(all)
}

/// Which of them an app sees, and which it does not.
pub(crate) fn split(all: Vec<Observation>) -> (BTreeSet<String>, BTreeSet<String>) {
    let (hidden, visible): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.sensitive);
    let ids = |some: Vec<Observation>| some.into_iter().map(|one| one.id).collect();
    (ids(visible), ids(hidden))
}

/// The codes of a CodeableConcept.
fn codes_of(concept: &serde_json::Value) -> Vec<String> {
    let codings = concept["coding"].as_array().into_iter().flatten();
    codings.filter_map(|coding| coding["code"].as_str().map(str::to_owned)).collect()
}
