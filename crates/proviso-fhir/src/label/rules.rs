//! Which codes and words mean which sensitive kind (catalogue: exempt from the file-length rule).
//!
//! The rules are ours, written from the published structure of public code systems: the chapters
//! and categories of ICD-10-CM and ICD-9-CM (public domain), LOINC, RxNorm ingredients, HCPCS
//! level II and single SNOMED CT concepts of the freely usable subset. CPT is not used.
//!
//! A rule errs towards labelling: a record labelled without need is withheld until a patient names
//! the kind, a record missed is a disclosure.
//!
//! LIMIT: nothing here infers (a drug combination that only one disease explains, a laboratory
//! pattern); what no code and no word says is not found.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proviso_core::category::SensitiveKind;
use proviso_core::category::SensitiveKind::{
    Adolescent, Genetics, Hiv, MentalHealth, PsychotherapyNotes, Reproductive, Restricted, Sti,
    SubstanceUse, Violence,
};

use proviso_core::label::Confidence;
use proviso_core::resource_type::ResourceType;

use super::set::{CodeList, EdgeRule, LabelRule, Rules};
use super::system::CodeSystem;

/// Codes of one system that mean one kind.
#[derive(Debug, Clone, Copy)]
struct CodeRule {
    id: &'static str,
    kind: SensitiveKind,
    system: CodeSystem,
    codes: Codes,
    source: &'static str,
}

/// A set of codes.
#[derive(Debug, Clone, Copy)]
enum Codes {
    /// Exactly these.
    Exact(&'static [&'static str]),
    /// Every code that starts with one of these, dots left out.
    Under(&'static [&'static str]),
    /// Every code whose first three characters lie between two categories, both included.
    Between(&'static [(&'static str, &'static str)]),
}

/// Words that mean one kind, wherever a text for humans says them ([`LabelRule::words`]).
#[derive(Debug, Clone, Copy)]
struct WordRule {
    id: &'static str,
    kind: SensitiveKind,
    phrases: &'static [&'static str],
    source: &'static str,
}

const ICD10: &str = "ICD-10-CM tabular list, FY2026 (CDC NCHS, public domain)";
const ICD9: &str = "ICD-9-CM tabular list, 2015 (CDC NCHS, public domain)";
const LOINC: &str = "LOINC 2.78, single terms";
const SNOMED: &str = "SNOMED CT, single concepts of the US free set";
const RXNORM: &str = "RxNorm ingredients and clinical drugs (NLM)";
const HCPCS: &str = "HCPCS level II, section H (CMS, public domain)";
const WORDS: &str = "own word list, English and Spanish, over displays, titles and texts";

const fn rule(
    id: &'static str,
    kind: SensitiveKind,
    system: CodeSystem,
    codes: Codes,
    source: &'static str,
) -> CodeRule {
    CodeRule { id, kind, system, codes, source }
}

