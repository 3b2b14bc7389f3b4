//! Values that the tests of this crate share.

use proviso_core::category::PurposeOfUse;
use proviso_core::scope::ScopeSet;
use proviso_core::time::At;

use crate::record::{
    Client, ClientAuthentication, ClientProfile, ClientStatus, GrantType, IdTokenAlgorithm,
    TokenLifetimes,
};

pub(crate) const BASE: &str = "https://ehr.example";
pub(crate) const NOW: At = At::from_secs(1_800_000_000);

pub(crate) fn scopes(text: &str) -> Vec<proviso_core::scope::Scope> {
    ScopeSet::parse(text).unwrap().known.into_vec()
}

pub(crate) fn client(authentication: ClientAuthentication) -> Client {
    Client {
        id: "glucose-coach".parse().unwrap(),
        name: "Glucose Coach".to_owned(),
        description: None,
        authentication,
        profile: ClientProfile::Smart,
        redirect_uris: vec![
            "https://app.example/cb?keep=1".to_owned(),
            "http://127.0.0.1:9123/callback".to_owned(),
        ],
        launch_uris: Vec::new(),
        scopes: scopes("launch launch/patient openid fhirUser offline_access patient/*.rs"),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        origins: Vec::new(),
        purpose: PurposeOfUse::PatientRequest,
        contacts: Vec::new(),
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        status: ClientStatus::Active,
        lifetimes: TokenLifetimes::DEFAULT,
        id_token_signed_response_alg: IdTokenAlgorithm::Rs256,
        created_at: NOW,
    }
}
