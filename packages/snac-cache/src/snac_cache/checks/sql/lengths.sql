-- num_samples and duration_s follow from the source's frames and rate, samples by ceiling.
-- severity: fail
SELECT utterance_id, num_frames, source_sample_rate, duration_s, num_samples
FROM cached, cache
WHERE num_samples IS DISTINCT FROM
        (num_frames * sample_rate + source_sample_rate - 1) // source_sample_rate
    OR abs(duration_s - num_frames / source_sample_rate) > 0.001
