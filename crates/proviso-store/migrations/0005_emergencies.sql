-- Migration 5: emergency access as it was declared and ended, and its reviews.

CREATE TABLE emergency_version (
    tenant    INTEGER NOT NULL REFERENCES tenant (no),
    emergency TEXT    NOT NULL,
    -- 1 is what was declared; 2 is its early end.
    number    INTEGER NOT NULL,
    account   TEXT    NOT NULL,
    patient   TEXT    NOT NULL,
    ends_at   INTEGER NOT NULL,
    body      TEXT    NOT NULL,
    PRIMARY KEY (tenant, emergency, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX emergency_version_patient ON emergency_version (tenant, patient, emergency, number);
CREATE INDEX emergency_version_account ON emergency_version (tenant, account, emergency, number);
CREATE INDEX emergency_version_end ON emergency_version (tenant, ends_at);
CREATE TRIGGER emergency_version_is_never_changed BEFORE UPDATE ON emergency_version
BEGIN SELECT raise(ABORT, 'emergency versions are append-only'); END;
CREATE TRIGGER emergency_version_is_never_deleted BEFORE DELETE ON emergency_version
BEGIN SELECT raise(ABORT, 'emergency versions are append-only'); END;

CREATE TABLE emergency_review_version (
    tenant    INTEGER NOT NULL REFERENCES tenant (no),
    emergency TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    body      TEXT    NOT NULL,
    PRIMARY KEY (tenant, emergency, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER emergency_review_version_is_never_changed BEFORE UPDATE ON emergency_review_version
BEGIN SELECT raise(ABORT, 'review versions are append-only'); END;
CREATE TRIGGER emergency_review_version_is_never_deleted BEFORE DELETE ON emergency_review_version
BEGIN SELECT raise(ABORT, 'review versions are append-only'); END;
