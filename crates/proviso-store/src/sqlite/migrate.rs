//! Forward-only, numbered migrations.

use proviso_core::id::{TenantId, hex};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use sha2::{Digest as _, Sha256};

use crate::error::OpenError;

/// The migrations, in order; the number of each is its position, from 1. An applied migration is
/// never edited: its digest is kept in the database and compared at every start.
pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_initial", include_str!("../../migrations/0001_initial.sql")),
    ("0002_labels", include_str!("../../migrations/0002_labels.sql")),
    ("0003_policy_sets", include_str!("../../migrations/0003_policy_sets.sql")),
    ("0004_consent_epochs", include_str!("../../migrations/0004_consent_epochs.sql")),
    ("0005_emergencies", include_str!("../../migrations/0005_emergencies.sql")),
    ("0006_consents_on_file", include_str!("../../migrations/0006_consents_on_file.sql")),
    ("0007_access_reviews", include_str!("../../migrations/0007_access_reviews.sql")),
    ("0008_kept_answers", include_str!("../../migrations/0008_kept_answers.sql")),
    ("0009_subscriptions", include_str!("../../migrations/0009_subscriptions.sql")),
];

pub(super) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    let failed = |why: rusqlite::Error| OpenError::Storage(why.to_string());
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_version (
             number INTEGER PRIMARY KEY,
             name   TEXT NOT NULL,
             digest TEXT NOT NULL
         ) STRICT;",
    )
    .map_err(failed)?;
    let found: u32 = tx
        .query_row("SELECT coalesce(max(number), 0) FROM schema_version", [], |row| row.get(0))
        .map_err(failed)?;
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for (number, (name, sql)) in (1_u32..).zip(MIGRATIONS) {
        let digest = hex(&Sha256::digest(sql.as_bytes()));
        let applied: Option<String> = tx
            .query_row("SELECT digest FROM schema_version WHERE number = ?1", [number], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)?;
        match applied {
            Some(applied) if applied == digest => {}
            Some(_) => return Err(OpenError::MigrationChanged { number }),
            None => {
                tx.execute_batch(sql).map_err(failed)?;
                tx.execute(
                    "INSERT INTO schema_version (number, name, digest) VALUES (?1, ?2, ?3)",
                    (number, name, digest),
                )
                .map_err(failed)?;
            }
        }
    }
    tx.commit().map_err(failed)
}

/// The number of a tenant's row, made if it is new.
pub(super) fn tenant_number(db: &Connection, tenant: &TenantId) -> Result<i64, OpenError> {
    let failed = |why: rusqlite::Error| OpenError::Storage(why.to_string());
    db.execute(
        "INSERT INTO tenant (id) VALUES (?1) ON CONFLICT (id) DO NOTHING",
        [tenant.as_str()],
    )
    .map_err(failed)?;
    // Index: the unique index of `tenant.id`.
    db.query_row("SELECT no FROM tenant WHERE id = ?1", [tenant.as_str()], |row| row.get(0))
        .map_err(failed)
}
