//! Why a Consent is not read, or cannot be written (catalogue).
//!
//! Knows the reasons, each with a stable code and a sentence. A reason never quotes the document
//! beyond the place where it stands.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::outcome::{Issue, IssueCode};

/// Declares reasons, each with its code and its sentence.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal: $sentence:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[doc = $sentence] $variant,)+ }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The reason in words.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

reasons! {
    /// Why a Consent is not read.
    FaultCode {
        NotAConsent = "not-a-consent": "The resource is not a Consent.",
        WrongShape = "wrong-shape": "A value has another JSON shape than FHIR gives to the element.",
        EmptyList = "empty-list": "A list is empty. FHIR has no empty lists, and it must not be taken for one that restricts nothing.",
        UnknownElement = "unknown-element": "The element is not one of this FHIR version.",
        ModifierExtension = "modifier-extension": "A modifier extension may change or negate what is around it, and this one is not understood.",
        ImplicitRules = "implicit-rules": "The resource follows rules that are stated elsewhere and not understood here.",
        MeaningInExtension = "meaning-in-extension": "The extension stands for an element of another FHIR version that changes the meaning of the consent.",
        StatusMissing = "status-missing": "The consent states no status.",
        UnknownStatus = "unknown-status": "The status is not one of this FHIR version.",
        ScopeMissing = "scope-missing": "The consent states no scope.",
        UnknownScope = "unknown-scope": "The scope is not one of FHIR's four, and what a scope means cannot be guessed.",
        PatientMissing = "patient-missing": "The consent does not say whose it is.",
        PatientUnresolvable = "patient-unresolvable": "The reference to the patient leads nowhere, or to something that is no patient.",
        DateMalformed = "date-malformed": "The date is not one of the calendar, or a time of day has no offset.",
        PeriodEmpty = "period-empty": "The period has neither a start nor an end.",
        PeriodReversed = "period-reversed": "The period ends before, or when, it starts.",
        PeriodOutsideTree = "period-outside-tree": "Under a flat reading the decision has no root that the period of the consent could limit.",
        PeriodTwice = "period-twice": "The period of the consent is stated in two places.",
        ProvisionMissing = "provision-missing": "The consent has no provision that could be enforced.",
        TypeMissing = "type-missing": "A provision does not say whether it permits or denies.",
        UnknownType = "unknown-type": "The type of a provision is neither permit nor deny.",
        DecisionMissing = "decision-missing": "The consent has no decision, so nobody can say what its provisions are exceptions to.",
        UnknownDecision = "unknown-decision": "The decision is neither permit nor deny.",
        ExpressionUnsupported = "expression-unsupported": "An expression decides to which data the provision applies, and expressions are not evaluated.",
        ClassesCombined = "classes-combined": "A provision asks for document types and resource types at once, and records are not of both.",
        ActorMissing = "actor-missing": "An actor has no reference.",
        RoleMissing = "role-missing": "An actor has no role.",
        ActorUnresolvable = "actor-unresolvable": "The reference to an actor leads nowhere: nothing contained has that id, or it has neither an address nor an identifier with its system.",
        DataUnresolvable = "data-unresolvable": "The reference to a record leads nowhere.",
        DataMissing = "data-missing": "A clause on named records has no reference or no meaning.",
        UnknownMeaning = "unknown-meaning": "The meaning of a clause on named records is not one of FHIR's four.",
        LocationUnresolvable = "location-unresolvable": "The location of the recipient leads nowhere.",
        LocationMisplaced = "location-misplaced": "The location of a recipient stands outside of the provisions.",
        CodeMissing = "code-missing": "A restriction is given as text only, or its code or code system is missing.",
        CodesDisagree = "codes-disagree": "The codings of one role name different roles.",
        UnknownLabel = "unknown-label": "A security label restricts the provision and is of no code system that is understood here.",
        UnknownPurpose = "unknown-purpose": "A purpose restricts the provision and is of no code system that is understood here.",
        UnknownAction = "unknown-action": "An action restricts the provision and is of no code system that is understood here.",
        DialectsDisagree = "dialects-disagree": "The profiles or policies of the consent ask for different readings of it.",
        TooDeep = "too-deep": "Provisions are nested too deeply.",
        TooManyProvisions = "too-many-provisions": "There are too many provisions.",
        TooManyValues = "too-many-values": "There are too many values in the provisions.",
    }
}

