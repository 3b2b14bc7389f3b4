//! What no set of policies may break, whatever an organisation writes.
//!
//! Each invariant is a part of the finite domain and what must be answered in all of it. Where one
//! is broken, a concrete case shows it.

use proviso_core::account::ActorKind;
use proviso_core::category::{PurposeOfUse, SensitiveKind};
use proviso_core::decision::Labels;
use proviso_core::org::{Governance, Mode, OrgAction, Relation, Role};

use super::domain::{Dim, Domain, Kind, mask_of as mask};

/// An invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// Nothing, emergency access included, reaches past the scopes of the token.
    ScopeHolds,
    /// Nothing, emergency access included, reaches another tenant.
    TenantHolds,
    /// An app of a patient sees psychotherapy notes only when the choice names them.
    AppsAndPsychotherapyNotes,
    /// An app of a patient sees any other sensitive kind only when the choice names it.
    AppsAndSensitiveKinds,
    /// A patient can always read their own activity.
    OwnActivity,
    /// Support sees no clinical data.
    SupportSeesNoRecords,
    /// Administrators see no clinical data.
    AdministratorsSeeNoRecords,
    /// Emergency access needs the privileged group.
    EmergencyNeedsRole,
    /// Emergency access needs a step-up.
    EmergencyNeedsStepUp,
    /// Emergency access needs to be open, with a coded reason, for this patient, less than an hour.
    EmergencyNeedsOpening,
    /// What is not labelled is restricted: no staff and no service sees it outside emergencies.
    UnlabelledIsRestricted,
    /// Those who act for a patient never see what a teenager told in confidence.
    ProxiesAndConfidences,
    /// A privacy officer in the office can always change policies: no set locks everybody out.
    PoliciesCanChange,
    /// Staff without a role, or whose roles nobody could say, see no clinical data.
    NoRoleNoRecords,
}

/// What must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    Permit,
    Deny,
}

/// A part of the domain: for some facts the values it has.
pub(super) type Region = Vec<(Dim, u64)>;

impl Invariant {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::ScopeHolds,
        Self::TenantHolds,
        Self::AppsAndPsychotherapyNotes,
        Self::AppsAndSensitiveKinds,
        Self::OwnActivity,
        Self::SupportSeesNoRecords,
        Self::AdministratorsSeeNoRecords,
        Self::EmergencyNeedsRole,
        Self::EmergencyNeedsStepUp,
        Self::EmergencyNeedsOpening,
        Self::UnlabelledIsRestricted,
        Self::ProxiesAndConfidences,
        Self::PoliciesCanChange,
        Self::NoRoleNoRecords,
    ];

    /// It in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ScopeHolds => "nothing reaches past the token's scopes, emergencies included",
            Self::TenantHolds => "nothing reaches another organization, emergencies included",
            Self::AppsAndPsychotherapyNotes => {
                "no third-party app reads psychotherapy notes without naming them"
            }
            Self::AppsAndSensitiveKinds => {
                "no third-party app reads a sensitive kind that the patient did not name"
            }
            Self::OwnActivity => "a patient can always read their own activity",
            Self::SupportSeesNoRecords => "support sees no clinical data",
            Self::AdministratorsSeeNoRecords => "administrators see no clinical data",
            Self::EmergencyNeedsRole => "emergency access needs the privileged group",
            Self::EmergencyNeedsStepUp => "emergency access needs a step-up",
            Self::EmergencyNeedsOpening => {
                "emergency access is for one patient, with a coded reason, less than an hour old"
            }
            Self::UnlabelledIsRestricted => "what is not labelled yet counts as restricted",
            Self::ProxiesAndConfidences => {
                "whoever acts for a patient never sees what a teenager told in confidence"
            }
            Self::PoliciesCanChange => "a privacy officer in the office can always change policies",
            Self::NoRoleNoRecords => "staff without a known role see no clinical data",
        }
    }

    pub(super) const fn must(self) -> Must {
        match self {
            Self::OwnActivity | Self::PoliciesCanChange => Must::Permit,
            Self::ScopeHolds
            | Self::TenantHolds
            | Self::AppsAndPsychotherapyNotes
            | Self::AppsAndSensitiveKinds
            | Self::SupportSeesNoRecords
            | Self::AdministratorsSeeNoRecords
            | Self::EmergencyNeedsRole
            | Self::EmergencyNeedsStepUp
            | Self::EmergencyNeedsOpening
            | Self::UnlabelledIsRestricted
            | Self::ProxiesAndConfidences
            | Self::NoRoleNoRecords => Must::Deny,
        }
    }

    /// Where it must hold: in every one of these parts.
    pub(super) fn regions(self, domain: &Domain) -> Vec<Region> {
        let on = Regions(domain);
        match self {
            Self::ScopeHolds => vec![vec![(Dim::Token, 0b10)]],
            Self::TenantHolds => vec![vec![(Dim::Tenant, 0b10)]],
            Self::AppsAndPsychotherapyNotes => vec![on.unnamed(SensitiveKind::PsychotherapyNotes)],
            Self::AppsAndSensitiveKinds => {
                SensitiveKind::ALL.iter().map(|kind| on.unnamed(*kind)).collect()
            }
            Self::OwnActivity => vec![on.own_activity()],
            Self::SupportSeesNoRecords => {
                vec![on.records(on.personas(|own| own.roles.contains(Role::Support)))]
            }
            Self::AdministratorsSeeNoRecords => {
                vec![on.records(on.personas(|own| own.roles.contains(Role::Administrator)))]
            }
            Self::EmergencyNeedsRole => {
                let region = on.personas(|own| !own.roles.contains(Role::EmergencyClinician));
                vec![on.break_glass(region)]
            }
            // The last of the levels is the step-up.
            Self::EmergencyNeedsStepUp => vec![on.break_glass((Dim::Auth, 0b0111))],
            Self::EmergencyNeedsOpening => vec![
                // Not open, or open without a reason.
                on.break_glass((Dim::Emergency, 0b11)),
                on.break_glass((Dim::EmergencyPatient, 0b10)),
                on.break_glass((Dim::Minutes, domain.minutes_from(60))),
            ],
            Self::UnlabelledIsRestricted => {
                let not_emergency = on.purposes(|own| *own != PurposeOfUse::BreakGlass);
                let labels = on.labels(|own| *own == Labels::Unclassified);
                let modes = on.modes(&[Mode::Operational, Mode::PreAuthorized]);
                vec![vec![on.clinical(), labels, modes, not_emergency]]
            }
            Self::ProxiesAndConfidences => {
                let labels = on.labels(|own| match own {
                    Labels::Known(kinds) => kinds.contains(SensitiveKind::Adolescent),
                    Labels::Unclassified => false,
                });
                let modes = on.modes(&[Mode::OwnRecord, Mode::PatientDirected]);
                vec![vec![on.clinical(), labels, modes, on.related(Relation::Proxy)]]
            }
            Self::PoliciesCanChange => vec![on.policies_change()],
            Self::NoRoleNoRecords => {
                let modes = on.modes(&[Mode::Operational]);
                let nobody = on.personas(|own| own.roles.is_empty());
                vec![
                    vec![on.clinical(), modes, nobody],
                    vec![on.clinical(), modes, on.persons(), (Dim::RoleFacts, 0b1)],
                ]
            }
        }
    }
}

