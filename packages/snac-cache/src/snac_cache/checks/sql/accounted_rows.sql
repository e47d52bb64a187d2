-- Every planned row is cached or rejected exactly once, and nothing else is.
-- severity: fail
WITH known AS (
    SELECT utterance_id, 1 AS planned, 0 AS cached, 0 AS rejected FROM planned
    UNION ALL
    SELECT utterance_id, 0, 1, 0 FROM cached
    UNION ALL
    SELECT utterance_id, 0, 0, 1 FROM cache_rejects
)
SELECT utterance_id, sum(planned) AS planned, sum(cached) AS cached, sum(rejected) AS rejected
FROM known
GROUP BY utterance_id
HAVING sum(planned) <> 1 OR sum(cached) + sum(rejected) <> 1
