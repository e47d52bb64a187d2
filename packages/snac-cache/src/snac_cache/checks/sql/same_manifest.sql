-- The manifest has the rows that were cached: none are new, none are gone.
-- severity: warn
SELECT NULL AS utterance_id, 'there is no manifest: rows are as they were when cached' AS problem
FROM cache WHERE manifest IS NULL
UNION ALL
SELECT utterance_id, 'is in the manifest, but not in the plan of the cache'
FROM manifest ANTI JOIN planned USING (utterance_id)
UNION ALL
SELECT utterance_id, 'is in the plan of the cache, but not in the manifest'
FROM planned ANTI JOIN manifest USING (utterance_id)
