//! The codes that the demo world uses (catalogue: exempt from the file-length rule).
//!
//! LOINC, RxNorm, ICD-10-CM and CVX as US Core binds them; SNOMED CT from the US free set. Displays
//! are the systems' own where short, so that the world reads like real records.

use super::value::{Value, list, object};

/// One code of one system.
#[expect(clippy::struct_field_names, reason = "the names are those of FHIR's Coding")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) system: &'static str,
    pub(super) code: &'static str,
    pub(super) display: &'static str,
}

impl Code {
    pub(super) const fn new(
        system: &'static str,
        code: &'static str,
        display: &'static str,
    ) -> Self {
        Self { system, code, display }
    }

    /// As a Coding.
    pub(super) fn coding(self) -> Value {
        object! { "system": self.system, "code": self.code, "display": self.display }
    }

    /// As a CodeableConcept.
    pub(super) fn concept(self) -> Value {
        object! { "coding": list![self.coding()], "text": self.display }
    }
}

/// Several codes for one thing as a CodeableConcept; the first one's display is the text.
pub(super) fn concept(codes: &[Code]) -> Value {
    object! {
        "coding": codes.iter().map(|code| code.coding()).collect::<Vec<_>>(),
        "text": codes.first().map(|code| code.display),
    }
}

/// A system with only codes, where displays would say the same.
pub(super) fn bare(system: &'static str, code: &'static str) -> Value {
    object! { "coding": list![object! { "system": system, "code": code }] }
}

macro_rules! codes {
    ($build:ident: $($name:ident = $code:literal $display:literal;)+) => {
        $(pub(super) const $name: Code = $build($code, $display);)+
    };
}

const fn loinc(code: &'static str, display: &'static str) -> Code {
    Code::new("http://loinc.org", code, display)
}
const fn sct(code: &'static str, display: &'static str) -> Code {
    Code::new("http://snomed.info/sct", code, display)
}
const fn icd(code: &'static str, display: &'static str) -> Code {
    Code::new("http://hl7.org/fhir/sid/icd-10-cm", code, display)
}
const fn rx(code: &'static str, display: &'static str) -> Code {
    Code::new("http://www.nlm.nih.gov/research/umls/rxnorm", code, display)
}
const fn cvx(code: &'static str, display: &'static str) -> Code {
    Code::new("http://hl7.org/fhir/sid/cvx", code, display)
}
const fn act(code: &'static str, display: &'static str) -> Code {
    Code::new("http://terminology.hl7.org/CodeSystem/v3-ActCode", code, display)
}

// ----- security labels
pub(super) const LABEL_SUD: Code = act("SUD", "substance use disorder information sensitivity");
pub(super) const LABEL_VIOLENCE: Code =
    act("SDV", "sexual assault, abuse, or domestic violence information sensitivity");
pub(super) const LABEL_ADOLESCENT: Code = act("ADOL", "adolescent information sensitivity");
pub(super) const LABEL_PATIENT_ASKED: Code =
    act("PRS", "patient requested information sensitivity");
pub(super) const LABEL_PSYCHOTHERAPY: Code =
    act("PSYTHPN", "psychotherapy note information sensitivity");
pub(super) const LABEL_PART_2: Code = Code::new(
    "http://terminology.hl7.org/CodeSystem/v3-ActUSPrivacyLaw",
    "42CFRPart2",
    "42 CFR Part2",
);

// ----- classes of visits
pub(super) const AMBULATORY: Code = act("AMB", "ambulatory");
pub(super) const INPATIENT: Code = act("IMP", "inpatient encounter");
pub(super) const EMERGENCY: Code = act("EMER", "emergency");

codes! { sct:
    FOLLOW_UP = "390906007" "Follow-up encounter";
    FOR_PROBLEM = "185347001" "Encounter for problem";
    FOR_SYMPTOM = "185345009" "Encounter for symptom";
    EMERGENCY_ADMISSION = "50849002" "Emergency room admission";
    HOSPITAL_ADMISSION = "32485007" "Hospital admission";
    GENERAL_EXAMINATION = "162673006" "General examination of patient";
    WELL_CHILD = "410620009" "Well child visit";
    CONSULTATION = "11429006" "Consultation";
}

