//! Rotating the signing keys: in good order, or at once when one has leaked.

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::time::At;
use proviso_oauth::record::KeyUse;
use proviso_store::{Batch, Op};

use crate::App;
use crate::failure::Failure;
use crate::via::Via;

/// New keys are published this long before they sign: longer than anybody keeps our JWK set.
const PUBLISH_AHEAD_SECS: i64 = 600;
/// O6: a retired key stays published until the last token it signed has ended: an hour at most for
/// access tokens, plus the skew between clocks and the time that others keep our JWK set.
const PUBLISH_RETIRED_SECS: i64 = 2 * 3600;

/// When old signing keys stop.
struct Retirement {
    action: &'static str,
    at: At,
    publish_until: At,
}

impl App {
    /// Makes new signing keys and retires the old ones in good order: the new ones are published
    /// now and sign a little later. Live clients notice nothing; tokens that are out stay good.
    ///
    /// Returns the names of the keys that will sign.
    ///
    /// # Errors
    /// When the keys cannot be made or stored; the old ones sign on then.
    pub async fn rotate_keys(&self, via: &Via) -> Result<Vec<String>, Failure> {
        let at = self.now().plus_secs(PUBLISH_AHEAD_SECS);
        let publish_until = at.plus_secs(PUBLISH_RETIRED_SECS);
        self.replace_keys(Retirement { action: "rotate", at, publish_until }, via).await
    }

    /// Replaces signing keys that have leaked: the old ones neither sign nor verify from now on, so
    /// every access token that is out is dead and apps must refresh.
    ///
    /// # Errors
    /// When the keys cannot be made or stored; the old ones are still in use then.
    pub async fn withdraw_keys(&self, via: &Via) -> Result<Vec<String>, Failure> {
        let at = self.now();
        self.replace_keys(Retirement { action: "withdraw", at, publish_until: at }, via).await
    }

    async fn replace_keys(
        &self,
        retirement: Retirement,
        via: &Via,
    ) -> Result<Vec<String>, Failure> {
        let entry =
            self.draft_entry(via, AuditKind::Key, AuditOutcome::Success, retirement.action)?;
        let successors = self.keys.successors(&*self.entropy, entry.at)?;
        let mut batch = Batch::new();
        for key in self.store.keys().await? {
            let signs =
                matches!(key.key_use, KeyUse::SignEs256 | KeyUse::SignRs256 | KeyUse::SignEdDsa);
            if signs && key.retired_at.is_none() {
                batch.push(Op::RetireKey {
                    id: key.id,
                    at: retirement.at,
                    publish_until: Some(retirement.publish_until),
                });
            }
        }
        for key in successors {
            batch.push(Op::PutKey(key));
        }
        self.commit(batch, entry).await?;
        // CRASH: the next start reads the same keys from the store.
        self.keys.reload(&self.store.keys().await?)?;
        Ok(self.keys.active_ids(retirement.at))
    }
}
