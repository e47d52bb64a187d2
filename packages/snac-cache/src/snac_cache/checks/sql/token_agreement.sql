-- Of the tokens that were encoded again by themselves, 99 % are equal; and 90 % in each part.
-- severity: fail
-- snac-cache does that with a sample of every cache: where nothing was compared, nothing is known.
WITH compared AS (
    SELECT filename, tokens_compared, tokens_equal / nullif(tokens_compared, 0) AS agreement
    FROM parts WHERE problem IS NULL AND rows > 0
), whole AS (
    SELECT 'all parts' AS filename, coalesce(sum(tokens_compared), 0) AS tokens_compared,
        sum(agreement * tokens_compared) / nullif(sum(tokens_compared), 0) AS agreement
    FROM compared HAVING count(*) > 0
)
SELECT *, 'nothing was compared' AS problem FROM whole WHERE tokens_compared = 0
UNION ALL
SELECT *, 'too few tokens are equal' FROM whole WHERE agreement < 0.99
UNION ALL
SELECT filename, NULL, token_agreement, 'too few tokens are equal' FROM cache
WHERE token_agreement < 0.99
UNION ALL
SELECT *, 'too few tokens of this part are equal' FROM compared WHERE agreement < 0.9
