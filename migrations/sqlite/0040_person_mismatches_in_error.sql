-- A person mismatch shows as CONNECTED or as ERROR.
DROP INDEX connections_mismatched;
CREATE INDEX connections_mismatched ON connections (member_id, connection_id)
    WHERE status IN ('CONNECTED', 'ERROR') AND instr(sync_errors, '"PERSON_MATCHING_ERROR"') > 0;
