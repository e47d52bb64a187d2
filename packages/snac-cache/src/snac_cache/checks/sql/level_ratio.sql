-- Each level has exactly its number of tokens to each coarse token.
-- severity: fail
SELECT utterance_id, level, tokens, coarse_tokens, tokens_per_coarse
FROM token_lists JOIN levels USING (level) WHERE tokens <> coarse_tokens * tokens_per_coarse
