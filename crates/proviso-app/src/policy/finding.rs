//! What a check found, and where.

use std::fmt;

use serde::Serialize;

/// Where in a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The policy or test, by its name, when it has one.
    pub name: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " `{name}`"))
    }
}

/// Whether a set can live with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The set cannot come into force.
    Error,
    /// Worth a look.
    Warning,
}

/// What kind of thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    /// A policy is no policy.
    Syntax,
    /// An annotation is missing or says nothing that is known.
    Annotation,
    /// Two policies have one name.
    SameName,
    /// A policy does not fit the schema.
    Schema,
    /// A test cannot be read.
    TestSyntax,
    /// A test does not come out as it says.
    TestFails,
    /// A policy permits, and no test shows it.
    Untested,
    /// A policy forbids, and no test shows it.
    UntestedLimit,
    /// A policy can never apply.
    NeverApplies,
    /// Whatever a policy permits, others forbid.
    AlwaysOverridden,
    /// Whatever a policy permits, others permit as well.
    AddsNothing,
    /// Whatever a policy forbids, nothing permits.
    ForbidsNothing,
    /// A policy can fail while it is evaluated, which denies everything it is asked about.
    CanFail,
    /// A policy looks at too many facts at once to be checked.
    TooWide,
    /// A policy looks at a record in a way of which no plan can be made.
    Unplannable,
    /// An invariant does not hold.
    InvariantBroken,
}

impl FindingCode {
    /// Whether a set can live with it.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Syntax
            | Self::Annotation
            | Self::SameName
            | Self::Schema
            | Self::TestSyntax
            | Self::TestFails
            | Self::Untested
            | Self::NeverApplies
            | Self::AlwaysOverridden
            | Self::CanFail
            | Self::TooWide
            | Self::Unplannable
            | Self::InvariantBroken => Severity::Error,
            Self::UntestedLimit | Self::AddsNothing | Self::ForbidsNothing => Severity::Warning,
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// What kind of thing.
    pub code: FindingCode,
    /// Where; `None` when it is about the set as a whole.
    pub place: Option<Place>,
    /// What, for a person.
    pub text: String,
    /// A concrete case that shows it.
    pub case: Option<String>,
}

impl Finding {
    pub(super) fn new(code: FindingCode, place: Option<&Place>, text: impl Into<String>) -> Self {
        let severity = code.severity();
        Self { severity, code, place: place.cloned(), text: text.into(), case: None }
    }

    pub(super) fn with_case(self, case: String) -> Self {
        Self { case: Some(case), ..self }
    }

    /// Whether a set cannot come into force with it.
    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.text)?;
        self.case.as_ref().map_or(Ok(()), |case| write!(f, ": {case}"))
    }
}
