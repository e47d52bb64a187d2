-- Every manifest row is cached or rejected exactly once, and nothing else is.
-- severity: fail
WITH outcomes AS (
    SELECT utterance_id, split, 1 AS cached, 0 AS rejected FROM codes
    UNION ALL
    SELECT utterance_id, split, 0, 1 FROM cache_rejects
), known AS (
    SELECT * FROM outcomes WHERE split IN (SELECT split FROM asked WHERE problem IS NULL)
    UNION ALL
    SELECT utterance_id, split, 0, 0 FROM requested
)
SELECT utterance_id, split, sum(cached) AS cached, sum(rejected) AS rejected,
    bool_or(cached + rejected = 0) AS in_manifest
FROM known
GROUP BY utterance_id, split
HAVING sum(cached) + sum(rejected) <> 1 OR NOT bool_or(cached + rejected = 0)
