-- PostgreSQL begins here; what SQLite's file had before, nobody has.
--
-- Times are microseconds since 1970, 0 for none. Repositories are OWNER/NAME
-- in lower case, as GitHub takes either case for the same one.

-- +goose Up
CREATE TABLE deliveries (
    guid        TEXT   NOT NULL PRIMARY KEY,
    event       TEXT   NOT NULL,
    payload     BYTEA  NOT NULL,
    received_at BIGINT NOT NULL,
    outcome     TEXT   NOT NULL DEFAULT '' -- '' until processed
);
CREATE INDEX deliveries_open ON deliveries (received_at) WHERE outcome = '';
CREATE INDEX deliveries_age ON deliveries (received_at);

CREATE TABLE heads (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- settles which came last within GitHub's whole seconds
    repo TEXT   NOT NULL,
    pull BIGINT NOT NULL,
    sha  TEXT   NOT NULL,
    at   BIGINT NOT NULL,
    UNIQUE (repo, pull, at, sha)
);

CREATE TABLE runs (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- a run's ID is never used again
    repo       TEXT   NOT NULL,
    pull       BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    document   TEXT   NOT NULL -- bot.Run as JSON without plan and pieces; the columns repeat what queries ask for
);
CREATE INDEX runs_pull ON runs (repo, pull, id);
CREATE INDEX runs_live ON runs (id) WHERE state <> 'closed';
CREATE INDEX runs_created ON runs (created_at);

CREATE TABLE pieces (
    run      BIGINT NOT NULL REFERENCES runs (id),
    idx      BIGINT NOT NULL, -- their order, from 0
    document TEXT   NOT NULL, -- bot.Piece as JSON
    PRIMARY KEY (run, idx)
);
CREATE TABLE plans (
    run      BIGINT NOT NULL PRIMARY KEY REFERENCES runs (id),
    document TEXT   NOT NULL -- plan.Plan as JSON
);
CREATE TABLE drives (
    run    BIGINT NOT NULL PRIMARY KEY REFERENCES runs (id),
    queued BIGINT NOT NULL -- 1 while a job to drive it waits: a burst of entries needs one
);

-- A command has one row here, whichever way it is answered.
CREATE TABLE commands (
    repo    TEXT   NOT NULL,
    place   TEXT   NOT NULL, -- as in bot.CommentEvent
    comment BIGINT NOT NULL,
    idx     BIGINT NOT NULL,
    run     BIGINT REFERENCES runs (id), -- NULL: it has an answer instead
    line    TEXT   NOT NULL,
    PRIMARY KEY (repo, place, comment, idx)
);
CREATE TABLE answers (
    repo     TEXT   NOT NULL,
    place    TEXT   NOT NULL,
    comment  BIGINT NOT NULL,
    idx      BIGINT NOT NULL,
    pull     BIGINT NOT NULL,
    owed     BIGINT NOT NULL, -- 1 while GitHub does not show all of it
    at       BIGINT NOT NULL, -- when the command was written
    document TEXT   NOT NULL, -- bot.Answer as JSON
    PRIMARY KEY (repo, place, comment, idx),
    FOREIGN KEY (repo, place, comment, idx) REFERENCES commands (repo, place, comment, idx)
);
CREATE INDEX answers_owed ON answers (at, comment, idx) WHERE owed = 1;
CREATE INDEX answers_pull ON answers (repo, pull, at);

-- The first approval of a commit stays.
CREATE TABLE approvals (
    repo TEXT   NOT NULL,
    pull BIGINT NOT NULL,
    sha  TEXT   NOT NULL,
    who  TEXT   NOT NULL,
    at   BIGINT NOT NULL,
    PRIMARY KEY (repo, pull, sha)
);

CREATE TABLE entries (
    run         BIGINT NOT NULL REFERENCES runs (id),
    piece       TEXT   NOT NULL,
    attempt     BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    meta        TEXT   NOT NULL, -- report.Entry as it came
    log         BYTEA  NOT NULL, -- gzip
    size        BIGINT NOT NULL, -- of the log, unpacked
    sha256      BYTEA  NOT NULL, -- of the log, unpacked
    PRIMARY KEY (run, piece, attempt, seq)
);
ALTER TABLE entries ALTER COLUMN log SET STORAGE EXTERNAL; -- it is packed

CREATE TABLE results (
    run      BIGINT NOT NULL REFERENCES runs (id),
    goal     TEXT   NOT NULL,
    document TEXT   NOT NULL, -- report.GoalResult as JSON
    PRIMARY KEY (run, goal)
);

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
    secret      BYTEA,
    enrol       BYTEA,
    intended_at BIGINT NOT NULL,
    launched_at BIGINT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    deadline    BIGINT NOT NULL,
    on_demand   BIGINT NOT NULL DEFAULT 0,
    params      TEXT   NOT NULL DEFAULT '', -- what the cloud froze of the launch
    tries       BIGINT NOT NULL DEFAULT 0,  -- launches refused for want of capacity
    retry_at    BIGINT NOT NULL DEFAULT 0,
    lanes       BIGINT NOT NULL DEFAULT 0, -- pieces at once; 0 is 1
    taken       BIGINT NOT NULL DEFAULT 0  -- the lanes that have a piece, bit by bit
);
CREATE INDEX instances_there ON instances (intended_at, id) WHERE state <> 'gone' OR owed = 1;
CREATE INDEX instances_run ON instances (run);

CREATE TABLE marks (
    name TEXT   NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL
);

CREATE TABLE notes (
    word  TEXT   NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL -- it is forgotten from then on
);

CREATE TABLE audit (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    BIGINT NOT NULL,
    who   TEXT   NOT NULL,
    did   TEXT   NOT NULL,
    repo  TEXT   NOT NULL,
    pull  BIGINT NOT NULL,
    run   TEXT   NOT NULL,
    sha   TEXT   NOT NULL,
    note  TEXT   NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();

-- since is the oldest schema whose program may work beside this one.
CREATE TABLE compatible (since BIGINT NOT NULL);
INSERT INTO compatible (since) VALUES (9);

-- +goose Down
DROP TABLE compatible, audit, notes, marks, instances, results, entries, approvals, answers, commands, drives, plans, pieces, runs, heads, deliveries;
DROP FUNCTION audit_is_kept();
