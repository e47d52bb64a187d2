-- The manifest on disk is the one that was cached, so that rows can be compared one by one.
-- severity: warn
SELECT split, rows AS rows_asked_for, rows_on_disk, problem FROM asked WHERE problem IS NOT NULL
