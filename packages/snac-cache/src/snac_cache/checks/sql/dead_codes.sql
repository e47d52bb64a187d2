-- No code is dead: each occurs somewhere.
-- severity: warn
-- Judged where there are at least 100 tokens to each code.
SELECT level, token
FROM codebooks JOIN (SELECT level, unnest(range(codebook_size)) AS token FROM levels) USING (level)
ANTI JOIN token_counts USING (level, token)
WHERE tokens >= 100 * codebook_size
