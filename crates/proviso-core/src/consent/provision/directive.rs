//! The canonical form of a patient's directive: what is left of a Consent once it has been read.
//!
//! Knows the shape and its bounds. Does not evaluate anything.
//!
//! How a reader fills it in:
//! - FHIR R4: `base` is `None` and `provisions` holds the one root `Consent.provision` with its
//!   `type` and its own attributes. FHIR R5: `base` is `Consent.decision` and `provisions` holds
//!   every `Consent.provision`, whose rule is the opposite of its parent's at every level.
//! - A missing list is an empty one and does not restrict; a list restricts to its values.
//! - What cannot be read goes to `unreadable`, never silently away.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Coding, Dialect, Label, Purpose};
use crate::time::Period;

/// Whether a provision adds or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// May be released.
    Permit,
    /// Must be withheld.
    Deny,
}

impl Rule {
    /// The other one; what FHIR R5 implies for a child.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Permit => Self::Deny,
            Self::Deny => Self::Permit,
        }
    }
}

/// A business identifier (FHIR `Identifier`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identifier {
    /// The namespace; empty when none was stated.
    pub system: String,
    /// The value.
    pub value: String,
}

/// Someone or something an actor clause can name, and an identity someone can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// A relative literal reference without version, such as `Practitioner/p1`, or an absolute one
    /// that is not of this server.
    Reference(String),
    /// A logical reference.
    Identifier(Identifier),
}

/// What kind of thing a [`Who`] names: the unit in which identities can be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhoKind {
    /// A patient.
    Patient,
    /// A practitioner.
    Practitioner,
    /// A practitioner in a role.
    PractitionerRole,
    /// An organisation.
    Organization,
    /// A group.
    Group,
    /// A care team.
    CareTeam,
    /// A related person.
    RelatedPerson,
    /// A device.
    Device,
    /// A logical reference by identifier.
    Identifier,
    /// Anything else, an absolute reference included.
    Other,
}

impl Who {
    /// A literal reference.
    pub fn reference(reference: impl Into<String>) -> Self {
        Self::Reference(reference.into())
    }

    /// What kind of thing this is.
    pub fn kind(&self) -> WhoKind {
        let Self::Reference(reference) = self else { return WhoKind::Identifier };
        let Some((resource_type, id)) = reference.split_once('/') else { return WhoKind::Other };
        if id.contains('/') {
            return WhoKind::Other;
        }
        match resource_type {
            "Patient" => WhoKind::Patient,
            "Practitioner" => WhoKind::Practitioner,
            "PractitionerRole" => WhoKind::PractitionerRole,
            "Organization" => WhoKind::Organization,
            "Group" => WhoKind::Group,
            "CareTeam" => WhoKind::CareTeam,
            "RelatedPerson" => WhoKind::RelatedPerson,
            "Device" => WhoKind::Device,
            _ => WhoKind::Other,
        }
    }
}

/// In which role an actor clause speaks of someone.
///
/// The role is part of the match: a clause about the custodian is compared with the custodian, not
/// with whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorRole {
    /// Who receives the data: `IRCP`, `PRCP`, and a clause that states no role.
    Recipient,
    /// Who holds the data: `CST`.
    Custodian,
    /// Who wrote the data: `AUT`.
    Author,
    /// Any other role; matches only where the request states who is in it.
    Other(Coding),
}

impl ActorRole {
    /// Reads a role code; `None` is a clause without a role (FHIR R5).
    pub fn from_coding(coding: Option<Coding>) -> Self {
        const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
        let Some(coding) = coding else { return Self::Recipient };
        if coding.system == PARTICIPATION {
            match coding.code.as_str() {
                "IRCP" | "PRCP" => return Self::Recipient,
                "CST" => return Self::Custodian,
                "AUT" => return Self::Author,
                _ => {}
            }
        }
        Self::Other(coding)
    }
}

/// Someone named in a provision, in a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActorClause {
    /// In which role.
    pub role: ActorRole,
    /// Who; `None` names anyone in the role (FHIR R5).
    pub who: Option<Who>,
}

/// How a data clause reaches from the record it names (FHIR `consent-data-meaning`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataMeaning {
    /// The record itself.
    Instance,
    /// The record and those it refers to. IHE PCF reads it as [`Self::Dependents`].
    Related,
    /// The record and those that refer to it.
    Dependents,
    /// Records written by the one it names.
    AuthoredBy,
}

/// A record named in a provision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DataClause {
    /// How far the clause reaches.
    pub meaning: DataMeaning,
    /// From where.
    pub reference: Who,
}

/// A part of a directive that could not be read, and that might restrict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unreadable {
    /// A `modifierExtension` whose meaning is not known, by its URL.
    ModifierExtension(String),
    /// An element that cannot be evaluated, by its path: an `expression`, a contained actor ...
    Element(String),
}

