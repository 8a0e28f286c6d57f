-- +goose Up
CREATE TABLE instances (
    id          TEXT   NOT NULL PRIMARY KEY,
    bucket      TEXT   NOT NULL,
    run         BIGINT, -- read from the bucket; NULL when it names none
    attempt     BIGINT NOT NULL,
    cloud_id    TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    secret      BLOB,
    enrol       BLOB,
    intended_at BIGINT NOT NULL,
    launched_at BIGINT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    deadline    BIGINT NOT NULL
);
CREATE INDEX instances_there ON instances (id) WHERE state <> 'gone';
CREATE INDEX instances_run ON instances (run);

-- +goose Down
DROP TABLE instances;
