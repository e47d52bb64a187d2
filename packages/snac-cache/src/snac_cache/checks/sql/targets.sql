-- Every 48 kHz target that the manifest names exists.
-- severity: fail
SELECT folder, name FROM missing_targets
