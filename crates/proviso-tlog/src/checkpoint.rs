//! A checkpoint: the name, size and root of a log, as text that is signed (C2SP tlog-checkpoint).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Hash;

/// Name, size and root of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: a schema-less URL with neither spaces nor plus signs by convention.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// The root hash over them.
    pub root: Hash,
}

/// The text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint")]
pub struct CheckpointError;

impl Checkpoint {
    /// The text that is signed: three lines, each with its line end.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the text; extension lines are allowed and ignored.
    ///
    /// # Errors
    /// When a line is missing or a number is not in its only spelling.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError)?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError)?;
        let size_text = lines.next().ok_or(CheckpointError)?;
        let size = size_text.parse::<u64>().map_err(|_| CheckpointError)?;
        if format!("{size}") != size_text {
            return Err(CheckpointError);
        }
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok());
        let root = root.and_then(|bytes| Hash::try_from(bytes.as_slice()).ok());
        if lines.any(str::is_empty) {
            return Err(CheckpointError);
        }
        Ok(Self { origin: origin.to_owned(), size, root: root.ok_or(CheckpointError)? })
    }
}
