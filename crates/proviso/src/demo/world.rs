//! Who and what is in the demo world, as constants: the seeder, tests, documents and the printed
//! banner say the same.

/// Every password of the demo world. It listens on loopback only and says so.
pub const PASSWORD: &str = "proviso-demo";

/// The people who can sign in.
pub mod people {
    use jiff::civil::{Date, date};
    use proviso_core::account::ActorKind;
    use proviso_core::org::{Role, RoleSet};

    /// One person with an account.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Person {
        /// What they type at sign-in.
        pub username: &'static str,
        /// How pages address them.
        pub display_name: &'static str,
        /// What kind of actor they are.
        pub kind: ActorKind,
        /// The roles that they have beside those of their kind.
        pub roles: RoleSet,
        /// The FHIR resource that is them: type and id.
        pub fhir_user: Option<(&'static str, &'static str)>,
        /// One line for the banner.
        pub about: &'static str,
    }

    /// Logical id of Maria's Patient.
    pub const MARIA_PATIENT: &str = "maria";
    /// Logical id of James's Patient.
    pub const JAMES_PATIENT: &str = "james";
    /// Logical id of Lily's Patient.
    pub const LILY_PATIENT: &str = "lily";
    /// Logical id of Wei's RelatedPerson.
    pub const WEI_PERSON: &str = "wei";
    /// Logical id of Grace's RelatedPerson.
    pub const GRACE_PERSON: &str = "grace";
    /// When Lily was born; her father's proxy access ends eighteen years later.
    pub const LILY_BORN: Date = date(2011, 4, 22);
    /// The day on which Lily comes of age.
    pub const LILY_OF_AGE: Date = date(2029, 4, 22);
    /// From this day on she has care that stays between her and her clinicians (Arizona: 12, as the
    /// lowest age of the table).
    pub const LILY_CONFIDENTIAL_FROM: Date = date(2023, 4, 22);
    /// The day after the last day of Grace's proxy access.
    pub const GRACE_UNTIL: Date = date(2027, 7, 1);

    macro_rules! people {
        ($($(#[$doc:meta])* $name:ident = $username:literal, $display:literal, $kind:ident $(+ $role:ident)?, $fhir:expr, $about:literal;)+) => {
            $($(#[$doc])* pub const $name: Person = Person {
                username: $username, display_name: $display, kind: ActorKind::$kind,
                roles: RoleSet::EMPTY$(.with(Role::$role))?,
                fhir_user: $fhir, about: $about,
            };)+
            /// Everybody, in the order of the banner.
            pub const ALL: &[Person] = &[$($name),+];
        };
    }

    people! {
        /// Maria.
        MARIA = "maria", "Maria Alvarez", Patient, Some(("Patient", MARIA_PATIENT)),
            "patient, 46: diabetes, hypertension; some things she shares with few";
        /// James.
        JAMES = "james", "James Okoro", Patient, Some(("Patient", JAMES_PATIENT)),
            "patient, 71: heart failure; shares with his daughter";
        /// Lily.
        LILY = "lily", "Lily Chen", Patient, Some(("Patient", LILY_PATIENT)),
            "patient, 15: one confidential visit";
        /// Wei.
        WEI = "wei", "Wei Chen", Proxy, Some(("RelatedPerson", WEI_PERSON)),
            "Lily's father, acts for her";
        /// Grace.
        GRACE = "grace", "Grace Okoro", Proxy, Some(("RelatedPerson", GRACE_PERSON)),
            "James's daughter, acts for him until mid 2027";
        /// Dr. Patel.
        DRPATEL = "drpatel", "Dr. Anika Patel", Clinician, Some(("Practitioner", "drpatel")),
            "primary care of Maria and Lily";
        /// Nurse Ruiz.
        NURSERUIZ = "nurseruiz", "Nurse Tomas Ruiz", Nurse, Some(("Practitioner", "nurseruiz")),
            "day shift in cardiology (James)";
        /// Dr. Stone.
        DRSTONE = "drstone", "Dr. Eli Stone", Clinician + EmergencyClinician, Some(("Practitioner", "drstone")),
            "emergency physician, treats nobody here, may declare an emergency";
        /// Priya.
        PRIYA = "priya", "Priya Nair", PrivacyOfficer, None, "privacy officer";
        /// The administrator.
        ADMIN = "admin", "Platform administrator", Administrator, None, "administrator, no clinical data";
        /// Sol.
        SOL = "sol", "Sol Rivera", SupportAgent, None, "support agent, no clinical data";
    }
}

/// The registered apps.
pub mod apps {
    use proviso_core::category::PurposeOfUse;

    /// How an app of the demo proves who it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Proof {
        /// It cannot.
        Public,
        /// A secret made at seeding, written to `demo-clients.json`.
        Secret,
        /// A signed assertion; the private key is made at seeding and written to the data folder.
        PrivateKey,
    }

    /// One app.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct App {
        /// Its `client_id`.
        pub id: &'static str,
        /// Its name.
        pub name: &'static str,
        /// What it says it does.
        pub description: &'static str,
        /// How it proves who it is.
        pub proof: Proof,
        /// The most it may ask for.
        pub scopes: &'static str,
        /// What its access is for.
        pub purpose: PurposeOfUse,
        /// Whether people sign in to it; a backend service has none.
        pub interactive: bool,
        /// The path on the demo's own origin at which the server starts it, if it is served here.
        pub origin_launch_path: Option<&'static str>,
        /// One line for the banner.
        pub about: &'static str,
    }

    /// Every demo app also accepts this redirect URI.
    pub const LOOPBACK_REDIRECT: &str = "http://127.0.0.1:9123/callback";
    /// Every demo app also accepts this launch URL.
    pub const LOOPBACK_LAUNCH: &str = "http://127.0.0.1:9123/launch";
    /// The path of the redirect URI on the demo's own origin.
    pub const ORIGIN_REDIRECT_PATH: &str = "/demo/callback";

    /// The patient app of the `/demo` page.
    pub const GLUCOSE_COACH: App = App {
        id: "glucose-coach",
        name: "Glucose Coach",
        description: "Shows how your blood sugar, weight and medicines go together.",
        proof: Proof::Public,
        scopes: "openid fhirUser profile launch launch/patient launch/encounter offline_access \
                 online_access patient/*.rs patient/*.read user/*.rs user/*.read \
                 patient/Observation.cruds patient/QuestionnaireResponse.cruds \
                 patient/Communication.cruds",
        purpose: PurposeOfUse::PatientRequest,
        interactive: true,
        origin_launch_path: None,
        about: "public, patient app",
    };
    /// A confidential app with a secret.
    pub const BILL_HELPER: App = App {
        id: "bill-helper",
        name: "Bill Helper",
        description: "Explains bills and insurance statements, and finds mistakes in them.",
        proof: Proof::Secret,
        scopes: "openid fhirUser profile launch launch/patient offline_access online_access \
                 patient/*.rs patient/*.read user/*.rs user/*.read",
        purpose: PurposeOfUse::PatientRequest,
        interactive: true,
        origin_launch_path: None,
        about: "confidential, with a secret",
    };
    /// A confidential app with a key.
    pub const SECOND_OPINION: App = App {
        id: "second-opinion",
        name: "Second Opinion",
        description: "Gets a specialist to look at your records and write to you.",
        proof: Proof::PrivateKey,
        scopes: "openid fhirUser profile launch launch/patient offline_access online_access \
                 patient/*.rs patient/*.read user/*.rs user/*.read",
        purpose: PurposeOfUse::PatientRequest,
        interactive: true,
        origin_launch_path: None,
        about: "confidential, private_key_jwt",
    };
    /// An app for clinicians, started from inside the EHR.
    pub const CHART_LENS: App = App {
        id: "chart-lens",
        name: "Chart Lens",
        description: "Draws a patient's chart as one timeline for the clinician.",
        proof: Proof::Public,
        scopes: "openid fhirUser profile launch launch/patient launch/encounter offline_access \
                 online_access user/*.cruds user/*.read user/*.rs patient/*.rs patient/*.read",
        purpose: PurposeOfUse::Treatment,
        interactive: true,
        origin_launch_path: Some("/demo/launch"),
        about: "EHR-launched, for clinicians",
    };
    /// A backend service.
    pub const QUALITY_STUDY: App = App {
        id: "quality-study",
        name: "Quality Study",
        description: "Counts how well diabetes and heart failure are treated at Riverside.",
        proof: Proof::PrivateKey,
        scopes: "system/*.rs system/*.read system/Observation.rs system/Patient.rs system/Condition.rs",
        purpose: PurposeOfUse::Operations,
        interactive: false,
        origin_launch_path: None,
        about: "backend service, system scopes",
    };
    /// An app that only speaks version 1 of the scopes.
    pub const OLD_TRACKER: App = App {
        id: "old-tracker",
        name: "Old Tracker",
        description: "A step counter from 2017 that reads your vital signs.",
        proof: Proof::Public,
        scopes: "openid fhirUser profile launch launch/patient offline_access online_access \
                 patient/*.read patient/Patient.read patient/Observation.read patient/Condition.read \
                 patient/MedicationRequest.read",
        purpose: PurposeOfUse::PatientRequest,
        interactive: true,
        origin_launch_path: None,
        about: "public, v1 scopes only",
    };

    /// An enforcement point of the clinic, which asks for decisions and gets no records.
    pub const FRONT_DOOR: App = App {
        id: "front-door",
        name: "Front Door",
        description: "Asks before the clinic's other systems show a record.",
        proof: Proof::PrivateKey,
        scopes: "access_evaluation",
        purpose: PurposeOfUse::Operations,
        interactive: false,
        origin_launch_path: None,
        about: "enforcement point, asks for decisions (AuthZEN)",
    };

    /// A registry of consents, such as a state runs one.
    pub const CONSENT_REGISTRY: App = App {
        id: "consent-registry",
        name: "Consent Registry",
        description: "Keeps the consents that patients sign at the desk and sends them here.",
        proof: Proof::PrivateKey,
        scopes: "system/Consent.crus",
        purpose: PurposeOfUse::Operations,
        interactive: false,
        origin_launch_path: None,
        about: "files consents as FHIR (IHE PCF, HL7 FAST)",
    };

    /// All apps, in the order of the banner.
    pub const ALL: &[App] = &[
        GLUCOSE_COACH,
        BILL_HELPER,
        SECOND_OPINION,
        CHART_LENS,
        QUALITY_STUDY,
        OLD_TRACKER,
        FRONT_DOOR,
        CONSENT_REGISTRY,
    ];
}

/// Logical ids that tests and documents refer to.
pub mod ids {
    /// The Group of exactly two patients: Maria and James.
    pub const GROUP: &str = "quality-cohort";
    /// The Observation on Maria's chart that was entered by mistake and deleted.
    pub const MISTAKE: &str = "maria-entered-by-mistake";
}
