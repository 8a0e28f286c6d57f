-- A run was one row. Its pieces change one at a time, its plan never, and what
-- waits to be driven with every entry: each has a row of its own.

-- +goose Up
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
INSERT INTO pieces (run, idx, document) SELECT r.id, p.key, p.value FROM runs r, json_each(r.document, '$.pieces') p;
INSERT INTO plans (run, document) SELECT id, COALESCE(json_extract(document, '$.plan'), '{}') FROM runs;
INSERT INTO drives (run, queued) SELECT id, 0 FROM runs;
UPDATE runs SET document = json_remove(document, '$.pieces', '$.plan');
ALTER TABLE runs DROP COLUMN queued;

-- since is the oldest schema whose program may work beside this one.
CREATE TABLE compatible (since BIGINT NOT NULL);
INSERT INTO compatible (since) VALUES (9);

-- +goose Down
DROP TABLE compatible;
ALTER TABLE runs ADD COLUMN queued BIGINT NOT NULL DEFAULT 0;
UPDATE runs SET document = json_set(document,
    '$.plan', json((SELECT document FROM plans WHERE run = id)),
    '$.pieces', json('[' || COALESCE((SELECT group_concat(document, ',' ORDER BY idx) FROM pieces WHERE run = id), '') || ']'));
DROP TABLE drives;
DROP TABLE plans;
DROP TABLE pieces;
