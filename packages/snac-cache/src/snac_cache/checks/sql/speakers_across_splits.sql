-- No speaker of val is in train too: validation is about voices that training has not heard.
-- severity: warn
-- needs: manifest.speaker
SELECT speaker, count(*) FILTER (split = 'train') AS in_train,
    count(*) FILTER (split = 'val') AS in_val
FROM manifest
WHERE speaker IS NOT NULL
GROUP BY speaker
HAVING in_train > 0 AND in_val > 0
ORDER BY in_val DESC, speaker
