-- No utterance is in two splits, and each lies in the folder of its split.
-- severity: fail
SELECT utterance_id, min(split) || ' and ' || max(split) AS splits
FROM codes GROUP BY utterance_id HAVING min(split) <> max(split)
UNION ALL
SELECT utterance_id, split || ' in folder ' || folder
FROM codes JOIN (SELECT filename, folder FROM parts) USING (filename) WHERE split <> folder
