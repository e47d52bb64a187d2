-- No utterance is cached twice in a split.
-- severity: fail
SELECT utterance_id, split, count(*) AS rows
FROM codes GROUP BY utterance_id, split HAVING count(*) > 1
