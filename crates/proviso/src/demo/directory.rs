//! The organisation of the demo world: who works there, and where.

use super::chart::{Record, profile, resource};
use super::codes::Code;
use super::value::{Value, list, object};

/// An organisation.
#[derive(Debug, Clone, Copy)]
pub(super) struct House {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    npi: &'static str,
    kind: &'static str,
    kind_display: &'static str,
    phone: &'static str,
    street: &'static str,
}

/// A place where care happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) house: &'static House,
    kind: &'static str,
    kind_display: &'static str,
}

/// A person who gives care.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clinician {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) prefix: &'static str,
    given: &'static str,
    family: &'static str,
    npi: &'static str,
    pub(super) house: &'static House,
    place: &'static Place,
    /// NUCC provider taxonomy.
    pub(super) specialty: Code,
}

impl House {
    pub(super) fn reference(&self) -> Value {
        object! { "reference": format!("Organization/{}", self.id), "display": self.name }
    }
}

impl Place {
    pub(super) fn reference(&self) -> Value {
        object! { "reference": format!("Location/{}", self.id), "display": self.name }
    }
}

impl Clinician {
    pub(super) fn reference(&self) -> Value {
        object! { "reference": format!("Practitioner/{}", self.id), "display": self.name }
    }
}

const fn house(
    id: &'static str,
    name: &'static str,
    npi: &'static str,
    kind: (&'static str, &'static str),
    phone: &'static str,
    street: &'static str,
) -> House {
    House { id, name, npi, kind: kind.0, kind_display: kind.1, phone, street }
}

const PROVIDER: (&str, &str) = ("prov", "Healthcare Provider");
const INSURER: (&str, &str) = ("ins", "Insurance Company");

pub(super) const RIVERSIDE: House = house(
    "riverside-health",
    "Riverside Health",
    "1730166224",
    PROVIDER,
    "+1-602-555-0100",
    "200 Canal Street",
);
pub(super) const HARBOR: House = house(
    "harbor-recovery",
    "Harbor Recovery Program",
    "1457320210",
    PROVIDER,
    "+1-602-555-0160",
    "18 Quay Road",
);
pub(super) const INSURANCE: House = house(
    "saguaro-mutual",
    "Saguaro Mutual Insurance",
    "1902843326",
    INSURER,
    "+1-602-555-0190",
    "900 Palm Avenue",
);
const HOUSES: &[&House] = &[&RIVERSIDE, &HARBOR, &INSURANCE];

const fn place(
    id: &'static str,
    name: &'static str,
    house: &'static House,
    kind: (&'static str, &'static str),
) -> Place {
    Place { id, name, house, kind: kind.0, kind_display: kind.1 }
}

pub(super) const FAMILY_CLINIC: Place =
    place("family-clinic", "Riverside Family Clinic", &RIVERSIDE, ("OF", "Outpatient facility"));
pub(super) const CARDIOLOGY: Place = place(
    "cardiology",
    "Riverside Cardiology",
    &RIVERSIDE,
    ("CARD", "Ambulatory cardiology facility"),
);
pub(super) const EMERGENCY_ROOM: Place =
    place("emergency", "Riverside Emergency Department", &RIVERSIDE, ("ER", "Emergency room"));
pub(super) const LABORATORY: Place =
    place("laboratory", "Riverside Laboratory", &RIVERSIDE, ("HLAB", "hospital laboratory"));
pub(super) const TALK_ROOM: Place = place(
    "counseling",
    "Riverside Counseling",
    &RIVERSIDE,
    ("PSYCHF", "Psychiatric care facility"),
);
pub(super) const HARBOR_HOUSE: Place = place(
    "harbor",
    "Harbor Recovery Program",
    &HARBOR,
    ("SURF", "Substance use rehabilitation facility"),
);
pub(super) const TEEN_CLINIC: Place =
    place("teen-clinic", "Riverside Youth Clinic", &RIVERSIDE, ("PEDC", "Pediatrics clinic"));
const PLACES: &[&Place] = &[
    &FAMILY_CLINIC,
    &CARDIOLOGY,
    &EMERGENCY_ROOM,
    &LABORATORY,
    &TALK_ROOM,
    &HARBOR_HOUSE,
    &TEEN_CLINIC,
];

const fn nucc(code: &'static str, display: &'static str) -> Code {
    Code::new("http://nucc.org/provider-taxonomy", code, display)
}

macro_rules! clinicians {
    ($($constant:ident = $id:literal, $prefix:literal $given:literal $family:literal, $npi:literal,
       $house:ident, $place:ident, $taxonomy:literal $specialty:literal;)+) => {
        $(pub(super) const $constant: Clinician = Clinician {
            id: $id,
            name: concat!($prefix, " ", $given, " ", $family),
            prefix: $prefix, given: $given, family: $family, npi: $npi,
            house: &$house, place: &$place, specialty: nucc($taxonomy, $specialty),
        };)+
        pub(super) const CLINICIANS: &[&Clinician] = &[$(&$constant),+];
    };
}

