//! The closed vocabularies of the question (catalogue).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::{ActorKind, RelationshipKind};
use crate::category::coded;
use crate::id::IdError;
use crate::interaction::Interaction;

coded!(
    /// What somebody does in the organisation.
    Role, RoleSet, u16, "A set of roles.", "alloc::vec::Vec<Role>",
    {
        /// Books and prepares visits.
        FrontDesk = "front-desk",
        /// Nurses on a shift.
        Nurse = "nurse",
        /// Treats patients with own responsibility.
        Clinician = "clinician",
        /// May open emergency access; the privileged group of design §6.
        EmergencyClinician = "emergency-clinician",
        /// Gets care paid for.
        Billing = "billing",
        /// Works on an approved protocol.
        Researcher = "researcher",
        /// Proves who saw what and why.
        PrivacyOfficer = "privacy-officer",
        /// Helps people to use the system.
        Support = "support",
        /// Looks after accounts, apps and rules.
        Administrator = "administrator",
        /// A service with access authorized in advance.
        Service = "service",
    }
);

coded!(
    /// How the one who asks is related to the patient, at the instant of the question.
    Relation, RelationSet, u16, "A set of relations.", "alloc::vec::Vec<Relation>",
    {
        /// Is the patient.
        Self_ = "self",
        /// Acts for the patient.
        Proxy = "proxy",
        /// Treats the patient.
        Care = "care",
        /// On shift where the patient is.
        Shift = "shift",
        /// Covers for one who treats the patient.
        Covering = "covering",
        /// Consulted by referral.
        Consult = "consult",
        /// The patient is enrolled in the protocol that this person works on.
        Protocol = "protocol",
    }
);

coded!(
    /// By which right somebody asks; the modes never share a path (design §5).
    Mode, ModeSet, u8, "A set of modes.", "alloc::vec::Vec<Mode>",
    {
        /// The patient or a proxy in the portal.
        OwnRecord = "own-record",
        /// An app for a patient or proxy, on a consent.
        PatientDirected = "patient-directed",
        /// Staff.
        Operational = "operational",
        /// A service with scopes authorized in advance.
        PreAuthorized = "pre-authorized",
    }
);

coded!(
    /// What is to be done: the FHIR interactions that policies tell apart.
    OrgAction, OrgActionSet, u32, "A set of actions.", "alloc::vec::Vec<OrgAction>",
    {
        /// Read the current version.
        Read = "read",
        /// Read one version.
        Vread = "vread",
        /// Versions of one resource.
        HistoryInstance = "history-instance",
        /// Changes of one type.
        HistoryType = "history-type",
        /// Changes of everything.
        HistorySystem = "history-system",
        /// Search one type.
        Search = "search-type",
        /// Search across types.
        SearchSystem = "search-system",
        /// Create.
        Create = "create",
        /// Update.
        Update = "update",
        /// Patch.
        Patch = "patch",
        /// Delete.
        Delete = "delete",
        /// An export of many records.
        Export = "export",
        /// Any other named operation.
        Operation = "operation",
    }
);

coded!(
    /// What is kept about governance itself, which is no FHIR record.
    Governance, GovernanceSet, u8, "A set of governance resources.", "alloc::vec::Vec<Governance>",
    {
        /// What was done with one patient's records, as that patient sees it.
        Activity = "activity",
        /// The audit log of everybody.
        AuditLog = "audit-log",
        /// Reviews of emergency access.
        Reviews = "reviews",
        /// Sets of policies.
        Policies = "policies",
        /// Accounts and their roles.
        Accounts = "accounts",
        /// Registered apps.
        Apps = "apps",
    }
);

coded!(
    /// Where a fact comes from.
    FactSource, FactSourceSet, u16, "A set of sources.", "alloc::vec::Vec<FactSource>",
    {
        /// An account of this server.
        Account = "account",
        /// An organisation's directory, by SCIM.
        Scim = "scim",
        /// A relationship recorded on this server.
        Relationship = "relationship",
        /// FHIR CareTeam.
        CareTeam = "care-team",
        /// FHIR Encounter.
        Encounter = "encounter",
        /// FHIR Appointment.
        Appointment = "appointment",
        /// FHIR Schedule.
        Schedule = "schedule",
        /// FHIR PractitionerRole.
        PractitionerRole = "practitioner-role",
        /// FHIR ServiceRequest: a referral.
        Referral = "referral",
        /// FHIR ResearchSubject.
        ResearchSubject = "research-subject",
        /// The session or token of this request.
        Session = "session",
    }
);

coded!(
    /// How old a fact is at most. Steps, not seconds: a question asked a second later is the same
    /// question unless a step was passed.
    Age, AgeSet, u8, "A set of ages.", "alloc::vec::Vec<Age>",
    {
        /// Read for this decision from what is in force.
        Now = "now",
        /// At most a minute.
        Minute = "minute",
        /// At most a quarter of an hour.
        Quarter = "quarter",
        /// At most an hour.
        Hour = "hour",
        /// At most a day.
        Day = "day",
        /// Older than a day.
        Older = "older",
    }
);

coded!(
    /// From which network.
    Network, NetworkSet, u8, "A set of networks.", "alloc::vec::Vec<Network>",
    {
        /// The organisation's own.
        Internal = "internal",
        /// Its remote access.
        Remote = "remote",
        /// Anywhere else.
        External = "external",
    }
);

coded!(
    /// How far the device is trusted.
    Device, DeviceSet, u8, "A set of device states.", "alloc::vec::Vec<Device>",
    {
        /// Managed by the organisation and in order.
        Managed = "managed",
        /// Known, and not in order or not managed.
        Unmanaged = "unmanaged",
    }
);

