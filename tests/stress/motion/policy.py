"""The history of the policy, as the store's audit tells it, and what somebody held at a time.

Written apart from core/authority: the union over user and groups, cut by suspension, ends and
the archive, from the words of guildfs-permissions(7).
"""

import bisect
import collections
import dataclasses
import datetime

from model import DOWNLOAD, PERMISSIONS, VIEW, format_permissions

PLACE_BITS = {"my": 64, "public": 128, "lab": 256, "club": 512}
END_S = 1.0  # an end "to the second": so long may it take until it is in force


def parse(text):
    return sum(PERMISSIONS[word] for word in text.split(",") if word != "none")


def wall_seconds(text):
    whole, fraction = text.rstrip("Z").split(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float("0." + fraction)


@dataclasses.dataclass(frozen=True)
class State:
    """The policy between two changes. Ends are monotonic seconds, None: none."""

    suspended: frozenset = frozenset()
    archived: frozenset = frozenset()
    members: tuple = ()  # ((group, user), end)
    grants: tuple = ()   # ((share, subject), (perms, end))

    def ends_for(self, user, share):
        """The ends that matter to this person there."""
        return {end for end, *_ in self._parts(user, share) if end is not None}

    def _parts(self, user, share):
        """(end, perms, place) of all that reaches the person."""
        members = dict(self.members)
        for (where, subject), (perms, end) in self.grants:
            if where != share:
                continue
            if subject in ("everyone", f"user:{user}"):
                yield end, perms, "public" if subject == "everyone" else "my"
            elif subject.startswith("group:") and (subject[6:], user) in members:
                ends = [each for each in (end, members[subject[6:], user]) if each is not None]
                yield min(ends, default=None), perms, subject[6:]

    def held(self, user, share, ended=()):
        """ended: the ends that are over. (effective permissions, archived, places where it shows)."""
        perms, places = 0, set()
        if user not in self.suspended:
            for end, part, place in self._parts(user, share):
                if end not in ended:
                    perms |= part
                    places.add(place)
        # In each group that brings it; else under my, or under public when it is everybody's only.
        places = places - {"my", "public"} or places & {"my"} or places
        archived = share in self.archived
        return (perms & (VIEW | DOWNLOAD) if archived else perms), archived, frozenset(places)


class Clock:
    """From the store's clock to ours."""

    def __init__(self, wall, monotonic):
        self.difference = monotonic - wall

    def monotonic(self, wall):
        return wall + self.difference

    def end(self, nanoseconds):
        return None if nanoseconds is None else self.monotonic(nanoseconds / 1e9)


def after(state, row, clock):
    """The state that the act of this row of the audit leaves."""
    members, grants = dict(state.members), dict(state.grants)
    suspended, archived = state.suspended, state.archived
    act, new, old = row["operation"], row["after"], row["before"]
    name = row["object"]["name"]
    if act in ("grant.set", "grant.remove"):
        key = (name.split("/")[-1], (new or old)["subject"])
        grants.pop(key, None)
        if new:
            grants[key] = (parse(new["perms"]), clock.end(new["expires_ns"]))
    elif act in ("member.add", "member.set", "member.remove"):
        key = ((new or old)["group"], (new or old)["user"])
        members.pop(key, None)
        if new:
            members[key] = clock.end(new["expires_ns"])
    elif act == "user.set":
        suspended = suspended - {name} | ({name} if new["suspended"] else set())
    elif act in ("share.set", "share.adopt"):
        name = name.split("/")[-1]
        archived = archived - {name} | ({name} if new["state"] == "archived" else set())
    return State(frozenset(suspended), frozenset(archived), tuple(members.items()), tuple(grants.items()))


class History:
    """The states in their order. A change takes place somewhere between two moments, lo and hi."""

    def __init__(self, users, shares):
        self.states, self.lo, self.hi = [State()], [0.0], [0.0]
        self.pairs = [(user, share) for user in users for share in shares]
        self.losses = {pair: [] for pair in self.pairs}  # [(lo, hi, what, held after); places count as well]
        self._held = {pair: 0 for pair in self.pairs}
        self._done = 0.0
        self.words = collections.deque(maxlen=400)  # (lo, hi, command), to tell

    def add(self, state, lo, hi, words):
        self.advance(lo)
        self.words.append((lo, hi, words))
        self.states.append(state)
        self.lo.append(lo)
        self.hi.append(hi)
        for pair in self.pairs:
            self._note(pair, lo, hi, state, hi)
        self._done = hi

    def advance(self, until):
        """Takes note of what has ended by itself up to then."""
        state = self.states[-1]
        for pair in self.pairs:
            for end in sorted(state.ends_for(*pair)):
                if self._done <= end < until:
                    self._note(pair, end, end + END_S, state, end)
        self._done = max(self._done, until)

    def _note(self, pair, lo, hi, state, at):
        ended = {end for end in state.ends_for(*pair) if end <= at}
        perms, _, places = state.held(*pair, ended)
        held = perms | sum(PLACE_BITS[place] for place in places)
        lost = self._held[pair] & ~held
        if lost:
            self.losses[pair].append((lo, hi, lost, held))
        self._held[pair] = held

    def lost(self, user, share, mask, begin, end):
        """(certainly, possibly): whether one of these was lost in between."""
        certainly = possibly = False
        for lo, hi, what, _ in reversed(self.losses[user, share]):
            if hi < begin - 2 * END_S:
                break  # they stand in the order of lo
            if hi < begin:
                continue
            if what & mask and lo <= end:
                possibly = True
                certainly = certainly or begin < lo and hi < end
        return certainly, possibly

    def held(self, user, share, begin, end, place=None):
        """All (permissions, archived) that may be right for something done in this time, by a path in this place."""
        first = bisect.bisect_left(self.hi, begin) - 1
        last = bisect.bisect_right(self.lo, end)
        found = set()
        for state in self.states[max(first, 0):last]:
            ends = state.ends_for(user, share)
            over = {each for each in ends if each + END_S < begin}
            perhaps = sorted(each for each in ends if each + END_S >= begin and each <= end)
            for count in range(len(perhaps) + 1):
                perms, archived, places = state.held(user, share, over | set(perhaps[:count]))
                found.add((perms, archived) if place is None or place in places else (0, False))
        return found

    def told(self, user, share, when):
        """What reached the person then, in words."""
        state = self.states[max(bisect.bisect_left(self.hi, when) - 1, 0)]
        parts = [f"{place} gives {format_permissions(perms)}" + (f" until {end:.4f}" if end else "")
                 for end, perms, place in state._parts(user, share)]
        return "; ".join(parts) + ("; suspended" if user in state.suspended else "")

    def forget(self, before):
        """What no operation that is still to be judged can need: all states that were over by then."""
        keep = max(bisect.bisect_left(self.hi, before) - 2, 0)
        del self.states[:keep], self.lo[:keep], self.hi[:keep]

