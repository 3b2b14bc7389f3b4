-- Migration 9: FHIR Subscriptions, each made with a grant and ended with it.

CREATE TABLE subscription (
    tenant   INTEGER NOT NULL REFERENCES tenant (no),
    id       TEXT    NOT NULL,
    grant_id TEXT    NOT NULL,
    -- Sealed: what is asked for names patients, and headers hold secrets of the receiver.
    body     BLOB    NOT NULL,
    -- How far it is.
    progress TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
