"""The administrator: random changes by the command line, with when each began and was in force."""

import json
import random
import subprocess
import time

import guild
from model import format_permissions
from policy import Clock, State, after, wall_seconds

WAIT_LIMIT_S = 10.0
SETS = (1, 3, 3, 7, 39, 63, 63, 36, 19, 35, 11)


class Change:
    def __init__(self, words, lo, hi, status, text):
        self.words, self.lo, self.hi, self.status, self.text = words, lo, hi, status, text


class Admin:
    def __init__(self, g, people, groups, shares, seed):
        self.g, self.people, self.groups, self.shares = g, people, groups, shares
        self.random = random.Random(seed)
        self.state, self.generation = State(), 0
        self.changes, self.pending = [], []
        self.longest, self.count = 0.0, 0
        self.clock = Clock(time.time(), time.monotonic())

    # ---- doing ----

    def run(self, *words, limit=WAIT_LIMIT_S):
        """One command with --wait."""
        command = [guild.GUILDFS, "--store", str(self.g.store), "--wait", *map(str, words)]
        lo = time.monotonic()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            raise guild.Failure(f"HANG: {' '.join(command)} did not end in {limit} s") from None
        hi = time.monotonic()
        self.changes.append(Change(words, lo, hi, done.returncode, done.stdout + done.stderr))
        return done.returncode

    def step(self):
        words = self.choose()
        if words and self.run(*words) != 0:
            raise guild.Failure(f"guildfs {' '.join(words)}: {self.changes[-1].text}")
        self.longest = max(self.longest, self.changes[-1].hi - self.changes[-1].lo if words else 0)
        self.collect()

    # ---- choosing ----

    def choose(self):
        if self.state.suspended and self.random.random() < 0.5:
            return ("user", "set", self.random.choice(sorted(self.state.suspended)), "--status=active")
        if self.state.archived and self.random.random() < 0.5:
            return ("share", "set", self.random.choice(sorted(self.state.archived)), "state=active")
        kinds = [self.grant] * 6 + [self.revoke] * 6 + [self.member] * 3 + [self.suspend, self.archive]
        return self.random.choice(kinds)()

    def subject(self):
        groups = [f"group:{each}" for each in self.groups]
        return self.random.choice([f"user:{each}" for each in self.people] * 2 + groups + ["everyone"])

    def grant(self):
        subject, share = self.subject(), self.random.choice(self.shares)
        if subject == "everyone" and self.random.random() < 0.7:
            return None
        perms = self.random.choice(SETS) if self.random.random() < 0.7 else self.random.randint(1, 63)
        old, end = dict(self.state.grants).get((share, subject), (0, None))
        until = ("--until", f"+{self.random.randint(1, 4)}s") if self.random.random() < 0.25 else ()
        if not until and end is None and perms & ~old == 0:
            return None  # it changes nothing
        return ("grant", subject, f"share:{share}", format_permissions(perms | old), *until)

    def revoke(self):
        if not self.state.grants:
            return None
        (share, subject), (perms, _) = self.random.choice(self.state.grants)
        part = perms & self.random.randint(1, 63)
        if part == 0 or self.random.random() < 0.3:
            return ("revoke", subject, f"share:{share}")
        return ("revoke", subject, f"share:{share}", format_permissions(part))

    def member(self):
        group, person = self.random.choice(self.groups), self.random.choice(self.people)
        if (group, person) in dict(self.state.members):
            return ("member", "remove", group, person)
        until = ("--until", f"+{self.random.randint(1, 4)}s") if self.random.random() < 0.2 else ()
        return ("member", "add", group, person, *until)

    def suspend(self):
        person = self.random.choice(self.people)
        return None if person in self.state.suspended else ("user", "set", person, "--status=suspended")

    def archive(self):
        share = self.random.choice(self.shares)
        return None if share in self.state.archived else ("share", "set", share, "state=archived")

    # ---- what the store says of it ----

    def collect(self):
        """Follows the audit. The changes become history: one row for each that was done, in this order."""
        since = self.clock_words(self.changes[0].lo - 2 if self.changes else time.monotonic() - 5)
        rows = json.loads(self.g.cli("audit", "--store-only", "--json", "--limit", "none", "--since", since))
        rows = [row for row in rows if row["generation"] > self.generation]
        done = [change for change in self.changes if change.status == 0]
        if len(rows) != len(done):
            raise guild.Failure(f"the audit has {len(rows)} rows for {len(done)} changes: "
                                f"{[row['operation'] for row in rows]} {[change.words for change in done]}")
        made = []
        for row, change in zip(rows, done):
            at = self.clock.monotonic(wall_seconds(row["time"]))
            if not change.lo - 0.01 <= at <= change.hi + 0.01 or not fits(change.words, row):
                raise guild.Failure(f"the audit says {row} of {change.words} at {change.lo:.3f} to {change.hi:.3f}")
            self.state = after(self.state, row, self.clock)
            self.generation = row["generation"]
            made.append((self.state, change.lo, change.hi, " ".join(change.words)))
        self.count += len(made)
        self.changes = []
        self.pending += made

    def clock_words(self, monotonic):
        moment = monotonic - self.clock.difference
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + "Z"

    def tell(self, history):
        for each in self.pending:
            history.add(*each)
        self.pending = []


def fits(words, row):
    """Whether the row is of this command."""
    kind = {"grant": "grant.set", "revoke": "grant.", "member": "member.", "user": "user.set", "share": "share.set"}
    if not row["operation"].startswith(kind[words[0]]):
        return False
    new, old = row["after"] or {}, row["before"] or {}
    if words[0] in ("grant", "revoke"):
        return (new or old)["subject"] == words[1] and row["object"]["name"] == words[2].removeprefix("share:")
    if words[0] == "member":
        return (new or old)["user"] == words[3] and (not new) == (words[1] == "remove")
    return row["object"]["name"] == words[2]
