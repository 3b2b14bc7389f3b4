//! Signing checkpoints with the server's checkpoint key.

use std::sync::Arc;

use proviso_store::{Batch, CheckpointSigner, ExpectSetting, Op, SignerError, Store};
use proviso_tlog::{Checkpoint, SignedNote};

use super::AuditError;
use crate::keys::Keys;
use crate::settings::Settings;

/// The setting that holds the log's name. A log keeps its name when the server moves: another name
/// would be another log.
pub(crate) const ORIGIN_SETTING: &str = "audit.origin";

/// Signs checkpoints of one log.
#[derive(Debug)]
pub struct LogSigner {
    keys: Arc<Keys>,
    origin: String,
}

impl LogSigner {
    /// A signer for the log of a name.
    pub const fn new(keys: Arc<Keys>, origin: String) -> Self {
        Self { keys, origin }
    }
}

impl CheckpointSigner for LogSigner {
    fn sign(&self, size: u64, root: &[u8; 32]) -> Result<String, SignerError> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root: *root };
        let public_key = self.keys.checkpoint_public_key();
        SignedNote::sign_ed25519(&checkpoint.to_text(), &self.origin, &public_key, |text| {
            self.keys.sign_checkpoint(text)
        })
        .map(|note| note.to_text())
        .map_err(|_| SignerError)
    }
}

/// The name of a log that has one already.
///
/// # Errors
/// When the store cannot be read, or the log has no name yet.
pub(crate) async fn origin_in(store: &Store) -> Result<Option<String>, proviso_store::ReadError> {
    store.setting(ORIGIN_SETTING).await
}

/// The name that a new log gets: a schema-less URL (C2SP tlog-checkpoint).
fn new_origin(settings: &Settings) -> String {
    let url = settings.public_url.as_str();
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    format!("{}/audit/log/{}", host.trim_end_matches('/'), settings.tenant)
}

/// Gives the log its name, if it has none yet, and hands the store the key that signs it. Must run
/// before anything is logged; until then the store refuses every entry.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn install_signer(
    store: &Store,
    keys: &Arc<Keys>,
    settings: &Settings,
) -> Result<(), AuditError> {
    let origin = origin_of_log(store, settings).await?;
    store.install_signer(Arc::new(LogSigner::new(Arc::clone(keys), origin)));
    Ok(())
}

/// The name of the log; given now if it has none.
async fn origin_of_log(store: &Store, settings: &Settings) -> Result<String, AuditError> {
    if let Some(origin) = store.setting(ORIGIN_SETTING).await? {
        return Ok(origin);
    }
    let origin = new_origin(settings);
    let naming = Op::PutSetting {
        key: ORIGIN_SETTING.to_owned(),
        value: origin.clone(),
        expect: ExpectSetting::Absent,
    };
    store.commit(Batch::new().with(naming)).await?;
    Ok(origin)
}
