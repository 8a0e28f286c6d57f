-- +goose Up
-- Whose a workflow run is: the webhooks of its jobs ask hundreds of times.
CREATE TABLE workflow_runs (
    repo TEXT   NOT NULL,
    id   BIGINT NOT NULL, -- GitHub's
    run  BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    PRIMARY KEY (repo, id)
);
CREATE INDEX workflow_runs_run ON workflow_runs (run);
INSERT INTO workflow_runs (repo, id, run)
    SELECT r.repo, json_extract(d.value, '$.workflow_run'), r.id FROM runs r, json_each(r.document, '$.dispatch') d
    WHERE json_extract(d.value, '$.workflow_run') IS NOT NULL
    ON CONFLICT (repo, id) DO NOTHING;

-- +goose Down
DROP TABLE workflow_runs;
