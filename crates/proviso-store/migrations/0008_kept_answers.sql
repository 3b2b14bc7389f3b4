-- Migration 8: what became of requests that named a key of their own (Idempotency-Key), and versions
-- of consents in a table with row ids: without them a page held only one or two.

CREATE TABLE kept_answer (
    tenant   INTEGER NOT NULL REFERENCES tenant (no),
    -- A keyed hash of who asked and of the key.
    key      BLOB    NOT NULL CHECK (length(key) = 32),
    until_at INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent_version_by_row (
    tenant     INTEGER NOT NULL REFERENCES tenant (no),
    consent    TEXT    NOT NULL,
    number     INTEGER NOT NULL CHECK (number >= 1),
    version_id TEXT    NOT NULL CHECK (length(version_id) = 64),
    patient    TEXT    NOT NULL,
    epoch      INTEGER NOT NULL DEFAULT 0,
    body       TEXT    NOT NULL
) STRICT;
INSERT INTO consent_version_by_row (tenant, consent, number, version_id, patient, epoch, body)
SELECT tenant, consent, number, version_id, patient, epoch, body FROM consent_version
ORDER BY tenant, epoch, consent, number;
-- Takes the indexes and the triggers along.
DROP TABLE consent_version;
ALTER TABLE consent_version_by_row RENAME TO consent_version;
CREATE UNIQUE INDEX consent_version_number ON consent_version (tenant, consent, number);
CREATE UNIQUE INDEX consent_version_id ON consent_version (tenant, version_id);
CREATE INDEX consent_version_patient ON consent_version (tenant, patient, consent, number);
CREATE INDEX consent_version_epoch ON consent_version (tenant, epoch, consent, number);
CREATE TRIGGER consent_version_is_never_updated BEFORE UPDATE ON consent_version
BEGIN SELECT raise(ABORT, 'consent versions are append-only'); END;
CREATE TRIGGER consent_version_is_never_deleted BEFORE DELETE ON consent_version
BEGIN SELECT raise(ABORT, 'consent versions are append-only'); END;
