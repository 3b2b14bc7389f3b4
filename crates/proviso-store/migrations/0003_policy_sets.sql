-- Migration 3: sets of policies, who decided on them, and which is in force.

CREATE TABLE policy_set (
    tenant    INTEGER NOT NULL REFERENCES tenant (no),
    -- The hash of the documents.
    id        TEXT    NOT NULL,
    documents TEXT    NOT NULL,
    body      TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER policy_set_keeps_its_documents BEFORE UPDATE ON policy_set
WHEN NEW.tenant <> OLD.tenant OR NEW.id <> OLD.id OR NEW.documents <> OLD.documents
BEGIN SELECT raise(ABORT, 'the documents of a policy set never change'); END;
CREATE TRIGGER policy_set_is_never_deleted BEFORE DELETE ON policy_set
BEGIN SELECT raise(ABORT, 'policy sets are append-only'); END;

CREATE TABLE policy_in_force (
    tenant INTEGER PRIMARY KEY REFERENCES tenant (no),
    body   TEXT    NOT NULL
) STRICT;
