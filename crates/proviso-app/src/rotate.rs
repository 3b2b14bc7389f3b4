//! Rotating the signing keys.

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_oauth::record::KeyUse;
use proviso_store::{Batch, Op};

use crate::App;
use crate::failure::Failure;
use crate::via::Via;

/// O6: a retired key stays published until the last token it signed has ended: an hour at most for
/// access tokens, plus the skew between clocks and the time that others keep our JWK set.
const PUBLISH_RETIRED_SECS: i64 = 2 * 3600;

impl App {
    /// Makes new signing keys and stops signing with the old ones. Live clients notice nothing:
    /// tokens that are out can still be verified.
    ///
    /// # Errors
    /// When the keys cannot be made or stored; the old ones sign on then.
    pub async fn rotate_keys(&self, via: &Via) -> Result<Vec<String>, Failure> {
        let entry = self.draft_entry(via, AuditKind::Key, AuditOutcome::Success, "rotate")?;
        let at = entry.at;
        let successors = self.keys.successors(&*self.entropy, at)?;
        let mut batch = Batch::new();
        for key in self.store.keys().await? {
            let signs =
                matches!(key.key_use, KeyUse::SignEs256 | KeyUse::SignRs256 | KeyUse::SignEdDsa);
            if signs && key.retired_at.is_none() {
                batch.push(Op::RetireKey {
                    id: key.id,
                    at,
                    publish_until: Some(at.plus_secs(PUBLISH_RETIRED_SECS)),
                });
            }
        }
        for key in successors {
            batch.push(Op::PutKey(key));
        }
        self.commit(batch, entry).await?;
        // CRASH: the next start reads the same keys from the store.
        self.keys.reload(&self.store.keys().await?)?;
        Ok(self.keys.active_ids())
    }
}
