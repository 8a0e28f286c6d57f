-- +goose Up
ALTER TABLE instances ADD COLUMN on_demand BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN params    TEXT   NOT NULL DEFAULT ''; -- what the cloud froze of the launch
ALTER TABLE instances ADD COLUMN tries     BIGINT NOT NULL DEFAULT 0;  -- launches refused for want of capacity
ALTER TABLE instances ADD COLUMN retry_at  BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE instances DROP COLUMN retry_at;
ALTER TABLE instances DROP COLUMN tries;
ALTER TABLE instances DROP COLUMN params;
ALTER TABLE instances DROP COLUMN on_demand;
