-- Migration 6: consents on file, apart from the pictures of choices.
--
-- A start hears every consent on file. Choices that were made here have a picture among the records,
-- far more of them, and under ids of a form of their own: `cns-` and something without a full stop.
-- 28 is the position of Consent among the types.

CREATE INDEX record_version_on_file ON record_version (tenant, id)
    WHERE type = 28 AND NOT (id GLOB 'cns-?*' AND id NOT GLOB '*.*');
