#!/usr/bin/env python3
"""Every cell of the operation contract, on a real mount, as a real user.

All 64 sets of permissions x every operation x every relation of the caller to the items it
touches (settled, somebody else's pending upload, one's own, one's own after the grace period,
hidden, absent). Compared with the independent model (model.py): the errno, what the call
returned, and what it did to the backing folder. One share stands for each set of permissions.

Variants repeat it as root inside the view, with warm caches, with overwrite=upload, in an
archived share and in one over its quota. --short takes twelve sets for each variant, always
all 64 for the plain form.
"""

import argparse
import dataclasses
import errno
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import calls
import guild
import model
import operations
import worker
from calls import errno_name
from model import ABSENT, EXPIRED, FILE, FOLDER, FOREIGN, OWN, OWN_SETTLED, ROOT, SETTLED, SYMLINK, UNSPECIFIED, Item

RELATIONS = (SETTLED, OWN, FOREIGN, EXPIRED, OWN_SETTLED, ABSENT)
PROGRAM = b"#!/bin/sh\nexit 0\n"
HOUR = 3600.0
FULL_FOLDERS = (Item(FOLDER, SETTLED, 0o755, empty=False), Item(FOLDER, OWN, 0o755, empty=False),
                Item(FOLDER, OWN, 0o755, empty=False, holds_own=True))
# In short form: none, all, the presets, and sets that lack one permission of those a rule needs together.
SAMPLE = sorted({0, 63, 1, 3, 39, 36, 4, 32, 20, 21, 55, 47})


@dataclasses.dataclass
class Cell:
    operation: operations.Operation
    a: Item
    folder: str          # "" the share's root, "dir/" or "own/"
    b: Item = None
    to: str = ""
    name: str = ""       # of a, from the share's root
    other: str = ""      # of b

    def __str__(self):
        text = f"{self.operation.name} {self.a.relation} {self.a.kind}{'' if self.a.empty else ' with content'}"
        text += f" in {self.folder or 'the root'}"
        if self.b:
            text += f", to {self.b.relation} {self.b.kind}{'' if self.b.empty else ' with content'}"
            text += f" in {self.to or 'the root'}"
        return text


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    share: model.ShareState = model.ShareState()
    root: bool = False
    warm: bool = False
    settings: tuple = ()  # of the share, from the beginning
    later: tuple = ()     # once everything is in place


PLAIN = Variant("plain")
VARIANTS = [
    Variant("warm", warm=True),
    Variant("root", root=True),
    Variant("overwrite", model.ShareState(overwrite_upload=True), settings=("overwrite=upload",)),
    Variant("archived", model.ShareState(archived=True), later=("state=archived",)),
    Variant("archived-root", model.ShareState(archived=True), root=True, later=("state=archived",)),
    Variant("fast", settings=("data=fast",)),
    Variant("full", model.ShareState(full=True), later=("quota=1",)),
]


def backing_can(g, operation):
    """tmpfs cannot zero a range, for one."""
    if operation.name not in ("zero-range", "punch-hole", "create-unnamed"):
        return True
    probe = guild.make_file(g.dir / "probe", b"content")
    try:
        operation.perform(f"{probe}-named" if operation.rule == "unnamed" else str(probe))
        return True
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        print(f"# {operation.name}: not tried, the backing filesystem cannot do it")
        return False


def pairs(operation, kind):
    """The cells of a rename and its like: all relations of both, and from folder to folder."""
    mode = 0o755 if kind == FOLDER else 0o644
    cells = []
    for first in RELATIONS if kind == FILE else (SETTLED, OWN, FOREIGN, ABSENT):
        for second in (ABSENT, SETTLED, OWN, FOREIGN):
            a, b = Item(kind, first, mode), Item(kind, second, mode)
            cells.append(Cell(operation, a, "", b, ""))
            if operation.name == "rename" or operation.name == "exchange" and kind == FILE:
                cells.append(Cell(operation, a, "", b, "dir/"))
    if operation.name != "rename":
        return cells
    nothing = Item(kind, ABSENT, mode)
    for first in (SETTLED, OWN):
        a = Item(kind, first, mode)
        cells += [Cell(operation, a, "dir/", nothing, ""), Cell(operation, a, "", nothing, "own/"),
                  Cell(operation, a, "own/", nothing, "own/"), Cell(operation, a, "own/", nothing, "")]
        if kind == FOLDER:
            cells.append(Cell(operation, a, "", FULL_FOLDERS[0], ""))
    if kind == FOLDER:
        cells += [Cell(operation, folder, "", nothing, to) for folder in FULL_FOLDERS for to in ("", "dir/")]
    return cells


