-- Functions of SQLite that the statements of the store use, so that both engines run the same text.

-- The elements of a JSON array as text.
CREATE FUNCTION json_each(list text) RETURNS TABLE (value text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
    AS $$ SELECT json_array_elements_text(list::json) $$;

-- A field of a JSON object as text; NULL when it is null or absent.
CREATE FUNCTION json_field(object text, name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT object::json ->> name $$;
CREATE OPERATOR ->> (LEFTARG = text, RIGHTARG = text, FUNCTION = json_field);

CREATE FUNCTION unhex(digits text) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT decode(digits, 'hex') $$;

-- The position of a text in another one, from 1; 0 when it is not in it.
CREATE FUNCTION instr(haystack text, needle text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT strpos(haystack, needle) $$;

-- The smaller and the larger of two numbers; NULL when one of them is.
CREATE FUNCTION min(a bigint, b bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN a <= b THEN a WHEN a > b THEN b END $$;
CREATE FUNCTION max(a bigint, b bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN a >= b THEN a WHEN a < b THEN b END $$;