// ----- problems
codes! { icd:
    I_DIABETES = "E11.9" "Type 2 diabetes mellitus without complications";
    I_HYPERTENSION = "I10" "Essential (primary) hypertension";
    I_LIPIDS = "E78.5" "Hyperlipidemia, unspecified";
    I_OBESITY = "E66.9" "Obesity, unspecified";
    I_PREDIABETES = "R73.03" "Prediabetes";
    I_DEPRESSION = "F33.1" "Major depressive disorder, recurrent, moderate";
    I_DEPRESSION_SINGLE = "F32.1" "Major depressive disorder, single episode, moderate";
    I_ANXIETY = "F41.1" "Generalized anxiety disorder";
    I_OPIOID = "F11.21" "Opioid dependence, in remission";
    I_ALCOHOL = "F10.20" "Alcohol dependence, uncomplicated";
    I_HIV = "Z21" "Asymptomatic human immunodeficiency virus [HIV] infection status";
    I_HEART_FAILURE = "I50.22" "Chronic systolic (congestive) heart failure";
    I_HEART_FAILURE_ACUTE = "I50.23" "Acute on chronic systolic (congestive) heart failure";
    I_AFIB = "I48.91" "Unspecified atrial fibrillation";
    I_CORONARY = "I25.10" "Atherosclerotic heart disease of native coronary artery without angina pectoris";
    I_KIDNEY_3 = "N18.31" "Chronic kidney disease, stage 3a";
    I_ASTHMA = "J45.909" "Unspecified asthma, uncomplicated";
    I_CONTRACEPTION = "Z30.017" "Encounter for initial prescription of implantable subdermal contraceptive";
    I_CHLAMYDIA = "A56.09" "Other chlamydial infection of lower genitourinary tract";
    I_PREGNANCY = "Z34.80" "Encounter for supervision of other normal pregnancy, unspecified trimester";
    I_ABUSE = "T74.11XA" "Adult physical abuse, confirmed, initial encounter";
    I_BRCA = "Z15.01" "Genetic susceptibility to malignant neoplasm of breast";
    I_SORE_THROAT = "J02.9" "Acute pharyngitis, unspecified";
    I_BRONCHITIS = "J20.9" "Acute bronchitis, unspecified";
    I_SINUSITIS = "J01.90" "Acute sinusitis, unspecified";
    I_ANKLE = "S93.401A" "Sprain of unspecified ligament of right ankle, initial encounter";
    I_URINARY = "N39.0" "Urinary tract infection, site not specified";
    I_BACK = "M54.50" "Low back pain, unspecified";
    I_KNEE = "M17.11" "Unilateral primary osteoarthritis, right knee";
    I_REFLUX = "K21.9" "Gastro-esophageal reflux disease without esophagitis";
    I_FOOD = "Z59.41" "Food insecurity";
    I_CHECK_UP = "Z00.00" "Encounter for general adult medical examination without abnormal findings";
    I_WELL_CHILD = "Z00.129" "Encounter for routine child health examination without abnormal findings";
    I_FALL_RISK = "Z91.81" "History of falling";
}
codes! { sct:
    S_DIABETES = "44054006" "Diabetes mellitus type 2";
    S_HYPERTENSION = "59621000" "Essential hypertension";
    S_LIPIDS = "55822004" "Hyperlipidemia";
    S_PREDIABETES = "15777000" "Prediabetes";
    S_OBESITY = "162864005" "Body mass index 30+ - obesity";
    S_DEPRESSION = "370143000" "Major depressive disorder";
    S_ANXIETY = "21897009" "Generalized anxiety disorder";
    S_OPIOID = "75544000" "Opioid dependence";
    S_ALCOHOL = "66590003" "Alcohol dependence";
    S_HIV = "86406008" "Human immunodeficiency virus infection";
    S_HEART_FAILURE = "42343007" "Congestive heart failure";
    S_AFIB = "49436004" "Atrial fibrillation";
    S_CORONARY = "414545008" "Ischemic heart disease";
    S_KIDNEY_3 = "433144002" "Chronic kidney disease stage 3";
    S_ASTHMA = "195967001" "Asthma";
    S_CHLAMYDIA = "240589008" "Chlamydia trachomatis infection";
    S_PREGNANCY = "72892002" "Normal pregnancy";
    S_PARTNER_ABUSE = "706893006" "Victim of intimate partner abuse";
    S_SORE_THROAT = "195662009" "Acute viral pharyngitis";
    S_BRONCHITIS = "10509002" "Acute bronchitis";
    S_SINUSITIS = "444814009" "Viral sinusitis";
    S_ANKLE = "44465007" "Sprain of ankle";
    S_URINARY = "301011002" "Escherichia coli urinary tract infection";
    S_BACK = "278860009" "Chronic low back pain";
    S_KNEE = "239873007" "Osteoarthritis of knee";
    S_BREAST_CANCER = "254837009" "Malignant neoplasm of breast";
    S_HEART_ATTACK = "22298006" "Myocardial infarction";
}

