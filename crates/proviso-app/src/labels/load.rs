//! Reads an organisation's label rules from disk, with its tests as the gate.

use std::path::{Path, PathBuf};

use super::format::{FileFault, RulesFile};
use super::trial::TrialResult;

/// Why a file of label rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}", lines(.0))]
    Refused(Vec<FileFault>),
    /// Its own tests do not hold.
    #[error("{}", failures(.0))]
    TestsFail(Vec<TrialResult>),
}

fn lines(faults: &[FileFault]) -> String {
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    said.join("; ")
}

fn failures(results: &[TrialResult]) -> String {
    let say = |result: &TrialResult| {
        format!(
            "the test `{}` on line {} fails: expected {}, found {}",
            result.name,
            result.line,
            result.expected.words(),
            result.found.words()
        )
    };
    let said: Vec<String> = results.iter().map(say).collect();
    said.join("; ")
}

impl RulesError {
    /// What is wrong in the file, one by one; none when it could not be read at all.
    pub fn faults(&self) -> &[FileFault] {
        match self {
            Self::Refused(faults) => faults,
            Self::Unreadable { .. } | Self::TestsFail(_) => &[],
        }
    }
}

impl RulesFile {
    /// Reads and checks a file. Its tests are not run.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self, RulesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RulesError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(RulesError::Refused)
    }

    /// As [`Self::load`], for use: its tests must hold.
    ///
    /// # Errors
    /// As [`Self::load`], and when a test fails.
    pub fn load_tested(path: &Path) -> Result<Self, RulesError> {
        let file = Self::load(path)?;
        let failed: Vec<_> =
            file.run_trials().into_iter().filter(|result| !result.holds()).collect();
        if failed.is_empty() { Ok(file) } else { Err(RulesError::TestsFail(failed)) }
    }
}
