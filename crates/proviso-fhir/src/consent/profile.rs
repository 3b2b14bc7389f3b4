//! The profiles that a Consent may claim, clause by clause, and projections to them.
//!
//! IHE PCF asks for `organization` and HL7 FAST forbids it, so no text satisfies both; a consent is
//! held in one form and written for each. A projection changes words, never the meaning: it is
//! refused where the profile would be read to another answer. The checks look at the R4 text alone.
//!
//! Sources: IHE PCF 1.1 (profiles of Consent: foundation, basic, intermediate, advanced), HL7 FAST
//! Consent Management (FASTConsent, FASTReference, FASTConsentStatuses).

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::provision::{CONFIDENTIALITY_SYSTEM, SENSITIVITY_SYSTEM};
use proviso_core::consent::provision::{Coding, Dialect, PURPOSE_SYSTEM};

use super::fault::{Fault, WriteRefusal};
use super::read_header::SCOPES;
use super::write_provision::members;
use super::{ReadConsent, dialects, write_r4};
use crate::code_systems::{self, PARTICIPATION};
use crate::json::{Doc, Node};

/// A profile of Consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// IHE PCF, explicit basic.
    PcfBasic,
    /// IHE PCF, explicit intermediate.
    PcfIntermediate,
    /// IHE PCF, explicit advanced.
    PcfAdvanced,
    /// HL7 FAST.
    Fast,
}

impl Profile {
    /// Every profile.
    pub const ALL: &'static [Self] =
        &[Self::PcfBasic, Self::PcfIntermediate, Self::PcfAdvanced, Self::Fast];

    /// The reading that the profile asks for.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::PcfBasic => Dialect::PcfBasic,
            Self::PcfIntermediate => Dialect::PcfIntermediate,
            Self::PcfAdvanced => Dialect::PcfAdvanced,
            Self::Fast => Dialect::Fast,
        }
    }

    const fn is_pcf(self) -> bool {
        match self {
            Self::PcfBasic | Self::PcfIntermediate | Self::PcfAdvanced => true,
            Self::Fast => false,
        }
    }
}

reasons! {
    /// A clause of a profile.
    Clause {
        StatusRequired = "status-required": "A status is required.",
        StatusActiveOrInactive = "status-active-or-inactive": "The status is active or inactive.",
        ScopePrivacy = "scope-privacy": "The scope is patient privacy.",
        CategoryRequired = "category-required": "A category is required.",
        IdentifierRequired = "identifier-required": "A business identifier is required.",
        PatientRequired = "patient-required": "The patient is required.",
        ReferenceIdentifier = "reference-identifier": "The reference carries an identifier.",
        DateRequired = "date-required": "The date is required.",
        PerformerRequired = "performer-required": "Who agreed is required.",
        OrganizationRequired = "organization-required": "The organization that enforces the consent is required.",
        OrganizationForbidden = "organization-forbidden": "Organizations stand in the extensions for manager and controller.",
        SourceRequired = "source-required": "One source is required.",
        SourceByReference = "source-by-reference": "The source is a resource, not an attachment.",
        PolicyUriRequired = "policy-uri-required": "A policy with its address is required.",
        PolicyAuthorityForbidden = "policy-authority-forbidden": "The authority of a policy is not used.",
        PolicyRuleForbidden = "policy-rule-forbidden": "The policy rule is not used.",
        VerificationForbidden = "verification-forbidden": "Verifications are not used.",
        ProvisionRequired = "provision-required": "A provision is required.",
        TypeRequired = "type-required": "The type of the provision is required.",
        RoleRecipient = "role-recipient": "Every actor has the role IRCP, information recipient.",
        ActionForbidden = "action-forbidden": "Actions are not used.",
        ClassForbidden = "class-forbidden": "Classes are not used.",
        CodeForbidden = "code-forbidden": "Codes are not used.",
        Depth = "depth": "Exceptions have no exceptions of their own.",
        ExceptionForbidden = "exception-forbidden": "There are no exceptions.",
        LabelForbidden = "label-forbidden": "Security labels are not used.",
        LabelOutsideValueSet = "label-outside-value-set": "The security label is not one of the value set.",
        DataPeriodForbidden = "data-period-forbidden": "The period of data is not used.",
        DataForbidden = "data-forbidden": "Named records are not used.",
        DataMeaning = "data-meaning": "Named records are meant as instance, related or authoredby.",
        DataTarget = "data-target": "Related records lead from an encounter, a care plan or an episode, and authors are people, organizations, groups or devices.",
        DataOnce = "data-once": "An exception names one record of each meaning at most.",
        PurposeOutsideValueSet = "purpose-outside-value-set": "The purpose is treatment, payment, operations or break-glass.",
        ReadingDiffers = "reading-differs": "The profile would be read to another answer than the consent.",
    }
}

