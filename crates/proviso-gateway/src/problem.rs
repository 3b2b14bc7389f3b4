//! Every way a FHIR request can fail here, with its status, its stable code and its words
//! (catalogue). Texts are fixed: nothing stored and no value of the request is ever in them.

use http::StatusCode;
use proviso_core::reason::ReasonCode;

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $issue:ident, $text:literal;)+) => {
        /// What went wrong, as far as the caller may know.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Problem { $($(#[$doc])* $name,)+ }

        impl Problem {
            /// All problems, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, as in `OperationOutcome.issue.details.coding.code`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// The FHIR issue type.
            pub const fn issue(self) -> IssueCode {
                match self { $(Self::$name => IssueCode::$issue,)+ }
            }

            /// One sentence for a developer.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

use proviso_fhir::outcome::IssueCode;

problems! {
    /// No bearer token came.
    TokenMissing = "token-missing", UNAUTHORIZED, Login,
        "this FHIR API needs an access token in the Authorization header";
    /// The token is not ours, has ended, or its grant has.
    TokenInvalid = "token-invalid", UNAUTHORIZED, Login,
        "the access token is not valid or no longer valid";
    /// A token came in the URL or the form, where it would end up in logs.
    TokenMisplaced = "token-misplaced", BAD_REQUEST, Security,
        "access tokens are accepted in the Authorization header only";
    /// More than one credential came.
    CredentialsAmbiguous = "credentials-ambiguous", BAD_REQUEST, Security,
        "send exactly one Authorization header";
    /// The scopes do not reach this interaction on this type at all.
    ScopeInsufficient = "scope-insufficient", FORBIDDEN, Forbidden,
        "the access token's scope does not include this interaction on this resource type";
    /// No access at all under the rules in force.
    AccessRefused = "access-refused", FORBIDDEN, Forbidden,
        "access is not allowed under the sharing choices and rules in force";
    /// What is seen in part has no versions and cannot be changed.
    SeenInPart = "seen-in-part", FORBIDDEN, Forbidden,
        "records of this type are shown in part for this purpose: without versions, not to be changed";
    /// The resource that would result lies outside what the caller may write.
    WriteRefused = "write-refused", FORBIDDEN, Forbidden,
        "the resource lies outside what may be written with this access";
    /// It refers to something that is not there, or not for this caller; the answer is the same.
    ReferenceRefused = "reference-refused", UNPROCESSABLE_ENTITY, NotFound,
        "the resource refers to something that is not there";
    /// Written by the server only.
    ServerOwned = "server-owned", FORBIDDEN, Forbidden,
        "resources of this type are written by this server only";
    /// A Consent of which a part is not understood.
    ConsentNotUnderstood = "consent-not-understood", UNPROCESSABLE_ENTITY, NotSupported,
        "the consent is not understood; nothing is filed of which not every part can be enforced";
    /// A Consent about nobody whose records are here.
    ConsentPatientUnknown = "consent-patient-unknown", UNPROCESSABLE_ENTITY, NotFound,
        "the consent is about nobody whose records are kept here";
    /// A version that cannot follow the one before.
    ConsentChangeRefused = "consent-change-refused", UNPROCESSABLE_ENTITY, BusinessRule,
        "a consent keeps its patient, and one that has ended does not begin again: file a new one";
    /// A choice that a person made here is not changed by a registry.
    ChoiceMadeHere = "choice-made-here", FORBIDDEN, BusinessRule,
        "this choice was made in the portal, and is changed and stopped there";
    /// A subscription that could not be carried out as it is written.
    SubscriptionRefused = "subscription-refused", UNPROCESSABLE_ENTITY, NotSupported,
        "this part of the subscription is not offered here";
    /// More subscriptions than one connection may have, or all of them.
    SubscriptionsTooMany = "subscriptions-too-many", UNPROCESSABLE_ENTITY, TooCostly,
        "there are as many subscriptions as there may be; end one first";
    /// Not there, or not for this caller; the answer is the same.
    NotFound = "not-found", NOT_FOUND, NotFound,
        "there is no such resource";
    /// Was there, and the caller could see it.
    Gone = "gone", GONE, Deleted,
        "the resource has been deleted";
    /// Not a resource type of FHIR R4.
    TypeUnknown = "type-unknown", NOT_FOUND, NotSupported,
        "this is not a resource type of FHIR R4";
    /// Nothing FHIR defines is at that path.
    PathUnknown = "path-unknown", NOT_FOUND, NotFound,
        "FHIR R4 defines nothing at this path";
    /// Not enforced in full, hence not offered.
    NotOffered = "not-offered", METHOD_NOT_ALLOWED, NotSupported,
        "this interaction is not offered here; see the CapabilityStatement at metadata";
    /// An operation that is not offered.
    OperationNotOffered = "operation-not-offered", NOT_FOUND, NotSupported,
        "this operation is not offered here; see the CapabilityStatement at metadata";
    /// An operation's parameter that is not offered, or one that is missing.
    ParameterRefused = "parameter-refused", BAD_REQUEST, NotSupported,
        "a parameter of this operation is missing or not offered here";
    /// The path has an encoded, empty or dotted segment.
    PathRefused = "path-refused", BAD_REQUEST, Invalid,
        "the path must be plain: no encoded characters, no empty or dot segments";
    /// The body is not the JSON FHIR wants.
    BodyMalformed = "body-malformed", BAD_REQUEST, Structure,
        "the body is not well-formed JSON: no duplicate or escaped keys, at most 64 levels, UTF-8";
    /// A body came where none belongs, or none where one does.
    BodyMisplaced = "body-misplaced", BAD_REQUEST, Structure,
        "this interaction has no body, or needs one that did not come";
    /// The body is not the resource that the path names.
    BodyMismatch = "body-mismatch", BAD_REQUEST, Invalid,
        "the resource type and id in the body must be those of the path";
    /// The resource does not conform to FHIR R4.
    ResourceInvalid = "resource-invalid", UNPROCESSABLE_ENTITY, Invalid,
        "the resource does not conform to FHIR R4";
    /// The patch cannot be applied.
    PatchInvalid = "patch-invalid", UNPROCESSABLE_ENTITY, Processing,
        "the patch is no JSON Patch or FHIRPath Patch that can be applied to this resource";
    /// More operations than may be applied to a resource of that size.
    PatchTooCostly = "patch-too-costly", PAYLOAD_TOO_LARGE, TooCostly,
        "the patch has too many operations for a resource of this size; replace the resource";
    /// A search parameter, modifier, prefix or value that is not offered.
    SearchRefused = "search-refused", BAD_REQUEST, NotSupported,
        "a search parameter, modifier or value is not offered here";
    /// Conditional, on no condition: that would be about every resource.
    CriteriaMissing = "criteria-missing", BAD_REQUEST, Required,
        "a conditional interaction needs search criteria";
    /// More than can be asked at once.
    SearchTooLarge = "search-too-large", BAD_REQUEST, TooCostly,
        "the search has too many parameters, values or steps";
    /// The search reads more records than one request may.
    SearchTooCostly = "search-too-costly", BAD_REQUEST, TooCostly,
        "the search reads too many records; narrow it";
    /// The page link is not valid, for whatever reason.
    CursorInvalid = "cursor-invalid", BAD_REQUEST, Invalid,
        "the page link is not valid or no longer valid; search again";
    /// A batch entry that is not a request below this base.
    EntryMalformed = "entry-malformed", BAD_REQUEST, Invalid,
        "the body must be a batch Bundle whose entries are requests relative to this base";
    /// A header has a value FHIR does not allow.
    HeaderMalformed = "header-malformed", BAD_REQUEST, Invalid,
        "a conditional header is not of the form this API accepts";
    /// Only FHIR JSON can be given.
    NotAcceptable = "not-acceptable", NOT_ACCEPTABLE, NotSupported,
        "this API answers in application/fhir+json only, FHIR version 4.0";
    /// Only FHIR JSON, patches and search forms can be taken.
    MediaTypeUnsupported = "media-type-unsupported", UNSUPPORTED_MEDIA_TYPE, NotSupported,
        "send application/fhir+json, application/json-patch+json for PATCH, a form for _search";
    /// The body is too large, or what a patch would make of the resource.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, TooLong,
        "the body, or what would come of the patch, is larger than this API accepts";
    /// The batch has too many entries.
    BatchTooLarge = "batch-too-large", PAYLOAD_TOO_LARGE, TooCostly,
        "the Bundle has more entries than this API accepts";
    /// The header block is too large.
    HeadersTooLarge = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, TooLong,
        "the header block is larger than this API accepts";
    /// The URL is too long.
    UrlTooLong = "url-too-long", URI_TOO_LONG, TooLong,
        "the URL is longer than this API accepts; use POST _search";
    /// The resource changed meanwhile.
    VersionMismatch = "version-mismatch", PRECONDITION_FAILED, Conflict,
        "the resource is not at the version named in If-Match";
    /// A conditional interaction matched more than one of the resources the caller sees.
    ConditionAmbiguous = "condition-ambiguous", PRECONDITION_FAILED, MultipleMatches,
        "the condition matches more than one resource";
    /// Something else refers to it or changed at the same time.
    Conflict = "conflict", CONFLICT, Conflict,
        "the change conflicts with the present state; read again and retry";
    /// The same key came with another request.
    KeyReused = "key-reused", UNPROCESSABLE_ENTITY, Conflict,
        "this Idempotency-Key came with another request before; use a new one";
    /// A key where nothing can be kept under it.
    KeyMisplaced = "key-misplaced", BAD_REQUEST, NotSupported,
        "an Idempotency-Key is taken here with one change or a transaction of records kept here";
    /// Too many requests.
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, Throttled,
        "too many requests; wait as long as Retry-After says";
    /// Too many different patients within an hour.
    PatientBudget = "patient-budget", TOO_MANY_REQUESTS, Throttled,
        "too many different patients within an hour; wait as long as Retry-After says";
    /// The audit log cannot be written, so nothing is released.
    AuditUnavailable = "audit-unavailable", SERVICE_UNAVAILABLE, Transient,
        "the request cannot be recorded at the moment, so nothing is released";
    /// The store or something else inside failed.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, Transient,
        "this service cannot answer at the moment";
    /// The upstream is down, or answered something unacceptable.
    UpstreamUnavailable = "upstream-unavailable", SERVICE_UNAVAILABLE, Transient,
        "the records cannot be reached at the moment";
    /// The upstream took too long.
    UpstreamTimeout = "upstream-timeout", GATEWAY_TIMEOUT, Timeout,
        "the records could not be reached in time";
}

impl Problem {
    /// Whether the answer says how to authenticate (RFC 6750 §3), and with which error code.
    pub(crate) const fn challenge(self) -> Option<&'static str> {
        // RFC 6750 §3.1: without credentials, no error code.
        if matches!(self, Self::TokenMissing) {
            Some("Bearer realm=\"fhir\"")
        } else if matches!(self, Self::TokenInvalid) {
            Some("Bearer realm=\"fhir\", error=\"invalid_token\"")
        } else if matches!(self, Self::TokenMisplaced | Self::CredentialsAmbiguous) {
            Some("Bearer realm=\"fhir\", error=\"invalid_request\"")
        } else if matches!(self, Self::ScopeInsufficient) {
            Some("Bearer realm=\"fhir\", error=\"insufficient_scope\"")
        } else {
            None
        }
    }
}

/// A request that ends here: what the caller hears, and what only the log hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    /// Where in the request the fault is, if that helps: a parameter's name or an element's path.
    pub(crate) place: Option<String>,
    /// For the log: why the decision fell.
    pub(crate) reasons: Vec<ReasonCode>,
    /// Seconds to wait, for problems that pass.
    pub(crate) retry_after_secs: Option<u64>,
    /// Each fault of a resource that does not conform: element path and fixed words.
    pub(crate) faults: Vec<(String, String)>,
    /// The scope that would have been enough, where only that was missing.
    pub(crate) needed_scope: Option<String>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            place: None,
            reasons: Vec::new(),
            retry_after_secs: None,
            faults: Vec::new(),
            needed_scope: None,
        }
    }
}

