"""Judges what was done: right under the policy of the time, or under one of those it may have been.

What exists is followed from the operations themselves, as a set of possibilities for each name:
"absent", "settled" (there for ever, or put there by the test), or ("born", begin, end): made by its
user in that time. Which of them is true is asked of nobody.
"""

import collections
import errno
from functools import lru_cache

from calls import errno_name
from model import (ABSENT, DELETE, DOWNLOAD, FILE, FOLDER, MAKE_FOLDER, OWN, OWN_SETTLED, ROOT, SETTLED, UNSPECIFIED,
                   UPLOAD, VIEW, Item, Judge, ShareState, format_permissions)
from policy import PLACE_BITS

QUESTIONS = {"stat": "see", "list": "see", "open_read": "read", "open_write": "write", "open_folder": "see",
             "create": "create", "mkdir": "make_folder", "unlink": "remove", "rmdir": "remove", "rename": "rename",
             "read_held": "read", "write_held": "write", "map_held": "read", "list_held": "see"}
HELD = ("read_held", "write_held", "map_held", "list_held")
CHANGES = ("create", "mkdir", "unlink", "rmdir", "rename")
NEEDS = {"read_held": VIEW | DOWNLOAD, "map_held": VIEW | DOWNLOAD, "write_held": VIEW | UPLOAD | DELETE,
         "list_held": VIEW | UPLOAD | MAKE_FOLDER}
OUTAGE = {errno.EIO, errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT, errno.ENODEV, errno.EFAULT}
SHOWN_AT_MOST = 10


@lru_cache(maxsize=None)
def asked(question, perms, archived, kind, relation, broken=False):
    """broken: a model that takes Upload for enough to remove; to see that a difference is found."""
    if broken and perms & UPLOAD:
        perms |= DELETE
    judge = Judge(perms, ShareState(archived=archived))
    if kind is None:
        return judge.see(ROOT)
    item = Item(kind, relation)
    return judge.rename(item, Item(kind, ABSENT)) if question == "rename" else getattr(judge, question)(item)


class Outage:
    """A time in which the store or the daemon was away. silent: from when to when nothing may succeed."""

    def __init__(self, kind, begin, end, silent=None):
        self.kind, self.begin, self.end, self.silent = kind, begin, end, silent