coded!(
    /// How strongly the person proved who they are.
    AuthLevel, AuthLevelSet, u8, "A set of levels.", "alloc::vec::Vec<AuthLevel>",
    {
        /// By one factor.
        Single = "single",
        /// By several factors.
        Multi = "multi",
        /// Again, just now, for this.
        StepUp = "step-up",
    }
);

coded!(
    /// Why emergency access was opened, as a code; the free text stays in the log.
    EmergencyReason, EmergencyReasonSet, u8, "A set of reasons.",
    "alloc::vec::Vec<EmergencyReason>",
    {
        /// The patient cannot answer.
        Unresponsive = "unresponsive",
        /// A threat to life.
        LifeThreat = "life-threat",
        /// A threat to others.
        ThreatToOthers = "threat-to-others",
        /// The treating clinician cannot be reached.
        Unreachable = "unreachable",
    }
);

impl Age {
    /// The step of an age in seconds; an age below zero comes from a clock that is wrong, so it
    /// counts as the oldest.
    pub const fn of_secs(secs: i64) -> Self {
        match secs {
            0 => Self::Now,
            1..=60 => Self::Minute,
            61..=900 => Self::Quarter,
            901..=3_600 => Self::Hour,
            3_601..=86_400 => Self::Day,
            _ => Self::Older,
        }
    }

    /// The most that this age can be, in seconds; what policies compare with.
    pub const fn secs_max(self) -> i64 {
        match self {
            Self::Now => 0,
            Self::Minute => 60,
            Self::Quarter => 900,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Older => i64::MAX,
        }
    }
}

impl OrgAction {
    /// Whether it only looks.
    pub const fn is_view(self) -> bool {
        match self {
            Self::Read
            | Self::Vread
            | Self::HistoryInstance
            | Self::HistoryType
            | Self::HistorySystem
            | Self::Search
            | Self::SearchSystem => true,
            Self::Create
            | Self::Update
            | Self::Patch
            | Self::Delete
            | Self::Export
            | Self::Operation => false,
        }
    }

    /// Whether it changes something.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }

    /// The action of an interaction; `None` for what carries others (batch, transaction) or is
    /// open to all (capabilities).
    pub fn of(interaction: &Interaction) -> Option<Self> {
        match interaction {
            Interaction::Read => Some(Self::Read),
            Interaction::Vread => Some(Self::Vread),
            Interaction::HistoryInstance => Some(Self::HistoryInstance),
            Interaction::HistoryType => Some(Self::HistoryType),
            Interaction::HistorySystem => Some(Self::HistorySystem),
            Interaction::Search => Some(Self::Search),
            Interaction::SearchSystem => Some(Self::SearchSystem),
            Interaction::Create => Some(Self::Create),
            Interaction::Update => Some(Self::Update),
            Interaction::Patch => Some(Self::Patch),
            Interaction::Delete => Some(Self::Delete),
            Interaction::Batch | Interaction::Transaction | Interaction::Capabilities => None,
            Interaction::Operation(name) => Some(match name.as_str() {
                // FHIR R4 Patient/$everything and Encounter/$everything search a compartment.
                "everything" => Self::Search,
                "export" => Self::Export,
                _ => Self::Operation,
            }),
        }
    }
}

impl RoleSet {
    /// The roles that an account of this kind has by itself, before any directory adds some.
    pub const fn of_kind(kind: ActorKind) -> Self {
        match kind {
            ActorKind::Clinician => Self::EMPTY.with(Role::Clinician),
            ActorKind::Nurse => Self::EMPTY.with(Role::Nurse),
            ActorKind::PrivacyOfficer => Self::EMPTY.with(Role::PrivacyOfficer),
            ActorKind::Administrator => Self::EMPTY.with(Role::Administrator),
            ActorKind::SupportAgent => Self::EMPTY.with(Role::Support),
            ActorKind::System => Self::EMPTY.with(Role::Service),
            ActorKind::Patient | ActorKind::Proxy | ActorKind::Staff => Self::EMPTY,
        }
    }
}

impl Relation {
    /// The relation that a relationship on record stands for, when it is in force.
    pub const fn of(kind: RelationshipKind) -> Self {
        match kind {
            RelationshipKind::Care => Self::Care,
            RelationshipKind::Shift => Self::Shift,
            RelationshipKind::Proxy => Self::Proxy,
            RelationshipKind::Covering => Self::Covering,
            RelationshipKind::Consult => Self::Consult,
            RelationshipKind::Protocol => Self::Protocol,
        }
    }
}

/// Every kind of actor, with its code.
const KINDS: [(ActorKind, &str); 9] = [
    (ActorKind::Patient, "patient"),
    (ActorKind::Proxy, "proxy"),
    (ActorKind::Clinician, "clinician"),
    (ActorKind::Nurse, "nurse"),
    (ActorKind::Staff, "staff"),
    (ActorKind::PrivacyOfficer, "privacy-officer"),
    (ActorKind::Administrator, "administrator"),
    (ActorKind::SupportAgent, "support-agent"),
    (ActorKind::System, "system"),
];

/// The code of a kind of actor, as stored and as policies name it.
pub const fn kind_code(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Patient => "patient",
        ActorKind::Proxy => "proxy",
        ActorKind::Clinician => "clinician",
        ActorKind::Nurse => "nurse",
        ActorKind::Staff => "staff",
        ActorKind::PrivacyOfficer => "privacy-officer",
        ActorKind::Administrator => "administrator",
        ActorKind::SupportAgent => "support-agent",
        ActorKind::System => "system",
    }
}

/// The kind of actor of a code.
///
/// # Errors
/// When there is none.
pub fn kind_from_code(code: &str) -> Result<ActorKind, IdError> {
    KINDS.into_iter().find(|(_, own)| *own == code).map(|(kind, _)| kind).ok_or(IdError::Malformed)
}