/// One rule of a directive, with its exceptions.
///
/// Attributes are all required; values of one attribute are alternatives; an attribute without
/// values does not restrict. `children` are exceptions, reached only where this provision matches.
/// Source: FHIR R4 Consent.provision.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provision {
    /// Adds or takes away.
    pub rule: Rule,
    /// When access takes place. A date such as `2022` is a period of that year in the zone that
    /// the reader was given, as a half-open interval.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period: Option<Period>,
    /// What clinical time the data is from, half-open as well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data_period: Option<Period>,
    /// Who.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub actors: Vec<ActorClause>,
    /// What is done with the data (FHIR `consent-action`: access, collect, correct ...).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub actions: Vec<Coding>,
    /// Security labels.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub labels: Vec<Label>,
    /// Why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub purposes: Vec<Purpose>,
    /// Classes of content: resource types, profiles, document types.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<Coding>,
    /// Codes found in the content.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub codes: Vec<Coding>,
    /// Records by name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub data: Vec<DataClause>,
    /// Where the recipient is (extension `consent-location`). It narrows, so it is read although it
    /// is a plain extension: a permit that lost it would reach too far.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub locations: Vec<Who>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<Unreadable>,
    /// Exceptions.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub children: Vec<Self>,
}

impl Provision {
    /// A provision that restricts nothing and has no exceptions.
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            period: None,
            data_period: None,
            actors: Vec::new(),
            actions: Vec::new(),
            labels: Vec::new(),
            purposes: Vec::new(),
            classes: Vec::new(),
            codes: Vec::new(),
            data: Vec::new(),
            locations: Vec::new(),
            unreadable: Vec::new(),
            children: Vec::new(),
        }
    }

    fn values(&self) -> usize {
        [
            self.actors.len(),
            self.actions.len(),
            self.labels.len(),
            self.purposes.len(),
            self.classes.len(),
            self.codes.len(),
            self.data.len(),
            self.locations.len(),
            self.unreadable.len(),
        ]
        .iter()
        .sum()
    }
}

/// How large a directive may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits;

impl Limits {
    /// LIMIT: levels of provisions, the root being one. Published consents have at most four.
    pub const DEPTH: usize = 16;
    /// LIMIT: provisions in one directive, so that one consent cannot make every decision slow.
    pub const PROVISIONS: usize = 512;
    /// LIMIT: attribute values in one directive.
    pub const VALUES: usize = 4096;
}

/// Why a directive is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// Exceptions are nested too deeply.
    #[error("provisions are nested more than {} deep", Limits::DEPTH)]
    TooDeep,
    /// There are too many provisions.
    #[error("there are more than {} provisions", Limits::PROVISIONS)]
    TooMany,
    /// There are too many attribute values.
    #[error("there are more than {} values in the provisions", Limits::VALUES)]
    TooManyValues,
}

/// What a patient directs, under a named reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Directive(Parts);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Parts {
    dialect: Dialect,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    base: Option<Rule>,
    #[serde(default)]
    provisions: Vec<Provision>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    unreadable: Vec<Unreadable>,
}

impl Directive {
    /// Checks the bounds and makes the directive.
    ///
    /// `unreadable` holds what could not be read of the Consent itself, outside its provisions.
    ///
    /// # Errors
    /// Says which of [`Limits`] is exceeded.
    pub fn new(
        dialect: Dialect,
        base: Option<Rule>,
        provisions: Vec<Provision>,
        unreadable: Vec<Unreadable>,
    ) -> Result<Self, DirectiveError> {
        Self::try_from(Parts { dialect, base, provisions, unreadable })
    }

    /// A directive of which nothing could be read: indeterminate for every request.
    pub fn that_cannot_be_read(what: Unreadable) -> Self {
        let unreadable = Vec::from([what]);
        Self(Parts { dialect: Dialect::FhirTree, base: None, provisions: Vec::new(), unreadable })
    }

    /// The reading.
    pub const fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// What holds where no provision speaks (FHIR R5 `Consent.decision`); R4 has none.
    pub const fn base(&self) -> Option<Rule> {
        self.0.base
    }

    /// The provisions at the root.
    pub fn provisions(&self) -> &[Provision] {
        &self.0.provisions
    }

    /// What could not be read outside the provisions.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.0.unreadable
    }

    /// The same provisions under another reading.
    #[must_use]
    pub fn under(&self, dialect: Dialect) -> Self {
        let mut parts = self.0.clone();
        parts.dialect = dialect;
        Self(parts)
    }
}

impl TryFrom<Parts> for Directive {
    type Error = DirectiveError;

    fn try_from(parts: Parts) -> Result<Self, DirectiveError> {
        let mut level: Vec<&Provision> = parts.provisions.iter().collect();
        let (mut depth, mut count) = (0, 0);
        let mut values = parts.unreadable.len();
        while !level.is_empty() {
            depth += 1;
            count += level.len();
            values += level.iter().map(|provision| provision.values()).sum::<usize>();
            if depth > Limits::DEPTH {
                return Err(DirectiveError::TooDeep);
            }
            if count > Limits::PROVISIONS {
                return Err(DirectiveError::TooMany);
            }
            if values > Limits::VALUES {
                return Err(DirectiveError::TooManyValues);
            }
            level = level.iter().flat_map(|provision| provision.children.iter()).collect();
        }
        Ok(Self(parts))
    }
}

impl From<Directive> for Parts {
    fn from(directive: Directive) -> Self {
        directive.0
    }
}
