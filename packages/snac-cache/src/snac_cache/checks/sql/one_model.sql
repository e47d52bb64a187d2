-- One model, geometry and precision made all parts, and cache.json says which.
-- severity: fail
SELECT filename, problem FROM cache WHERE problem IS NOT NULL
UNION ALL
SELECT parts.filename,
    'made with ' || concat_ws(', ',
        'tokenizer ' || parts.tokenizer_sha256, 'precision ' || parts.precision,
        'geometry ' || parts.geometry, 'schema version ' || parts.schema_version)
FROM parts, cache
WHERE parts.problem IS NULL
    AND (parts.tokenizer_sha256, parts.config, parts.geometry, parts.precision, parts.schema_version)
    IS DISTINCT FROM
    (cache.tokenizer_sha256, cache.config, cache.geometry, cache.precision, cache.schema_version)
