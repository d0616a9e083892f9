-- A message of b.well names a user by the subject.
CREATE INDEX members_by_subject ON members (subject);
