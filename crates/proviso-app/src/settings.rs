//! What the operator decided, once parsed and checked.

use std::sync::Arc;

use proviso_core::id::TenantId;
use proviso_fhir::label::RuleSet;

use crate::filed::FiledSettings;
use crate::network::Networks;
use crate::redaction::RedactionSet;
use crate::relations::RelationSources;

/// Settings that use cases depend on. Built once at start; everything in it has been checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tenant served.
    pub tenant: TenantId,
    /// The one origin from which every absolute URL derives, without a trailing slash.
    pub public_url: String,
    /// Who may register apps.
    pub registration: Registration,
    /// Lifetime of access tokens, in seconds (60 to 3600).
    pub access_token_ttl_secs: i64,
    /// Idle limit of a browser session, in seconds.
    pub session_idle_secs: i64,
    /// Absolute limit of a browser session, in seconds.
    pub session_absolute_secs: i64,
    /// Sliding lifetime of refresh tokens, in days (at least 90 for certification).
    pub refresh_token_ttl_days: i64,
    /// The terms shown on the consent page.
    pub policy_uri: String,
    /// The name of the organisation, as pages show it.
    pub organization_name: String,
    /// By which rules records are labelled.
    pub labels: Arc<RuleSet>,
    /// What of a record is not shown for which purpose.
    pub redaction: Arc<RedactionSet>,
    /// Where the records are.
    pub records: RecordsAt,
    /// How consents on file are read and heard.
    pub filed: Arc<FiledSettings>,
    /// Which addresses are the organisation's own.
    pub networks: Networks,
    /// Which records say how staff are related to patients.
    pub relations: RelationSources,
}

/// Where the records of patients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordsAt {
    /// In our own store.
    Here,
    /// On a FHIR server by URL.
    Upstream,
}

/// Who may register apps (RFC 7591).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Only administrators.
    Closed,
    /// Anyone; for demonstrations and test systems.
    Open,
}

impl Settings {
    /// The issuer identifier (RFC 8414 §2): the public URL itself.
    pub fn issuer(&self) -> &str {
        &self.public_url
    }

    /// The FHIR base URL, which is also the audience of access tokens.
    pub fn fhir_base(&self) -> String {
        format!("{}/fhir/r4", self.public_url)
    }

    /// The settings of the demonstration world behind a listen origin.
    pub fn demo(public_url: impl Into<String>) -> Self {
        let public_url = public_url.into();
        let filed = FiledSettings::new(format!("{public_url}/fhir/r4"));
        Self {
            tenant: TenantId::default_tenant(),
            policy_uri: format!("{public_url}/terms"),
            public_url,
            registration: Registration::Open,
            access_token_ttl_secs: 300,
            session_idle_secs: 30 * 60,
            session_absolute_secs: 12 * 3600,
            refresh_token_ttl_days: 180,
            organization_name: "Riverside Health (demo)".to_owned(),
            labels: Arc::new(RuleSet::shipped()),
            redaction: Arc::new(RedactionSet::shipped()),
            records: RecordsAt::Here,
            filed: Arc::new(filed),
            // The demo listens on this machine alone.
            networks: Networks::loopback(),
            relations: RelationSources::default(),
        }
    }
}
