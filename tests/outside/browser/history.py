"""Writes a month of history into a daemon's SQLite file, before the daemon runs, so that the dashboard has something to show."""

import random
import sqlite3
import sys
import uuid

HOUR = 3_600_000
DAY = 24 * HOUR

database = sqlite3.connect(sys.argv[1])
now = int(sys.argv[2])
chance = random.Random(7)
connections = database.execute(
    "SELECT member_id, connection_id FROM connections WHERE connection_id IN ('epic', 'kaiser-north', 'labcorp', 'basicins')"
).fetchall()
# How often each source breaks.
weights = [{"epic": 6, "kaiser-north": 3}.get(connection, 1) for _, connection in connections]


def identifier():
    return str(uuid.UUID(int=chance.getrandbits(128)))


def recovered_lapse(member, connection, opened):
    lapse, notice, token = identifier(), identifier(), chance.randbytes(32)
    closed = opened + int(chance.expovariate(1 / (14 * HOUR))) + 10 * 60_000
    if closed >= now:
        return
    database.execute(
        "INSERT INTO lapses (lapse_id, member_id, connection_id, state, outcome, suspected_at, consecutive_observations,"
        " opened_at, closed_at, last_opened_at) VALUES (?, ?, ?, 'closed', 'recovered', ?, 2, ?, ?, ?)",
        (lapse, member, connection, opened, opened, closed, opened),
    )
    sent = opened + 6 * HOUR
    if closed < sent:
        return
    database.execute(
        "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, attempts, sent_at, domain)"
        " VALUES (?, ?, 0, 'sent', 'accepted', ?, ?, 1, ?, 'example.org')",
        (notice, member, opened, sent, sent),
    )
    database.execute(
        "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, in_email) VALUES (?, ?, ?, 0, 1)",
        (notice, lapse, connection),
    )
    database.execute(
        "INSERT INTO links (token_hash, kind, notice_id, member_id, attempt, created_at, expires_at, first_opened_at)"
        " VALUES (?, 'notice', ?, ?, 1, ?, ?, ?)",
        (token, notice, member, sent, sent + 7 * DAY, closed - 60_000 if chance.random() < 0.8 else None),
    )
    database.execute(
        "INSERT INTO link_buttons (token_hash, connection_id, lapse_id, redemptions) VALUES (?, ?, ?, ?)",
        (token, connection, lapse, int(chance.random() < 0.7)),
    )


for day in range(29, 0, -1):
    count = chance.randint(4, 9) + (22 if day == 9 else 0)
    for _ in range(count):
        member, connection = chance.choices(connections, weights)[0]
        if day == 9 and chance.random() < 0.8:
            connection = "epic"
        recovered_lapse(member, connection, now - day * DAY - chance.randint(0, DAY // 2))

storm = now - 9 * DAY
database.execute(
    "INSERT INTO holds (hold_id, kind, state, source, reason, since, ended_at, lapsed, connections)"
    " VALUES (?, 'storm', 'ended', 'epic', '22 of 40 connections lapsed within 1h', ?, ?, 22, 40)",
    (identifier(), storm, storm + 5 * HOUR),
)
database.execute("UPDATE policy_changes SET change = 2, at = ?", (now - 16 * DAY,))
database.execute("INSERT INTO policy_changes (change, at, policy) SELECT 1, ?, policy FROM policy_changes", (now - 40 * DAY,))
database.execute(
    "INSERT INTO instance_starts (instance_id, started_at, version) VALUES (?, ?, '0.1.0')", (identifier(), now - 20 * DAY)
)
database.commit()
