-- Counts of link views and button presses, under the names that the field uses. They name no member.
CREATE TABLE link_requests (
    day      INTEGER NOT NULL,          -- its first instant, UTC
    domain   TEXT    NOT NULL,          -- of the members' email addresses, in lower case
    action   TEXT    NOT NULL CHECK (action IN ('view', 'press')),
    client   TEXT    NOT NULL CHECK (client IN ('bot', 'human')),
    requests INTEGER NOT NULL,
    PRIMARY KEY (day, domain, action, client)
) STRICT;
INSERT INTO link_requests (day, domain, action, client, requests)
    SELECT day, domain, CASE act WHEN 'look' THEN 'view' ELSE act END,
           CASE who WHEN 'machine' THEN 'bot' ELSE 'human' END, visits
    FROM visits;
DROP TABLE visits;
CREATE INDEX link_requests_of_domain ON link_requests (domain);
