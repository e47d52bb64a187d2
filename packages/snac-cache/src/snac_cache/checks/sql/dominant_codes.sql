-- No code takes a fifth of its level's tokens or more.
-- severity: warn
-- Judged where there are at least 100 tokens to each code.
SELECT level, token, round(occurrences / tokens, 4) AS share
FROM token_counts JOIN codebooks USING (level)
WHERE tokens >= 100 * codebook_size AND occurrences >= 0.2 * tokens
