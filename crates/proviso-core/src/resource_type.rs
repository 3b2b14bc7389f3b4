//! The resource types of FHIR R4 (catalogue: exempt from the file-length rule).
//!
//! Source: FHIR R4 (4.0.1), value set `resource-types`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A resource type of FHIR R4: an index into the sorted list of names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceType(u8);

/// The name is not that of a FHIR R4 resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a FHIR R4 resource type")]
pub struct UnknownResourceType;

const NAMES: [&str; 146] = [
    "Account",
    "ActivityDefinition",
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "AppointmentResponse",
    "AuditEvent",
    "Basic",
    "Binary",
    "BiologicallyDerivedProduct",
    "BodyStructure",
    "Bundle",
    "CapabilityStatement",
    "CarePlan",
    "CareTeam",
    "CatalogEntry",
    "ChargeItem",
    "ChargeItemDefinition",
    "Claim",
    "ClaimResponse",
    "ClinicalImpression",
    "CodeSystem",
    "Communication",
    "CommunicationRequest",
    "CompartmentDefinition",
    "Composition",
    "ConceptMap",
    "Condition",
    "Consent",
    "Contract",
    "Coverage",
    "CoverageEligibilityRequest",
    "CoverageEligibilityResponse",
    "DetectedIssue",
    "Device",
    "DeviceDefinition",
    "DeviceMetric",
    "DeviceRequest",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentManifest",
    "DocumentReference",
    "EffectEvidenceSynthesis",
    "Encounter",
    "Endpoint",
    "EnrollmentRequest",
    "EnrollmentResponse",
    "EpisodeOfCare",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "GraphDefinition",
    "Group",
    "GuidanceResponse",
    "HealthcareService",
    "ImagingStudy",
    "Immunization",
    "ImmunizationEvaluation",
    "ImmunizationRecommendation",
    "ImplementationGuide",
    "InsurancePlan",
    "Invoice",
    "Library",
    "Linkage",
    "List",
    "Location",
    "Measure",
    "MeasureReport",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationKnowledge",
    "MedicationRequest",
    "MedicationStatement",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "MessageDefinition",
    "MessageHeader",
    "MolecularSequence",
    "NamingSystem",
    "NutritionOrder",
    "Observation",
    "ObservationDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "Parameters",
    "Patient",
    "PaymentNotice",
    "PaymentReconciliation",
    "Person",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RequestGroup",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "ResearchStudy",
    "ResearchSubject",
    "RiskAssessment",
    "RiskEvidenceSynthesis",
    "Schedule",
    "SearchParameter",
    "ServiceRequest",
    "Slot",
    "Specimen",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Subscription",
    "Substance",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
    "SupplyDelivery",
    "SupplyRequest",
    "Task",
    "TerminologyCapabilities",
    "TestReport",
    "TestScript",
    "ValueSet",
    "VerificationResult",
    "VisionPrescription",
];

