//! Which reading a Consent asks for: by its profile, or by its policy.
//!
//! Knows the names. A Consent that names nothing is read as FHIR says.

use proviso_core::consent::provision::{CombiningCode, Dialect};

use super::header::Policy;

/// The profile of HL7 FAST.
pub(super) const FAST: &str =
    "http://hl7.org/fhir/us/consent-management/StructureDefinition/FASTConsent";
/// IHE PCF, basic.
pub(super) const PCF_BASIC: &str =
    "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentBasic";
/// IHE PCF, intermediate.
pub(super) const PCF_INTERMEDIATE: &str =
    "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentIntermediate";
/// IHE PCF, advanced.
pub(super) const PCF_ADVANCED: &str =
    "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentAdvanced";

/// The profile that names a reading; `None` for FHIR's own, which needs no name.
pub const fn profile_of(dialect: Dialect) -> Option<&'static str> {
    Some(match dialect {
        Dialect::FhirTree => return None,
        Dialect::PcfBasic => PCF_BASIC,
        Dialect::PcfIntermediate => PCF_INTERMEDIATE,
        Dialect::PcfAdvanced => PCF_ADVANCED,
        Dialect::PcfImplicit => "urn:proviso:dialect:ihe-pcf-implicit",
        Dialect::Fast => FAST,
        Dialect::LatestWins => "urn:proviso:dialect:latest-wins",
        Dialect::Joint => "urn:proviso:dialect:joint",
        Dialect::Permission(code) => match code {
            CombiningCode::DenyOverrides => "urn:proviso:dialect:permission-deny-overrides",
            CombiningCode::PermitOverrides => "urn:proviso:dialect:permission-permit-overrides",
            CombiningCode::OrderedDenyOverrides => {
                "urn:proviso:dialect:permission-ordered-deny-overrides"
            }
            CombiningCode::OrderedPermitOverrides => {
                "urn:proviso:dialect:permission-ordered-permit-overrides"
            }
            CombiningCode::DenyUnlessPermit => "urn:proviso:dialect:permission-deny-unless-permit",
            CombiningCode::PermitUnlessDeny => "urn:proviso:dialect:permission-permit-unless-deny",
        },
    })
}

/// Whether a decision (R5) is read as the rule of a root without limits (R4). Flat readings do not:
/// to them a root is one rule among others, and the decision is what is left where none applies.
pub(super) const fn has_root(dialect: Dialect) -> bool {
    match dialect {
        Dialect::FhirTree
        | Dialect::PcfBasic
        | Dialect::PcfIntermediate
        | Dialect::PcfAdvanced
        | Dialect::PcfImplicit
        | Dialect::Fast
        | Dialect::LatestWins => true,
        Dialect::Joint | Dialect::Permission(_) => false,
    }
}

/// The name asks for several readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disagreement;

fn of_profile(profile: &str) -> Option<Dialect> {
    // A canonical may name its version after a bar.
    let profile = profile.split_once('|').map_or(profile, |(profile, _)| profile);
    Dialect::ALL.iter().copied().find(|dialect| profile_of(*dialect) == Some(profile))
}

/// Whether a profile names a reading.
pub(super) fn is_name(profile: &str) -> bool {
    of_profile(profile).is_some()
}

/// The reading that profiles and policies name, if any. A profile counts before a policy.
pub(super) fn named(
    profiles: &[alloc::string::String],
    policies: &[Policy],
    known: &[(&str, Dialect)],
) -> Result<Option<Dialect>, Disagreement> {
    let of_policy = |uri: &str| {
        let known = known.iter().find(|(address, _)| *address == uri).map(|(_, dialect)| *dialect);
        known.or_else(|| of_profile(uri))
    };
    let by_profile = one(profiles.iter().filter_map(|profile| of_profile(profile)))?;
    let by_policy = one(policies.iter().filter_map(|policy| of_policy(policy.uri.as_deref()?)))?;
    match (by_profile, by_policy) {
        (Some(one), Some(other)) if one != other => Err(Disagreement),
        (Some(dialect), _) | (None, Some(dialect)) => Ok(Some(dialect)),
        (None, None) => Ok(None),
    }
}

fn one(mut named: impl Iterator<Item = Dialect>) -> Result<Option<Dialect>, Disagreement> {
    let Some(first) = named.next() else { return Ok(None) };
    if named.all(|other| other == first) { Ok(Some(first)) } else { Err(Disagreement) }
}
