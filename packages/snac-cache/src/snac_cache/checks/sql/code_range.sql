-- Every code is an entry of its codebook.
-- severity: fail
SELECT utterance_id, level, largest, codebook_size
FROM token_lists JOIN levels USING (level) WHERE largest >= codebook_size
