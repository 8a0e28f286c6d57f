-- +goose Up
CREATE TABLE entries (
    run         BIGINT NOT NULL REFERENCES runs (id),
    piece       TEXT   NOT NULL,
    attempt     BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    meta        TEXT   NOT NULL, -- report.Entry as it came
    log         BLOB   NOT NULL, -- gzip
    size        BIGINT NOT NULL, -- of the log, unpacked
    sha256      BLOB   NOT NULL, -- of the log, unpacked
    PRIMARY KEY (run, piece, attempt, seq)
);

-- +goose Down
DROP TABLE entries;
