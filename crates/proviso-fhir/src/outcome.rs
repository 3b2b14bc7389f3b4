//! OperationOutcome: how a FHIR request that failed says why.
//!
//! TRUST: outcomes leave the server. They name elements, parameters and rules, never a stored
//! value, an id that the caller did not send, or whether something hidden exists.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proviso_core::id::RequestId;

use crate::json::{JsonError, JsonFault, write};

/// The code system of the stable codes in `issue.details`.
pub const DETAIL_SYSTEM: &str = "urn:proviso:issue";

/// Extension that carries the request id on an outcome.
pub const REQUEST_ID_EXTENSION: &str = "urn:proviso:request-id";

/// FHIR R4 `issue-severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing could be done at all.
    Fatal,
    /// The request failed because of this.
    Error,
    /// The request did not fail, but this may be a mistake.
    Warning,
    /// For information.
    Information,
}

impl Severity {
    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

macro_rules! issue_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// FHIR R4 `issue-type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum IssueCode { $($(#[$doc])* $variant,)+ }

        impl IssueCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code of the value set.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

issue_codes! {
    /// The content is invalid.
    Invalid = "invalid",
    /// The content is not FHIR at all, or an element does not belong there.
    Structure = "structure",
    /// A required element is missing.
    Required = "required",
    /// An element's value is not of the right form.
    Value = "value",
    /// A rule between elements is broken.
    Invariant = "invariant",
    /// A security problem.
    Security = "security",
    /// The caller must sign in.
    Login = "login",
    /// The caller or its credential is not known.
    Unknown = "unknown",
    /// The credential has ended.
    Expired = "expired",
    /// The caller may not do this.
    Forbidden = "forbidden",
    /// Some information was left out on purpose.
    Suppressed = "suppressed",
    /// Processing failed.
    Processing = "processing",
    /// The interaction, parameter or format is not supported.
    NotSupported = "not-supported",
    /// It would be recorded twice.
    Duplicate = "duplicate",
    /// More than one matched where one was meant.
    MultipleMatches = "multiple-matches",
    /// There is nothing of that name.
    NotFound = "not-found",
    /// It has been deleted.
    Deleted = "deleted",
    /// Something is too long or too large.
    TooLong = "too-long",
    /// A code is not in its value set.
    CodeInvalid = "code-invalid",
    /// An extension is not acceptable.
    Extension = "extension",
    /// Answering would cost too much.
    TooCostly = "too-costly",
    /// A rule of the server forbids it.
    BusinessRule = "business-rule",
    /// Someone else changed it first.
    Conflict = "conflict",
    /// Trying again later may help.
    Transient = "transient",
    /// A lock could not be had.
    LockError = "lock-error",
    /// The store is not available.
    NoStore = "no-store",
    /// An unexpected internal error.
    Exception = "exception",
    /// It took too long.
    Timeout = "timeout",
    /// Not everything could be looked at.
    Incomplete = "incomplete",
    /// Too many requests.
    Throttled = "throttled",
    /// For information.
    Informational = "informational",
}

/// One issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: IssueCode,
    /// Proviso's own stable code, for programs.
    pub detail: Option<&'static str>,
    /// One sentence for developers.
    pub diagnostics: Cow<'static, str>,
    /// Which element it is about, such as `Observation.value[x]`.
    pub expression: Option<String>,
}

impl Issue {
    /// An error without a place.
    pub fn error(code: IssueCode, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            detail: None,
            diagnostics: diagnostics.into(),
            expression: None,
        }
    }

    /// The same issue, about this element.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// The same issue with a stable code.
    #[must_use]
    pub fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }
}

/// A FHIR OperationOutcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationOutcome {
    issues: Vec<Issue>,
    request: Option<RequestId>,
}

impl OperationOutcome {
    /// An outcome with one issue.
    pub fn new(
        severity: Severity,
        code: IssueCode,
        diagnostics: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::from_issues(vec![Issue { severity, ..Issue::error(code, diagnostics) }])
    }