/// Rules over codes.
const CODE_RULES: &[CodeRule] = &[
    // ----- mental health
    rule(
        "mental-icd10-chapter",
        MentalHealth,
        CodeSystem::Icd10,
        // Chapter 5 without substance use (F10-F19, which has its own rules and whose tobacco
        // category F17 is no sensitive kind of design §5).
        Codes::Between(&[("F01", "F09"), ("F20", "F54"), ("F56", "F99"), ("X71", "X83")]),
        ICD10,
    ),
    rule(
        "mental-icd10-signs",
        MentalHealth,
        CodeSystem::Icd10,
        Codes::Under(&[
            "R44", "R4585", "R457", "T1491", "Z046", "Z133", "Z8651", "Z8659", "Z915", "Z818",
            "O9934", "O906", "Z69",
        ]),
        ICD10,
    ),
    rule(
        "mental-icd9",
        MentalHealth,
        CodeSystem::Icd9,
        Codes::Between(&[("290", "290"), ("293", "302"), ("306", "319")]),
        ICD9,
    ),
    rule(
        "mental-loinc",
        MentalHealth,
        CodeSystem::Loinc,
        Codes::Exact(&[
            "44249-1", "44261-6", "44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2",
            "44252-5", "44253-3", "44260-8", "55757-9", "55758-7", "69737-5", "70274-6", "69725-0",
            "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7", "71354-5", "93373-9",
            "89204-2", "89205-9", "89206-7", "34788-0", "28635-1", "28627-8", "28628-6", "34791-4",
        ]),
        LOINC,
    ),
    rule(
        "mental-snomed",
        MentalHealth,
        CodeSystem::Snomed,
        Codes::Exact(&[
            "74732009",
            "35489007",
            "370143000",
            "36923009",
            "66344007",
            "48694002",
            "197480006",
            "21897009",
            "371631005",
            "80583007",
            "13746004",
            "58214004",
            "47505003",
            "191736004",
            "406506008",
            "72366004",
            "56882008",
            "78004001",
            "6471006",
            "82313006",
            "69322001",
            "171207006",
            "715252007",
            "454711000124102",
            "710841007",
            "75516001",
            "304891004",
            "228557008",
        ]),
        SNOMED,
    ),
    rule(
        "mental-rxnorm",
        MentalHealth,
        CodeSystem::RxNorm,
        Codes::Exact(&[
            "36437", "4493", "321988", "2556", "32937", "39786", "72625", "42347", "15996",
            "10737", "6448", "51272", "61381", "35636", "89013", "5093", "2626", "1827", "704",
            "6470", "596", "2598", "6901", "38400", "312941", "312940", "312938",
        ]),
        RXNORM,
    ),
    rule("mental-hcpcs", MentalHealth, CodeSystem::Hcpcs, Codes::Under(&["H"]), HCPCS),
    // ----- substance use (42 CFR Part 2)
    rule(
        "substance-icd10",
        SubstanceUse,
        CodeSystem::Icd10,
        Codes::Between(&[("F10", "F16"), ("F18", "F19"), ("F55", "F55"), ("Y90", "Y91")]),
        ICD10,
    ),
    rule(
        "substance-icd10-related",
        SubstanceUse,
        CodeSystem::Icd10,
        Codes::Under(&[
            "K70", "K292", "K852", "K860", "G312", "G621", "G721", "I426", "R780", "R781", "R782",
            "R783", "R784", "T40", "T510", "Z714", "Z715", "Z811", "Z813", "Z814", "Z0283",
            "O9931", "O9932", "P0414", "P0440", "P0441", "P0442", "P961", "Q860",
        ]),
        ICD10,
    ),
    rule(
        "substance-icd9",
        SubstanceUse,
        CodeSystem::Icd9,
        Codes::Under(&[
            "291", "292", "303", "304", "3050", "3052", "3053", "3054", "3055", "3056", "3057",
            "3058", "3059", "9650", "9800",
        ]),
        ICD9,
    ),
    rule(
        "substance-loinc",
        SubstanceUse,
        CodeSystem::Loinc,
        Codes::Exact(&[
            "72109-2", "75626-2", "68517-2", "68518-0", "68519-8", "68520-6", "82667-7", "74013-4",
            "11331-6", "11343-1", "5640-8", "5643-2", "5645-7", "3426-4", "18282-4", "3397-7",
            "19295-5", "3879-4", "3773-9", "3349-8", "19261-7", "3414-0",
        ]),
        LOINC,
    ),
    rule(
        "substance-snomed",
        SubstanceUse,
        CodeSystem::Snomed,
        Codes::Exact(&[
            "7200002",
            "15167005",
            "66590003",
            "5602001",
            "75544000",
            "26416006",
            "191816009",
            "361055000",
            "10939881000119105",
            "55680006",
            "428211000124100",
            "713106006",
            "763302001",
            "868187001",
        ]),
        SNOMED,
    ),
    rule(
        "substance-rxnorm",
        SubstanceUse,
        CodeSystem::RxNorm,
        Codes::Exact(&[
            "1819", "7243", "7242", "6813", "3554", "82819", "351264", "351265", "351266",
            "351267", "1010600", "1010604",
        ]),
        RXNORM,
    ),
    rule("substance-hcpcs", SubstanceUse, CodeSystem::Hcpcs, Codes::Under(&["H"]), HCPCS),
    // ----- HIV
    rule(
        "hiv-icd10",
        Hiv,
        CodeSystem::Icd10,
        Codes::Under(&[
            "B20", "B9735", "Z21", "R75", "Z114", "Z206", "Z717", "O987", "Z830", "Z2981",
        ]),
        ICD10,
    ),
    rule(
        "hiv-icd9",
        Hiv,
        CodeSystem::Icd9,
        Codes::Under(&["042", "07953", "V08", "79571", "V016"]),
        ICD9,
    ),
    rule(
        "hiv-loinc",
        Hiv,
        CodeSystem::Loinc,
        Codes::Exact(&[
            "56888-1", "7917-8", "7918-6", "5220-9", "5221-7", "31201-7", "29893-5", "20447-9",
            "25835-0", "25836-8", "5018-7", "62469-2", "24467-3", "8123-2", "54218-3", "75622-1",
            "80387-4", "68961-2", "69668-2", "48346-1", "89374-3",
        ]),
        LOINC,
    ),
    rule(
        "hiv-snomed",
        Hiv,
        CodeSystem::Snomed,
        Codes::Exact(&["86406008", "165816005", "62479008", "91947003", "31676001"]),
        SNOMED,
    ),
    rule(
        "hiv-rxnorm",
        Hiv,
        CodeSystem::RxNorm,
        Codes::Exact(&[
            "276237", "300195", "11413", "68244", "190521", "195085", "1433868", "719872", "85762",
            "460132", "343047", "195088", "1102270", "620216", "53654", "475969", "476556",
        ]),
        RXNORM,
    ),
    // ----- sexual and reproductive health
    rule(
        "reproductive-icd10",
        Reproductive,
        CodeSystem::Icd10,
        Codes::Between(&[
            ("O00", "O9A"),
            ("Z30", "Z37"),
            ("Z39", "Z3A"),
            ("N46", "N46"),
            ("N96", "N98"),
            ("N52", "N52"),
            ("F52", "F52"),
            ("F64", "F66"),
            ("Z70", "Z70"),
        ]),
        ICD10,
    ),
    rule(
        "reproductive-icd10-related",
        Reproductive,
        CodeSystem::Icd10,
        Codes::Under(&["Z640", "Z725", "Z793", "Z975", "Z985", "R37", "Z87890", "Z8759"]),
        ICD10,
    ),
    rule(
        "reproductive-icd9",
        Reproductive,
        CodeSystem::Icd9,
        Codes::Between(&[
            ("630", "679"),
            ("V22", "V28"),
            ("606", "606"),
            ("628", "628"),
            ("302", "302"),
        ]),
        ICD9,
    ),
    rule(
        "reproductive-loinc",
        Reproductive,
        CodeSystem::Loinc,
        Codes::Exact(&[
            "2106-3", "2118-8", "21198-7", "19080-1", "82810-3", "86645-9", "11778-8", "11884-4",
            "76690-7", "76691-5", "11996-6", "8665-2",
        ]),
        LOINC,
    ),
    rule(
        "reproductive-snomed",
        Reproductive,
        CodeSystem::Snomed,
        Codes::Exact(&[
            "72892002",
            "77386006",
            "19169002",
            "156073000",
            "17369002",
            "714812005",
            "10383002",
            "386394001",
            "65200003",
            "46706006",
            "68254000",
            "169553002",
            "301807007",
            "252160004",
            "267020005",
            "424441002",
            "424619006",
            "169762003",
            "183996000",
            "66348005",
            "11466000",
            "236974004",
            "398254007",
            "11687002",
            "35999006",
            "408969000",
            "86569001",
        ]),
        SNOMED,
    ),
    rule(
        "reproductive-rxnorm",
        Reproductive,
        CodeSystem::RxNorm,
        Codes::Exact(&[
            "389221", "748962", "749762", "807283", "831533", "978950", "1367439", "1856546",
        ]),
        RXNORM,
    ),
    // ----- sexually transmitted infections
    rule("sti-icd10", Sti, CodeSystem::Icd10, Codes::Between(&[("A50", "A64")]), ICD10),
    rule(
        "sti-icd10-related",
        Sti,
        CodeSystem::Icd10,
        Codes::Under(&["B977", "Z113", "Z202", "O981", "O982", "O983", "R8781", "R8582", "R8762"]),
        ICD10,
    ),
    rule(
        "sti-icd9",
        Sti,
        CodeSystem::Icd9,
        Codes::Under(&["09", "0541", "07811", "0794", "V016", "V745"]),
        ICD9,
    ),
    rule(
        "sti-loinc",
        Sti,
        CodeSystem::Loinc,
        Codes::Exact(&[
            "20507-0", "5292-8", "22461-8", "22462-6", "24110-9", "21613-5", "43304-5", "43305-2",
            "24111-7", "36902-5", "696-5", "6357-8", "5028-6", "21440-3", "82675-0", "30167-1",
            "43180-9",
        ]),
        LOINC,
    ),
    rule(
        "sti-snomed",
        Sti,
        CodeSystem::Snomed,
        Codes::Exact(&[
            "8098009",
            "240589008",
            "15628003",
            "76272004",
            "33839006",
            "266113007",
            "165829005",
            "269828009",
            "310861008",
        ]),
        SNOMED,
    ),
    // ----- violence
    rule(
        "violence-icd10",
        Violence,
        CodeSystem::Icd10,
        Codes::Between(&[
            ("T74", "T74"),
            ("T76", "T76"),
            ("X92", "X99"),
            ("Y00", "Y09"),
            ("Z69", "Z69"),
        ]),
        ICD10,
    ),
    rule(
        "violence-icd10-related",
        Violence,
        CodeSystem::Icd10,
        Codes::Under(&["Z044", "Z047", "Z6281", "Z9141", "O9A3", "O9A4", "O9A5", "Z654"]),
        ICD10,
    ),
    rule(
        "violence-icd9",
        Violence,
        CodeSystem::Icd9,
        Codes::Under(&["9955", "9958", "E960", "E967", "V154", "V715"]),
        ICD9,
    ),
    rule(
        "violence-snomed",
        Violence,
        CodeSystem::Snomed,
        Codes::Exact(&["706893006", "424393004", "866148006", "248110007"]),
        SNOMED,
    ),
    // ----- genetics
    rule(
        "genetics-icd10",
        Genetics,
        CodeSystem::Icd10,
        Codes::Under(&[
            "Z137", "Z14", "Z15", "Z3143", "Z3144", "Z315", "Z8481", "D56", "D57", "D66", "D67",
            "E84", "G10", "G710", "Q9",
        ]),
        ICD10,
    ),
    rule(
        "genetics-icd9",
        Genetics,
        CodeSystem::Icd9,
        Codes::Under(&["2826", "2770", "3334", "758", "V83", "V84", "V263"]),
        ICD9,
    ),
    rule(
        "genetics-loinc",
        Genetics,
        CodeSystem::Loinc,
        Codes::Exact(&[
            "51969-4", "81247-9", "53037-8", "21636-6", "21637-4", "50995-0", "38404-0", "55233-1",
            "48018-6", "48004-6", "81252-9", "69548-6", "21667-1", "24475-6", "53034-5", "48002-0",
        ]),
        LOINC,
    ),
    rule(
        "genetics-snomed",
        Genetics,
        CodeSystem::Snomed,
        Codes::Exact(&[
            "405824009",
            "405825005",
            "443529005",
            "40108008",
            "417357006",
            "190905008",
            "41040004",
            "58756001",
            "412734009",
            "412738007",
        ]),
        SNOMED,
    ),
    // ----- adolescent
    rule("adolescent-snomed", Adolescent, CodeSystem::Snomed, Codes::Exact(&["868187001"]), SNOMED),
];

