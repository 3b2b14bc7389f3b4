//! Configuration: one TOML file, read once, refused when anything in it is unknown or unsafe.

pub mod catalogue;
mod reference;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use catalogue::{Default, KEYS, Key, Kind};
use proviso_app::filed::{FiledSettings, Zone};
use proviso_app::labels::{RuleSet, RulesFile};
use proviso_app::network::{AddressRange, Networks};
use proviso_app::redaction::RedactionSet;
use proviso_app::relations::{RelationSource, RelationSources};
use proviso_app::settings::{RecordsAt, Registration, Settings};
use proviso_core::consent::provision::{Combination, Who, WhoKind};
use proviso_core::decision::FiledRule;
use proviso_core::id::TenantId;
pub use reference::reference_page;

/// Why a configuration is refused; each names the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("not valid TOML: {0}")]
    NotToml(String),
    /// The key is not in the catalogue.
    #[error("unknown key `{key}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The nearest known key.
        suggestion: Option<String>,
    },
    /// A required key is missing.
    #[error("key `{0}` is required")]
    Missing(&'static str),
    /// The value is of the wrong kind or out of bounds.
    #[error("key `{key}`: {problem}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it, without the value.
        problem: String,
    },
    /// The label rules cannot be used.
    #[error("key `labels.rules_file`: `{path}`: {problem}")]
    LabelRules {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, line by line.
        problem: String,
    },
    /// The redaction rules cannot be used.
    #[error("key `redaction.rules_file`: `{path}`: {problem}")]
    RedactionRules {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, line by line.
        problem: String,
    },
    /// The combination is insecure.
    #[error("key `{key}`: {problem}; set `dev = true` only on a machine without real data")]
    Insecure {
        /// The key.
        key: &'static str,
        /// What would be unsafe.
        problem: &'static str,
    },
}

/// The key that seals every other key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyProvider {
    /// An owner-only file.
    File(PathBuf),
}

/// The FHIR server behind this one.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Base URL without trailing slash.
    pub url: String,
    /// File with the `Authorization` header to send.
    pub authorization_file: Option<PathBuf>,
    /// Time limit of one request.
    pub timeout_secs: u64,
}

/// Certificate and key for TLS.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// PEM chain.
    pub certificate_file: PathBuf,
    /// PEM key.
    pub key_file: PathBuf,
}

/// How often one may ask, per second, and how many patients one person may be shown per hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateConfig {
    /// One network address.
    pub address_per_sec: u32,
    /// One app.
    pub client_per_sec: u32,
    /// One person.
    pub account_per_sec: u32,
    /// Different patients in an hour.
    pub patients_per_hour: u32,
    /// When answers that something is not there leave, in milliseconds.
    pub not_found_millis: u32,
}

/// Form of the operational log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where people and apps connect.
    pub listen: SocketAddr,
    /// Where health checks connect.
    pub admin_listen: SocketAddr,
    /// Database, keys, log.
    pub data_dir: PathBuf,
    /// What use cases need.
    pub settings: Settings,
    /// TLS, unless on loopback.
    pub tls: Option<TlsConfig>,
    /// The FHIR server behind; `None` is the embedded store.
    pub upstream: Option<UpstreamConfig>,
    /// Who holds the master key.
    pub keys: KeyProvider,
    /// How often one may ask.
    pub rates: RateConfig,
    /// Whether apps may be told of changes at addresses of private networks.
    pub private_receivers: bool,
    /// The organisation's own label rules.
    pub label_rules_file: Option<PathBuf>,
    /// The organisation's own redaction rules.
    pub redaction_rules_file: Option<PathBuf>,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Level of the log.
    pub log_level: String,
    /// Whether unsafe combinations were allowed.
    pub dev: bool,
}

