//! Asks an upstream what it is, as whoever looks after an installation would.

use std::sync::Arc;

use http::StatusCode;
use proviso_fhir::label::RuleSet;

use super::http::{HttpUpstream, UpstreamError, UpstreamSetupError};
use crate::settings::HttpUpstreamSettings;

/// Why a server is not one that the gateway can stand in front of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamProbeError {
    /// The settings describe no server.
    #[error(transparent)]
    Setup(#[from] UpstreamSetupError),
    /// No usable answer came.
    #[error("{0}")]
    NoAnswer(&'static str),
    /// The credential is not accepted.
    #[error("it refuses the credential with status {0}")]
    Refused(u16),
    /// `metadata` is answered with something else than success.
    #[error("it answers `metadata` with status {0}")]
    Status(u16),
    /// What it answers is no CapabilityStatement.
    #[error("it answers `metadata` with something else than a CapabilityStatement")]
    NoStatement,
    /// It speaks another version of FHIR.
    #[error("it speaks FHIR `{0}`, not R4 (4.0)")]
    Version(String),
}

/// Asks for the CapabilityStatement with the configured credential and gives the FHIR version.
///
/// # Errors
/// When what answers, if anything, is no FHIR R4 server.
pub async fn probe_upstream(settings: &HttpUpstreamSettings) -> Result<String, UpstreamProbeError> {
    let upstream = HttpUpstream::new(settings, Arc::new(RuleSet::shipped()))?;
    let answer = upstream.get("/metadata").await.map_err(|error| {
        UpstreamProbeError::NoAnswer(match error {
            UpstreamError::Down => "it cannot be reached",
            UpstreamError::Failing => "it answers `metadata` with an error of its own",
            UpstreamError::TimedOut => "it does not answer in time",
            UpstreamError::Unacceptable(_) => {
                "it answers `metadata` with something else than a CapabilityStatement"
            }
        })
    })?;
    match answer.status {
        status if status.is_success() => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(UpstreamProbeError::Refused(answer.status.as_u16()));
        }
        status => return Err(UpstreamProbeError::Status(status.as_u16())),
    }
    let doc = answer.doc.ok_or(UpstreamProbeError::NoStatement)?;
    let kind = doc.root().string_at(&["resourceType"]);
    if kind.as_deref() != Some("CapabilityStatement") {
        return Err(UpstreamProbeError::NoStatement);
    }
    let version = doc.root().string_at(&["fhirVersion"]).unwrap_or_default().into_owned();
    // FHIR R4 CapabilityStatement.fhirVersion: 4.0.0 and 4.0.1; 4.1 and 4.3 are R4B.
    if version == "4.0" || version.starts_with("4.0.") {
        return Ok(version);
    }
    // What a stranger wrote is repeated only as far as a version number goes.
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    Err(UpstreamProbeError::Version(version.chars().filter(plain).take(20).collect()))
}
