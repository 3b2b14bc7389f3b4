//! The texts of a set of policies, and the name that their content gives them.

use std::path::Path;

use proviso_core::org::lifecycle::PolicySetId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The schema that every set is written against; part of each set's content hash.
pub const SCHEMA: &str = include_str!("../../policy/schema.cedarschema");

/// Names the encoding of what is hashed, so that a later one can never yield the same bytes.
const DOMAIN: &str = "proviso policy set, encoding 1";

/// LIMIT: a set is meant to be read by people; what is larger than this is a mistake.
const MAX_BYTES: u64 = 1024 * 1024;

macro_rules! starter {
    ($($name:literal),+ $(,)?) => {
        vec![$(TextFile {
            name: $name.to_owned(),
            text: include_str!(concat!("../../policy/starter/", $name)).to_owned(),
        }),+]
    };
}

/// One file of a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TextFile {
    /// Its name, relative to the folder of the set.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// The texts of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// The schema that they are written against.
    pub schema: String,
    /// The policies (`*.cedar`), by name.
    pub policies: Vec<TextFile>,
    /// The tests (`tests/*.toml`), by name.
    pub tests: Vec<TextFile>,
}

/// Why a folder is no set.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        why: std::io::Error,
    },
    /// There are no policies in it.
    #[error("no `*.cedar` file in `{0}`")]
    NoPolicies(String),
    /// It has a schema of its own that is not this release's.
    #[error("`{0}` is not the schema of this release")]
    OtherSchema(String),
    /// It is too large.
    #[error("`{0}` is larger than 1 MiB")]
    TooLarge(String),
}

impl Documents {
    /// The set that comes with this release.
    pub fn starter() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            policies: starter!(
                "00-limits.cedar",
                "10-patients.cedar",
                "20-treatment.cedar",
                "30-front-desk-and-billing.cedar",
                "40-research.cedar",
                "50-oversight-and-platform.cedar",
                "60-services.cedar",
                "70-emergency.cedar",
            ),
            tests: starter!(
                "tests/emergency.toml",
                "tests/limits.toml",
                "tests/office.toml",
                "tests/patients.toml",
                "tests/platform.toml",
                "tests/research.toml",
                "tests/services.toml",
                "tests/treatment.toml",
            ),
        }
    }

    /// Reads a folder: `*.cedar` in it and `*.toml` in its `tests`. A copy of the schema may lie
    /// beside them for editors; it must be this release's.
    ///
    /// # Errors
    /// When the folder cannot be read or is no set.
    pub fn read(folder: &Path) -> Result<Self, DocumentsError> {
        let policies = files_in(folder, "", "cedar")?;
        if policies.is_empty() {
            return Err(DocumentsError::NoPolicies(folder.display().to_string()));
        }
        for schema in files_in(folder, "", "cedarschema")? {
            if schema.text != SCHEMA {
                return Err(DocumentsError::OtherSchema(schema.name));
            }
        }
        let tests = folder.join("tests");
        let tests = if tests.is_dir() { files_in(&tests, "tests/", "toml")? } else { Vec::new() };
        Ok(Self { schema: SCHEMA.to_owned(), policies, tests })
    }

    /// The name of the set: SHA-256 over the schema, the policies and the tests, each name and text
    /// behind its length.
    pub fn id(&self) -> PolicySetId {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        field(DOMAIN.as_bytes());
        field(self.schema.as_bytes());
        for files in [&self.policies, &self.tests] {
            field(&files.len().to_be_bytes());
            for file in files {
                field(file.name.as_bytes());
                field(file.text.as_bytes());
            }
        }
        PolicySetId::from_digest(&hash.finalize().into())
    }
}

/// The files of a folder with an ending, by name.
fn files_in(folder: &Path, prefix: &str, ending: &str) -> Result<Vec<TextFile>, DocumentsError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |why| DocumentsError::Read { path, why }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_none_or(|own| own != ending) {
            continue;
        }
        let size = std::fs::metadata(&path).map_err(failed(&path))?.len();
        if size > MAX_BYTES {
            return Err(DocumentsError::TooLarge(path.display().to_string()));
        }
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        files.push(TextFile { name: format!("{prefix}{name}"), text });
    }
    files.sort();
    Ok(files)
}
