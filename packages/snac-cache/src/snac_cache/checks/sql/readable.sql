-- Every part can be read to its last byte.
-- severity: fail
SELECT filename, problem FROM parts WHERE problem IS NOT NULL
UNION ALL
SELECT filename, unreadable.problem FROM unreadable JOIN parts ON part = number
