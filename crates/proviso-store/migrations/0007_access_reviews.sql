-- Migration 7: reviews of accesses that a policy has looked at afterwards.

CREATE TABLE access_review_version (
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    -- The entry of the access in the log.
    entry  TEXT    NOT NULL,
    number INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (tenant, entry, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER access_review_version_is_never_changed BEFORE UPDATE ON access_review_version
BEGIN SELECT raise(ABORT, 'review versions are append-only'); END;
CREATE TRIGGER access_review_version_is_never_deleted BEFORE DELETE ON access_review_version
BEGIN SELECT raise(ABORT, 'review versions are append-only'); END;

-- The reviews that somebody has to decide, by when; one row each, gone with the verdict.
CREATE TABLE access_review_waiting (
    tenant INTEGER NOT NULL REFERENCES tenant (no),
    due_at INTEGER NOT NULL,
    entry  TEXT    NOT NULL,
    PRIMARY KEY (tenant, due_at, entry)
) STRICT, WITHOUT ROWID;
