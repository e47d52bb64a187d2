-- No utterance repeats one code for two seconds or more, as digital silence and stuck audio do.
-- severity: warn
SELECT utterance_id, level, longest_run,
    round(longest_run / tokens_per_second, 2) AS seconds
FROM token_lists JOIN levels USING (level) WHERE longest_run >= 2 * tokens_per_second
