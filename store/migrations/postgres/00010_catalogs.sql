-- +goose Up
-- What runs were planned with: a replica, or its next start, may not have it.
CREATE TABLE catalogs (
    revision TEXT NOT NULL PRIMARY KEY,
    packed   BYTEA NOT NULL
);

-- +goose Down
DROP TABLE catalogs;
