"""The table: each row relates two values of the same round."""

import statistics


class Row:
    """`top` divided by `bottom`, or `top` itself where it is a number per email, in MB, or in ms."""

    def __init__(self, text, top, bottom=None, at_least="", reach_for=""):
        self.text, self.top, self.bottom = text, top, bottom
        self.at_least, self.reach_for = at_least, reach_for


def rows(options):
    members, emails, in_flight = (f"{n:,}" for n in (options.members, options.emails, options.in_flight))
    return [
        Row(f"sweep without changes ÷ wrk ({in_flight} connections)", "unchanged", "wrk", "0.20", "0.35"),
        Row("sweep without changes ÷ a plain Node loop (undici)", "unchanged", "node", "2.5", "4"),
        Row("first sweep, including renewals ÷ sweep without changes", "first", "unchanged", "0.35", "0.6"),
        Row("all responses changed ÷ sweep without changes", "changed", "unchanged", "0.40", "0.7"),
        Row(f"responses that take 50 ms, {in_flight} in flight ÷ wrk", "slow", "wrk_slow", "0.95", "0.98"),
        Row("delivery with second look and all records ÷ smtp-source -s 16", "delivery", "smtp_source", "0.15", "0.30"),
        Row("disk flushes per email, at 16 in flight", "flushes", None, "≤ 0.5", "≤ 0.2"),
        Row("page GET ÷ nginx serving the same bytes, 16 connections", "page", "nginx", "0.20", "0.40"),
        Row("page p99 at half load ÷ nginx's at the same rate", "page_p99", "nginx_p99", "≤ 3", "≤ 2"),
        Row(f"from a rotated token's arrival to its commit, {in_flight} in flight, mean in ms", "token_commit", None, "≤ 5", "≤ 2"),
        Row(f"peak memory of a sweep of {members} without changes, MB", "unchanged_memory", None, "≤ 64 at 1 M", "≤ 32"),
        Row(f"peak memory of a first sweep of {members}, MB", "first_memory", None, "≤ 96 at 1 M", "≤ 64"),
        Row(f"import of {members} ÷ plain inserts of the same file", "import", "inserts"),
        Row("longest wait of another writer during the import, ms", "import_wait", None, "≤ 100"),
        Row(f"once with {emails} open lapses and nothing new ÷ once with none", "once_open", "once_none"),
    ]


def table(options, rounds, disturbed):
    """`rounds`: the values of each round by name; `disturbed`: the names whose measurement was disturbed, by round."""
    lines = [["measure", "median", "range", "at least", "reach for", "disturbed"]]
    for row in rows(options):
        cells = [(ratio(row, values), bool({row.top, row.bottom} & names)) for values, names in zip(rounds, disturbed)]
        known = [cell for cell in cells if cell[0] is not None]
        quiet = [value for value, is_disturbed in known if not is_disturbed]
        used = quiet or [value for value, _ in known]
        if not used:
            lines.append([row.text, "SKIPPED", "", row.at_least, row.reach_for, ""])
            continue
        spread = f"{number(min(used))}–{number(max(used))}"
        count = f"{len(known) - len(quiet)} of {len(known)}"
        lines.append([row.text, number(statistics.median(used)), spread, row.at_least, row.reach_for, count])
    return render(lines)


def ratio(row, values):
    if values.get(row.top) is None or (row.bottom and not values.get(row.bottom)):
        return None
    return values[row.top] / values[row.bottom] if row.bottom else values[row.top]


def number(value):
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 5 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def render(lines):
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)
