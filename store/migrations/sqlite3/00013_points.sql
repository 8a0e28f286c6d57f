-- +goose Up
-- What replicas set aside of GitHub's points a minute, and when it is spent at the latest.
CREATE TABLE points (
    installation BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    points       BIGINT NOT NULL
);
CREATE INDEX points_at ON points (installation, at);

-- +goose Down
DROP TABLE points;