/// The values of a file, every key known and of its kind, defaults filled in.
struct Values(BTreeMap<&'static str, toml::Value>);

impl Values {
    fn text(&self, key: &'static str) -> Option<String> {
        self.0.get(key).and_then(|v| v.as_str()).map(str::to_owned)
    }

    fn required(&self, key: &'static str) -> Result<String, ConfigError> {
        self.text(key).ok_or(ConfigError::Missing(key))
    }

    fn integer(&self, key: &'static str) -> Result<i64, ConfigError> {
        self.0.get(key).and_then(toml::Value::as_integer).ok_or(ConfigError::Missing(key))
    }

    fn flag(&self, key: &'static str) -> bool {
        self.0.get(key).and_then(toml::Value::as_bool) == Some(true)
    }

    fn path(&self, key: &'static str, base: &Path) -> Option<PathBuf> {
        self.text(key).map(|text| base.join(text))
    }

    fn parsed<T: FromStr>(&self, key: &'static str, want: &str) -> Result<T, ConfigError> {
        self.required(key)?
            .parse()
            .map_err(|_| ConfigError::Invalid { key, problem: format!("must be {want}") })
    }
}

impl Config {
    /// Reads and checks a file, and the label rules that it names. Relative paths in it are relative
    /// to its folder.
    ///
    /// # Errors
    /// The first thing that is wrong, naming the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let base = path.parent().unwrap_or_else(|| Path::new("."));
        let mut config = Self::parse(&text, base)?;
        if let Some(file) = &config.label_rules_file {
            let rules = RulesFile::load_tested(file).map_err(|error| ConfigError::LabelRules {
                path: file.clone(),
                problem: error.to_string(),
            })?;
            config.settings.labels = Arc::new(rules.set);
        }
        if let Some(file) = &config.redaction_rules_file {
            let set = RedactionSet::load(file).map_err(|faults| ConfigError::RedactionRules {
                path: file.clone(),
                problem: faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            })?;
            config.settings.redaction = Arc::new(set);
        }
        Ok(config)
    }

    /// Checks the text of a configuration file.
    ///
    /// # Errors
    /// The first thing that is wrong, naming the key.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| ConfigError::NotToml(e.to_string()))?;
        let values = checked_values(&table)?;
        let dev = values.flag("dev");
        let data_dir = values.path("data_dir", base).ok_or(ConfigError::Missing("data_dir"))?;
        let master = values
            .path("keys.master_key_file", base)
            .unwrap_or_else(|| data_dir.join("master.key"));
        let config = Self {
            listen: values.parsed("listen", "an address and port such as `127.0.0.1:8080`")?,
            admin_listen: values
                .parsed("admin_listen", "an address and port such as `127.0.0.1:8081`")?,
            settings: settings(&values)?,
            tls: tls(&values, base)?,
            upstream: upstream(&values, base)?,
            keys: KeyProvider::File(master),
            rates: rates(&values)?,
            private_receivers: values.flag("subscriptions.private_receivers"),
            label_rules_file: values.path("labels.rules_file", base),
            redaction_rules_file: values.path("redaction.rules_file", base),
            log_format: if values.text("log.format").as_deref() == Some("json") {
                LogFormat::Json
            } else {
                LogFormat::Text
            },
            log_level: values.required("log.level")?,
            data_dir,
            dev,
        };
        config.refuse_insecure()?;
        Ok(config)
    }

    /// Design §13: insecure combinations refuse to start and name the key.
    fn refuse_insecure(&self) -> Result<(), ConfigError> {
        let public = &self.settings.public_url;
        if self.dev {
            return Ok(());
        }
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::Insecure {
                key: "listen",
                problem: "plain HTTP off loopback; set `tls.certificate_file` and `tls.key_file`",
            });
        }
        if public.starts_with("http://") && !is_loopback_origin(public) {
            return Err(ConfigError::Insecure {
                key: "public_url",
                problem: "must be https unless it is a loopback address",
            });
        }
        if !self.admin_listen.ip().is_loopback() {
            return Err(ConfigError::Insecure {
                key: "admin_listen",
                problem: "health and metrics have no sign-in and stay on loopback",
            });
        }
        if self.settings.registration == Registration::Open {
            return Err(ConfigError::Insecure {
                key: "oauth.registration",
                problem: "open registration lets anyone add an app",
            });
        }
        if let Some(upstream) = &self.upstream
            && upstream.url.starts_with("http://")
            && !is_loopback_origin(&upstream.url)
        {
            return Err(ConfigError::Insecure {
                key: "upstream.url",
                problem: "patient data would cross the network unencrypted",
            });
        }
        Ok(())
    }
}