def make_cells():
    """One list for all sets; the names in it are unique, so that cells do not touch each other."""
    cells = []
    for operation in operations.ON_ONE:
        for kind in operation.kinds:
            for relation in RELATIONS:
                cells.append(Cell(operation, Item(kind, relation, 0o755 if kind == FOLDER else 0o644), ""))
                if operation.name in operations.BELOW:
                    cells += [Cell(operation, cells[-1].a, folder) for folder in ("dir/", "own/")]
            if kind == FOLDER and operation.rule not in ("create", "make_folder"):
                cells += [Cell(operation, folder, "") for folder in FULL_FOLDERS]
    for operation in operations.ON_PROGRAM:
        cells += [Cell(operation, Item(FILE, relation, 0o755), "") for relation in RELATIONS]
    for operation in operations.ON_TWO:
        for kind in operation.kinds:
            cells += pairs(operation, kind)
    for number, cell in enumerate(cells):
        cell.name = f"{cell.folder}{number}a"
        cell.other = f"{cell.to}{number}b"
    return cells


class Field:
    """The cells of one set of permissions and one variant, on a share of their own."""

    def __init__(self, g, perms, variant, cells):
        self.g, self.perms, self.variant, self.cells = g, perms, variant, cells
        self.judge = model.Judge(perms, variant.share, variant.root)
        self.before_judge = model.Judge(perms, dataclasses.replace(variant.share, archived=False, full=False))
        self.share = g.share(f"s{perms:02}-{variant.name}", owner="olga", settings=variant.settings, wait=False,
                             user=model.format_permissions(perms))
        # A folder of one's own can be had with Make Folder only.
        self.places = {"": ROOT, "dir/": Item(FOLDER, SETTLED, 0o777, empty=False),
                       "own/": Item(FOLDER, OWN, 0o755, empty=False)}

    # ---- before ----

    def fill(self):
        """Puts every item of every cell in place, each by who is said to have made it."""
        root = self.share.backing
        guild.make_folder(root / "dir", 0o777)
        mine, theirs = [], []
        self._place(self.places["own/"], "own", mine, theirs, empty=True)
        self._perform((self.g.user, mine))
        mine.clear()
        for cell in self.cells:
            program = cell.operation in operations.ON_PROGRAM
            self._place(cell.a, cell.name, mine, theirs, PROGRAM if program else b"of a")
            if cell.b:
                self._place(cell.b, cell.other, mine, theirs, b"of b")
        self._perform((self.g.user, mine), (self.g.olga, theirs))
        mine.clear()
        for cell in self.cells:
            for item, name in ((cell.a, cell.name), (cell.b, cell.other)):
                if item and item.relation != ABSENT and not item.empty:
                    self._fill_folder(item, name, mine)
        self._perform((self.g.user, mine))

    def _fill_folder(self, item, name, mine):
        if item.holds_own and self.before_judge.has(model.UPLOAD | model.MAKE_FOLDER):
            mine.append((calls.write_file, (self.share.at(self.g.user, name, "content"), b"kept")))
        else:
            guild.make_file(self.share.backing / name / "content", b"kept")

    def _place(self, item, name, mine, theirs, content=b"", empty=False):
        if item.relation == ABSENT:
            return
        folder = self.places[name[:4] if name[:4] in self.places else ""]
        through_mount = item.relation == FOREIGN
        if item.relation == OWN:
            through_mount = self.before_judge.pending(item) and (name == "own" or self.before_judge.shows(folder))
        if through_mount:
            user, steps = (self.g.olga, theirs) if item.relation == FOREIGN else (self.g.user, mine)
            steps += self._steps(item, self.share.at(user, name), content)
            return
        path = self.share.backing / name
        for function, arguments in self._steps(item, str(path), content):
            function(*arguments)
        if item.relation in (OWN, EXPIRED, OWN_SETTLED):
            guild.set_upload(path, self.g.user, "settled" if item.relation == OWN_SETTLED else "pending",
                             2 * HOUR if item.relation == EXPIRED else 0)

    @staticmethod
    def _steps(item, path, content):
        if item.kind == SYMLINK:
            return [(os.symlink, (content.decode(), path))]
        make = (os.mkdir, (path, item.mode)) if item.kind == FOLDER else (
            calls.write_file, (path, content, os.O_WRONLY | os.O_CREAT | os.O_EXCL, item.mode))
        return [make, (os.setxattr, (path, operations.NOTE, b"old"))]

    @staticmethod
    def _perform(*work):
        """work: (user, steps); the users at the same time."""
        for user, steps in work:
            user.worker.start_batch(steps)
        for user, steps in work:
            for (number, value), (function, arguments) in zip(user.worker.finish_batch(), steps):
                if number:
                    raise guild.Failure(f"cannot prepare: {user.name}: {function.__name__}{arguments}: {value}")

    def change(self):
        """What happens to the share once it is filled; waits until the daemon has heard of it."""
        if not self.variant.later:
            return
        self.g.cli("share", "set", self.share.ref, *self.variant.later)
        shown = self.share.at(self.g.olga)
        probe = shown + "/probe"

        def full():
            if self.g.olga.errno(os.mkdir, probe) == errno.EDQUOT:
                return True
            self.g.olga.call(os.rmdir, probe)
            return False

        if self.variant.share.archived:
            folder = self.share.at(self.g.olga, "dir")
            guild.eventually(lambda: self.g.olga.errno(os.utime, folder) == errno.EROFS, "EROFS once archived")
        else:
            guild.eventually(full, "EDQUOT once there is a quota")

    # ---- the test ----

    def run(self, process):
        """Yields (cell or None, text) for every deviation."""
        if self.variant.warm:
            self._warm(process)
        before = operations.picture(self.share.backing)
        wanted = [self._wanted(cell) for cell in self.cells]
        yield from self._listings(process, before)
        calls_to_make = [(cell.operation.perform, tuple(self.share.at(self.g.user, name) for name in
                          ((cell.name, cell.other) if cell.b else (cell.name,)))) if want != UNSPECIFIED
                         else (os.getpid, ()) for cell, want in zip(self.cells, wanted)]
        results = process.batch(calls_to_make)
        after = operations.picture(self.share.backing)
        expected = dict(before)
        for cell, want, (got, value) in zip(self.cells, wanted, results):
            if want == UNSPECIFIED:
                continue
            if got != want:
                yield cell, f"{errno_name(got)}, the model says {errno_name(want)}"
            elif got == 0:
                if cell.operation.value and not cell.operation.value(value, before[cell.name].content
                                                                      if cell.name in before else b""):
                    yield cell, f"returned {value!r}"
                if cell.operation.effect:
                    cell.operation.effect(expected, cell.name, cell.other)
        yield from self._effects(expected, after)

    def _wanted(self, cell):
        operation, judge = cell.operation, self.judge
        if self.variant.root and operation.only_user:
            return UNSPECIFIED
        if cell.a.holds_own and judge.pending(cell.a) and not self.before_judge.has(model.UPLOAD):
            return UNSPECIFIED  # who may make folders only cannot have filled one
        folder, to = self.places[cell.folder], self.places[cell.to]
        if operation.rule == "link":
            return judge.link(cell.a, cell.b, folder, to)
        if cell.b:
            return getattr(judge, operation.rule)(cell.a, cell.b, folder, to, cell.folder == cell.to)
        return getattr(judge, operation.rule)(cell.a, folder, *operation.arguments)

    def _warm(self, process):
        paths = [self.share.at(self.g.user, name) for cell in self.cells for name in (cell.name, cell.other)]
        process.batch([(os.lstat, (path,)) for path in paths])
        process.batch([(os.listdir, (self.share.at(self.g.user, place),)) for place in self.places])

    def _listings(self, process, before):
        """readdir shows exactly what stat shows."""
        items = {"dir": self.places["dir/"], "own": self.places["own/"]}
        for cell in self.cells:
            items[cell.name] = cell.a
            if cell.b:
                items[cell.other] = cell.b
        for place, folder in self.places.items():
            got, names = process.attempt(calls.listdir_sorted, self.share.at(self.g.user, place))
            want = self.judge.see(folder)
            if got != want:
                yield None, f"list {place or 'the root'}: {errno_name(got)}, the model says {errno_name(want)}"
                continue
            if got == 0:
                inside = [name for name in before if name.startswith(place) and "/" not in name[len(place):]]
                right = sorted(name[len(place):] for name in inside if self.judge.shows(items[name]))
                if names != right:
                    odd = sorted(set(names) ^ set(right))
                    yield None, f"list {place or 'the root'}: wrong about {len(odd)} names, like {odd[:5]}"

    def _effects(self, expected, after):
        by_name = {name: cell for cell in self.cells for name in (cell.name, cell.other)}
        for name in sorted(expected.keys() | after.keys()):
            if name in ("dir", "own"):
                continue  # their times change with what is in them
            found, want = after.get(name), expected.get(name)
            if (found is None) != (want is None) or found and not operations.agrees(found, want):
                cell = by_name.get(name.removesuffix("/content").removesuffix("/inside"))
                yield cell, f"left {name} as {found}, expected {want}"

    def count(self):
        return sum(self._wanted(cell) != UNSPECIFIED for cell in self.cells)


