//! The latest checkpoint in a file beside the database.
//!
//! Who can write the database can cut its log back to an older, validly signed state. The file
//! beside it, like a copy of it elsewhere, makes that visible.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use proviso_core::id::TenantId;

/// One sector of any disk: a write of this size is not torn.
const BLOCK: usize = 512;

/// The place of a file of a tenant in the folder of the database.
pub(super) fn beside(database: &Path, tenant: &TenantId, stem: &str, extension: &str) -> PathBuf {
    database.with_file_name(if *tenant == TenantId::default_tenant() {
        format!("{stem}.{extension}")
    } else {
        format!("{stem}-{tenant}.{extension}")
    })
}

#[derive(Debug)]
pub(super) struct SideFile {
    path: PathBuf,
    file: Option<File>,
}

impl SideFile {
    pub(super) fn beside(database: &Path, tenant: &TenantId) -> Self {
        Self { path: beside(database, tenant, "audit", "checkpoint"), file: None }
    }

    /// The note in the file; `None` when there is no file yet.
    pub(super) fn read(&self) -> io::Result<Option<String>> {
        match File::open(&self.path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                let note = text.trim_end_matches('\n');
                Ok((!note.is_empty()).then(|| format!("{note}\n")))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Puts the note in place of the one before.
    ///
    /// CRASH: after the commit and before this write, the file is one commit behind; that is no
    /// contradiction. It is not synced: a power cut may leave an older one, which says less but
    /// nothing wrong.
    pub(super) fn write(&mut self, note: &str) -> io::Result<()> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let options = File::options().create(true).truncate(false).write(true).to_owned();
            self.file = Some(options.open(&self.path)?);
        }
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        let mut block = note.as_bytes().to_vec();
        // Line ends as padding: the file stays readable text, and an older, longer note is gone.
        block.resize(block.len().next_multiple_of(BLOCK), b'\n');
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&block)?;
        file.set_len(block.len() as u64)
    }
}