/// Why a consent has no form in a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionRefusal {
    /// R4 cannot say it.
    #[error("the consent cannot be written in FHIR R4")]
    Write(#[source] WriteRefusal),
    /// The profile does not allow it, for these reasons.
    #[error("the consent violates the profile in {} place(s)", .0.len())]
    Profile(Vec<Fault<Clause>>),
}

/// Writes a consent as a profile of FHIR R4 asks for it.
///
/// # Errors
/// R4 or the profile cannot say it, or would say something else.
pub fn project(consent: &ReadConsent, profile: Profile) -> Result<Vec<u8>, ProjectionRefusal> {
    // A consent outside of its own profile says nothing, and must not begin to in another.
    let own = Profile::ALL.iter().find(|own| own.dialect() == consent.directive.dialect());
    let outside = own.is_some_and(|own| *own != profile && project(consent, *own).is_err());
    if outside || !reads_alike(consent, profile) {
        let at = String::from("Consent.meta.profile");
        let fault = Fault { code: Clause::ReadingDiffers, at };
        return Err(ProjectionRefusal::Profile(Vec::from([fault])));
    }
    let bytes = write_r4(&reworded(consent, profile)).map_err(ProjectionRefusal::Write)?;
    let violations = match Doc::parse(bytes.clone()) {
        Ok(doc) => check_profile(doc.root(), profile),
        // What has been written is JSON, so this is never reached; it fails closed.
        Err(_) => Vec::from([Fault { code: Clause::ProvisionRequired, at: String::new() }]),
    };
    if violations.is_empty() { Ok(bytes) } else { Err(ProjectionRefusal::Profile(violations)) }
}

/// Whether the profile is read to the same answers as the consent.
///
/// The three of PCF read alike what they all allow, and FAST reads as FHIR does. The two ways agree
/// where a root without exceptions limits the request and not the record: FHIR says nothing of
/// records outside of such a limit, and PCF withholds them.
fn reads_alike(consent: &ReadConsent, profile: Profile) -> bool {
    let directive = &consent.directive;
    let agree = match directive.dialect() {
        Dialect::PcfBasic | Dialect::PcfIntermediate | Dialect::PcfAdvanced => profile.is_pcf(),
        Dialect::FhirTree | Dialect::Fast => !profile.is_pcf(),
        Dialect::PcfImplicit | Dialect::LatestWins | Dialect::Joint | Dialect::Permission(_) => {
            return false;
        }
    };
    let about_request = |(key, _): &(&str, Option<String>)| {
        matches!(*key, "period" | "actor" | "purpose" | "extension")
    };
    agree
        || match (directive.base(), directive.provisions()) {
            (Some(_), []) => true,
            (None, [root]) => {
                root.children.is_empty()
                    && root.unreadable.is_empty()
                    && members(root).iter().all(about_request)
            }
            (_, _) => false,
        }
}

/// The same consent in the words of a profile.
fn reworded(consent: &ReadConsent, profile: Profile) -> ReadConsent {
    let mut consent = consent.clone();
    let header = &mut consent.header;
    header.performers = header.agreed_by();
    header.grantors = Vec::new();
    let enforced_by = header.enforced_by();
    (header.organizations, header.controllers) =
        if profile.is_pcf() { (enforced_by, Vec::new()) } else { (Vec::new(), enforced_by) };
    header.profiles.retain(|one| !dialects::is_name(one));
    header.profiles.extend(dialects::profile_of(profile.dialect()).map(String::from));
    consent.directive = consent.directive.under(profile.dialect());
    // Both profiles fix the role; its other name for the same role is PRCP.
    for members in consent.kept.provisions.values_mut() {
        members.retain(|key, json| key != "actor" || roles_are_fixed(json));
    }
    consent
}

fn roles_are_fixed(actors: &str) -> bool {
    Doc::parse(actors.into()).is_ok_and(|doc| doc.root().items().all(has_fixed_role))
}