class Checker:
    def __init__(self, history, fast, broken=False):
        self.history, self.fast, self.broken = history, fast, broken
        self.outages, self.kills = [], []
        self.items, self.handles = {}, {}
        self.counts, self.recent = collections.Counter(), {}
        self.longest = (0.0, "")

    # ---- what there is ----

    def states(self, who, share, name):
        if name.startswith("fixed"):
            return frozenset(["settled"])
        return self.items.get((who, share, name), frozenset(["absent"]))

    def relations(self, state, user, share, kind, begin, end):
        """Of one possible state of an item."""
        if state == "absent":
            return [ABSENT]
        if state == "settled":
            return [SETTLED]
        _, born, born_by = state
        certainly, _ = self.history.lost(user, share, UPLOAD, born_by, end)
        _, possibly = self.history.lost(user, share, UPLOAD, born, end)
        if kind == FOLDER and not possibly:
            possibly = self.history.lost(user, share, MAKE_FOLDER, born, end)[1]
        if certainly and self.history.lost(user, share, UPLOAD, born_by, begin)[0]:
            return [OWN_SETTLED]
        return [OWN, OWN_SETTLED] if possibly else [OWN]

    # ---- one record ----

    def wanted(self, user, share, what, kind, state, held, begin, end):
        """All that one possible state of the item allows this to end with."""
        relations = [None] if kind is None else self.relations(state, user, share, kind, begin, end)
        return {asked(QUESTIONS[what], perms, archived, kind, relation, self.broken)
                for perms, archived in held for relation in relations}

    def judge(self, who, record):
        begin, end, what, place, share, name, number, handle, more = record
        user = who[0]
        recent = self.recent.setdefault(who, collections.deque(maxlen=400))
        recent.append(record)
        if end - begin > self.longest[0]:
            self.longest = (end - begin, f"{what} {share}/{name} of {user}")
        if what == "close":
            self.handles.pop((who, handle), None)
            return
        if what == "map":
            self.handles[who, handle] = self.handles[who, more]
            return
        self.counts["judged"] += 1
        kind = None if name == "" else FOLDER if what in ("mkdir", "rmdir") or name.split("-")[-1][0] == "b" else FILE
        held = self.history.held(user, share, begin, end, None if what in HELD else place)
        if what in HELD:
            states = self.handles[who, handle][2]
        else:
            states = self.states(who, share, name)
        outcomes = {state: self.wanted(user, share, what, kind, state, held, begin, end) for state in states}
        wanted = set().union(*outcomes.values())
        self.counts["while it changed"] += len(held) > 1
        fault = self.fault(who, record, held, wanted)
        if fault:
            self.complain(fault, who, record, held, wanted, states)
        self.follow(who, record, outcomes)

    def outage(self, begin, end):
        return next((each for each in self.outages if begin <= each.end and end >= each.begin), None)

    def fault(self, who, record, held, wanted):
        """None, or which kind of wrong this is."""
        begin, end, what, place, share, name, number, handle, more = record
        outage = self.outage(begin, end)
        if outage and number in OUTAGE:
            self.counts["refused in outages"] += 1
            return None
        if number == 0 and outage and outage.silent and outage.silent[0] < begin and end < outage.silent[1]:
            if not self.fast or what not in HELD:
                return "wrongly allowed while the store was away"
            self.counts["passed through while the store was away"] += 1
        if UNSPECIFIED in wanted:
            return None
        if what in HELD:
            return self.fault_held(who, record, held, wanted)
        if number == 0:
            return "wrongly allowed" if 0 not in wanted else self.fault_listing(who, record, held)
        if number in wanted:
            return None
        if wanted == {0}:
            return "wrongly refused"
        # In the middle of a change one step may have been judged before it, and the next after it.
        return None if len(held) > 1 or len(wanted) > 1 else "wrong errno"

    def fault_held(self, who, record, held, wanted):
        begin, end, what, place, share, name, number, handle, more = record
        opened = self.handles[who, handle][0]
        outlived = any(opened < kill and kill <= begin for kill in self.kills)
        if number == 0 and what == "list_held" and not more and 0 not in wanted:
            number = errno.ENOENT  # it shows nothing
        if number == 0:
            if outlived and (self.fast or what == "map_held"):  # passed through, or pages that the kernel still has
                self.counts["outlived the daemon" + ("" if 0 in wanted else ", without the right")] += 1
                return None
            if outlived:
                return "wrongly allowed after its daemon's end"
            return "wrongly allowed" if 0 not in wanted else self.fault_listing(who, record, held)
        if wanted != {0} or outlived:
            return None
        mask = (63 if self.fast else NEEDS[what]) | PLACE_BITS[place]
        lost = self.history.lost(who[0], share, mask, opened, end)[1]
        self.counts["handles that ended for good"] += lost
        return None if lost else "wrongly refused"

    def fault_listing(self, who, record, held):
        _, _, what, _, _, _, _, _, names = record
        if what not in ("list", "list_held"):
            return None
        prefix = who[0] + "-"
        if any(not each.startswith(prefix) for each in names) and not any(perms & VIEW for perms, _ in held):
            return "wrongly allowed: shows names"
        if not set(names) >= {"fixed0", "fixed1", "fixed2"} and all(perms & VIEW for perms, _ in held):
            return "wrongly refused: hides names"
        return None

    # ---- what it did ----

    def follow(self, who, record, outcomes):
        begin, end, what, place, share, name, number, handle, more = record
        if handle is not None and what not in HELD and number == 0:
            self.handles[who, handle] = (begin, end, self.states(who, share, name))
        if what in HELD or name == "" or name.startswith("fixed"):
            return
        told = number not in OUTAGE or not self.outage(begin, end)  # else it says nothing about what is there
        left = {state for state, each in outcomes.items() if told and number in each} or set(outcomes)
        done = {state: self.changed(what, state, begin, end) for state in left}
        unsure = number in OUTAGE and number != errno.ENOENT
        if what == "rename" and number == 0:
            self.items[who, share, more] = frozenset(left)
        elif what == "rename" and unsure:
            self.items[who, share, more] = self.states(who, share, more) | left
        if what in CHANGES and number == 0:
            left = set(done.values())
        elif what in CHANGES and unsure:
            left |= set(done.values())
        self.items[who, share, name] = frozenset(left)

    @staticmethod
    def changed(what, state, begin, end):
        return ("born", begin, end) if what in ("create", "mkdir") else "absent"

    # ---- telling ----

    def complain(self, fault, who, record, held, wanted, states):
        self.counts[fault] += 1
        self.counts["wrong"] += 1
        if self.counts["wrong"] > SHOWN_AT_MOST:
            return
        begin, end, what, place, share, name, number, handle, more = record
        print(f"WRONG {fault}: {what} {place} {share}/{name} {more or ''} by {who} at {begin:.4f} to {end:.4f}: "
              f"{errno_name(number)}, expected {' or '.join(errno_name(each) for each in wanted)}")
        print(f"  held: {[(format_permissions(perms), 'archived' if old else 'active') for perms, old in held]}; "
              f"the item: {[state if isinstance(state, str) else tuple(state) for state in states]}")
        if handle is not None and (who, handle) in self.handles:
            print(f"  handle {handle} opened {self.handles[who, handle][0]:.4f}")
        print(f"  policy: {self.history.told(who[0], share, begin)}")
        for lo, hi, lost, after in self.history.losses[who[0], share][-6:]:
            print(f"  lost {lo:.4f} to {hi:.4f}: {format_permissions(lost)}, left {format_permissions(after)}")
        same = [each for each in self.recent[who] if each[4] == share and (each[5] == name or more == each[5])]
        for each in same[-12:]:
            print(f"  before: {each[0]:.4f} to {each[1]:.4f} {each[2]} {each[3]} {errno_name(each[6])} {each[7:]}")
        for lo, hi, words in self.history.words:
            if hi > begin - 3 and lo < end + 1:
                print(f"  change {lo:.4f} to {hi:.4f}: {words}")
        for each in self.outages[-2:]:
            print(f"  outage {each.kind} {each.begin:.4f} to {each.end:.4f}, silent {each.silent}")