const fn words(
    id: &'static str,
    kind: SensitiveKind,
    phrases: &'static [&'static str],
) -> WordRule {
    WordRule { id, kind, phrases, source: WORDS }
}

/// Rules over texts for humans: displays, titles, narratives, notes.
const WORD_RULES: &[WordRule] = &[
    words(
        "mental-words",
        MentalHealth,
        &[
            "mental",
            "psychiatr",
            "psychotic",
            "psychosis",
            "psychoses",
            "psycholog",
            "psychotherap",
            "behavioral health",
            "behavioural health",
            "depression",
            "depressive",
            "depressed",
            "dysthymi",
            "anxiety",
            "panic attack",
            "panic disorder",
            "bipolar",
            "schizo",
            "mania=",
            "manic",
            "suicid",
            "self harm",
            "selfharm",
            "posttraumatic",
            "post traumatic stress",
            "ptsd=",
            "obsessive compulsive",
            "eating disorder",
            "anorexia nervosa",
            "bulimi",
            "borderline personality",
            "personality disorder",
            "attention deficit",
            "adhd=",
            "autis",
            "phq=",
            "phq2=",
            "phq9=",
            "gad=",
            "gad7=",
            "cognitive behavio",
            "counseling psycho",
            "antidepress",
            "antipsychotic",
            "ssri=",
            "sertraline",
            "fluoxetine",
            "escitalopram",
            "citalopram",
            "paroxetine",
            "venlafaxine",
            "desvenlafaxine",
            "duloxetine",
            "bupropion",
            "mirtazapine",
            "trazodone",
            "lithium",
            "quetiapine",
            "olanzapine",
            "risperidone",
            "aripiprazole",
            "ziprasidone",
            "lurasidone",
            "haloperidol",
            "clozapine",
            "buspirone",
            "amitriptyline",
            "nortriptyline",
            "lorazepam",
            "alprazolam",
            "clonazepam",
            "diazepam",
            "methylphenidate",
            "atomoxetine",
            "lisdexamfetamine",
            "dextroamphetamine",
            // Spanish.
            "depresi",
            "ansiedad",
            "psiquiatr",
            "psicolog",
            "psicoter",
            "psicosis",
            "esquizofren",
            "salud mental",
        ],
    ),
    words(
        "psychotherapy-words",
        PsychotherapyNotes,
        &[
            "psychotherapy note",
            "psychotherapy session",
            "psychotherapy process",
            "therapy session note",
            "therapist session note",
            "counseling session note",
            "process note",
        ],
    ),
    words(
        "substance-words",
        SubstanceUse,
        &[
            "substance use",
            "substance abuse",
            "substance misuse",
            "substance related",
            "substance dependence",
            "drug abuse",
            "drug misuse",
            "misuses drug",
            "drug use disorder",
            "drug dependence",
            "drug addict",
            "addict",
            "overdose",
            "opioid use",
            "opioid abuse",
            "opioid depend",
            "opioid misuse",
            "opioid withdrawal",
            "opiate abuse",
            "opiate depend",
            "heroin",
            "cocaine",
            "methamphetamine",
            "amphetamine abuse",
            "cannabis",
            "marijuana",
            "alcoholi",
            "alcohol use",
            "alcohol abuse",
            "alcohol depend",
            "alcohol drinking",
            "alcohol intake",
            "alcohol misuse",
            "alcohol withdrawal",
            "drinking behavio",
            "intoxication",
            "detoxification",
            "sobriety",
            "rehab program",
            "recovery program",
            "audit c=",
            "dast=",
            "crafft=",
            "car relax alone forget",
            "buprenorphine",
            "methadone",
            "naltrexone",
            "naloxone",
            "disulfiram",
            "acamprosate",
            "lofexidine",
            "suboxone",
            "cfr part 2",
            "part 2 program",
            "urine drug screen",
            "drug screen",
            // Spanish.
            "drogadic",
            "toxicoman",
            "sobredosis",
            "consumo de alcohol",
            "consumo de drogas",
            "abuso de alcohol",
            "abuso de drogas",
            "abuso de sustancias",
        ],
    ),
    words(
        "hiv-words",
        Hiv,
        &[
            "hiv=",
            "hiv1",
            "hiv2",
            "human immunodeficiency virus",
            "aids^",
            "acquired immunodeficiency syndrome",
            "acquired immune deficiency",
            "antiretroviral",
            "cd4=",
            "emtricitabine",
            "tenofovir",
            "zidovudine",
            "lamivudine",
            "abacavir",
            "efavirenz",
            "dolutegravir",
            "bictegravir",
            "raltegravir",
            "elvitegravir",
            "cabotegravir",
            "darunavir",
            "atazanavir",
            "lopinavir",
            "rilpivirine",
            "nevirapine",
            "etravirine",
            "maraviroc",
            "cobicistat",
            "pre exposure prophylaxis",
            "preexposure prophylaxis",
            // Spanish.
            "vih=",
            "sida^",
            "inmunodeficiencia humana",
            "antirretroviral",
        ],
    ),
    words(
        "reproductive-words",
        Reproductive,
        &[
            "pregnan",
            "prenatal",
            "antenatal",
            "postnatal",
            "postpartum",
            "obstetric",
            "childbirth",
            "cesarean",
            "caesarean",
            "miscarriage",
            "abortion",
            "abortive",
            "fetal",
            "fetus",
            "foetal",
            "gestation",
            "contracept",
            "birth control",
            "intrauterine",
            "iud=",
            "etonogestrel",
            "levonorgestrel",
            "ethinyl estradiol",
            "norethindrone",
            "medroxyprogesterone",
            "mifepristone",
            "misoprostol",
            "clomiphene",
            "sterilization",
            "tubal ligation",
            "vasectomy",
            "infertil",
            "vitro fertili",
            "erectile",
            "sexual orientation",
            "sexual function",
            "sexual activity",
            "sexually active",
            "sexual health",
            "sexual behavio",
            "sexual dysfunction",
            "gender dysphoria",
            "menstrua",
            // Spanish.
            "embaraz",
            "aborto",
            "anticoncep",
            "cesarea",
            "orientaci n sexual",
        ],
    ),
    words(
        "sti-words",
        Sti,
        &[
            "sexually transmitted",
            "venereal",
            "chlamydia",
            "gonorrh",
            "neisseria gono",
            "syphilis",
            "treponema",
            "genital herpes",
            "anogenital",
            "genital wart",
            "trichomon",
            "human papillomavirus infection",
            "sti=",
            "stis=",
            "std=",
            "stds=",
            // Spanish.
            "clamidia",
            "gonorrea",
            "transmisi n sexual",
        ],
    ),
    words(
        "violence-words",
        Violence,
        &[
            "domestic violence",
            "domestic abuse",
            "intimate partner",
            "partner violence",
            "partner abuse",
            "sexual assault",
            "sexual abuse",
            "sexual violence",
            "physical abuse",
            "emotional abuse",
            "child abuse",
            "elder abuse",
            "maltreatment",
            "rape=",
            "raped=",
            "reports of violence",
            "victim of violence",
            "victim of abuse",
            "batter",
            "strangulation",
            "afraid of your partner",
            "human trafficking",
            // Spanish.
            "violencia",
            "maltrato",
            "abuso sexual",
            "violaci",
        ],
    ),
    words(
        "genetics-words",
        Genetics,
        &[
            "genetic",
            "genomic",
            "genotyp",
            "germline",
            "brca",
            "brca1",
            "brca2",
            "lynch syndrome",
            "huntington",
            "gene mutation",
            "gene variant",
            "pathogenic variant",
            "chromosom",
            "karyotyp",
            "exome",
            "carrier screen",
            "trisomy",
            "down syndrome",
            "sickle",
            "thalassemia",
            "cystic fibrosis",
            "hereditary cancer",
            "factor v leiden",
        ],
    ),
    words(
        "adolescent-words",
        Adolescent,
        &[
            "adolescent confidential",
            "confidential adolescent",
            "teen confidential",
            "confidential teen",
            "minor consent",
            "minor consented",
            "confidential visit",
        ],
    ),
    words(
        "restricted-words",
        Restricted,
        &[
            "patient restricted",
            "restricted by patient",
            "restricted at patient request",
            "break the glass",
        ],
    ),
];