reasons! {
    /// Why a consent cannot be written in a FHIR version.
    WriteFaultCode {
        NoProvision = "no-provision": "FHIR R4 needs one provision at the root, and there is none.",
        SeveralRoots = "several-roots": "Several provisions stand side by side with nothing above them, which FHIR can say in neither version.",
        DecisionOutsideTree = "decision-outside-tree": "Under a flat reading the decision is not the rule of a root, so FHIR R4 cannot say it.",
        RootOutsideTree = "root-outside-tree": "Under a flat reading the root is a rule like any other, so FHIR R5 cannot say it.",
        RootRestricts = "root-restricts": "FHIR R5 always decides, and this consent says nothing outside the limits of its root.",
        RuleNotOpposite = "rule-not-opposite": "In FHIR R5 a provision is the opposite of the one above it, and this one is not.",
        Unreadable = "unreadable": "A part of the consent could not be read, so it cannot be written.",
        ActorWithoutReference = "actor-without-reference": "FHIR R4 cannot name anybody in a role.",
        DateOutOfRange = "date-out-of-range": "FHIR cannot write a date outside of the years 1 to 9999.",
        IdentifierWithoutSystem = "identifier-without-system": "An identifier without its system names nobody.",
        CodeWithoutSystem = "code-without-system": "A code without its system means nothing.",
        StatusUnknown = "status-unknown": "This FHIR version does not know the status.",
        SeveralSources = "several-sources": "FHIR R4 has one source.",
        SeveralPolicyRules = "several-policy-rules": "FHIR R4 has one policy rule.",
        SeveralPolicies = "several-policies": "FHIR R5 has one policy, without an authority.",
        PolicyReference = "policy-reference": "FHIR R4 cannot refer to a policy as a resource.",
        Verification = "verification": "FHIR R4 cannot say who verified the consent or how, nor more than one date.",
        ContainedResources = "contained-resources": "Contained resources are of another FHIR version and are not translated.",
        NoPlace = "no-place": "What is kept of the root provision has no place in FHIR R5.",
        DialectUnnamed = "dialect-unnamed": "The profiles and policies of the consent ask for another reading than it is recorded under.",
    }
}

/// One reason, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault<C> {
    /// Why.
    pub code: C,
    /// The element, such as `Consent.provision.actor[0].reference`.
    pub at: String,
}

impl<C: fmt::Display> fmt::Display for Fault<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.code, self.at)
    }
}

/// LIMIT: faults listed of one Consent. Whoever repairs two hundred asks again.
pub(super) const FAULTS_MAX: usize = 200;

/// A Consent that is not read: every reason, up to two hundred.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the consent is not understood, for {} reason(s)", faults.len())]
pub struct ConsentRefusal {
    /// The reasons; never empty.
    pub faults: Vec<Fault<FaultCode>>,
}

/// A consent that a FHIR version cannot say: every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the consent cannot be written, for {} reason(s)", faults.len())]
pub struct WriteRefusal {
    /// The reasons; never empty.
    pub faults: Vec<Fault<WriteFaultCode>>,
}

impl ConsentRefusal {
    /// The reasons as issues of an OperationOutcome, each with its code, its sentence and its place.
    pub fn issues(&self) -> Vec<Issue> {
        let issue = |fault: &Fault<FaultCode>| {
            Issue::error(IssueCode::NotSupported, fault.code.sentence())
                .with_detail(fault.code.code())
                .at(fault.at.clone())
        };
        self.faults.iter().map(issue).collect()
    }
}

impl WriteRefusal {
    /// The reasons as issues of an OperationOutcome.
    pub fn issues(&self) -> Vec<Issue> {
        let issue = |fault: &Fault<WriteFaultCode>| {
            Issue::error(IssueCode::NotSupported, fault.code.sentence())
                .with_detail(fault.code.code())
                .at(fault.at.clone())
        };
        self.faults.iter().map(issue).collect()
    }
}
