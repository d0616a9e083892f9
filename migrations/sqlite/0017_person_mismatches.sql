-- Connections that work, but for somebody else, as the gateway has it: few, and counted often.
CREATE INDEX connections_mismatched ON connections (member_id, connection_id)
    WHERE status = 'CONNECTED' AND instr(sync_errors, '"PERSON_MATCHING_ERROR"') > 0;
