//! Random worlds and random requests, the same for the same seed.

use std::collections::BTreeSet;

use proviso_core::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use proviso_testkit::gateway_world::Terms;
use serde_json::{Value, json};

/// Numbers that look random and are the same for the same seed.
#[derive(Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn below(&mut self, many: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % many.max(1)
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What is in a store, and what of it one app was given.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) resources: Vec<Value>,
    pub(crate) terms: Terms,
    /// Consents on file, which are there whoever sees them: they decide and are not what is decided.
    pub(crate) filed: Vec<Value>,
    /// Who asks.
    pub(crate) caller: Caller,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller {
    /// The app of patient `a`.
    App,
    /// A clinician who has patient `a` in care.
    Clinician,
    /// Somebody at the front desk, who sees appointments and no results.
    FrontDesk,
    /// A service that was let in beforehand.
    Service,
}

pub(crate) const TYPES: [&str; 11] = [
    "Observation",
    "Condition",
    "Encounter",
    "MedicationRequest",
    "DiagnosticReport",
    "Procedure",
    "List",
    "Provenance",
    "Group",
    "DocumentReference",
    "Patient",
];
const LOINC: &str = "http://loinc.org";
const ICD: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const OBSERVATION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
pub(crate) const CODES: [&str; 4] = ["4548-4", "2345-7", "8867-4", "75622-1"];
pub(crate) const DIAGNOSES: [&str; 3] = ["E11.9", "I10", "B20"];
pub(crate) const DATES: [&str; 4] = ["2026-01-01", "2026-01-02", "2026-02-01", "2025"];
const SCOPES: [&str; 5] = [
    "patient/*.rs",
    "patient/*.cruds",
    "patient/Patient.rs patient/Observation.rs patient/Encounter.rs",
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory patient/Patient.r",
    "patient/Patient.rs patient/Observation.rs patient/DiagnosticReport.rs patient/Practitioner.rs patient/List.rs",
];

impl Drawn {
    /// The same world with an app that may write.
    pub(crate) fn that_may_write(seed: u64) -> Self {
        let drawn = Self::of(seed);
        Self { terms: Terms { scopes: "patient/*.cruds", ..drawn.terms }, ..drawn }
    }

    pub(crate) fn of(seed: u64) -> Self {
        let draw = &mut Draw::of(seed);
        let mut resources = vec![
            json!({"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1980-01-01",
                "name": [{"family": "Ash"}], "generalPractitioner": [{"reference": "Practitioner/p"}]}),
            json!({"resourceType": "Patient", "id": "b", "gender": "male", "birthDate": "1955-05-05",
                "name": [{"family": "Bluebird"}], "identifier": [{"system": "urn:mrn", "value": "B-1"}],
                "link": [{"other": {"reference": "Patient/a"}, "type": "seealso"}]}),
            json!({"resourceType": "Practitioner", "id": "p", "name": [{"family": "Patel"}]}),
            json!({"resourceType": "Practitioner", "id": "q", "name": [{"family": "Quill"}]}),
        ];
        let count = 8 + draw.below(20);
        for number in 0..count {
            let resource = record(draw, number, &resources);
            resources.push(resource);
        }
        let filed = if draw.one_in(3) { vec![filed(draw, &resources)] } else { Vec::new() };
        let caller = match seed % 6 {
            2 | 5 => Caller::Clinician,
            4 if seed % 12 == 4 => Caller::FrontDesk,
            4 => Caller::Service,
            _ => Caller::App,
        };
        Self { resources, terms: terms(draw), filed, caller }
    }
}