impl Refusal {
    pub(crate) fn because(mut self, reasons: &[ReasonCode]) -> Self {
        self.reasons.extend_from_slice(reasons);
        self
    }

    /// Names the place; only what looks like a name is taken, so that no value is repeated.
    pub(crate) fn at(mut self, place: &str) -> Self {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:[]$".contains(&b);
        if (1..=128).contains(&place.len()) && place.bytes().all(plain) {
            self.place = Some(place.to_owned());
        }
        self
    }

    /// Says in which entry of a transaction the fault is.
    pub(crate) fn in_entry(mut self, index: usize) -> Self {
        let entry = format!("Bundle.entry[{index}]");
        for (place, _) in &mut self.faults {
            // An element's path starts with the type of its resource.
            *place = match place.split_once('.') {
                Some((_, below)) => format!("{entry}.resource.{below}"),
                None => format!("{entry}.resource"),
            };
        }
        self.place = Some(entry);
        self
    }

    pub(crate) fn needing(mut self, scope: Option<String>) -> Self {
        self.needed_scope = scope;
        self
    }

    /// The `WWW-Authenticate` value: RFC 6750 §3.1, with the missing scope where there is one.
    pub(crate) fn challenge(&self) -> Option<String> {
        let challenge = self.problem.challenge()?;
        Some(match &self.needed_scope {
            Some(scope) if self.problem == Problem::ScopeInsufficient => {
                format!("{challenge}, scope=\"{scope}\"")
            }
            _ => challenge.to_owned(),
        })
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }
}
