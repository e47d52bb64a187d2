-- No audio was replaced since it was encoded: the manifest describes what was encoded.
-- severity: fail
-- A manifest without fingerprints tells nothing about them.
SELECT utterance_id, manifest.audio_path,
    cached.audio_fingerprint AS encoded, manifest.audio_fingerprint AS now
FROM cached JOIN manifest USING (utterance_id)
WHERE cached.audio_fingerprint <> manifest.audio_fingerprint
    OR cached.num_frames <> manifest.num_frames
    OR cached.source_sample_rate <> manifest.source_sample_rate
