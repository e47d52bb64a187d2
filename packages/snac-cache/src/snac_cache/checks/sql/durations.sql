-- No utterance is shorter than 0.1 s, or longer than a minute and than ten times the median.
-- severity: warn
SELECT utterance_id, duration_s
FROM cached, (SELECT median(duration_s) AS median_s FROM cached)
WHERE duration_s < 0.1 OR duration_s > greatest(60, 10 * median_s)
