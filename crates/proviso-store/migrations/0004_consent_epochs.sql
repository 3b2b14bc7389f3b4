-- Migration 4: which commit wrote each version of a consent.
--
-- A snapshot of what is held in memory stands for an epoch; at start it is brought up to date by
-- the versions that were written later. Versions from before this migration have epoch 0: no
-- snapshot is older than it.

ALTER TABLE consent_version ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX consent_version_epoch ON consent_version (tenant, epoch);
