-- +goose Up
CREATE TABLE instances (
    id          TEXT   NOT NULL PRIMARY KEY,
    bucket      TEXT   NOT NULL,
    run         BIGINT, -- read from the bucket; NULL when it names none
    attempt     BIGINT NOT NULL,
    arch        TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    url         TEXT   NOT NULL,
    cloud_id    TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    owed        BIGINT NOT NULL, -- 1 while the work is to be told that it was lost
    secret      BLOB,
    enrol       BLOB,
    intended_at BIGINT NOT NULL,
    launched_at BIGINT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    deadline    BIGINT NOT NULL
);
CREATE INDEX instances_there ON instances (intended_at, id) WHERE state <> 'gone' OR owed = 1;
CREATE INDEX instances_run ON instances (run);

-- +goose Down
DROP TABLE instances;
