-- Of tokens that were encoded again alone in float32, 99 % are equal; and 90 % in each part.
-- severity: fail
-- Something must have been compared, unless all is exact: float32 on a CPU.
WITH compared AS (
    SELECT filename, rows, tokens_compared, tokens_equal / nullif(tokens_compared, 0) AS agreement,
        precision = '"fp32"' AND coalesce(device, 'cpu') = 'cpu' AS is_exact
    FROM parts WHERE problem IS NULL
)
SELECT 'all parts' AS filename, sum(tokens_compared) AS tokens_compared,
    sum(agreement * tokens_compared) / sum(tokens_compared) AS agreement,
    'too few tokens are equal' AS problem
FROM compared
HAVING sum(agreement * tokens_compared) / sum(tokens_compared) < 0.99
UNION ALL
SELECT filename, NULL, token_agreement, 'too few tokens are equal'
FROM cache WHERE token_agreement < 0.99
UNION ALL
SELECT filename, tokens_compared, agreement, 'too few tokens of this part are equal'
FROM compared WHERE agreement < 0.9
UNION ALL
SELECT filename, tokens_compared, NULL, 'nothing was compared'
FROM compared WHERE coalesce(tokens_compared, 0) = 0 AND rows > 0 AND NOT is_exact
