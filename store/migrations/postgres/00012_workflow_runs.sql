-- +goose Up
-- Whose a workflow run is: the webhooks of its jobs ask hundreds of times.
CREATE TABLE workflow_runs (
    repo TEXT   NOT NULL,
    id   BIGINT NOT NULL, -- GitHub's
    run  BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    PRIMARY KEY (repo, id)
);
CREATE INDEX workflow_runs_run ON workflow_runs (run);
-- Not with JSON's functions, which refuse the NUL that a sentence may hold. Within a
-- string the quotes would be escaped.
INSERT INTO workflow_runs (repo, id, run)
    SELECT r.repo, m[1]::bigint, r.id FROM runs r, regexp_matches(r.document, '"workflow_run":([0-9]+)', 'g') m
    ON CONFLICT (repo, id) DO NOTHING;

-- +goose Down
DROP TABLE workflow_runs;
