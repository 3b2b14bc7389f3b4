//! The named readings of a directive.
//!
//! Knows their names only; each reading has its own file.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::IdError;

/// How the rules of an HL7 Permission combine (HL7 Permission, `permission-rule-combining`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CombiningCode {
    /// Any deny decides.
    DenyOverrides,
    /// Any permit decides.
    PermitOverrides,
    /// Any deny decides; rules are looked at in their order.
    OrderedDenyOverrides,
    /// Any permit decides; rules are looked at in their order.
    OrderedPermitOverrides,
    /// A permit if any rule permits, else a deny.
    DenyUnlessPermit,
    /// A deny if any rule denies, else a permit.
    PermitUnlessDeny,
}

/// The named reading under which a directive is evaluated.
///
/// The same document can mean different things in different profiles; so the reading is a part of
/// the directive and is never guessed at evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "alloc::string::String", into = "&'static str")]
pub enum Dialect {
    /// FHIR R4 and R5 base: a tree of exceptions.
    FhirTree,
    /// IHE PCF, explicit basic.
    PcfBasic,
    /// IHE PCF, explicit intermediate.
    PcfIntermediate,
    /// IHE PCF, explicit advanced.
    PcfAdvanced,
    /// IHE PCF, implicit: the policy of the organisation, with a patient's objections.
    PcfImplicit,
    /// HL7 FAST Scalable Consent Management.
    Fast,
    /// The consent with the latest date decides alone (as LEAP and others do).
    LatestWins,
    /// Flat rules, any matching deny first (Google Cloud Healthcare style).
    Joint,
    /// HL7 Permission, under one of its combining codes.
    Permission(CombiningCode),
}

impl Dialect {
    /// All dialects.
    pub const ALL: &'static [Self] = &[
        Self::FhirTree,
        Self::PcfBasic,
        Self::PcfIntermediate,
        Self::PcfAdvanced,
        Self::PcfImplicit,
        Self::Fast,
        Self::LatestWins,
        Self::Joint,
        Self::Permission(CombiningCode::DenyOverrides),
        Self::Permission(CombiningCode::PermitOverrides),
        Self::Permission(CombiningCode::OrderedDenyOverrides),
        Self::Permission(CombiningCode::OrderedPermitOverrides),
        Self::Permission(CombiningCode::DenyUnlessPermit),
        Self::Permission(CombiningCode::PermitUnlessDeny),
    ];

    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::FhirTree => "fhir-tree",
            Self::PcfBasic => "ihe-pcf-basic",
            Self::PcfIntermediate => "ihe-pcf-intermediate",
            Self::PcfAdvanced => "ihe-pcf-advanced",
            Self::PcfImplicit => "ihe-pcf-implicit",
            Self::Fast => "hl7-fast",
            Self::LatestWins => "latest-wins",
            Self::Joint => "joint",
            Self::Permission(CombiningCode::DenyOverrides) => "permission-deny-overrides",
            Self::Permission(CombiningCode::PermitOverrides) => "permission-permit-overrides",
            Self::Permission(CombiningCode::OrderedDenyOverrides) => {
                "permission-ordered-deny-overrides"
            }
            Self::Permission(CombiningCode::OrderedPermitOverrides) => {
                "permission-ordered-permit-overrides"
            }
            Self::Permission(CombiningCode::DenyUnlessPermit) => "permission-deny-unless-permit",
            Self::Permission(CombiningCode::PermitUnlessDeny) => "permission-permit-unless-deny",
        }
    }
}

impl FromStr for Dialect {
    type Err = IdError;

    fn from_str(code: &str) -> Result<Self, IdError> {
        Self::ALL.iter().copied().find(|dialect| dialect.code() == code).ok_or(IdError::Malformed)
    }
}

impl TryFrom<alloc::string::String> for Dialect {
    type Error = IdError;

    fn try_from(code: alloc::string::String) -> Result<Self, IdError> {
        code.parse()
    }
}

impl From<Dialect> for &'static str {
    fn from(dialect: Dialect) -> &'static str {
        dialect.code()
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
