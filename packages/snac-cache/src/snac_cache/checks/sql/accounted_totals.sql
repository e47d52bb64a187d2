-- Each split has as many rows, cached and rejected together, as were asked for.
-- severity: fail
WITH outcomes AS (
    SELECT split FROM codes UNION ALL SELECT split FROM cache_rejects
)
SELECT split, rows AS asked_for, count(outcomes.split) AS cached_or_rejected
FROM asked LEFT JOIN outcomes USING (split)
WHERE rows IS NOT NULL
GROUP BY split, rows HAVING count(outcomes.split) <> rows
