-- The member of a document that is stored as text, as the text that a filter compares; '' when there is none. Providers send
-- JSON that PostgreSQL cannot convert: \u0000, halves of surrogate pairs, too deep a nesting. One such row must not make a whole list
-- fail, so that what cannot be represented is read as U+FFFD, and a document that cannot be read at all has no members. The type is
-- json, not jsonb, because jsonb rejects numbers such as 1e-99999999999.
CREATE FUNCTION millrace_member(doc text, path text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF doc = '' THEN
    RETURN '';
  END IF;
  BEGIN
    RETURN COALESCE(doc::json #>> path, '');
  EXCEPTION WHEN OTHERS THEN
    doc := regexp_replace(doc, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g');
    doc := regexp_replace(doc, '(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])', '\1\\ufffd', 'g');
    doc := regexp_replace(doc, '(?<!\\)((?:\\\\)*)(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\1\\ufffd', 'g');
    RETURN COALESCE(doc::json #>> path, '');
  END;
EXCEPTION WHEN OTHERS THEN
  RETURN '';
END
$$;
