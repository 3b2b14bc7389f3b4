//! What tokens say: access tokens (RFC 9068), ID tokens (OIDC Core §2, SMART `fhirUser`) and the
//! launch context that travels beside them.

use proviso_core::id::{AccountId, ClientId, GrantId, TokenId};
use proviso_core::scope::Scope;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

use crate::record::{FhirContextItem, Grant, LaunchContext};
use crate::server::ServerUrls;

/// The `typ` of access tokens (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The `typ` of ID tokens.
pub const ID_TOKEN_TYPE: &str = "JWT";

/// Launch context as top-level members of the token response and of introspection (SMART 149, 277).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContextMembers {
    /// The patient in context.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patient: Option<String>,
    /// The visit in context.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub encounter: Option<String>,
    /// Further resources.
    #[serde(rename = "fhirContext", skip_serializing_if = "Vec::is_empty", default)]
    pub fhir_context: Vec<FhirContextItem>,
    /// What the person wants to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub intent: Option<String>,
    /// Whether the app must show whose data it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub need_patient_banner: Option<bool>,
    /// Where the style sheet of the EHR is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub smart_style_url: Option<String>,
    /// The tenant, opaque to the app.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant: Option<String>,
}

impl ContextMembers {
    /// The members for a grant. What belongs to an EHR launch is told only after one.
    pub fn of(context: &LaunchContext, urls: &ServerUrls, tenant: &str) -> Self {
        let from_ehr = context.need_patient_banner.is_some();
        Self {
            patient: context.patient.as_ref().map(|id| id.as_str().to_owned()),
            encounter: context.encounter.as_ref().map(|id| id.as_str().to_owned()),
            // S9: Patient and Encounter have members of their own.
            fhir_context: context
                .fhir_context
                .iter()
                .filter(|item| {
                    item.role.as_deref().is_some_and(|role| role != "launch")
                        || !(item.reference.starts_with("Patient/")
                            || item.reference.starts_with("Encounter/"))
                })
                .cloned()
                .collect(),
            intent: context.intent.clone(),
            need_patient_banner: context.need_patient_banner,
            smart_style_url: from_ehr.then(|| urls.style_url()),
            tenant: from_ehr.then(|| tenant.to_owned()),
        }
    }
}

/// The claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Who issued it.
    pub iss: String,
    /// Which FHIR base it is for.
    pub aud: String,
    /// The person, or the service itself.
    pub sub: String,
    /// The app.
    pub client_id: ClientId,
    /// Its name in the log.
    pub jti: TokenId,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
    /// What it may do at most.
    pub scope: String,
    /// The grant behind it, which is looked up at every use.
    pub grant: GrantId,
    /// What for, as a hint; the grant decides.
    pub purpose: String,
    /// The launch context, as a hint; the grant decides.
    #[serde(flatten)]
    pub context: ContextMembers,
    /// The FHIR resource that is the person.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none", default)]
    pub fhir_user: Option<String>,
}

/// The address of the FHIR resource that is the person, when the app may know it.
pub fn fhir_user_url(grant: &Grant, scopes: &[Scope], urls: &ServerUrls) -> Option<String> {
    let may_know = scopes.iter().any(|scope| matches!(scope, Scope::FhirUser | Scope::Profile));
    let (resource_type, id) = grant.fhir_user.as_ref().filter(|_| may_know)?;
    Some(format!("{}/{}/{}", urls.fhir_base(), resource_type.as_str(), id.as_str()))
}

/// The `sub` of a person or service. Accounts start with `acc_`, which no app may (R25).
pub fn subject(account: Option<&AccountId>, client: &ClientId) -> String {
    account.map_or_else(|| client.as_str().to_owned(), |account| account.as_str().to_owned())
}

/// The claims of an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// Who issued it.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The app.
    pub aud: String,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
    /// When the person proved who they are, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auth_time: Option<i64>,
    /// The nonce of the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nonce: Option<String>,
    /// The FHIR resource that is the person.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none", default)]
    pub fhir_user: Option<String>,
    /// The same, for the scope `profile` (SMART "Scopes for requesting identity data").
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<String>,
}

impl IdTokenClaims {
    /// The claims for a grant of a person, when `openid` was granted.
    pub fn of(
        grant: &Grant,
        scopes: &[Scope],
        urls: &ServerUrls,
        at: At,
        ttl_secs: i64,
    ) -> Option<Self> {
        let account = grant.account.as_ref().filter(|_| scopes.contains(&Scope::OpenId))?;
        let fhir_user = fhir_user_url(grant, scopes, urls);
        Some(Self {
            iss: urls.issuer().to_owned(),
            sub: account.as_str().to_owned(),
            aud: grant.client.as_str().to_owned(),
            iat: at.as_secs(),
            exp: at.as_secs() + ttl_secs,
            auth_time: grant.authenticated_at.map(At::as_secs),
            nonce: grant.nonce.clone(),
            profile: fhir_user.clone().filter(|_| scopes.contains(&Scope::Profile)),
            fhir_user: fhir_user.filter(|_| scopes.contains(&Scope::FhirUser)),
        })
    }
}

/// The answer of the userinfo endpoint (OIDC Core §5.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// The person, as in the ID token.
    pub sub: String,
    /// The FHIR resource that is the person.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// The same, for the scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fhir_context_never_repeats_patient_or_encounter() {
        // Covers: S9, SMART 172, 177
        let item = |reference: &str, role: Option<&str>| FhirContextItem {
            reference: reference.to_owned(),
            role: role.map(str::to_owned),
        };
        let context = LaunchContext {
            fhir_context: vec![
                item("Patient/1", None),
                item("Encounter/2", Some("launch")),
                item("Patient/3", Some("https://roles.example/donor")),
                item("ImagingStudy/4", None),
            ],
            ..LaunchContext::default()
        };
        let members = ContextMembers::of(&context, &ServerUrls::new("https://a"), "default");
        let kept: Vec<_> =
            members.fhir_context.iter().map(|item| item.reference.as_str()).collect();
        assert_eq!(kept, ["Patient/3", "ImagingStudy/4"]);
        assert_eq!(members.smart_style_url, None);
    }

    #[test]
    fn an_ehr_launch_tells_banner_style_and_tenant() {
        // Covers: S13, g10_smart_style_url
        let context =
            LaunchContext { need_patient_banner: Some(false), ..LaunchContext::default() };
        let members = ContextMembers::of(&context, &ServerUrls::new("https://a"), "default");
        let json = serde_json::to_value(&members).unwrap();
        assert_eq!(json["need_patient_banner"], false);
        assert_eq!(json["smart_style_url"], "https://a/launch/smart-style.json");
        assert_eq!(json["tenant"], "default");
        assert!(json.get("patient").is_none());
    }
}
