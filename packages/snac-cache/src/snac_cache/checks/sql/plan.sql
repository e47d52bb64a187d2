-- Every planned part is there, made from the rows that the plan has now, and no other part is.
-- severity: fail
SELECT filename, problem FROM plan_problems
UNION ALL
SELECT filename,
    CASE WHEN parts.rows IS NULL THEN 'is planned, but not there'
        WHEN planned_parts.rows IS NULL THEN 'is not in the plan'
        ELSE 'was made from other rows or other audio than the plan has'
    END
FROM (FROM parts WHERE problem IS NULL) AS parts FULL JOIN planned_parts USING (filename)
WHERE parts.source_sha256 IS DISTINCT FROM planned_parts.source_sha256
    AND filename NOT IN (SELECT filename FROM parts WHERE problem IS NOT NULL)