impl ResourceType {
    /// The FHIR R4 `Account` resource type.
    pub const ACCOUNT: Self = Self(0);
    /// The FHIR R4 `ActivityDefinition` resource type.
    pub const ACTIVITY_DEFINITION: Self = Self(1);
    /// The FHIR R4 `AdverseEvent` resource type.
    pub const ADVERSE_EVENT: Self = Self(2);
    /// The FHIR R4 `AllergyIntolerance` resource type.
    pub const ALLERGY_INTOLERANCE: Self = Self(3);
    /// The FHIR R4 `Appointment` resource type.
    pub const APPOINTMENT: Self = Self(4);
    /// The FHIR R4 `AppointmentResponse` resource type.
    pub const APPOINTMENT_RESPONSE: Self = Self(5);
    /// The FHIR R4 `AuditEvent` resource type.
    pub const AUDIT_EVENT: Self = Self(6);
    /// The FHIR R4 `Basic` resource type.
    pub const BASIC: Self = Self(7);
    /// The FHIR R4 `Binary` resource type.
    pub const BINARY: Self = Self(8);
    /// The FHIR R4 `BiologicallyDerivedProduct` resource type.
    pub const BIOLOGICALLY_DERIVED_PRODUCT: Self = Self(9);
    /// The FHIR R4 `BodyStructure` resource type.
    pub const BODY_STRUCTURE: Self = Self(10);
    /// The FHIR R4 `Bundle` resource type.
    pub const BUNDLE: Self = Self(11);
    /// The FHIR R4 `CapabilityStatement` resource type.
    pub const CAPABILITY_STATEMENT: Self = Self(12);
    /// The FHIR R4 `CarePlan` resource type.
    pub const CARE_PLAN: Self = Self(13);
    /// The FHIR R4 `CareTeam` resource type.
    pub const CARE_TEAM: Self = Self(14);
    /// The FHIR R4 `CatalogEntry` resource type.
    pub const CATALOG_ENTRY: Self = Self(15);
    /// The FHIR R4 `ChargeItem` resource type.
    pub const CHARGE_ITEM: Self = Self(16);
    /// The FHIR R4 `ChargeItemDefinition` resource type.
    pub const CHARGE_ITEM_DEFINITION: Self = Self(17);
    /// The FHIR R4 `Claim` resource type.
    pub const CLAIM: Self = Self(18);
    /// The FHIR R4 `ClaimResponse` resource type.
    pub const CLAIM_RESPONSE: Self = Self(19);
    /// The FHIR R4 `ClinicalImpression` resource type.
    pub const CLINICAL_IMPRESSION: Self = Self(20);
    /// The FHIR R4 `CodeSystem` resource type.
    pub const CODE_SYSTEM: Self = Self(21);
    /// The FHIR R4 `Communication` resource type.
    pub const COMMUNICATION: Self = Self(22);
    /// The FHIR R4 `CommunicationRequest` resource type.
    pub const COMMUNICATION_REQUEST: Self = Self(23);
    /// The FHIR R4 `CompartmentDefinition` resource type.
    pub const COMPARTMENT_DEFINITION: Self = Self(24);
    /// The FHIR R4 `Composition` resource type.
    pub const COMPOSITION: Self = Self(25);
    /// The FHIR R4 `ConceptMap` resource type.
    pub const CONCEPT_MAP: Self = Self(26);
    /// The FHIR R4 `Condition` resource type.
    pub const CONDITION: Self = Self(27);
    /// The FHIR R4 `Consent` resource type.
    pub const CONSENT: Self = Self(28);
    /// The FHIR R4 `Contract` resource type.
    pub const CONTRACT: Self = Self(29);
    /// The FHIR R4 `Coverage` resource type.
    pub const COVERAGE: Self = Self(30);
    /// The FHIR R4 `CoverageEligibilityRequest` resource type.
    pub const COVERAGE_ELIGIBILITY_REQUEST: Self = Self(31);
    /// The FHIR R4 `CoverageEligibilityResponse` resource type.
    pub const COVERAGE_ELIGIBILITY_RESPONSE: Self = Self(32);
    /// The FHIR R4 `DetectedIssue` resource type.
    pub const DETECTED_ISSUE: Self = Self(33);
    /// The FHIR R4 `Device` resource type.
    pub const DEVICE: Self = Self(34);
    /// The FHIR R4 `DeviceDefinition` resource type.
    pub const DEVICE_DEFINITION: Self = Self(35);
    /// The FHIR R4 `DeviceMetric` resource type.
    pub const DEVICE_METRIC: Self = Self(36);
    /// The FHIR R4 `DeviceRequest` resource type.
    pub const DEVICE_REQUEST: Self = Self(37);
    /// The FHIR R4 `DeviceUseStatement` resource type.
    pub const DEVICE_USE_STATEMENT: Self = Self(38);
    /// The FHIR R4 `DiagnosticReport` resource type.
    pub const DIAGNOSTIC_REPORT: Self = Self(39);
    /// The FHIR R4 `DocumentManifest` resource type.
    pub const DOCUMENT_MANIFEST: Self = Self(40);
    /// The FHIR R4 `DocumentReference` resource type.
    pub const DOCUMENT_REFERENCE: Self = Self(41);
    /// The FHIR R4 `EffectEvidenceSynthesis` resource type.
    pub const EFFECT_EVIDENCE_SYNTHESIS: Self = Self(42);
    /// The FHIR R4 `Encounter` resource type.
    pub const ENCOUNTER: Self = Self(43);
    /// The FHIR R4 `Endpoint` resource type.
    pub const ENDPOINT: Self = Self(44);
    /// The FHIR R4 `EnrollmentRequest` resource type.
    pub const ENROLLMENT_REQUEST: Self = Self(45);
    /// The FHIR R4 `EnrollmentResponse` resource type.
    pub const ENROLLMENT_RESPONSE: Self = Self(46);
    /// The FHIR R4 `EpisodeOfCare` resource type.
    pub const EPISODE_OF_CARE: Self = Self(47);
    /// The FHIR R4 `EventDefinition` resource type.
    pub const EVENT_DEFINITION: Self = Self(48);
    /// The FHIR R4 `Evidence` resource type.
    pub const EVIDENCE: Self = Self(49);
    /// The FHIR R4 `EvidenceVariable` resource type.
    pub const EVIDENCE_VARIABLE: Self = Self(50);
    /// The FHIR R4 `ExampleScenario` resource type.
    pub const EXAMPLE_SCENARIO: Self = Self(51);
    /// The FHIR R4 `ExplanationOfBenefit` resource type.
    pub const EXPLANATION_OF_BENEFIT: Self = Self(52);
    /// The FHIR R4 `FamilyMemberHistory` resource type.
    pub const FAMILY_MEMBER_HISTORY: Self = Self(53);
    /// The FHIR R4 `Flag` resource type.
    pub const FLAG: Self = Self(54);
    /// The FHIR R4 `Goal` resource type.
    pub const GOAL: Self = Self(55);
    /// The FHIR R4 `GraphDefinition` resource type.
    pub const GRAPH_DEFINITION: Self = Self(56);
    /// The FHIR R4 `Group` resource type.
    pub const GROUP: Self = Self(57);
    /// The FHIR R4 `GuidanceResponse` resource type.
    pub const GUIDANCE_RESPONSE: Self = Self(58);
    /// The FHIR R4 `HealthcareService` resource type.
    pub const HEALTHCARE_SERVICE: Self = Self(59);
    /// The FHIR R4 `ImagingStudy` resource type.
    pub const IMAGING_STUDY: Self = Self(60);
    /// The FHIR R4 `Immunization` resource type.
    pub const IMMUNIZATION: Self = Self(61);
    /// The FHIR R4 `ImmunizationEvaluation` resource type.
    pub const IMMUNIZATION_EVALUATION: Self = Self(62);
    /// The FHIR R4 `ImmunizationRecommendation` resource type.
    pub const IMMUNIZATION_RECOMMENDATION: Self = Self(63);
    /// The FHIR R4 `ImplementationGuide` resource type.
    pub const IMPLEMENTATION_GUIDE: Self = Self(64);
    /// The FHIR R4 `InsurancePlan` resource type.
    pub const INSURANCE_PLAN: Self = Self(65);
    /// The FHIR R4 `Invoice` resource type.
    pub const INVOICE: Self = Self(66);
    /// The FHIR R4 `Library` resource type.
    pub const LIBRARY: Self = Self(67);
    /// The FHIR R4 `Linkage` resource type.
    pub const LINKAGE: Self = Self(68);
    /// The FHIR R4 `List` resource type.
    pub const LIST: Self = Self(69);
    /// The FHIR R4 `Location` resource type.
    pub const LOCATION: Self = Self(70);
    /// The FHIR R4 `Measure` resource type.
    pub const MEASURE: Self = Self(71);
    /// The FHIR R4 `MeasureReport` resource type.
    pub const MEASURE_REPORT: Self = Self(72);
    /// The FHIR R4 `Media` resource type.
    pub const MEDIA: Self = Self(73);
    /// The FHIR R4 `Medication` resource type.
    pub const MEDICATION: Self = Self(74);
    /// The FHIR R4 `MedicationAdministration` resource type.
    pub const MEDICATION_ADMINISTRATION: Self = Self(75);
    /// The FHIR R4 `MedicationDispense` resource type.
    pub const MEDICATION_DISPENSE: Self = Self(76);
    /// The FHIR R4 `MedicationKnowledge` resource type.
    pub const MEDICATION_KNOWLEDGE: Self = Self(77);
    /// The FHIR R4 `MedicationRequest` resource type.
    pub const MEDICATION_REQUEST: Self = Self(78);
    /// The FHIR R4 `MedicationStatement` resource type.
    pub const MEDICATION_STATEMENT: Self = Self(79);
    /// The FHIR R4 `MedicinalProduct` resource type.
    pub const MEDICINAL_PRODUCT: Self = Self(80);
    /// The FHIR R4 `MedicinalProductAuthorization` resource type.
    pub const MEDICINAL_PRODUCT_AUTHORIZATION: Self = Self(81);
    /// The FHIR R4 `MedicinalProductContraindication` resource type.
    pub const MEDICINAL_PRODUCT_CONTRAINDICATION: Self = Self(82);
    /// The FHIR R4 `MedicinalProductIndication` resource type.
    pub const MEDICINAL_PRODUCT_INDICATION: Self = Self(83);
    /// The FHIR R4 `MedicinalProductIngredient` resource type.
    pub const MEDICINAL_PRODUCT_INGREDIENT: Self = Self(84);
    /// The FHIR R4 `MedicinalProductInteraction` resource type.
    pub const MEDICINAL_PRODUCT_INTERACTION: Self = Self(85);
    /// The FHIR R4 `MedicinalProductManufactured` resource type.
    pub const MEDICINAL_PRODUCT_MANUFACTURED: Self = Self(86);
    /// The FHIR R4 `MedicinalProductPackaged` resource type.
    pub const MEDICINAL_PRODUCT_PACKAGED: Self = Self(87);
    /// The FHIR R4 `MedicinalProductPharmaceutical` resource type.
    pub const MEDICINAL_PRODUCT_PHARMACEUTICAL: Self = Self(88);
    /// The FHIR R4 `MedicinalProductUndesirableEffect` resource type.
    pub const MEDICINAL_PRODUCT_UNDESIRABLE_EFFECT: Self = Self(89);
    /// The FHIR R4 `MessageDefinition` resource type.
    pub const MESSAGE_DEFINITION: Self = Self(90);
    /// The FHIR R4 `MessageHeader` resource type.
    pub const MESSAGE_HEADER: Self = Self(91);
    /// The FHIR R4 `MolecularSequence` resource type.
    pub const MOLECULAR_SEQUENCE: Self = Self(92);
    /// The FHIR R4 `NamingSystem` resource type.
    pub const NAMING_SYSTEM: Self = Self(93);
    /// The FHIR R4 `NutritionOrder` resource type.
    pub const NUTRITION_ORDER: Self = Self(94);
    /// The FHIR R4 `Observation` resource type.
    pub const OBSERVATION: Self = Self(95);
    /// The FHIR R4 `ObservationDefinition` resource type.
    pub const OBSERVATION_DEFINITION: Self = Self(96);
    /// The FHIR R4 `OperationDefinition` resource type.
    pub const OPERATION_DEFINITION: Self = Self(97);
    /// The FHIR R4 `OperationOutcome` resource type.
    pub const OPERATION_OUTCOME: Self = Self(98);
    /// The FHIR R4 `Organization` resource type.
    pub const ORGANIZATION: Self = Self(99);
    /// The FHIR R4 `OrganizationAffiliation` resource type.
    pub const ORGANIZATION_AFFILIATION: Self = Self(100);
    /// The FHIR R4 `Parameters` resource type.
    pub const PARAMETERS: Self = Self(101);
    /// The FHIR R4 `Patient` resource type.
    pub const PATIENT: Self = Self(102);
    /// The FHIR R4 `PaymentNotice` resource type.
    pub const PAYMENT_NOTICE: Self = Self(103);
    /// The FHIR R4 `PaymentReconciliation` resource type.
    pub const PAYMENT_RECONCILIATION: Self = Self(104);
    /// The FHIR R4 `Person` resource type.
    pub const PERSON: Self = Self(105);
    /// The FHIR R4 `PlanDefinition` resource type.
    pub const PLAN_DEFINITION: Self = Self(106);
    /// The FHIR R4 `Practitioner` resource type.
    pub const PRACTITIONER: Self = Self(107);
    /// The FHIR R4 `PractitionerRole` resource type.
    pub const PRACTITIONER_ROLE: Self = Self(108);
    /// The FHIR R4 `Procedure` resource type.
    pub const PROCEDURE: Self = Self(109);
    /// The FHIR R4 `Provenance` resource type.
    pub const PROVENANCE: Self = Self(110);
    /// The FHIR R4 `Questionnaire` resource type.
    pub const QUESTIONNAIRE: Self = Self(111);
    /// The FHIR R4 `QuestionnaireResponse` resource type.
    pub const QUESTIONNAIRE_RESPONSE: Self = Self(112);
    /// The FHIR R4 `RelatedPerson` resource type.
    pub const RELATED_PERSON: Self = Self(113);
    /// The FHIR R4 `RequestGroup` resource type.
    pub const REQUEST_GROUP: Self = Self(114);
    /// The FHIR R4 `ResearchDefinition` resource type.
    pub const RESEARCH_DEFINITION: Self = Self(115);
    /// The FHIR R4 `ResearchElementDefinition` resource type.
    pub const RESEARCH_ELEMENT_DEFINITION: Self = Self(116);
    /// The FHIR R4 `ResearchStudy` resource type.
    pub const RESEARCH_STUDY: Self = Self(117);
    /// The FHIR R4 `ResearchSubject` resource type.
    pub const RESEARCH_SUBJECT: Self = Self(118);
    /// The FHIR R4 `RiskAssessment` resource type.
    pub const RISK_ASSESSMENT: Self = Self(119);
    /// The FHIR R4 `RiskEvidenceSynthesis` resource type.
    pub const RISK_EVIDENCE_SYNTHESIS: Self = Self(120);
    /// The FHIR R4 `Schedule` resource type.
    pub const SCHEDULE: Self = Self(121);
    /// The FHIR R4 `SearchParameter` resource type.
    pub const SEARCH_PARAMETER: Self = Self(122);
    /// The FHIR R4 `ServiceRequest` resource type.
    pub const SERVICE_REQUEST: Self = Self(123);
    /// The FHIR R4 `Slot` resource type.
    pub const SLOT: Self = Self(124);
    /// The FHIR R4 `Specimen` resource type.
    pub const SPECIMEN: Self = Self(125);
    /// The FHIR R4 `SpecimenDefinition` resource type.
    pub const SPECIMEN_DEFINITION: Self = Self(126);
    /// The FHIR R4 `StructureDefinition` resource type.
    pub const STRUCTURE_DEFINITION: Self = Self(127);
    /// The FHIR R4 `StructureMap` resource type.
    pub const STRUCTURE_MAP: Self = Self(128);
    /// The FHIR R4 `Subscription` resource type.
    pub const SUBSCRIPTION: Self = Self(129);
    /// The FHIR R4 `Substance` resource type.
    pub const SUBSTANCE: Self = Self(130);
    /// The FHIR R4 `SubstanceNucleicAcid` resource type.
    pub const SUBSTANCE_NUCLEIC_ACID: Self = Self(131);
    /// The FHIR R4 `SubstancePolymer` resource type.
    pub const SUBSTANCE_POLYMER: Self = Self(132);
    /// The FHIR R4 `SubstanceProtein` resource type.
    pub const SUBSTANCE_PROTEIN: Self = Self(133);
    /// The FHIR R4 `SubstanceReferenceInformation` resource type.
    pub const SUBSTANCE_REFERENCE_INFORMATION: Self = Self(134);
    /// The FHIR R4 `SubstanceSourceMaterial` resource type.
    pub const SUBSTANCE_SOURCE_MATERIAL: Self = Self(135);
    /// The FHIR R4 `SubstanceSpecification` resource type.
    pub const SUBSTANCE_SPECIFICATION: Self = Self(136);
    /// The FHIR R4 `SupplyDelivery` resource type.
    pub const SUPPLY_DELIVERY: Self = Self(137);
    /// The FHIR R4 `SupplyRequest` resource type.
    pub const SUPPLY_REQUEST: Self = Self(138);
    /// The FHIR R4 `Task` resource type.
    pub const TASK: Self = Self(139);
    /// The FHIR R4 `TerminologyCapabilities` resource type.
    pub const TERMINOLOGY_CAPABILITIES: Self = Self(140);
    /// The FHIR R4 `TestReport` resource type.
    pub const TEST_REPORT: Self = Self(141);
    /// The FHIR R4 `TestScript` resource type.
    pub const TEST_SCRIPT: Self = Self(142);
    /// The FHIR R4 `ValueSet` resource type.
    pub const VALUE_SET: Self = Self(143);
    /// The FHIR R4 `VerificationResult` resource type.
    pub const VERIFICATION_RESULT: Self = Self(144);
    /// The FHIR R4 `VisionPrescription` resource type.
    pub const VISION_PRESCRIPTION: Self = Self(145);

    /// How many resource types FHIR R4 has.
    pub const COUNT: usize = NAMES.len();

    /// Every resource type, in the order of their names.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u8..).take(Self::COUNT).map(Self)
    }

    /// The name, as in `resourceType`.
    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// The position among all types: stable within one release of FHIR.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl FromStr for ResourceType {
    type Err = UnknownResourceType;

    fn from_str(name: &str) -> Result<Self, UnknownResourceType> {
        let index = NAMES.binary_search(&name).map_err(|_| UnknownResourceType)?;
        u8::try_from(index).map(Self).map_err(|_| UnknownResourceType)
    }
}

impl TryFrom<String> for ResourceType {
    type Error = UnknownResourceType;

    fn try_from(name: String) -> Result<Self, UnknownResourceType> {
        name.parse()
    }
}

impl From<ResourceType> for String {
    fn from(value: ResourceType) -> String {
        value.as_str().to_owned()
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
