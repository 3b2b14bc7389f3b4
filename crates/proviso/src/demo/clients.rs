//! The demo's apps as registered clients, and the file with their secrets.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proviso_app::App;
use proviso_app::clients::{
    Client, ClientAuthentication, ClientKeys, ClientProfile, ClientStatus, GrantType,
    IdTokenAlgorithm, TokenHash, TokenLifetimes,
};
use proviso_app::via::Via;
use proviso_core::scope::ScopeSet;
use proviso_store::Presence;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::folder::write_private;
use super::world::apps::{self, Proof};

/// The file with the secrets of the demo's apps.
pub const CLIENTS_FILE: &str = "demo-clients.json";

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
struct ClientsFile {
    issuer: String,
    fhir_base: String,
    clients: Vec<FileClient>,
}

/// What the file says about one app.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct FileClient {
    client_id: String,
    name: String,
    token_endpoint_auth_method: String,
    scope: String,
    redirect_uris: Vec<String>,
    launch_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    client_secret: Option<String>,
    /// The private key as a JWK (ES384).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    private_jwk: Option<Value>,
    /// The same key as PKCS#8 PEM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    private_key_pem: Option<String>,
}

/// Registers every app that is not registered yet, and lets all of them come back to this origin.
///
/// CRASH: the file is written before the apps are saved. A stop in between leaves secrets that no
/// app has yet; the next start reads them and goes on.
pub(super) async fn register(app: &Arc<App>, folder: &Path) -> anyhow::Result<()> {
    let origin = &app.settings().public_url;
    let path = folder.join(CLIENTS_FILE);
    let known = known_clients(&path)?;
    let mut clients = Vec::new();
    for wanted in apps::ALL {
        let mut client = match known.iter().find(|known| known.client_id == wanted.id) {
            Some(known) => known.clone(),
            None => with_proof(app, wanted)?,
        };
        client.redirect_uris = redirect_uris(wanted, origin);
        client.launch_uris = launch_uris(wanted, origin);
        clients.push(client);
    }
    let file = ClientsFile {
        issuer: app.settings().issuer().to_owned(),
        fhir_base: app.settings().fhir_base(),
        clients,
    };
    write_private(&path, &serde_json::to_vec_pretty(&file)?)?;
    for (wanted, client) in apps::ALL.iter().zip(&file.clients) {
        save(app, wanted, client).await?;
    }
    Ok(())
}

fn known_clients(path: &Path) -> anyhow::Result<Vec<FileClient>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let file: ClientsFile = serde_json::from_slice(&text)
        .with_context(|| format!("`{}` cannot be understood", path.display()))?;
    Ok(file.clients)
}

fn redirect_uris(app: &apps::App, origin: &str) -> Vec<String> {
    if !app.interactive {
        return Vec::new();
    }
    vec![format!("{origin}{}", apps::ORIGIN_REDIRECT_PATH), apps::LOOPBACK_REDIRECT.to_owned()]
}

/// The address on this server comes first: there something answers.
fn launch_uris(app: &apps::App, origin: &str) -> Vec<String> {
    if !app.interactive {
        return Vec::new();
    }
    let here = app.origin_launch_path.map(|path| format!("{origin}{path}"));
    here.into_iter().chain([apps::LOOPBACK_LAUNCH.to_owned()]).collect()
}

fn with_proof(app: &App, wanted: &apps::App) -> anyhow::Result<FileClient> {
    let mut client = FileClient {
        client_id: wanted.id.to_owned(),
        name: wanted.name.to_owned(),
        token_endpoint_auth_method: "none".to_owned(),
        scope: wanted.scopes.to_owned(),
        redirect_uris: Vec::new(),
        launch_uris: Vec::new(),
        client_secret: None,
        private_jwk: None,
        private_key_pem: None,
    };
    match wanted.proof {
        Proof::Public => {}
        Proof::Secret => {
            "client_secret_basic".clone_into(&mut client.token_endpoint_auth_method);
            client.client_secret = Some(URL_SAFE_NO_PAD.encode(app.entropy().secret_bytes()?));
        }
        Proof::PrivateKey => {
            "private_key_jwt".clone_into(&mut client.token_endpoint_auth_method);
            let (jwk, pem) = new_key(wanted.id)?;
            client.private_jwk = Some(jwk);
            client.private_key_pem = Some(pem);
        }
    }
    Ok(client)
}

