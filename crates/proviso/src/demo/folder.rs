//! The data folder of a demo: its marker, and the refusal to touch any other folder.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::installation::DATABASE_FILE;

/// The file that says that a folder is a demo's.
pub const MARKER_FILE: &str = "demo.json";

/// The file that a lock leaves behind; it alone makes no folder somebody's.
const LOCK_FILE: &str = "lock";

/// The layout of the marker and of the world.
const FORMAT: u32 = 1;

/// How far building has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It has begun; whatever is there is continued.
    Building,
    /// Everything is there.
    Ready,
}

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    /// The layout of this file.
    proviso_demo: u32,
    /// The seed of the world.
    pub(super) seed: u64,
    /// How many further patients were asked for.
    pub(super) patients: u32,
    /// How far it has come.
    pub(super) state: State,
}

impl Marker {
    const fn new() -> Self {
        Self { proviso_demo: FORMAT, seed: super::SEED, patients: 0, state: State::Building }
    }
}

/// Makes sure that a folder is a demo's: an empty or absent one becomes one.
///
/// # Errors
/// When the folder holds anything else, or cannot be written.
pub fn require_free_or_world(folder: &Path) -> anyhow::Result<()> {
    if folder.join(MARKER_FILE).exists() {
        return read_marker(folder).map(drop);
    }
    if folder.exists() {
        for entry in fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder `{}`", folder.display()))?
        {
            let name = entry?.file_name();
            anyhow::ensure!(
                name == LOCK_FILE,
                "`{}` holds other files; the demo builds its world in an empty folder only, choose \
                 another one with `--data`",
                folder.display()
            );
        }
    } else {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    // CRASH: the marker comes before anything else, so that a folder that we began is known as
    // ours at the next start.
    write_marker(folder, &Marker::new())
}

/// Makes sure that a folder holds a demo world. One that was left unfinished will do: its log can
/// be checked, and the next start of the demo finishes it.
///
/// # Errors
/// When it does not.
pub fn require_world(folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        folder.join(MARKER_FILE).exists(),
        "`{}` is no demo world; `proviso demo --data {0}` makes one",
        folder.display()
    );
    let marker = read_marker(folder)?;
    anyhow::ensure!(
        marker.state == State::Ready || folder.join(DATABASE_FILE).exists(),
        "the demo world in `{}` has not been built; `proviso demo --data {0}` builds it",
        folder.display()
    );
    Ok(())
}

pub(super) fn read_marker(folder: &Path) -> anyhow::Result<Marker> {
    let path = folder.join(MARKER_FILE);
    let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let marker: Marker = serde_json::from_slice(&text)
        .with_context(|| format!("`{}` is not the marker of a demo world", path.display()))?;
    anyhow::ensure!(
        marker.proviso_demo == FORMAT && marker.seed == super::SEED,
        "the demo world in `{}` was built by another release; choose an empty folder with `--data`",
        folder.display()
    );
    Ok(marker)
}

pub(super) fn write_marker(folder: &Path, marker: &Marker) -> anyhow::Result<()> {
    write_private(&folder.join(MARKER_FILE), &serde_json::to_vec_pretty(marker)?)
}

/// Writes a file that only its owner may read, whole or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_becomes_a_demo_and_stays_one() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        require_free_or_world(&folder).unwrap();
        assert_eq!(read_marker(&folder).unwrap().state, State::Building);
        assert!(require_world(&folder).unwrap_err().to_string().contains("not been built"));
        fs::write(folder.join(DATABASE_FILE), b"x").unwrap();
        require_free_or_world(&folder).unwrap();
        require_world(&folder).unwrap();
        write_marker(&folder, &Marker { state: State::Ready, ..Marker::new() }).unwrap();
        require_world(&folder).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), b"x").unwrap();
        let refused = require_free_or_world(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("holds other files"), "{refused}");
        assert!(!folder.path().join(MARKER_FILE).exists());
        assert!(require_world(folder.path()).is_err());
    }

    #[test]
    fn a_marker_that_is_not_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{}", r#"{"proviso_demo":2,"seed":1,"patients":0,"state":"ready"}"#] {
            fs::write(folder.path().join(MARKER_FILE), text).unwrap();
            assert!(require_free_or_world(folder.path()).is_err(), "{text}");
        }
    }
}