// ----- laboratory
codes! { loinc:
    A1C = "4548-4" "Hemoglobin A1c/Hemoglobin.total in Blood";
    GLUCOSE = "2345-7" "Glucose [Mass/volume] in Serum or Plasma";
    CREATININE = "2160-0" "Creatinine [Mass/volume] in Serum or Plasma";
    EGFR = "98979-8" "Glomerular filtration rate [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)/1.73 sq M";
    SODIUM = "2951-2" "Sodium [Moles/volume] in Serum or Plasma";
    POTASSIUM = "2823-3" "Potassium [Moles/volume] in Serum or Plasma";
    CHOLESTEROL = "2093-3" "Cholesterol [Mass/volume] in Serum or Plasma";
    TRIGLYCERIDE = "2571-8" "Triglyceride [Mass/volume] in Serum or Plasma";
    HDL = "2085-9" "Cholesterol in HDL [Mass/volume] in Serum or Plasma";
    LDL = "13457-7" "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation";
    ALBUMIN_RATIO = "9318-7" "Albumin/Creatinine [Mass Ratio] in Urine";
    HEMOGLOBIN = "718-7" "Hemoglobin [Mass/volume] in Blood";
    NT_PRO_BNP = "33762-6" "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma";
    HIV_TEST = "56888-1" "HIV 1+2 Ab+HIV1 p24 Ag [Presence] in Serum or Plasma by Immunoassay";
    HIV_LOAD = "20447-9" "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe detection";
    CHLAMYDIA_TEST = "21613-5" "Chlamydia trachomatis DNA [Presence] in Specimen by NAA with probe detection";
    PREGNANCY_TEST = "2106-3" "Choriogonadotropin (pregnancy test) [Presence] in Urine";
    OPIATES_URINE = "19295-5" "Opiates [Presence] in Urine by Screen method";
    BRCA1 = "21636-6" "BRCA1 gene mutations found [Identifier] in Blood or Tissue by Molecular genetics method Nominal";
    PANEL_METABOLIC = "24321-2" "Basic metabolic 2000 panel - Serum or Plasma";
    GENETIC_REPORT = "51969-4" "Genetic analysis report";
}

