-- Recordings that are their own 48 kHz targets hold audio above 12 kHz, as far as was measured.
-- severity: warn
SELECT utterance_id, bandwidth_hz
FROM manifest
WHERE target_path = audio_path AND bandwidth_hz <= 12000