/// Names parts of the domain.
struct Regions<'a>(&'a Domain);

impl Regions<'_> {
    fn personas(&self, wanted: impl Fn(&super::domain::Persona) -> bool) -> (Dim, u64) {
        (Dim::Persona, mask(&self.0.personas, wanted))
    }

    fn persons(&self) -> (Dim, u64) {
        self.personas(|own| own.kind != ActorKind::System)
    }

    fn clinical(&self) -> (Dim, u64) {
        (Dim::Record, mask(&self.0.records, |own| matches!(own, Kind::Record(..))))
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn modes(&self, wanted: &[Mode]) -> (Dim, u64) {
        (Dim::Mode, mask(Mode::ALL, |own| wanted.contains(own)))
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn purposes(&self, wanted: impl Fn(&PurposeOfUse) -> bool) -> (Dim, u64) {
        (Dim::Purpose, mask(PurposeOfUse::ALL, wanted))
    }

    fn labels(&self, wanted: impl Fn(&Labels) -> bool) -> (Dim, u64) {
        (Dim::Labels, mask(&self.0.labels, wanted))
    }

    fn related(&self, relation: Relation) -> (Dim, u64) {
        let is = |own: &Option<(Relation, _)>| own.is_some_and(|(own, _)| own == relation);
        (Dim::Relation, mask(&self.0.relations, is))
    }

    fn records(&self, who: (Dim, u64)) -> Region {
        vec![who, self.clinical(), self.modes(&[Mode::Operational, Mode::PreAuthorized])]
    }

    fn unnamed(&self, kind: SensitiveKind) -> Region {
        let labels = self.labels(|own| match own {
            Labels::Known(kinds) => kinds.contains(kind),
            Labels::Unclassified => false,
        });
        let named = (Dim::Named, mask(&self.0.named, |own| !own.contains(kind)));
        vec![self.clinical(), self.modes(&[Mode::PatientDirected]), labels, named]
    }

    fn own_activity(&self) -> Region {
        let is = |own: &Kind| *own == Kind::Governance(Governance::Activity);
        let reads = |own: &OrgAction| matches!(own, OrgAction::Read | OrgAction::Search);
        vec![
            self.personas(|own| own.kind == ActorKind::Patient),
            self.modes(&[Mode::OwnRecord]),
            self.purposes(|own| *own == PurposeOfUse::PatientRequest),
            self.related(Relation::Self_),
            (Dim::Record, mask(&self.0.records, is)),
            (Dim::Action, mask(OrgAction::ALL, reads)),
            (Dim::Tenant, 0b1),
            (Dim::Token, 0b1),
        ]
    }

    /// In the office, on a managed device, stepped up, on a weekday at ten, with fresh roles.
    fn policies_change(&self) -> Region {
        let is = |own: &Kind| *own == Kind::Governance(Governance::Policies);
        let changes = |own: &OrgAction| matches!(own, OrgAction::Create | OrgAction::Update);
        vec![
            self.personas(|own| own.kind == ActorKind::PrivacyOfficer),
            self.modes(&[Mode::Operational]),
            self.purposes(|own| *own == PurposeOfUse::Operations),
            (Dim::Record, mask(&self.0.records, is)),
            (Dim::Action, mask(OrgAction::ALL, changes)),
            (Dim::RoleFacts, 0b10),
            (Dim::Network, 0b10),
            (Dim::Device, 0b10),
            (Dim::Auth, 0b1000),
            (Dim::Hour, 1 << 11),
            (Dim::Weekday, 0b10),
            (Dim::Tenant, 0b1),
            (Dim::Token, 0b1),
        ]
    }

    fn break_glass(&self, lacking: (Dim, u64)) -> Region {
        let purpose = self.purposes(|own| *own == PurposeOfUse::BreakGlass);
        vec![self.clinical(), self.modes(&[Mode::Operational]), purpose, lacking]
    }
}
