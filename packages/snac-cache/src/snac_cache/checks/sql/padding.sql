-- Each level has as many tokens as num_samples gives, padded as the codec pads.
-- severity: fail
SELECT utterance_id, level, num_samples, tokens
FROM token_lists JOIN levels USING (level)
WHERE num_samples < 1
    OR tokens <> (num_samples + padding_samples - 1) // padding_samples * padding_tokens