def run_variant(g, variant, sets, cells, limit):
    """Prints the deviations. (cells judged, deviations)."""
    start = time.monotonic()
    fields = [Field(g, perms, variant, cells) for perms in sets]
    if g.daemon is None:
        g.mount()
    for field in fields:
        guild.eventually(lambda: not g.olga.errno(os.stat, field.share.at(g.olga)), "the owner sees the share")
        shown = 0 if field.before_judge.shows(ROOT) else errno.ENOENT
        guild.eventually(lambda: g.user.errno(os.stat, field.share.at(g.user)) == shown,
                         "the user sees the share or not")
        field.fill()
    for field in fields:
        field.change()
    process = worker.Worker(0, 0) if variant.root else g.user.worker
    count = deviations = 0
    for field in fields:
        count += field.count()
        for cell, text in field.run(process):
            deviations += 1
            if deviations <= limit:
                print(f"deviation: {variant.name} [{model.format_permissions(field.perms)}] "
                      f"{cell or ''}: {text}", flush=True)
    if variant.root:
        process.close()
    print(f"{variant.name}: {len(sets)} sets, {count} cells, {deviations} deviations, "
          f"{time.monotonic() - start:.1f} s", flush=True)
    return count, deviations


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--short", action="store_true", help="variants with a sample of the sets")
    parser.add_argument("--variant", action="append", help="only this one; may be repeated")
    parser.add_argument("--all-but", action="append", default=[], help="not this variant; may be repeated")
    parser.add_argument("--sets", help="only these sets, as numbers: 5,63")
    parser.add_argument("--operation", action="append", help="only this operation; may be repeated")
    parser.add_argument("--limit", type=int, default=40, help="deviations to print for each variant")
    options = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(1800)
    model.check_consistency()
    cells = make_cells()
    if options.operation:
        cells = [cell for cell in cells if cell.operation.name in options.operation]
    total = deviations = 0
    with guild.Guild(["user", "olga"], mounted=False, in_memory=True) as g:
        able = {operation.name: backing_can(g, operation) for operation in operations.ON_ONE}
        cells = [cell for cell in cells if able.get(cell.operation.name, True)]
        for variant in [PLAIN, *VARIANTS]:
            if variant.name in options.all_but or options.variant and variant.name not in options.variant:
                continue
            sets = SAMPLE if options.short and variant is not PLAIN else range(64)
            if options.sets:
                sets = [int(each) for each in options.sets.split(",")]
            count, found = run_variant(g, variant, list(sets), cells, options.limit)
            total, deviations = total + count, deviations + found
        if deviations:
            print(f"the daemon's log:\n{g.log_tail()}")
    print(f"{total} cells, {deviations} deviations")
    sys.exit(1 if deviations else 0)


if __name__ == "__main__":
    main()
