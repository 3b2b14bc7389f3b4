//! What a FHIR request does.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// A FHIR RESTful interaction (FHIR R4 http.html).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interaction {
    /// Read the current version of one resource.
    Read,
    /// Read one version of one resource.
    Vread,
    /// All versions of one resource.
    HistoryInstance,
    /// Changes of one type.
    HistoryType,
    /// Changes of everything.
    HistorySystem,
    /// Search one type (or one type inside a compartment).
    Search,
    /// Search across types.
    SearchSystem,
    /// Create a resource.
    Create,
    /// Update a resource as a whole.
    Update,
    /// Change parts of a resource.
    Patch,
    /// Delete a resource.
    Delete,
    /// A batch Bundle.
    Batch,
    /// A transaction Bundle.
    Transaction,
    /// The CapabilityStatement.
    Capabilities,
    /// A named operation, without its `$`.
    Operation(String),
}

impl Interaction {
    /// The code of the FHIR restful-interaction code system, `operation` for operations.
    pub fn code(&self) -> &str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::HistoryInstance => "history-instance",
            Self::HistoryType => "history-type",
            Self::HistorySystem => "history-system",
            Self::Search => "search-type",
            Self::SearchSystem => "search-system",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Batch => "batch",
            Self::Transaction => "transaction",
            Self::Capabilities => "capabilities",
            Self::Operation(_) => "operation",
        }
    }
}
