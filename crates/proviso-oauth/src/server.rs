//! The addresses under which this server is known; all derive from one setting.

/// The issuer and the FHIR base, and every endpoint address that follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrls {
    issuer: String,
    fhir_base: String,
}

impl ServerUrls {
    /// From the public URL of the server, without a trailing slash.
    pub fn new(public_url: impl Into<String>) -> Self {
        let issuer = public_url.into().trim_end_matches('/').to_owned();
        let fhir_base = format!("{issuer}/fhir/r4");
        Self { issuer, fhir_base }
    }

    /// The issuer identifier (RFC 8414 §2).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The FHIR base URL: the audience of access tokens.
    pub fn fhir_base(&self) -> &str {
        &self.fhir_base
    }

    /// Whether an `aud` parameter means our FHIR base. A trailing slash makes no difference, since
    /// apps are given the base both ways; nothing else is forgiven (SMART "aud").
    pub fn is_fhir_base(&self, aud: &str) -> bool {
        aud.strip_suffix('/').unwrap_or(aud) == self.fhir_base
    }

    /// `/oauth/authorize`
    pub fn authorization_endpoint(&self) -> String {
        self.under("/oauth/authorize")
    }

    /// `/oauth/token`
    pub fn token_endpoint(&self) -> String {
        self.under("/oauth/token")
    }

    /// `/oauth/introspect`
    pub fn introspection_endpoint(&self) -> String {
        self.under("/oauth/introspect")
    }

    /// `/oauth/revoke`
    pub fn revocation_endpoint(&self) -> String {
        self.under("/oauth/revoke")
    }

    /// `/oauth/register`
    pub fn registration_endpoint(&self) -> String {
        self.under("/oauth/register")
    }

    /// `/oauth/jwks`
    pub fn jwks_uri(&self) -> String {
        self.under("/oauth/jwks")
    }

    /// `/oauth/userinfo`
    pub fn userinfo_endpoint(&self) -> String {
        self.under("/oauth/userinfo")
    }

    /// Where a patient manages connected apps.
    pub fn management_endpoint(&self) -> String {
        self.under("/portal/apps")
    }

    /// The SMART style sheet of the EHR (`smart_style_url`).
    pub fn style_url(&self) -> String {
        self.under("/launch/smart-style.json")
    }

    fn under(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_our_base_with_or_without_a_trailing_slash() {
        // Covers: g10 invalid_aud
        let urls = ServerUrls::new("http://127.0.0.1:8080/");
        assert!(urls.is_fhir_base("http://127.0.0.1:8080/fhir/r4"));
        assert!(urls.is_fhir_base("http://127.0.0.1:8080/fhir/r4/"));
        for other in [
            "http://127.0.0.1:8080/fhir/r4//",
            "http://127.0.0.1:8080/fhir",
            "http://127.0.0.1:8080/fhir/r4/Patient",
            "http://localhost:8080/fhir/r4",
            "https://inferno.healthit.gov/invalid_aud",
            "",
        ] {
            assert!(!urls.is_fhir_base(other), "{other}");
        }
    }
}
