-- Times are microseconds since 1970, 0 for none. Repositories are OWNER/NAME
-- in lower case, as GitHub takes either case for the same one.
-- In PostgreSQL, BLOB is BYTEA and INTEGER PRIMARY KEY AUTOINCREMENT is
-- BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY; the rest is the same.

-- +goose Up
CREATE TABLE deliveries (
    guid        TEXT   NOT NULL PRIMARY KEY,
    event       TEXT   NOT NULL,
    payload     BLOB   NOT NULL,
    received_at BIGINT NOT NULL,
    outcome     TEXT   NOT NULL DEFAULT '' -- '' until processed
);
CREATE INDEX deliveries_open ON deliveries (received_at) WHERE outcome = '';
CREATE INDEX deliveries_age ON deliveries (received_at);

CREATE TABLE heads (
    id   INTEGER PRIMARY KEY AUTOINCREMENT, -- settles which came last within GitHub's whole seconds
    repo TEXT   NOT NULL,
    pull BIGINT NOT NULL,
    sha  TEXT   NOT NULL,
    at   BIGINT NOT NULL,
    UNIQUE (repo, pull, at, sha)
);

-- +goose Down
DROP TABLE heads;
DROP TABLE deliveries;
