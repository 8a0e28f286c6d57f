-- A command may stand elsewhere than in a comment, and its line is asked for
-- when the text around it is edited.

-- +goose Up
CREATE TABLE commands_next (
    repo  TEXT   NOT NULL,
    place TEXT   NOT NULL, -- as in bot.CommentEvent
    comment BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    run   BIGINT REFERENCES runs (id), -- NULL: it has an answer instead
    line  TEXT   NOT NULL,
    PRIMARY KEY (repo, place, comment, idx)
);
INSERT INTO commands_next (repo, place, comment, idx, run, line)
    SELECT c.repo, '', c.comment, c.idx, c.run,
        COALESCE(json_extract(r.document, '$.text'), json_extract(a.document, '$.text'), '')
    FROM commands c
    LEFT JOIN runs r ON r.id = c.run
    LEFT JOIN answers a ON a.repo = c.repo AND a.comment = c.comment AND a.idx = c.idx;

CREATE TABLE answers_next (
    repo     TEXT   NOT NULL,
    place    TEXT   NOT NULL,
    comment  BIGINT NOT NULL,
    idx      BIGINT NOT NULL,
    pull     BIGINT NOT NULL,
    owed     BIGINT NOT NULL, -- 1 while GitHub does not show all of it
    at       BIGINT NOT NULL, -- when the command was written
    document TEXT   NOT NULL, -- bot.Answer as JSON
    PRIMARY KEY (repo, place, comment, idx),
    FOREIGN KEY (repo, place, comment, idx) REFERENCES commands_next (repo, place, comment, idx)
);
INSERT INTO answers_next (repo, place, comment, idx, pull, owed, at, document)
    SELECT repo, '', comment, idx, COALESCE(json_extract(document, '$.pull'), 0), CASE WHEN posted = 0 THEN 1 ELSE 0 END,
        CAST(COALESCE(strftime('%s', json_extract(document, '$.at')), '0') AS INTEGER) * 1000000, document
    FROM answers;
DROP TABLE answers;
DROP TABLE commands;
ALTER TABLE commands_next RENAME TO commands;
ALTER TABLE answers_next RENAME TO answers;
CREATE INDEX answers_owed ON answers (at, comment, idx) WHERE owed = 1;
CREATE INDEX answers_pull ON answers (repo, pull, at);
CREATE INDEX runs_created ON runs (created_at);

-- The first approval of a commit stays.
CREATE TABLE approvals (
    repo TEXT   NOT NULL,
    pull BIGINT NOT NULL,
    sha  TEXT   NOT NULL,
    who  TEXT   NOT NULL,
    at   BIGINT NOT NULL,
    PRIMARY KEY (repo, pull, sha)
);

CREATE TABLE results (
    run      BIGINT NOT NULL REFERENCES runs (id),
    goal     TEXT   NOT NULL,
    document TEXT   NOT NULL, -- report.GoalResult as JSON
    PRIMARY KEY (run, goal)
);

CREATE TABLE marks (
    name TEXT   NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL
);

CREATE TABLE audit (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
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
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit;
DROP TABLE marks;
DROP TABLE results;
DROP TABLE approvals;
DROP INDEX runs_created;
CREATE TABLE commands_before (
    repo    TEXT   NOT NULL,
    comment BIGINT NOT NULL,
    idx     BIGINT NOT NULL,
    run     BIGINT REFERENCES runs (id),
    PRIMARY KEY (repo, comment, idx)
);
INSERT INTO commands_before SELECT repo, comment, idx, run FROM commands WHERE place = '';
CREATE TABLE answers_before (
    repo     TEXT   NOT NULL,
    comment  BIGINT NOT NULL,
    idx      BIGINT NOT NULL,
    posted   BIGINT NOT NULL,
    document TEXT   NOT NULL,
    PRIMARY KEY (repo, comment, idx),
    FOREIGN KEY (repo, comment, idx) REFERENCES commands_before (repo, comment, idx)
);
INSERT INTO answers_before
    SELECT repo, comment, idx, COALESCE(json_extract(document, '$.posted'), 0), document FROM answers WHERE place = '';
DROP TABLE answers;
DROP TABLE commands;
ALTER TABLE commands_before RENAME TO commands;
ALTER TABLE answers_before RENAME TO answers;
CREATE INDEX answers_open ON answers (comment, idx) WHERE posted = 0;
