-- Migration 2: what each version of a resource was labelled, and under which rule set.

-- A rule set is named by the hash of its content; versions carry its small number.
CREATE TABLE label_set (
    no      INTEGER PRIMARY KEY,
    tenant  INTEGER NOT NULL REFERENCES tenant (no),
    version TEXT    NOT NULL CHECK (length(version) = 64)
) STRICT;
CREATE UNIQUE INDEX label_set_version ON label_set (tenant, version);

-- The set under which the version was labelled last; NULL for one that never was.
ALTER TABLE record_version ADD COLUMN label_set INTEGER REFERENCES label_set (no);
-- What it was labelled; NULL when no rule found anything, which is most often so.
ALTER TABLE record_version ADD COLUMN labels TEXT;
