-- Migration 1: everything of the first release.
--
-- Every row carries its tenant as the small number of its `tenant` row. Instants are microseconds
-- since 1970-01-01T00:00:00Z. Tokens, codes and secrets are here as SHA-256 only. `body` columns
-- hold the whole value; columns beside it are the ones that are searched.

CREATE TABLE tenant (
    no    INTEGER PRIMARY KEY,
    id    TEXT    NOT NULL UNIQUE,
    -- Counts the batches that could have changed a decision.
    epoch INTEGER NOT NULL DEFAULT 0
) STRICT;

-- People and sessions --------------------------------------------------------------------------

CREATE TABLE account (
    tenant       INTEGER NOT NULL REFERENCES tenant (no),
    id           TEXT    NOT NULL,
    username_key TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_username ON account (tenant, username_key);

CREATE TABLE session (
    tenant           INTEGER NOT NULL REFERENCES tenant (no),
    id               TEXT    NOT NULL,
    secret_hash      TEXT    NOT NULL,
    account          TEXT    NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_used_at     INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX session_secret ON session (tenant, secret_hash);
CREATE INDEX session_account ON session (tenant, account);

CREATE TABLE relationship (
    tenant  INTEGER NOT NULL REFERENCES tenant (no),
    account TEXT    NOT NULL,
    patient TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (tenant, account, patient, kind)
) STRICT, WITHOUT ROWID;

-- Apps, requests, grants, tokens ---------------------------------------------------------------

CREATE TABLE client (
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    id     TEXT    NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE launch_ticket (
    tenant     INTEGER NOT NULL REFERENCES tenant (no),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    expires_at INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (tenant, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE authorization_request (
    tenant     INTEGER NOT NULL REFERENCES tenant (no),
    id         TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE authorization_code (
    tenant     INTEGER NOT NULL REFERENCES tenant (no),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    grant_id   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (tenant, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE used_assertion (
    tenant     INTEGER NOT NULL REFERENCES tenant (no),
    issuer     TEXT    NOT NULL,
    jti        TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, issuer, jti)
) STRICT, WITHOUT ROWID;

CREATE TABLE oauth_grant (
    tenant   INTEGER NOT NULL REFERENCES tenant (no),
    id       TEXT    NOT NULL,
    client   TEXT    NOT NULL,
    account  TEXT,
    consent  TEXT,
    ended_at INTEGER,
    body     TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_grant_account ON oauth_grant (tenant, account) WHERE account IS NOT NULL;
CREATE INDEX oauth_grant_client ON oauth_grant (tenant, client);
CREATE INDEX oauth_grant_consent ON oauth_grant (tenant, consent) WHERE consent IS NOT NULL;
CREATE INDEX oauth_grant_open ON oauth_grant (tenant, id) WHERE ended_at IS NULL;

CREATE TABLE refresh_token (
    tenant   INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    grant_id TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (tenant, hash),
    FOREIGN KEY (tenant, grant_id) REFERENCES oauth_grant (tenant, id)
) STRICT, WITHOUT ROWID;

-- What patients chose --------------------------------------------------------------------------

CREATE TABLE consent_version (
    tenant     INTEGER NOT NULL REFERENCES tenant (no),
    consent    TEXT    NOT NULL,
    number     INTEGER NOT NULL CHECK (number >= 1),
    version_id TEXT    NOT NULL CHECK (length(version_id) = 64),
    patient    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (tenant, consent, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX consent_version_id ON consent_version (tenant, version_id);
CREATE INDEX consent_version_patient ON consent_version (tenant, patient);

CREATE TRIGGER consent_version_is_never_updated BEFORE UPDATE ON consent_version
BEGIN SELECT raise(ABORT, 'consent versions are append-only'); END;
CREATE TRIGGER consent_version_is_never_deleted BEFORE DELETE ON consent_version
BEGIN SELECT raise(ABORT, 'consent versions are append-only'); END;

CREATE TABLE objection (
    tenant      INTEGER NOT NULL REFERENCES tenant (no),
    patient     TEXT    NOT NULL,
    categories  TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, patient)
) STRICT, WITHOUT ROWID;

-- Keys and settings ----------------------------------------------------------------------------

CREATE TABLE server_key (
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    id     TEXT    NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    name   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- FHIR resources -------------------------------------------------------------------------------

-- One row for each version ever written. `seq` counts all of them, so it is also the order of
-- writing; a version is the current one for sequence numbers in [seq, to_seq).
CREATE TABLE record_version (
    seq     INTEGER PRIMARY KEY,
    tenant  INTEGER NOT NULL REFERENCES tenant (no),
    -- The position of the type among the names of FHIR R4 4.0.1, which is frozen.
    type    INTEGER NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    at      INTEGER NOT NULL,
    -- 1 create, 2 update, 3 delete.
    method  INTEGER NOT NULL CHECK (method IN (1, 2, 3)),
    to_seq  INTEGER NOT NULL DEFAULT 9223372036854775807
) STRICT;
CREATE UNIQUE INDEX record_version_id ON record_version (tenant, type, id, version);
-- Every index ends in the rowid, here `seq`: this one lists a type in order of writing.
CREATE INDEX record_version_type ON record_version (tenant, type);

-- Bodies are apart, so that a scan of versions does not wade through them. Deletions have none.
CREATE TABLE record_body (
    seq    INTEGER PRIMARY KEY REFERENCES record_version (seq),
    tenant INTEGER NOT NULL,
    body   BLOB    NOT NULL
) STRICT;

-- LIMIT: about twenty rows for each resource. No foreign keys, because an import writes a hundred
-- thousand of these each second; they are only ever written beside their version.
CREATE TABLE record_key (
    tenant INTEGER NOT NULL,
    type   INTEGER NOT NULL,
    key    INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE record_range (
    tenant INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    param  INTEGER NOT NULL,
    low    INTEGER NOT NULL,
    high   INTEGER NOT NULL,
    PRIMARY KEY (seq, param, low, high)
) STRICT, WITHOUT ROWID;

CREATE TABLE record_patient (
    tenant  INTEGER NOT NULL,
    type    INTEGER NOT NULL,
    patient TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, patient, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_patient_seq ON record_patient (seq, patient);

-- The audit log --------------------------------------------------------------------------------

CREATE TABLE audit_entry (
    no       INTEGER PRIMARY KEY,
    tenant   INTEGER NOT NULL REFERENCES tenant (no),
    idx      INTEGER NOT NULL CHECK (idx >= 0),
    id       TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    leaf     BLOB    NOT NULL,
    salt     BLOB    NOT NULL CHECK (length(salt) = 32),
    -- The pseudonyms of `audit_subject`, one after the other.
    subjects BLOB    NOT NULL CHECK (length(subjects) % 32 = 0),
    body     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_entry_idx ON audit_entry (tenant, idx);
CREATE UNIQUE INDEX audit_entry_id ON audit_entry (tenant, id);

CREATE TABLE audit_subject (
    tenant  INTEGER NOT NULL REFERENCES tenant (no),
    subject BLOB    NOT NULL CHECK (length(subject) = 32),
    idx     INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_tile (
    no     INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    idx    INTEGER NOT NULL CHECK (idx >= 0),
    hashes BLOB    NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) <= 8192)
) STRICT;
CREATE UNIQUE INDEX log_tile_idx ON log_tile (tenant, level, idx);

-- The last checkpoint in each run of 256 entries is kept; `slot` counts the runs.
CREATE TABLE log_checkpoint (
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    slot   INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    root   BLOB    NOT NULL CHECK (length(root) = 32),
    note   TEXT    NOT NULL,
    PRIMARY KEY (tenant, slot)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_entry_is_never_updated BEFORE UPDATE ON audit_entry
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_entry_is_never_deleted BEFORE DELETE ON audit_entry
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_subject_is_never_updated BEFORE UPDATE ON audit_subject
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_subject_is_never_deleted BEFORE DELETE ON audit_subject
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_tile_only_grows BEFORE UPDATE ON log_tile
WHEN NEW.tenant <> OLD.tenant OR NEW.level <> OLD.level OR NEW.idx <> OLD.idx
  OR length(NEW.hashes) < length(OLD.hashes)
  OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes
BEGIN SELECT raise(ABORT, 'tiles only grow'); END;
CREATE TRIGGER log_tile_is_never_deleted BEFORE DELETE ON log_tile
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_checkpoint_only_grows BEFORE UPDATE ON log_checkpoint
WHEN NEW.tenant <> OLD.tenant OR NEW.slot <> OLD.slot OR NEW.size <= OLD.size
BEGIN SELECT raise(ABORT, 'checkpoints only grow'); END;
CREATE TRIGGER log_checkpoint_is_never_deleted BEFORE DELETE ON log_checkpoint
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