/// A new ES384 key (SMART App Launch 2.2 asks servers for RS384 and ES384) as JWK and as PEM.
fn new_key(client_id: &str) -> anyhow::Result<(Value, String)> {
    let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref())?;
    // SEC 1 §2.3.3: 0x04, then both coordinates of 48 bytes.
    let point = pair.public_key().as_ref();
    let (x, y) = point
        .strip_prefix(&[4])
        .and_then(|point| point.split_at_checked(48))
        .context("the new key has no uncompressed point")?;
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes()?;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y), "d": encode(private.as_ref()),
        "alg": "ES384", "use": "sig", "kid": format!("{client_id}-1"),
    });
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let body = STANDARD.encode(document.as_ref());
    for line in body.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line)?);
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok((jwk, pem))
}

async fn save(app: &Arc<App>, wanted: &apps::App, file: &FileClient) -> anyhow::Result<()> {
    let id = wanted.id.parse()?;
    if let Some(mut stored) = app.store().client(&id).await? {
        if stored.redirect_uris != file.redirect_uris || stored.launch_uris != file.launch_uris {
            // The demo listens elsewhere this time.
            stored.redirect_uris.clone_from(&file.redirect_uris);
            stored.launch_uris.clone_from(&file.launch_uris);
            stored.origins = origins(wanted, &app.settings().public_url);
            app.save_client(stored, Presence::Present, "move", &Via::default()).await?;
        }
        return Ok(());
    }
    let scopes = ScopeSet::parse(wanted.scopes)?;
    anyhow::ensure!(scopes.unknown.is_empty(), "unknown scopes: {:?}", scopes.unknown);
    let authentication = match (&file.client_secret, &file.private_jwk) {
        (Some(secret), _) => {
            ClientAuthentication::ClientSecret { secret_hash: TokenHash::of(secret) }
        }
        (None, Some(jwk)) => {
            ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Inline(public_keys(jwk)) }
        }
        (None, None) => ClientAuthentication::None,
    };
    let grant_types = if wanted.interactive {
        vec![GrantType::AuthorizationCode, GrantType::RefreshToken]
    } else {
        vec![GrantType::ClientCredentials]
    };
    let client = Client {
        id,
        name: wanted.name.to_owned(),
        description: Some(wanted.description.to_owned()),
        authentication,
        profile: ClientProfile::Smart,
        redirect_uris: file.redirect_uris.clone(),
        launch_uris: file.launch_uris.clone(),
        scopes: scopes.known.iter().cloned().collect(),
        grant_types,
        origins: origins(wanted, &app.settings().public_url),
        purpose: wanted.purpose,
        contacts: vec![format!("mailto:{}@apps.example", wanted.id)],
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        status: ClientStatus::Active,
        lifetimes: TokenLifetimes::DEFAULT,
        id_token_signed_response_alg: IdTokenAlgorithm::Rs256,
        created_at: app.now(),
    };
    app.save_client(client, Presence::Absent, "register", &Via::default()).await?;
    Ok(())
}

fn origins(app: &apps::App, origin: &str) -> Vec<String> {
    if !app.interactive {
        return Vec::new();
    }
    let loopback = apps::LOOPBACK_REDIRECT.trim_end_matches("/callback");
    vec![origin.to_owned(), loopback.to_owned()]
}

/// The public half of a JWK, as a set.
fn public_keys(jwk: &Value) -> String {
    let mut public = jwk.clone();
    if let Some(members) = public.as_object_mut() {
        members.remove("d");
    }
    json!({ "keys": [public] }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_every_app_are_understood() {
        for app in apps::ALL {
            let parsed = ScopeSet::parse(app.scopes).unwrap();
            assert!(parsed.unknown.is_empty(), "{}: {:?}", app.id, parsed.unknown);
        }
    }

    #[test]
    fn a_new_key_has_both_forms_and_its_public_half_no_secret() {
        let (jwk, pem) = new_key("second-opinion").unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        for part in ["x", "y", "d"] {
            let text = jwk[part].as_str().unwrap();
            assert_eq!(URL_SAFE_NO_PAD.decode(text).unwrap().len(), 48, "{part}");
        }
        let public = public_keys(&jwk);
        assert!(!public.contains("\"d\""), "{public}");
        assert!(public.contains("second-opinion-1"));
    }
}
