-- Every 48 kHz target that is named exists.
-- severity: fail
SELECT folder, name FROM missing_targets
