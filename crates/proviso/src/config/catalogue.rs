//! Every configuration key, in one list (catalogue: exempt from the file-length rule).
//!
//! The reference page, the unknown-key check, defaults and bounds all come from here.

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text that some other check understands.
    Text,
    /// A path to a file.
    File,
    /// A whole number within bounds, both included.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// `true` or `false`.
    Flag,
    /// One of a few words.
    OneOf(&'static [&'static str]),
}

/// What applies when a key is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// The key must be given.
    Required,
    /// Nothing: the feature is off.
    Absent,
    /// A text.
    Text(&'static str),
    /// A number.
    Integer(i64),
    /// A flag.
    Flag(bool),
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path in the file.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What applies without it.
    pub default: Default,
    /// The unit of a number, or empty.
    pub unit: &'static str,
    /// One or two sentences for the operator.
    pub doc: &'static str,
}

const fn key(
    path: &'static str,
    kind: Kind,
    default: Default,
    unit: &'static str,
    doc: &'static str,
) -> Key {
    Key { path, kind, default, unit, doc }
}

/// The catalogue, in the order of the reference page.
pub const KEYS: &[Key] = &[
    key(
        "public_url",
        Kind::Text,
        Default::Required,
        "",
        "The origin under which people and apps reach this server, such as \
         `https://records.example.org`. Issuer, FHIR base and every link derive from it. \
         No path and no trailing slash.",
    ),
    key(
        "listen",
        Kind::Text,
        Default::Text("127.0.0.1:8080"),
        "",
        "Address and port for people and apps. Anything but a loopback address needs `tls`.",
    ),
    key(
        "admin_listen",
        Kind::Text,
        Default::Text("127.0.0.1:8081"),
        "",
        "Address and port for health checks; loopback only unless `dev` is set.",
    ),
    key(
        "data_dir",
        Kind::File,
        Default::Text("proviso-data"),
        "",
        "Folder of the database, the keys and the audit log. Made with owner-only rights.",
    ),
    key(
        "dev",
        Kind::Flag,
        Default::Flag(false),
        "",
        "Allows combinations that are unsafe in production. Every start says so in the log.",
    ),
    key(
        "organization.name",
        Kind::Text,
        Default::Required,
        "",
        "The name of the organisation as patients know it.",
    ),
    key(
        "organization.reference",
        Kind::Text,
        Default::Absent,
        "",
        "The organisation as consents on file name it, such as `Organization/riverside`: its staff \
         belong to it, and it holds every record that names no other holder.",
    ),
    key(
        "organization.time_zone",
        Kind::Text,
        Default::Text("Z"),
        "",
        "Where dates without an offset are, in consents on file and in the records they are compared \
         with: `Z`, an offset such as `-05:00`, or a POSIX rule such as `EST5EDT,M3.2.0,M11.1.0`.",
    ),
    key(
        "network.internal",
        Kind::Text,
        Default::Absent,
        "",
        "The organisation's own network: addresses or ranges such as `10.20.0.0/16`, separated by \
         commas. The address that a connection comes from counts, no header; never name a proxy \
         here. Where no network is named, policies that ask for one permit nothing.",
    ),
    key(
        "network.remote",
        Kind::Text,
        Default::Absent,
        "",
        "The organisation's remote access, in the same form.",
    ),
    key(
        "staff.relations_from",
        Kind::Text,
        Default::Text("schedule"),
        "",
        "Which records of our own store say how staff are related to patients, beside the relations on \
         file here: any of `schedule`, `care-team`, `encounter`, `appointment`, `referral`, separated \
         by commas, or `nothing`. They are read at most 60 seconds before they count. Whoever may \
         write such a record says by it who may see whose chart. Only schedules are written by \
         services alone; name another only where no person and no patient's app can write it.",
    ),
    key(
        "consent.combination",
        Kind::OneOf(&["deny-overrides", "latest-wins"]),
        Default::Text("deny-overrides"),
        "",
        "How several consents on file of one patient are combined: any that withholds decides, or \
         the one with the latest date is heard alone.",
    ),
    key(
        "consent.filed_for_staff",
        Kind::OneOf(&["restricts", "required"]),
        Default::Text("restricts"),
        "",
        "What consents on file mean for staff. `restricts`: they withhold from what the rules of the \
         organisation permit. `required`: every patient on a record has to have one that permits it \
         besides.",
    ),
    key(
        "consent.filed_for_services",
        Kind::OneOf(&["restricts", "required"]),
        Default::Text("restricts"),
        "",
        "The same for services with scopes agreed in advance.",
    ),
    key(
        "consent.policy_uri",
        Kind::Text,
        Default::Required,
        "",
        "Where the terms that patients agree to can be read (`Consent.policy.uri`).",
    ),
    key(
        "tls.certificate_file",
        Kind::File,
        Default::Absent,
        "",
        "PEM file with the certificate chain, leaf first.",
    ),
    key("tls.key_file", Kind::File, Default::Absent, "", "PEM file with the private key."),
    key(
        "upstream.url",
        Kind::Text,
        Default::Absent,
        "",
        "Base URL of the FHIR R4 server behind this one. Left out, records are kept in the \
         embedded store. Plain `http` is accepted on loopback only.",
    ),
    key(
        "upstream.authorization_file",
        Kind::File,
        Default::Absent,
        "",
        "File whose content is sent to the upstream as the `Authorization` header.",
    ),
    key(
        "upstream.timeout_secs",
        Kind::Integer { min: 1, max: 120 },
        Default::Integer(15),
        "seconds",
        "How long an upstream request may take before callers get 504.",
    ),
    key(
        "keys.provider",
        Kind::OneOf(&["file"]),
        Default::Required,
        "",
        "Who holds the master key that seals every other key. `file`: an owner-only file.",
    ),
    key(
        "keys.master_key_file",
        Kind::File,
        Default::Absent,
        "",
        "The master key file of provider `file`; `master.key` in `data_dir` when left out.",
    ),
    key(
        "oauth.access_token_ttl_secs",
        Kind::Integer { min: 60, max: 3600 },
        Default::Integer(300),
        "seconds",
        "Lifetime of access tokens. Revocation does not wait for it.",
    ),
    key(
        "oauth.refresh_token_ttl_days",
        Kind::Integer { min: 1, max: 730 },
        Default::Integer(180),
        "days",
        "How long an unused refresh token lives; each use starts it anew. Certification asks \
         for at least 90.",
    ),
    key(
        "oauth.registration",
        Kind::OneOf(&["closed", "open"]),
        Default::Text("closed"),
        "",
        "Who may register apps over RFC 7591. `open` needs `dev`.",
    ),
    key(
        "session.idle_secs",
        Kind::Integer { min: 60, max: 86_400 },
        Default::Integer(1800),
        "seconds",
        "A browser session ends after this long without use.",
    ),
    key(
        "session.absolute_secs",
        Kind::Integer { min: 300, max: 604_800 },
        Default::Integer(43_200),
        "seconds",
        "A browser session ends after this long whatever the use.",
    ),
    key(
        "limits.address_per_sec",
        Kind::Integer { min: 1, max: 1_000_000 },
        Default::Integer(2000),
        "requests per second",
        "Sustained FHIR requests of one network address; twice as many may come at once. Many \
         people share the address of a hospital.",
    ),
    key(
        "limits.client_per_sec",
        Kind::Integer { min: 1, max: 1_000_000 },
        Default::Integer(1000),
        "requests per second",
        "Sustained FHIR requests of one app.",
    ),
    key(
        "limits.account_per_sec",
        Kind::Integer { min: 1, max: 1_000_000 },
        Default::Integer(200),
        "requests per second",
        "Sustained FHIR requests on behalf of one person.",
    ),
    key(
        "limits.not_found_millis",
        Kind::Integer { min: 0, max: 100 },
        Default::Integer(5),
        "milliseconds",
        "Answers that something is not there wait for the next multiple of this after the request \
         came, and from there for a random part of it, so that their time does not tell what is \
         hidden from what never was. 0 lets them leave at once.",
    ),
    key(
        "limits.patients_per_hour",
        Kind::Integer { min: 1, max: 1_000_000 },
        Default::Integer(100),
        "patients",
        "How many different patients one person may be shown within an hour. Beyond it requests \
         are refused and an alert is logged.",
    ),
    key(
        "subscriptions.private_receivers",
        Kind::Flag,
        Default::Flag(false),
        "",
        "Whether apps may be told of changes at addresses of private networks, such as those of the \
         organisation's own. An app is told only at origins that are registered with it; without \
         this, only at addresses of the public internet. Never at this machine, unless \
         `public_url` is on it too, and never where clouds keep what a machine is trusted \
         with.",
    ),
    key(
        "labels.rules_file",
        Kind::File,
        Default::Absent,
        "",
        "TOML file with label rules of your own: what is added to the shipped rules, replaced and \
         switched off, with its tests. A mistake in it, or a test that fails, refuses to start. \
         `proviso labels check` and `proviso labels test` tell beforehand.",
    ),
    key(
        "redaction.rules_file",
        Kind::File,
        Default::Absent,
        "",
        "TOML file with rules of your own for what of a record is not shown for which purpose, in the \
         place of the shipped ones. A mistake in it refuses to start.",
    ),
    key(
        "log.format",
        Kind::OneOf(&["text", "json"]),
        Default::Text("text"),
        "",
        "Form of the operational log on standard error.",
    ),
    key(
        "log.level",
        Kind::OneOf(&["error", "warn", "info", "debug"]),
        Default::Text("info"),
        "",
        "How much the operational log says. It never holds patient data or secrets.",
    ),
];
