-- Every planned row is cached or rejected exactly once, and nothing else is.
-- severity: fail
WITH known AS (
    SELECT utterance_id, 'planned' AS place FROM planned
    UNION ALL
    SELECT utterance_id, 'cached' FROM cached
    UNION ALL
    SELECT utterance_id, 'rejected' FROM cache_rejects
)
SELECT utterance_id, count(*) FILTER (place = 'planned') AS planned,
    count(*) FILTER (place = 'cached') AS cached, count(*) FILTER (place = 'rejected') AS rejected
FROM known
GROUP BY utterance_id
HAVING planned <> 1 OR cached + rejected <> 1