/// A consent of patient `a` that restricts what may be known of her.
fn filed(draw: &mut Draw, all: &[Value]) -> Value {
    let mut provision = json!({"type": "deny"});
    let more = match draw.below(5) {
        0 => json!({"class": [{"system": "http://hl7.org/fhir/resource-types",
            "code": draw.pick(&["Observation", "Encounter", "DiagnosticReport"])}]}),
        1 => json!({"code": [{"coding": [{"system": LOINC, "code": draw.pick(&CODES)}]}]}),
        2 => json!({"dataPeriod": {"start": "2026-01-02"}}),
        3 => json!({"securityLabel": [{"code": "HIV",
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode"}]}),
        _ => json!({"data": [{"meaning": draw.pick(&["instance", "related", "dependents"]),
            "reference": earlier(draw, &["Observation", "Encounter"], all)}]}),
    };
    let (Value::Object(into), Value::Object(more)) = (&mut provision, more) else { unreachable!() };
    into.extend(more);
    json!({"resourceType": "Consent", "id": "filed", "status": "active",
        "scope": {"coding": [{"code": "patient-privacy",
            "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": "Patient/a"}, "dateTime": "2026-01-01",
        "organization": [{"reference": "Organization/riverside"}],
        "policy": [{"uri": "http://example.org/privacy"}],
        "provision": {"type": "permit", "provision": [provision]}})
}

fn terms(draw: &mut Draw) -> Terms {
    let all: CategorySet = Category::ALL.iter().copied().filter(|_| !draw.one_in(6)).collect();
    let sensitive = match draw.below(4) {
        0 => SensitiveSet::EMPTY.with(SensitiveKind::Hiv),
        1 => SensitiveSet::all(),
        _ => SensitiveSet::EMPTY,
    };
    let scopes = if draw.one_in(4) { draw.pick(&SCOPES) } else { draw.pick(&SCOPES[..2]) };
    Terms { patient: "a", categories: all, sensitive, scopes }
}

/// A reference to some earlier record, or to one that is not there.
fn earlier(draw: &mut Draw, kinds: &[&str], all: &[Value]) -> Value {
    let fit: Vec<&Value> = all
        .iter()
        .filter(|own| kinds.is_empty() || kinds.contains(&own["resourceType"].as_str().unwrap()))
        .collect();
    if fit.is_empty() || draw.one_in(8) {
        let kind = kinds.first().unwrap_or(&"Observation");
        return json!({"reference": format!("{kind}/never")});
    }
    let one = fit[draw.below(fit.len())];
    let text = |name: &str| one[name].as_str().unwrap().to_owned();
    json!({"reference": format!("{}/{}", text("resourceType"), text("id"))})
}

/// A file, which says whose it is by itself, by a document, or not at all.
fn file(draw: &mut Draw, number: usize, all: &[Value]) -> Value {
    let mut own = json!({"resourceType": "Binary", "id": format!("f{number}"),
        "contentType": "text/plain", "data": draw.pick(&["QQ==", "QkI="])});
    let context = match draw.below(5) {
        0 | 1 => Some(json!({"reference": format!("Patient/{}", draw.pick(&["a", "a", "b"]))})),
        2 => Some(earlier(draw, &["DocumentReference", "Encounter"], all)),
        _ => None,
    };
    if let Some(context) = context {
        own["securityContext"] = context;
    }
    own
}

fn record(draw: &mut Draw, number: usize, all: &[Value]) -> Value {
    if draw.one_in(8) {
        return file(draw, number, all);
    }
    let kind = if draw.one_in(3) { "Observation" } else { draw.pick(&TYPES[..10]) };
    let letter = draw.pick(&["k", "m", "t", "Z", "0"]);
    let patient = draw.pick(&["a", "a", "a", "a", "b", "c"]);
    let subject = json!({"reference": format!("Patient/{patient}")});
    let date = draw.pick(&DATES);
    let mut own = json!({"resourceType": kind, "id": format!("{letter}{number}")});
    let more = match kind {
        "Observation" => {
            let category = draw.pick(&["laboratory", "vital-signs", "social-history"]);
            json!({"status": draw.pick(&["final", "amended"]), "subject": subject,
                "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": category}]}],
                "code": {"coding": [{"system": LOINC, "code": draw.pick(&CODES)}]},
                "effectiveDateTime": date,
                "performer": [{"reference": draw.pick(&["Practitioner/p", "Practitioner/q"])}],
                "valueQuantity": {"value": draw.below(12), "unit": "%", "code": "%",
                    "system": "http://unitsofmeasure.org"}})
        }
        "Condition" => json!({"subject": subject, "recordedDate": date,
            "category": [{"coding": [{"code": "problem-list-item",
                "system": "http://terminology.hl7.org/CodeSystem/condition-category"}]}],
            "code": {"coding": [{"system": ICD, "code": draw.pick(&DIAGNOSES)}]}}),
        "Encounter" => json!({"status": draw.pick(&["finished", "planned"]), "subject": subject,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "period": {"start": date}}),
        "MedicationRequest" => json!({"status": "active", "intent": "order", "subject": subject,
            "authoredOn": date, "medicationCodeableConcept": {"coding": [{
                "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                "code": draw.pick(&["860975", "199888"])}]}}),
        "DiagnosticReport" => json!({"status": "final", "subject": subject,
            "code": {"coding": [{"system": LOINC, "code": draw.pick(&CODES)}]}}),
        "Procedure" => {
            json!({"status": "completed", "subject": subject, "performedDateTime": date})
        }
        "List" => json!({"status": "current", "mode": "working", "subject": subject}),
        "Provenance" => json!({"recorded": "2026-01-01T00:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/p"}}]}),
        "Group" => json!({"type": "person", "actual": true}),
        _ => {
            let mut attachment = json!({"contentType": "text/plain"});
            if draw.one_in(3) {
                attachment["data"] = json!("QQ==");
            } else {
                attachment["url"] = earlier(draw, &["Binary"], all)["reference"].clone();
            }
            json!({"status": draw.pick(&["current", "superseded"]), "subject": subject,
                "date": "2026-01-01T00:00:00Z", "content": [{"attachment": attachment}]})
        }
    };
    let (Value::Object(into), Value::Object(more)) = (&mut own, more) else { unreachable!() };
    into.extend(more);
    let mut link = |name: &str, kinds: &[&str], listed: bool, draw: &mut Draw| {
        let forced = matches!((kind, name), ("Provenance", "target") | ("Group", "member"));
        if !forced && !draw.one_in(2) {
            return;
        }
        let reference = earlier(draw, kinds, all);
        let value = match name {
            "entry" => json!([{"item": reference}, {"item": earlier(draw, kinds, all)}]),
            "member" => json!([{"entity": reference}, {"entity": earlier(draw, kinds, all)}]),
            "evidence" => json!([{"detail": [reference]}]),
            "presentedForm" => {
                json!([{"contentType": "text/plain", "url": reference["reference"]}])
            }
            _ if listed => json!([reference]),
            _ => reference,
        };
        into.insert(name.to_owned(), value);
    };
    match kind {
        "Observation" => {
            link("hasMember", &["Observation"], true, draw);
            link("derivedFrom", &["Observation"], true, draw);
            link("encounter", &["Encounter"], false, draw);
            link("focus", &[], true, draw);
        }
        "Condition" => {
            link("encounter", &["Encounter"], false, draw);
            link("evidence", &["Observation"], true, draw);
        }
        "MedicationRequest" => {
            link("encounter", &["Encounter"], false, draw);
            link("reasonReference", &["Condition", "Observation"], true, draw);
        }
        "Procedure" => {
            link("reasonReference", &["Condition"], true, draw);
            link("report", &["DiagnosticReport"], true, draw);
        }
        "DiagnosticReport" => {
            link("encounter", &["Encounter"], false, draw);
            link("result", &["Observation"], true, draw);
            link("presentedForm", &["Binary"], true, draw);
        }
        "List" => link("entry", &[], true, draw),
        "Provenance" => link("target", &[], true, draw),
        "Group" => link("member", &["Patient"], true, draw),
        _ => {}
    }
    if draw.one_in(6) {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        let code = draw.pick(&["HIV", "PSY"]);
        into.insert("meta".to_owned(), json!({"security": [{"system": system, "code": code}]}));
    }
    own
}

/// A request below the FHIR base: a search that may go on, or something that has one answer.
pub(crate) fn path(draw: &mut Draw, ids: &BTreeSet<String>) -> String {
    let kind =
        if draw.one_in(2) { draw.pick(&["Observation", "Patient"]) } else { draw.pick(&TYPES) };
    let any: Vec<&String> = ids.iter().collect();
    let id = any[draw.below(any.len())].clone();
    match draw.below(15) {
        6 => {
            let patient = draw.pick(&["a", "a", "b"]);
            let rest = draw.pick(&[
                "Observation/$lastn?category=laboratory&max=2",
                "Observation/$lastn?category=laboratory,vital-signs",
                "Observation/$lastn?code:not=8867-4&category=laboratory",
                "Observation/$lastn?max=3&code=4548-4,2345-7",
                "DocumentReference/$docref?start=2020",
                "DocumentReference/$docref?_count=1&end=2030",
                "DocumentReference/$docref?type:missing=true",
                "DocumentReference/$docref?",
            ]);
            format!("{rest}&patient={patient}")
        }
        0 if draw.one_in(4) => format!("{id}/$meta"),
        0 => id,
        1 => format!("{id}/_history?_count={}", 1 + draw.below(3)),
        2 => format!("{id}/_history/1"),
        3 => format!("{kind}/_history?_count={}", 1 + draw.below(4)),
        4 => format!("Patient/a/$everything?_count={}", 1 + draw.below(5)),
        5 => format!("Patient/{}/{kind}?_count=3", draw.pick(&["a", "b"])),
        _ => search(draw, kind, &any, true),
    }
}

/// A search, with or without what shapes its answer.
pub(crate) fn search(draw: &mut Draw, kind: &str, any: &[&String], shaped: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    for _ in 0..draw.below(3) {
        parts.push(parameter(draw, kind, any));
    }
    if !shaped && parts.is_empty() {
        parts.push(parameter(draw, kind, any));
    }
    for _ in 0..if shaped { draw.below(3) } else { 0 } {
        parts.push(control(draw, kind));
    }
    format!("{kind}?{}", parts.join("&"))
}

fn parameter(draw: &mut Draw, kind: &str, any: &[&String]) -> String {
    let some = any[draw.below(any.len())].clone();
    let code = draw.pick(&CODES);
    let date = draw.pick(&DATES);
    let own: &[&str] = match kind {
        "Observation" => &[
            "code={code}",
            "code:not={code}",
            "code:text=a",
            "date=sa{date}",
            "date=ap{date}",
            "value-quantity=ap5",
            "date=gt{date}",
            "date=le{date}",
            "date:missing=true",
            "value-quantity=gt5",
            "value-quantity=ne3",
            "category=laboratory",
            "status=final",
            "has-member={some}",
            "derived-from={some}",
            "encounter={some}",
            "focus={some}",
            "focus:missing=true",
            "has-member:missing=false",
            "performer:Practitioner.name=Quill",
            "encounter.status=finished",
            "has-member:Observation.code={code}",
            "subject.gender=male",
            "subject:Patient.birthdate=lt1960",
            "code-value-quantity=http://loinc.org|{code}$gt5",
            "_has:DiagnosticReport:result:code={code}",
            "_has:Observation:has-member:code={code}",
            "_has:Observation:derived-from:_has:DiagnosticReport:result:code={code}",
            "patient:missing=false",
            "combo-code={code}",
            "derived-from:Observation.value-quantity=gt4",
            "_filter=code+eq+{code}+or+value-quantity+gt+5",
            "_filter=not+(code+eq+{code})+and+date+po+{date}",
            "_filter=not+(subject.gender+eq+male+or+has-member+pr+true)",
            "_filter=encounter.status+eq+finished+and+not+(focus+re+{some})",
            "subject:Patient._filter=not+(name+co+bird)",
        ],
        "Condition" => &[
            "code=E11.9",
            "code=B20",
            "code:not=B20",
            "encounter={some}",
            "evidence-detail={some}",
            "recorded-date=ge{date}",
            "evidence-detail:Observation.code={code}",
            "category=problem-list-item",
            "_has:MedicationRequest:patient:status=active",
            "encounter:missing=true",
            "_filter=code+ne+B20+and+evidence-detail.code+eq+{code}",
        ],
        "Encounter" => &[
            "status=finished",
            "date=gt{date}",
            "_has:Observation:encounter:code={code}",
            "class=AMB",
            "_has:Condition:encounter:code=B20",
            "_has:Observation:encounter:value-quantity=gt6",
        ],
        "MedicationRequest" => &[
            "code=199888",
            "authoredon=gt{date}",
            "encounter.status=finished",
            "encounter={some}",
            "status=active",
        ],
        "DiagnosticReport" => &[
            "code={code}",
            "result={some}",
            "result.code={code}",
            "result:missing=true",
            "result.value-quantity=gt4",
            "encounter={some}",
            "_has:Procedure:patient:status=completed",
        ],
        "Procedure" => &[
            "date=lt{date}",
            "reason-reference={some}",
            "reason-reference:Condition.code=B20",
            "status=completed",
        ],
        "List" => {
            &["item={some}", "item:missing=true", "item:Observation.code={code}", "status=current"]
        }
        "Provenance" => &[
            "target={some}",
            "recorded=gt2020",
            "target:Observation.code={code}",
            "agent:Practitioner.name=Patel",
        ],
        "Group" => &["member={some}", "member.gender=male", "type=person"],
        "Patient" => &[
            "_has:Observation:patient:code={code}",
            "_has:Observation:patient:value-quantity=gt7",
            "_has:Condition:patient:code=B20",
            "gender=male",
            "name=Bluebird",
            "name:contains=ird",
            "family:exact=Ash",
            "identifier=urn:mrn|B-1",
            "birthdate=lt1960",
            "_filter=name+ew+bird+or+not+(birthdate+ge+1960)",
            "_filter=general-practitioner.name+sw+pat+and+identifier+pr+true",
            "_has:Observation:patient:_filter=not+(code+eq+{code})",
            "general-practitioner.name=Patel",
            "link=Patient/b",
            "_has:Group:member:type=person",
            "_has:Observation:patient:_has:DiagnosticReport:result:code={code}",
        ],
        _ => &["status=current", "contenttype=text/plain"],
    };
    let all: &[&str] = &[
        "patient=a",
        "patient=b",
        "patient=Patient/a",
        "subject=Patient/b",
        "_id={id}",
        "_lastUpdated=gt2020",
        "_list={id}",
        "_tag:not=x",
        "_profile:missing=true",
        "_has:List:item:status=current",
        "_security=http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV",
        "_security:not=HIV",
        "patient.birthdate=1955-05-05",
        "_filter=_lastUpdated+gt+2020+and+not+(_id+eq+{id})",
        "_filter=not+(patient.birthdate+eq+1955-05-05)",
    ];
    let template = if draw.one_in(3) { draw.pick(all) } else { draw.pick(own) };
    let id = some.split_once('/').map_or("x", |(_, id)| id).to_owned();
    template
        .replace("{code}", code)
        .replace("{date}", date)
        .replace("{some}", &some)
        .replace("{id}", &id)
}

fn control(draw: &mut Draw, kind: &str) -> String {
    let own: &[&str] = match kind {
        "Observation" => &[
            "_include=Observation:has-member",
            "_include=Observation:subject",
            "_include=Observation:encounter",
            "_include:iterate=Observation:has-member",
            "_revinclude=DiagnosticReport:result",
            "_revinclude=Provenance:target",
            "_revinclude=List:item",
            "_sort=code",
            "_sort=-value-quantity",
            "_sort=-date,_id",
            "_revinclude=Observation:has-member",
            "_revinclude:iterate=Observation:derived-from",
            "_include=Observation:focus",
            "_include=Observation:performer",
            "_sort=patient",
        ],
        "Patient" => &[
            "_revinclude=Observation:subject",
            "_revinclude=Condition:patient",
            "_revinclude=Group:member",
            "_include=Patient:link",
        ],
        "Encounter" => {
            &["_revinclude=Observation:encounter", "_revinclude=Condition:encounter", "_sort=-date"]
        }
        "Condition" => {
            &["_include=Condition:evidence-detail", "_include=Condition:encounter", "_sort=code"]
        }
        "DiagnosticReport" => {
            &["_include=DiagnosticReport:result", "_revinclude=Procedure:report", "_sort=code"]
        }
        _ => &["_include=*", "_include=List:item", "_include=Provenance:target", "_sort=-_id"],
    };
    let all = [
        "_count=1",
        "_count=2",
        "_count=3",
        "_count=0",
        "_summary=count",
        "_summary=true",
        "_summary=data",
        "_summary=text",
        "_revinclude=*",
        "_include:iterate=*",
        "_total=accurate",
        "_total=none",
        "_elements=status",
        "_sort=_id",
        "_sort=-_lastUpdated",
        "_include=*",
    ];
    if draw.one_in(2) { draw.pick(own) } else { draw.pick(&all) }.to_owned()
}