/// Codes that mean one kind only in some elements of some types.
#[derive(Debug, Clone, Copy)]
struct PlacedRule {
    rule: CodeRule,
    /// The system, where it is none that codes everywhere are looked up in.
    system: &'static str,
    on: &'static [ResourceType],
    at: &'static [&'static str],
}

const V2_SERVICE: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";
const DOCUMENTS: &[ResourceType] = &[
    ResourceType::DOCUMENT_REFERENCE,
    ResourceType::COMPOSITION,
    ResourceType::DIAGNOSTIC_REPORT,
    ResourceType::DOCUMENT_MANIFEST,
];

/// Rules over categories and kinds of document.
const PLACED_RULES: &[PlacedRule] = &[PlacedRule {
    rule: rule(
        "genetics-report-category",
        Genetics,
        CodeSystem::Loinc,
        Codes::Exact(&["GE"]),
        "HL7 v2 table 0074, diagnostic service section (HL7/UTG, CC0)",
    ),
    system: V2_SERVICE,
    on: DOCUMENTS,
    at: &["category"],
}];

const HL7_R4: &str = "reference elements of FHIR R4 4.0.1 (HL7, CC0)";

/// What labels travel along. Every reference counts for one step; the chains below say why a record
/// is there at all, and a reason told by reference must be no way out for a reason told by code.
fn edge_rules() -> Vec<EdgeRule> {
    use ResourceType as T;
    let edge = |id, from: &[T], elements: &[&'static str], steps| EdgeRule {
        id: Cow::Borrowed(id),
        source: Cow::Borrowed(HL7_R4),
        from: from.to_vec(),
        elements: elements.iter().map(|path| Cow::Borrowed(*path)).collect(),
        to: Vec::new(),
        steps,
    };
    vec![
        edge("refers-to", &[], &[], 1),
        // Everything recorded at a visit counts as what the visit was for.
        edge(
            "visit-reason",
            &[T::ENCOUNTER],
            &["reasonReference", "diagnosis.condition", "partOf", "basedOn", "episodeOfCare"],
            3,
        ),
        edge("episode-reason", &[T::EPISODE_OF_CARE], &["diagnosis.condition"], 4),
        // A dispense, an administration, a result or a report counts as what was ordered, and the
        // order as what it was for.
        edge(
            "order-reason",
            &[
                T::MEDICATION_REQUEST,
                T::MEDICATION_DISPENSE,
                T::MEDICATION_ADMINISTRATION,
                T::MEDICATION_STATEMENT,
                T::SERVICE_REQUEST,
                T::DEVICE_REQUEST,
                T::PROCEDURE,
                T::OBSERVATION,
                T::DIAGNOSTIC_REPORT,
                T::APPOINTMENT,
                T::CARE_PLAN,
                T::GOAL,
            ],
            &[
                "reasonReference",
                "medicationReference",
                "authorizingPrescription",
                "request",
                "basedOn",
                "partOf",
                "addresses",
            ],
            3,
        ),
        // An explanation of benefits counts as its claim, and the claim as what was done and why.
        edge(
            "claim-reason",
            &[T::CLAIM, T::CLAIM_RESPONSE, T::EXPLANATION_OF_BENEFIT],
            &[
                "claim",
                "request",
                "prescription",
                "originalPrescription",
                "diagnosis.diagnosisReference",
                "procedure.procedureReference",
                "item.encounter",
            ],
            3,
        ),
    ]
}

