"""The original tool's retention rule, restated from its description for comparison.

Reads stamps (%Y%m%dT%H%M%SZ, one a line) and prints those that are kept, sorted: the newest snapshot
of each of the last 7 calendar days that have one, of each of the last 4 Sundays that have one, and of
each of the last 6 firsts of a month that have one.
"""
import datetime
import sys

stamps = [line.strip() for line in sys.stdin if line.strip()]
newest = {}  # calendar day -> its newest stamp
for stamp in stamps:
    when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    newest[when.date()] = max(stamp, newest.get(when.date(), ""))
days = sorted(newest)
keep = set(days[-7:])
keep |= set([d for d in days if d.isoweekday() == 7][-4:])
keep |= set([d for d in days if d.day == 1][-6:])
print("\n".join(sorted(newest[d] for d in keep)))