    /// An outcome with one error.
    pub fn error(code: IssueCode, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Severity::Error, code, diagnostics)
    }

    /// An outcome with these issues. Without any it says that all is well, because FHIR requires
    /// at least one.
    pub fn from_issues(issues: Vec<Issue>) -> Self {
        Self { issues, request: None }
    }

    /// What a successful `$validate` or delete answers.
    pub fn all_ok() -> Self {
        Self::from_issues(Vec::new())
    }

    /// The outcome of refusing a body that is not acceptable JSON.
    pub fn malformed_json(error: &JsonError) -> Self {
        let code = match error.fault {
            JsonFault::TooLarge | JsonFault::TooDeep => IssueCode::TooLong,
            JsonFault::Empty
            | JsonFault::InvalidUtf8
            | JsonFault::ByteOrderMark
            | JsonFault::UnexpectedEnd
            | JsonFault::UnexpectedByte
            | JsonFault::ControlCharacter
            | JsonFault::BadEscape
            | JsonFault::LoneSurrogate
            | JsonFault::EscapedKey
            | JsonFault::DuplicateKey
            | JsonFault::BadNumber
            | JsonFault::TrailingBytes => IssueCode::Structure,
        };
        let mut issue = Issue::error(code, alloc::format!("{error}")).with_detail("malformed-json");
        if !error.path.is_empty() {
            issue = issue.at(error.path.clone());
        }
        Self::from_issues(vec![issue])
    }

    /// The same outcome; its first issue is about this element.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        if let Some(issue) = self.issues.first_mut() {
            issue.expression = Some(expression.into());
        }
        self
    }

    /// The same outcome; its first issue has this stable code.
    #[must_use]
    pub fn with_detail(mut self, detail: &'static str) -> Self {
        if let Some(issue) = self.issues.first_mut() {
            issue.detail = Some(detail);
        }
        self
    }

    /// The same outcome with the id of the request it answers.
    #[must_use]
    pub fn for_request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }

    /// The issues.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The JSON text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let all_ok = [Issue {
            severity: Severity::Information,
            code: IssueCode::Informational,
            detail: None,
            diagnostics: Cow::Borrowed("all ok"),
            expression: None,
        }];
        let issues = if self.issues.is_empty() { &all_ok[..] } else { &self.issues };
        write::object(|outcome| {
            outcome.string("resourceType", "OperationOutcome");
            if let Some(request) = &self.request {
                outcome.array("extension", |extensions| {
                    extensions.object(|extension| {
                        extension.string("url", REQUEST_ID_EXTENSION);
                        extension.string("valueString", request.as_str());
                    });
                });
            }
            outcome.array("issue", |list| {
                for issue in issues {
                    list.object(|member| write_issue(issue, member));
                }
            });
        })
    }
}

impl From<Issue> for OperationOutcome {
    fn from(issue: Issue) -> Self {
        Self::from_issues(vec![issue])
    }
}

fn write_issue(issue: &Issue, out: &mut write::ObjectWriter<'_>) {
    out.string("severity", issue.severity.code());
    out.string("code", issue.code.code());
    if let Some(detail) = issue.detail {
        out.object("details", |details| {
            details.array("coding", |codings| {
                codings.object(|coding| {
                    coding.string("system", DETAIL_SYSTEM);
                    coding.string("code", detail);
                });
            });
        });
    }
    out.string("diagnostics", &issue.diagnostics);
    if let Some(expression) = &issue.expression {
        out.array("expression", |list| list.string(expression));
    }
}

/// Makes a text of the caller fit for an outcome: short, and without control characters.
pub fn echo(text: &str) -> String {
    /// LIMIT: longer texts are cut; an outcome is not a mirror.
    const CHARS_MAX: usize = 64;
    let mut out: String = text.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect();
    if text.chars().count() > CHARS_MAX {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;
    use crate::spec;
    use proviso_core::resource_type::ResourceType;

    #[test]
    fn an_outcome_is_one_line_of_json() {
        let outcome = OperationOutcome::error(IssueCode::NotFound, "no such \"thing\"")
            .with_detail("not-found")
            .at("Patient.id");
        assert_eq!(
            alloc::string::String::from_utf8(outcome.to_bytes()).unwrap(),
            concat!(
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","#,
                r#""code":"not-found","details":{"coding":[{"system":"urn:proviso:issue","#,
                r#""code":"not-found"}]},"diagnostics":"no such \"thing\"","#,
                r#""expression":["Patient.id"]}]}"#
            )
        );
    }

    #[test]
    fn nothing_wrong_is_said_with_one_issue() {
        let bytes = OperationOutcome::all_ok().to_bytes();
        let doc = Doc::parse(bytes).unwrap();
        assert_eq!(doc.root().get("issue").unwrap().len(), 1);
        assert_eq!(doc.root().string_at(&["issue", "severity"]).unwrap(), "information");
    }

    #[test]
    fn every_code_is_in_the_value_set_of_r4() {
        let shape = spec::shape_named("OperationOutcome.issue").unwrap();
        let codes = shape.member("code").unwrap().element.codes().unwrap();
        for code in IssueCode::ALL {
            assert!(codes.has_code(code.code()), "{}", code.code());
        }
        // The set has `fatal`-like parents only as groups, so each of its codes is one of ours.
        let known: usize = codes.systems().map(|(_, list)| list.len()).sum();
        assert_eq!(known, IssueCode::ALL.len());
        assert!(spec::shape_of(ResourceType::OPERATION_OUTCOME).is_some());
    }

    #[test]
    fn what_is_echoed_is_short_and_plain() {
        assert_eq!(echo("a\nb"), "ab");
        assert_eq!(echo(&"x".repeat(65)).chars().count(), 65);
        assert_eq!(echo(&"x".repeat(64)).chars().count(), 64);
    }
}
