-- +goose Up
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- a run's ID is never used again
    repo       TEXT   NOT NULL,
    pull       BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    queued     BIGINT NOT NULL DEFAULT 0, -- 1 while a job to drive it waits: a burst of entries needs one
    document   TEXT   NOT NULL            -- bot.Run as JSON; the columns repeat what queries ask for
);
CREATE INDEX runs_pull ON runs (repo, pull, id);
CREATE INDEX runs_live ON runs (id) WHERE state <> 'closed';

-- A command has one row here, whichever way it is answered.
CREATE TABLE commands (
    repo    TEXT   NOT NULL,
    comment BIGINT NOT NULL,
    idx     BIGINT NOT NULL,
    run     BIGINT REFERENCES runs (id), -- NULL: it has an answer instead
    PRIMARY KEY (repo, comment, idx)
);

CREATE TABLE answers (
    repo     TEXT   NOT NULL,
    comment  BIGINT NOT NULL,
    idx      BIGINT NOT NULL,
    posted   BIGINT NOT NULL, -- comment id, 0 until posted
    document TEXT   NOT NULL, -- bot.Answer as JSON
    PRIMARY KEY (repo, comment, idx),
    FOREIGN KEY (repo, comment, idx) REFERENCES commands (repo, comment, idx)
);
CREATE INDEX answers_open ON answers (comment, idx) WHERE posted = 0;

-- +goose Down
DROP TABLE answers;
DROP TABLE commands;
DROP TABLE runs;