clinicians! {
    PATEL = "drpatel", "Dr." "Anika" "Patel", "1003000126", RIVERSIDE, FAMILY_CLINIC,
        "207Q00000X" "Family Medicine Physician";
    MOSS = "drmoss", "Dr." "Lena" "Moss", "1003000118", RIVERSIDE, FAMILY_CLINIC,
        "207Q00000X" "Family Medicine Physician";
    RUIZ = "nurseruiz", "Nurse" "Tomas" "Ruiz", "1003000134", RIVERSIDE, CARDIOLOGY,
        "163W00000X" "Registered Nurse";
    STONE = "drstone", "Dr." "Eli" "Stone", "1003000142", RIVERSIDE, EMERGENCY_ROOM,
        "207P00000X" "Emergency Medicine Physician";
    OKAFOR = "drokafor", "Dr." "Ngozi" "Okafor", "1003000407", RIVERSIDE, CARDIOLOGY,
        "207RC0000X" "Cardiovascular Disease Physician";
    BROOKS = "drbrooks", "Dr." "Hana" "Brooks", "1003000423", RIVERSIDE, TALK_ROOM,
        "103T00000X" "Psychologist";
    REED = "mreed", "Mr." "Marcus" "Reed", "1003000480", HARBOR, HARBOR_HOUSE,
        "101YA0400X" "Addiction (Substance Use Disorder) Counselor";
    HADDAD = "drhaddad", "Dr." "Omar" "Haddad", "1003000522", RIVERSIDE, LABORATORY,
        "207ZP0102X" "Anatomic Pathology & Clinical Pathology Physician";
    FOX = "rphfox", "Ms." "Ruth" "Fox", "1003000530", RIVERSIDE, FAMILY_CLINIC,
        "183500000X" "Pharmacist";
}

/// Everything in the directory, plus the medicines that prescriptions refer to.
pub(super) fn records() -> Vec<Record> {
    let mut records = Vec::new();
    records.extend(HOUSES.iter().map(|house| organization(house)));
    records.extend(PLACES.iter().map(|place| location(place)));
    for clinician in CLINICIANS {
        records.push(practitioner(clinician));
        records.push(practitioner_role(clinician));
    }
    records.push(endpoint());
    records.push(medication());
    records
}

/// The id of the address at which Riverside takes electronic mail.
const ENDPOINT_ID: &str = "riverside-direct";

fn endpoint() -> Record {
    resource(
        "Endpoint",
        ENDPOINT_ID,
        object! {
            "status": "active",
            "connectionType": object! {
                "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
                "code": "direct-project", "display": "Direct Project",
            },
            "name": "Riverside Health, secure mail",
            "managingOrganization": RIVERSIDE.reference(),
            "payloadType": list![Code::new(
                "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "any", "Any",
            ).concept()],
            "address": "mailto:records@direct.riverside.example",
        },
    )
}

fn npi(value: &'static str) -> Value {
    list![object! { "system": "http://hl7.org/fhir/sid/us-npi", "value": value }]
}

fn address(street: &'static str) -> Value {
    object! {
        "line": list![street], "city": "Riverside", "state": "AZ", "postalCode": "85001",
        "country": "US",
    }
}

fn organization(house: &House) -> Record {
    resource(
        "Organization",
        house.id,
        object! {
            "meta": profile("us-core-organization"),
            "identifier": npi(house.npi),
            "active": true,
            "type": list![object! { "coding": list![object! {
                "system": "http://terminology.hl7.org/CodeSystem/organization-type",
                "code": house.kind, "display": house.kind_display,
            }] }],
            "name": house.name,
            "telecom": list![object! { "system": "phone", "value": house.phone }],
            "address": list![address(house.street)],
        },
    )
}

fn location(place: &Place) -> Record {
    resource(
        "Location",
        place.id,
        object! {
            "meta": profile("us-core-location"),
            "status": "active",
            "name": place.name,
            "type": list![object! { "coding": list![object! {
                "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
                "code": place.kind, "display": place.kind_display,
            }] }],
            "telecom": list![object! { "system": "phone", "value": place.house.phone }],
            "address": address(place.house.street),
            "managingOrganization": place.house.reference(),
        },
    )
}

fn practitioner(clinician: &Clinician) -> Record {
    resource(
        "Practitioner",
        clinician.id,
        object! {
            "meta": profile("us-core-practitioner"),
            "identifier": npi(clinician.npi),
            "active": true,
            "name": list![object! {
                "use": "official", "family": clinician.family, "given": list![clinician.given],
                "prefix": list![clinician.prefix],
            }],
            "telecom": list![object! {
                "system": "email", "use": "work", "value": format!("{}@riverside.example", clinician.id),
            }],
            "address": list![address(clinician.house.street)],
            "qualification": list![object! { "code": clinician.specialty.concept() }],
        },
    )
}

fn practitioner_role(clinician: &Clinician) -> Record {
    resource(
        "PractitionerRole",
        clinician.id,
        object! {
            "meta": profile("us-core-practitionerrole"),
            "active": true,
            "practitioner": clinician.reference(),
            "organization": clinician.house.reference(),
            "code": list![clinician.specialty.concept()],
            "specialty": list![clinician.specialty.concept()],
            "location": list![clinician.place.reference()],
            "telecom": list![object! { "system": "phone", "use": "work", "value": clinician.house.phone }],
            "endpoint": list![super::chart::link(&format!("Endpoint/{ENDPOINT_ID}"))],
        },
    )
}

/// The id of the one medicine that is kept as a resource of its own.
pub(super) const APIXABAN_ID: &str = "apixaban-5";

fn medication() -> Record {
    resource(
        "Medication",
        APIXABAN_ID,
        object! {
            "meta": profile("us-core-medication"),
            "code": super::codes::APIXABAN_5.concept(),
            "status": "active",
            "form": Code::new("http://snomed.info/sct", "385055001", "Tablet").concept(),
        },
    )
}