/// The rules as they are shipped.
pub(super) fn shipped() -> Rules {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let list = |system: &str, codes: &Codes| {
        let mut list = CodeList { system: system.to_owned(), ..CodeList::default() };
        match codes {
            Codes::Exact(codes) => list.exact = texts(codes),
            Codes::Under(stems) => list.under = texts(stems),
            Codes::Between(ranges) => {
                list.between =
                    ranges.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            }
        }
        list
    };
    let plain = |rule: &CodeRule, system: &str| LabelRule {
        id: Cow::Borrowed(rule.id),
        kind: rule.kind,
        confidence: Confidence::Certain,
        source: Cow::Borrowed(rule.source),
        on: Vec::new(),
        at: Vec::new(),
        codes: vec![list(system, &rule.codes)],
        words: Vec::new(),
    };
    let coded = CODE_RULES.iter().map(|rule| plain(rule, rule.system.uri()));
    let placed = PLACED_RULES.iter().map(|placed| LabelRule {
        on: placed.on.to_vec(),
        at: placed.at.iter().map(|path| Cow::Borrowed(*path)).collect(),
        ..plain(&placed.rule, placed.system)
    });
    let worded = WORD_RULES.iter().map(|rule| LabelRule {
        id: Cow::Borrowed(rule.id),
        kind: rule.kind,
        confidence: Confidence::Likely,
        source: Cow::Borrowed(rule.source),
        on: Vec::new(),
        at: Vec::new(),
        codes: Vec::new(),
        words: rule.phrases.iter().map(|phrase| Cow::Borrowed(*phrase)).collect(),
    });
    Rules {
        labels: coded.chain(placed).chain(worded).collect(),
        edges: edge_rules(),
        known: Vec::new(),
        systems: Vec::new(),
    }
}
