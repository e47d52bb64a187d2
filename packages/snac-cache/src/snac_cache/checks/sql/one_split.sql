-- No utterance is in two splits, neither among the parts nor in the manifest.
-- severity: fail
WITH placed AS (
    SELECT utterance_id, folder
    FROM cached JOIN (SELECT filename, folder FROM parts) USING (filename)
)
SELECT utterance_id, 'is cached in train/ and in val/' AS problem
FROM placed SEMI JOIN (FROM placed WHERE folder = 'val') USING (utterance_id)
WHERE folder = 'train'
UNION ALL
SELECT utterance_id, 'is in the manifest ' || count(*) || ' times'
FROM manifest GROUP BY utterance_id HAVING count(*) > 1
