-- +goose Up
CREATE TABLE notes (
    word  TEXT   NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL -- it is forgotten from then on
);

-- +goose Down
DROP TABLE notes;
