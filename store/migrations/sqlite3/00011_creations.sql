-- +goose Up
-- When content was created on GitHub, by any replica: GitHub limits it by installation.
CREATE TABLE creations (
    installation INTEGER NOT NULL,
    at           INTEGER NOT NULL
);
CREATE INDEX creations_at ON creations (installation, at);

-- +goose Down
DROP TABLE creations;
