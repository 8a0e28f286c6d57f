-- +goose Up
ALTER TABLE instances ADD COLUMN lanes BIGINT NOT NULL DEFAULT 0; -- pieces at once; 0 is 1
ALTER TABLE instances ADD COLUMN taken BIGINT NOT NULL DEFAULT 0; -- the lanes that have a piece, bit by bit
UPDATE instances SET taken = 1 WHERE state = 'busy';

-- +goose Down
ALTER TABLE instances DROP COLUMN taken;
ALTER TABLE instances DROP COLUMN lanes;
