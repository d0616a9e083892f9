-- `sources list` reads the recoveries of some weeks.
CREATE INDEX lapses_by_recovery ON lapses (closed_at) WHERE outcome = 'recovered';
