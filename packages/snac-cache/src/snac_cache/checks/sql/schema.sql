-- Every part has the columns of the schema, each with its type.
-- severity: fail
SELECT filename, schema_problem FROM parts WHERE schema_problem IS NOT NULL
