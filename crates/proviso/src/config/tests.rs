use std::path::Path;

use super::*;

const LEAST: &str = r#"
public_url = "https://records.example.org"
tls = { certificate_file = "cert.pem", key_file = "key.pem" }
organization.name = "Example Clinic"
consent.policy_uri = "https://records.example.org/terms"
keys.provider = "file"
"#;

fn check(extra: &str) -> Result<Config, String> {
    Config::parse(&format!("{extra}\n{LEAST}"), Path::new("/etc/proviso"))
        .map_err(|e| e.to_string())
}

#[test]
fn the_least_configuration_is_accepted_with_its_defaults() {
    let config = check("").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.settings.access_token_ttl_secs, 300);
    assert_eq!(config.data_dir, Path::new("/etc/proviso/proviso-data"));
    assert_eq!(config.keys, KeyProvider::File("/etc/proviso/proviso-data/master.key".into()));
}

#[test]
fn an_unknown_key_refuses_to_start_and_is_named() {
    let text = check("oauth.acess_token_ttl_secs = 60").unwrap_err();
    assert!(text.contains("unknown key `oauth.acess_token_ttl_secs`"), "{text}");
    assert!(text.contains("did you mean `oauth.access_token_ttl_secs`?"), "{text}");
}

#[test]
fn a_missing_key_provider_refuses_to_start() {
    let without = LEAST.replace("keys.provider = \"file\"\n", "");
    let error = Config::parse(&without, Path::new(".")).unwrap_err();
    assert_eq!(error.to_string(), "key `keys.provider` is required");
}

#[test]
fn plain_http_off_loopback_refuses_to_start_unless_dev() {
    let plain =
        LEAST.replace("tls = { certificate_file = \"cert.pem\", key_file = \"key.pem\" }", "");
    let open = format!("listen = \"0.0.0.0:8080\"\n{plain}");
    let error = Config::parse(&open, Path::new(".")).unwrap_err();
    assert!(error.to_string().starts_with("key `listen`: plain HTTP off loopback"), "{error}");
    assert!(Config::parse(&format!("dev = true\n{open}"), Path::new(".")).is_ok());
    assert!(Config::parse(&plain, Path::new(".")).is_ok());
}

#[test]
fn both_sides_of_each_bound_hold() {
    assert!(check("oauth.access_token_ttl_secs = 60").is_ok());
    assert!(check("oauth.access_token_ttl_secs = 59").is_err());
    assert!(check("oauth.access_token_ttl_secs = 3600").is_ok());
    assert!(check("oauth.access_token_ttl_secs = 3601").is_err());
}

#[test]
fn open_registration_needs_dev() {
    let text = check("oauth.registration = \"open\"").unwrap_err();
    assert!(text.starts_with("key `oauth.registration`"), "{text}");
    assert!(check("dev = true\noauth.registration = \"open\"").is_ok());
}

#[test]
fn an_unencrypted_upstream_is_accepted_on_loopback_only() {
    assert!(check("upstream.url = \"http://127.0.0.1:9999/fhir\"").is_ok());
    let text = check("upstream.url = \"http://ehr.example.org/fhir\"").unwrap_err();
    assert!(text.starts_with("key `upstream.url`"), "{text}");
    assert!(check("upstream.url = \"https://ehr.example.org/fhir\"").is_ok());
}

#[test]
fn half_a_tls_pair_is_refused() {
    let half = LEAST.replace(", key_file = \"key.pem\"", "");
    let error = Config::parse(&half, Path::new(".")).unwrap_err();
    assert_eq!(error.to_string(), "key `tls.key_file` is required");
}

#[test]
fn a_public_url_with_a_path_or_slash_is_refused() {
    for bad in ["https://a.example/", "https://a.example/x", "a.example", "ftp://a.example"] {
        let text = LEAST.replace("https://records.example.org\"\ntls", &format!("{bad}\"\ntls"));
        let error = Config::parse(&text, Path::new(".")).unwrap_err().to_string();
        assert!(error.starts_with("key `public_url`"), "{bad}: {error}");
    }
}
