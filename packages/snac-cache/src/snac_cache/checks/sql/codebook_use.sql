-- Each level uses at least half its codebook, with a perplexity of a tenth of its size or more.
-- severity: warn
-- Judged where there are at least 100 tokens to each code.
SELECT level, tokens, used, codebook_size, entropy_bits, perplexity
FROM codebooks
WHERE tokens >= 100 * codebook_size
    AND (used < 0.5 * codebook_size OR perplexity < 0.1 * codebook_size)