/// Whether the host of an `http` URL is a loopback address or `localhost`.
fn is_loopback_origin(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn settings(values: &Values) -> Result<Settings, ConfigError> {
    let public_url = values.required("public_url")?;
    check_origin("public_url", &public_url)?;
    let filed = filed(values, &public_url)?;
    Ok(Settings {
        tenant: TenantId::default_tenant(),
        policy_uri: values.required("consent.policy_uri")?,
        public_url,
        registration: if values.text("oauth.registration").as_deref() == Some("open") {
            Registration::Open
        } else {
            Registration::Closed
        },
        access_token_ttl_secs: values.integer("oauth.access_token_ttl_secs")?,
        session_idle_secs: values.integer("session.idle_secs")?,
        session_absolute_secs: values.integer("session.absolute_secs")?,
        refresh_token_ttl_days: values.integer("oauth.refresh_token_ttl_days")?,
        organization_name: values.required("organization.name")?,
        labels: Arc::new(RuleSet::shipped()),
        redaction: Arc::new(RedactionSet::shipped()),
        records: match values.text("upstream.url") {
            None => RecordsAt::Here,
            Some(_) => RecordsAt::Upstream,
        },
        filed: Arc::new(filed),
        networks: networks(values)?,
        relations: relations(values)?,
    })
}

/// Which records say how staff are related to patients.
fn relations(values: &Values) -> Result<RelationSources, ConfigError> {
    const KEY: &str = "staff.relations_from";
    let listed = values.required(KEY)?;
    if listed == "nothing" {
        return Ok(RelationSources::NONE);
    }
    let words = listed.split([',', ' ']).filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse::<RelationSource>().map_err(|_| ConfigError::Invalid {
                key: KEY,
                problem: format!(
                    "`{word}` is none of {}",
                    RelationSource::ALL.iter().map(|own| own.code()).collect::<Vec<_>>().join(", ")
                ),
            })
        })
        .collect()
}

/// Which addresses are the organisation's own.
fn networks(values: &Values) -> Result<Networks, ConfigError> {
    let ranges = |key: &'static str| {
        let listed = values.text(key).unwrap_or_default();
        let words = listed.split([',', ' ']).filter(|word| !word.is_empty());
        let ranges = words.map(|word| {
            AddressRange::parse(word).ok_or_else(|| ConfigError::Invalid {
                key,
                problem: format!("`{word}` is no address or range such as `10.20.0.0/16`"),
            })
        });
        ranges.collect::<Result<Vec<_>, _>>()
    };
    Ok(Networks { internal: ranges("network.internal")?, remote: ranges("network.remote")? })
}

/// How consents on file are read and heard.
fn filed(values: &Values, public_url: &str) -> Result<FiledSettings, ConfigError> {
    let invalid = |key: &'static str, problem: &str| ConfigError::Invalid {
        key,
        problem: problem.to_owned(),
    };
    let zone = values.required("organization.time_zone")?;
    let zone = Zone::parse(&zone).ok_or_else(|| {
        invalid("organization.time_zone", "neither `Z`, an offset nor a POSIX rule")
    })?;
    let organization = values.text("organization.reference").map(Who::reference);
    if organization.as_ref().is_some_and(|own| own.kind() != WhoKind::Organization) {
        let problem = "not of the form `Organization/id`";
        return Err(invalid("organization.reference", problem));
    }
    let rule = |key| match values.text(key).as_deref() {
        Some("required") => FiledRule::Required,
        _ => FiledRule::Restricts,
    };
    let combination = match values.text("consent.combination").as_deref() {
        Some("latest-wins") => Combination::LatestWins,
        _ => Combination::DenyOverrides,
    };
    let staff = rule("consent.filed_for_staff");
    let services = rule("consent.filed_for_services");
    let base = format!("{public_url}/fhir/r4");
    Ok(FiledSettings {
        zone,
        organization,
        combination,
        staff,
        services,
        ..FiledSettings::new(base)
    })
}

fn rates(values: &Values) -> Result<RateConfig, ConfigError> {
    let get = |key| values.integer(key).map(|number| u32::try_from(number).unwrap_or(1));
    Ok(RateConfig {
        address_per_sec: get("limits.address_per_sec")?,
        client_per_sec: get("limits.client_per_sec")?,
        account_per_sec: get("limits.account_per_sec")?,
        patients_per_hour: get("limits.patients_per_hour")?,
        not_found_millis: get("limits.not_found_millis")?,
    })
}

