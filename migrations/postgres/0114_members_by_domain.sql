-- Whether other members have an address at the domain of one who is erased.
CREATE INDEX members_by_domain ON members (domain);