// ----- vital signs, social history, surveys
codes! { loinc:
    BLOOD_PRESSURE = "85354-9" "Blood pressure panel with all children optional";
    SYSTOLIC = "8480-6" "Systolic blood pressure";
    DIASTOLIC = "8462-4" "Diastolic blood pressure";
    HEART_RATE = "8867-4" "Heart rate";
    RESPIRATORY_RATE = "9279-1" "Respiratory rate";
    TEMPERATURE = "8310-5" "Body temperature";
    HEIGHT = "8302-2" "Body height";
    OXYGEN = "2708-6" "Oxygen saturation in Arterial blood";
    OXYGEN_PULSE = "59408-5" "Oxygen saturation in Arterial blood by Pulse oximetry";
    WEIGHT = "29463-7" "Body weight";
    BMI = "39156-5" "Body mass index (BMI) [Ratio]";
    SMOKING = "72166-2" "Tobacco smoking status";
    OCCUPATION = "11341-5" "History of Occupation";
    SEXUAL_ORIENTATION = "76690-7" "Sexual orientation";
    PREGNANCY_STATUS = "82810-3" "Pregnancy status";
    PREGNANCY_INTENT = "86645-9" "Pregnancy intention in the next year - Reported";
    OXYGEN_FLOW = "3151-8" "Inhaled oxygen flow rate";
    OXYGEN_INHALED = "3150-6" "Inhaled oxygen concentration";
    HEAD_CIRCUMFERENCE = "9843-4" "Head Occipital-frontal circumference";
    HEAD_PERCENTILE = "8289-1" "Head Occipital-frontal circumference Percentile";
    BMI_PERCENTILE = "59576-9" "Body mass index (BMI) [Percentile] Per age and sex";
    WEIGHT_FOR_LENGTH = "77606-2" "Weight-for-length Per age and sex";
    STEPS = "41950-7" "Number of steps in 24 hour Measured";
    STEPS_AIDS = "75276-6" "Ambulation";
    CHIEF_COMPLAINT = "8661-1" "Chief complaint - Reported";
    EYE_FINDINGS = "10197-2" "Physical findings of Eye Narrative";
    EYE_PRESSURE = "79892-6" "Right eye Intraocular pressure";
    RETINA_RIGHT = "71490-7" "Right eye Diabetic retinopathy severity level by Ophthalmoscopy";
    URINE_COLOR = "5778-6" "Color of Urine";
    EYE_STUDY = "70941-0" "Ophthalmology Study observation";
    PHQ_9 = "44261-6" "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]";
    GAD_7 = "70274-6" "Generalized anxiety disorder 7 item (GAD-7) total score [Reported.PHQ]";
    FOOD_WORRY = "88122-7" "(I/We) worried whether (my/our) food would run out before (I/we) got money to buy more in the last 12 months";
    FALLS = "52552-7" "Falls in the last year";
    EJECTION_FRACTION = "10230-1" "Left ventricular Ejection fraction";
}
codes! { sct:
    NEVER_SMOKED = "266919005" "Never smoked tobacco";
    FORMER_SMOKER = "8517006" "Ex-smoker";
    SMOKER = "449868002" "Smokes tobacco daily";
    HETEROSEXUAL = "20430005" "Heterosexual";
    NOT_PREGNANT = "60001007" "Not pregnant";
    NO_WISH_FOR_PREGNANCY = "454401000124105" "Does not want to become pregnant";
    IDENTIFIES_AS_FEMALE = "446141000124107" "Identifies as female gender";
    IDENTIFIES_AS_MALE = "446151000124109" "Identifies as male gender";
    CAREGIVER = "133932002" "Caregiver";
    YES = "373066001" "Yes";
    EYE_GLASSES = "50121007" "Eye glasses";
    WALKS_UNAIDED = "165245003" "Independent walking";
    RETINAL_SCREENING = "134395001" "Diabetic retinopathy screening";
    NO_RETINOPATHY = "1290031003" "No diabetic retinopathy";
    POSITIVE = "10828004" "Positive";
    NEGATIVE = "260385009" "Negative";
}
pub(super) const OFTEN_TRUE: Code = loinc("LA28397-0", "Often true");