fn check_origin(key: &'static str, url: &str) -> Result<(), ConfigError> {
    let problem = |text: &str| ConfigError::Invalid { key, problem: text.to_owned() };
    let uri: http::Uri = url.parse().map_err(|_| problem("must be an absolute http(s) URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err(problem("must be an absolute http(s) URL"));
    }
    if url.ends_with('/') || uri.path() != "/" || uri.query().is_some() || url.contains('#') {
        return Err(problem("must be an origin: no path, query, fragment or trailing slash"));
    }
    Ok(())
}

fn tls(values: &Values, base: &Path) -> Result<Option<TlsConfig>, ConfigError> {
    match (values.path("tls.certificate_file", base), values.path("tls.key_file", base)) {
        (Some(certificate_file), Some(key_file)) => {
            Ok(Some(TlsConfig { certificate_file, key_file }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::Missing("tls.key_file")),
        (None, Some(_)) => Err(ConfigError::Missing("tls.certificate_file")),
    }
}

fn upstream(values: &Values, base: &Path) -> Result<Option<UpstreamConfig>, ConfigError> {
    let Some(url) = values.text("upstream.url") else { return Ok(None) };
    let key = "upstream.url";
    let uri: http::Uri = url.parse().map_err(|_| ConfigError::Invalid {
        key,
        problem: "must be an absolute http(s) URL".to_owned(),
    })?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
        let problem = "must be an absolute http(s) URL without query".to_owned();
        return Err(ConfigError::Invalid { key, problem });
    }
    Ok(Some(UpstreamConfig {
        url: url.trim_end_matches('/').to_owned(),
        authorization_file: values.path("upstream.authorization_file", base),
        timeout_secs: u64::try_from(values.integer("upstream.timeout_secs")?).unwrap_or(15),
    }))
}

/// Flattens the file, refuses unknown keys, checks kinds and bounds, fills in defaults.
fn checked_values(table: &toml::Table) -> Result<Values, ConfigError> {
    let mut given = BTreeMap::new();
    flatten("", table, &mut given);
    let mut values = BTreeMap::new();
    for (path, value) in given {
        let Some(key) = KEYS.iter().find(|key| key.path == path) else {
            let suggestion = nearest(&path);
            return Err(ConfigError::UnknownKey { key: path, suggestion });
        };
        check_kind(key, &value)?;
        values.insert(key.path, value);
    }
    for key in KEYS {
        if values.contains_key(key.path) {
            continue;
        }
        let value = match key.default {
            Default::Required => return Err(ConfigError::Missing(key.path)),
            Default::Absent => continue,
            Default::Text(text) => toml::Value::String(text.to_owned()),
            Default::Integer(number) => toml::Value::Integer(number),
            Default::Flag(flag) => toml::Value::Boolean(flag),
        };
        values.insert(key.path, value);
    }
    Ok(Values(values))
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut BTreeMap<String, toml::Value>) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let toml::Value::Table(inner) = value {
            flatten(&path, inner, out);
        } else {
            out.insert(path, value.clone());
        }
    }
}

fn check_kind(key: &Key, value: &toml::Value) -> Result<(), ConfigError> {
    let invalid = |problem: String| Err(ConfigError::Invalid { key: key.path, problem });
    match key.kind {
        Kind::Text | Kind::File => match value.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(()),
            _ => invalid("must be a text that is not empty".to_owned()),
        },
        Kind::Integer { min, max } => match value.as_integer() {
            Some(number) if (min..=max).contains(&number) => Ok(()),
            _ => invalid(format!("must be a whole number from {min} to {max}")),
        },
        Kind::Flag => match value.as_bool() {
            Some(_) => Ok(()),
            None => invalid("must be `true` or `false`".to_owned()),
        },
        Kind::OneOf(words) => match value.as_str() {
            Some(word) if words.contains(&word) => Ok(()),
            _ => invalid(format!("must be one of {}", words.join(", "))),
        },
    }
}

/// The known key with the fewest edits, if it is near enough to be what was meant.
fn nearest(path: &str) -> Option<String> {
    KEYS.iter()
        .map(|key| (edits(path, key.path), key.path))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, known)| known.to_owned())
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let target: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=target.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, right) in target.iter().enumerate() {
            let replace =
                row.get(j).copied().unwrap_or(usize::MAX - 1) + usize::from(left != *right);
            let insert = next.last().copied().unwrap_or(usize::MAX - 1) + 1;
            let delete = row.get(j + 1).copied().unwrap_or(usize::MAX - 1) + 1;
            next.push(replace.min(insert).min(delete));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