fn has_fixed_role(actor: Node<'_>) -> bool {
    let mut codings = actor.at(&["role", "coding"]).filter_map(code_systems::coding);
    codings.any(|coding| coding == Coding::new(PARTICIPATION, "IRCP"))
}

struct Check {
    profile: Profile,
    found: Vec<Fault<Clause>>,
}

/// Checks an R4 Consent against a profile: every clause that it violates.
pub fn check_profile(consent: Node<'_>, profile: Profile) -> Vec<Fault<Clause>> {
    let mut check = Check { profile, found: Vec::new() };
    check.header(consent);
    check.parties(consent);
    check.policies(consent);
    match consent.get("provision") {
        Some(root) => check.provision(root, 0),
        None => check.missing(Clause::ProvisionRequired, consent, "provision"),
    }
    check.found
}

impl Check {
    fn violated(&mut self, code: Clause, node: Node<'_>) {
        let path = node.path();
        let dot = if path.is_empty() { "" } else { "." };
        self.found.push(Fault { code, at: ["Consent", dot, &path].concat() });
    }

    fn missing(&mut self, code: Clause, holder: Node<'_>, key: &str) {
        let path = holder.path();
        let dot = if path.is_empty() { "" } else { "." };
        self.found.push(Fault { code, at: ["Consent", dot, &path, ".", key].concat() });
    }

    fn required(&mut self, code: Clause, holder: Node<'_>, key: &str) {
        if holder.get(key).is_none_or(|node| node.is_array() && node.is_empty()) {
            self.missing(code, holder, key);
        }
    }

    fn forbidden(&mut self, code: Clause, holder: Node<'_>, key: &str) {
        if let Some(node) = holder.get(key) {
            self.violated(code, node);
        }
    }

    fn header(&mut self, consent: Node<'_>) {
        self.required(Clause::StatusRequired, consent, "status");
        let scopes = consent.at(&["scope", "coding"]).filter_map(code_systems::coding);
        let privacy = Coding::new(SCOPES, "patient-privacy");
        if !scopes.into_iter().any(|scope| scope == privacy) {
            self.missing(Clause::ScopePrivacy, consent, "scope");
        }
        self.required(Clause::CategoryRequired, consent, "category");
        self.required(Clause::DateRequired, consent, "dateTime");
        if self.profile == Profile::Fast {
            let status = consent.string_at(&["status"]);
            if !status.is_some_and(|status| matches!(&*status, "active" | "inactive")) {
                self.missing(Clause::StatusActiveOrInactive, consent, "status");
            }
            self.required(Clause::IdentifierRequired, consent, "identifier");
        }
    }

    fn parties(&mut self, consent: Node<'_>) {
        self.required(Clause::PatientRequired, consent, "patient");
        self.required(Clause::PerformerRequired, consent, "performer");
        let attachment = consent.get("sourceAttachment");
        if attachment.is_none() && consent.get("sourceReference").is_none() {
            self.missing(Clause::SourceRequired, consent, "source");
        }
        if self.profile.is_pcf() {
            self.required(Clause::OrganizationRequired, consent, "organization");
            return;
        }
        self.forbidden(Clause::OrganizationForbidden, consent, "organization");
        if let Some(attachment) = attachment {
            self.violated(Clause::SourceByReference, attachment);
        }
        for party in consent.at(&["patient"]).chain(consent.at(&["performer"])) {
            self.required(Clause::ReferenceIdentifier, party, "identifier");
        }
    }

    fn policies(&mut self, consent: Node<'_>) {
        for policy in consent.at(&["policy"]) {
            self.required(Clause::PolicyUriRequired, policy, "uri");
        }
        if self.profile.is_pcf() {
            self.required(Clause::PolicyUriRequired, consent, "policy");
            for policy in consent.at(&["policy"]) {
                self.forbidden(Clause::PolicyAuthorityForbidden, policy, "authority");
            }
            self.forbidden(Clause::PolicyRuleForbidden, consent, "policyRule");
            self.forbidden(Clause::VerificationForbidden, consent, "verification");
        }
    }

    fn provision(&mut self, provision: Node<'_>, depth: usize) {
        if depth == 0 {
            self.required(Clause::TypeRequired, provision, "type");
        }
        for actor in provision.at(&["actor"]) {
            if !has_fixed_role(actor) {
                self.violated(Clause::RoleRecipient, actor);
            }
        }
        if depth == 1 {
            self.forbidden(Clause::Depth, provision, "provision");
        }
        if self.profile.is_pcf() {
            self.pcf_provision(provision, depth);
        }
        // Below the depth that is allowed everything is out of the profile already.
        if depth == 0 {
            for exception in provision.at(&["provision"]) {
                self.provision(exception, depth + 1);
            }
        }
    }

