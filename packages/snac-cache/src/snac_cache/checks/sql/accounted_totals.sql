-- Each part has as many rows, cached and rejected together, as were planned.
-- severity: fail
WITH outcomes AS (
    SELECT filename FROM cached UNION ALL SELECT part FROM cache_rejects
)
SELECT filename, rows AS planned, count(outcomes.filename) AS cached_or_rejected
FROM planned_parts LEFT JOIN outcomes USING (filename)
GROUP BY filename, rows HAVING count(outcomes.filename) <> rows
