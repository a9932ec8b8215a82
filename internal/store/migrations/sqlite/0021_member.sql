-- Only PostgreSQL needs a function here; SQLite reads the members of documents with its own.
SELECT 1;