// ----- medicines
codes! { rx:
    METFORMIN_500 = "861007" "metformin hydrochloride 500 MG Oral Tablet";
    METFORMIN_1000 = "861004" "metformin hydrochloride 1000 MG Oral Tablet";
    LISINOPRIL_10 = "314076" "lisinopril 10 MG Oral Tablet";
    LISINOPRIL_20 = "314077" "lisinopril 20 MG Oral Tablet";
    ATORVASTATIN_20 = "617310" "atorvastatin 20 MG Oral Tablet";
    ATORVASTATIN_40 = "617311" "atorvastatin 40 MG Oral Tablet";
    FUROSEMIDE_40 = "313988" "furosemide 40 MG Oral Tablet";
    CARVEDILOL_12 = "200032" "carvedilol 12.5 MG Oral Tablet";
    SPIRONOLACTONE_25 = "313096" "spironolactone 25 MG Oral Tablet";
    APIXABAN_5 = "1364445" "apixaban 5 MG Oral Tablet";
    SERTRALINE_50 = "312941" "sertraline 50 MG Oral Tablet";
    BUPRENORPHINE_8 = "351267" "buprenorphine 8 MG / naloxone 2 MG Sublingual Tablet";
    ALBUTEROL = "745679" "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler";
    ETONOGESTREL = "389221" "etonogestrel 68 MG Drug Implant";
    AZITHROMYCIN = "308460" "azithromycin 250 MG Oral Tablet";
    IBUPROFEN_200 = "310965" "ibuprofen 200 MG Oral Tablet";
    TENOFOVIR = "476556" "emtricitabine 200 MG / tenofovir disoproxil fumarate 300 MG Oral Tablet";
    PENICILLIN = "7980" "penicillin G";
    SULFONAMIDE = "10180" "sulfamethoxazole";
    ASPIRIN = "1191" "aspirin";
}

// ----- vaccines
codes! { cvx:
    FLU = "140" "Influenza, seasonal, injectable, preservative free";
    TDAP = "115" "Tdap";
    COVID = "208" "SARS-COV-2 (COVID-19) vaccine, mRNA, spike protein, LNP, preservative free, 30 mcg/0.3mL dose";
    PNEUMOCOCCAL = "33" "pneumococcal polysaccharide vaccine, 23 valent";
    MMR = "03" "MMR";
    VARICELLA = "21" "varicella";
    HPV = "62" "HPV, quadrivalent";
    MENINGOCOCCAL = "114" "meningococcal MCV4P";
}

// ----- procedures, devices, specimens, allergies
codes! { sct:
    ECHOCARDIOGRAPHY = "40701008" "Echocardiography";
    CHEST_XRAY = "399208008" "Plain X-ray of chest";
    COLONOSCOPY = "73761001" "Colonoscopy";
    ANGIOGRAPHY = "33367005" "Coronary angiography";
    STENT = "415070008" "Percutaneous coronary intervention";
    IMPLANT_INSERTION = "169553002" "Insertion of subcutaneous contraceptive";
    PSYCHOTHERAPY = "75516001" "Psychotherapy";
    SUD_COUNSELING = "428211000124100" "Assessment of substance use";
    ABUSE_SCREENING = "866148006" "Screening for domestic abuse";
    FOOT_EXAM = "401191002" "Diabetic foot examination";
    DIABETES_EDUCATION = "6143009" "Diabetic education";
    DEFIBRILLATOR = "72506001" "Implantable defibrillator";
    GLUCOSE_METER = "337414009" "Blood glucose meter";
    BLOOD = "119297000" "Blood specimen";
    SERUM = "119364003" "Serum specimen";
    RASH = "271807003" "Eruption of skin";
    ANAPHYLAXIS = "39579001" "Anaphylaxis";
    PEANUT = "762952008" "Peanut";
    LABORATORY_PROCEDURE = "108252007" "Laboratory procedure";
    IMAGING_PROCEDURE = "363679005" "Imaging";
}

// ----- documents and reports
codes! { loinc:
    PROGRESS_NOTE = "11506-3" "Progress note";
    HISTORY_NOTE = "34117-2" "History and physical note";
    DISCHARGE_SUMMARY = "18842-5" "Discharge summary";
    CONSULT_NOTE = "11488-4" "Consult note";
    EMERGENCY_NOTE = "34111-5" "Emergency department note";
    PSYCHIATRY_NOTE = "28627-8" "Psychiatry Progress note";
    CHEST_XRAY_REPORT = "36643-5" "XR Chest 2 Views";
    EKG_STUDY = "11524-6" "EKG study";
}

/// A federally recognised tribe, as HL7 codes them.
pub(super) const TRIBE: Code = Code::new(
    "http://terminology.hl7.org/CodeSystem/v3-TribalEntityUS",
    "187",
    "Paiute-Shoshone Tribe of the Fallon Reservation and Colony, Nevada",
);