    fn pcf_provision(&mut self, provision: Node<'_>, depth: usize) {
        self.forbidden(Clause::ActionForbidden, provision, "action");
        self.forbidden(Clause::ClassForbidden, provision, "class");
        self.forbidden(Clause::CodeForbidden, provision, "code");
        match self.profile {
            Profile::PcfBasic => {
                self.forbidden(Clause::LabelForbidden, provision, "securityLabel");
                self.forbidden(Clause::DataPeriodForbidden, provision, "dataPeriod");
                self.forbidden(Clause::DataForbidden, provision, "data");
                self.forbidden(Clause::ExceptionForbidden, provision, "provision");
                self.value_set(
                    provision,
                    "purpose",
                    &BASIC_PURPOSES,
                    Clause::PurposeOutsideValueSet,
                );
            }
            Profile::PcfIntermediate => {
                self.forbidden(Clause::LabelForbidden, provision, "securityLabel");
                self.data(provision, depth);
            }
            Profile::PcfAdvanced => {
                let clause = Clause::LabelOutsideValueSet;
                self.value_set(provision, "securityLabel", &ADVANCED_LABELS, clause);
                self.data(provision, depth);
            }
            Profile::Fast => {}
        }
    }

    fn value_set(
        &mut self,
        provision: Node<'_>,
        key: &str,
        codes: &[(&str, &str)],
        clause: Clause,
    ) {
        for node in provision.at(&[key]) {
            let coding = code_systems::coding(node);
            let member = coding.is_some_and(|coding| {
                codes.contains(&(coding.system.as_str(), coding.code.as_str()))
            });
            if !member {
                self.violated(clause, node);
            }
        }
    }

    fn data(&mut self, provision: Node<'_>, depth: usize) {
        let mut met: Vec<String> = Vec::new();
        for clause in provision.at(&["data"]) {
            let meaning = clause.string_at(&["meaning"]).unwrap_or_default();
            let targets: &[&str] = match &*meaning {
                "instance" => &[],
                "related" => &["Encounter", "CarePlan", "EpisodeOfCare"],
                "authoredby" => AUTHORS,
                _ => {
                    self.violated(Clause::DataMeaning, clause);
                    continue;
                }
            };
            // A logical reference does not tell its type.
            let kind = clause.string_at(&["reference", "reference"]);
            let kind = kind.as_deref().and_then(|address| address.rsplit('/').nth(1));
            if !targets.is_empty() && kind.is_some_and(|kind| !targets.contains(&kind)) {
                self.violated(Clause::DataTarget, clause);
            }
            if depth == 1
                && self.profile == Profile::PcfIntermediate
                && met.contains(&meaning.clone().into())
            {
                self.violated(Clause::DataOnce, clause);
            }
            met.push(meaning.into());
        }
    }
}

/// Who may have authored data (IHE PCF, intermediate).
const AUTHORS: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Device",
    "Group",
    "CareTeam",
    "Patient",
    "RelatedPerson",
];

/// IHE PCF, `BasicPurposeVS`.
const BASIC_PURPOSES: [(&str, &str); 4] = [
    (PURPOSE_SYSTEM, "TREAT"),
    (PURPOSE_SYSTEM, "HPAYMT"),
    (PURPOSE_SYSTEM, "HOPERAT"),
    (PURPOSE_SYSTEM, "BTG"),
];

/// IHE PCF, `AdvancedSecurityTagVS`. Its `SEX` of 1.0 is `SDV` in 1.1; both are read.
const ADVANCED_LABELS: [(&str, &str); 9] = [
    (CONFIDENTIALITY_SYSTEM, "N"),
    (CONFIDENTIALITY_SYSTEM, "R"),
    (SENSITIVITY_SYSTEM, "ETH"),
    (SENSITIVITY_SYSTEM, "ETHUD"),
    (SENSITIVITY_SYSTEM, "OPIOIDUD"),
    (SENSITIVITY_SYSTEM, "PSY"),
    (SENSITIVITY_SYSTEM, "SDV"),
    (SENSITIVITY_SYSTEM, "SEX"),
    (SENSITIVITY_SYSTEM, "HIV"),
];
