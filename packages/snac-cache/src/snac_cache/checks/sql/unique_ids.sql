-- No utterance is cached twice.
-- severity: fail
SELECT utterance_id, count(*) AS rows FROM cached GROUP BY utterance_id HAVING count(*) > 1
