"""What the people of motion.py do: random operations, each with when it began, when it ended and how.

A record is (begin, end, what, place, share, name, errno, handle, more). Times are monotonic. Each process
has names of its own in every share, so that nobody but itself changes whether they exist; the
names "fixed*" have been there for ever and stay. handle is the number of a descriptor, a folder
handle or a mapping that is kept open; more is the other name of a rename or what a listing held.
"""

import errno
import mmap
import os
import random
import signal
import struct
import time

PLACES, SHARES = ["my", "lab", "club", "public"], ["one", "two", "three"]
FIXED = ["fixed0", "fixed1", "fixed2"]
FILES, FOLDERS = ["a0", "a1", "a2", "a3"], ["b0", "b1"]
HELD_AT_MOST = 8
SLOT = 256  # bytes on the board for each process
SIGBUS_ERRNO = errno.EFAULT


class Hands:
    """What this process has open, and what it believes of its own names."""

    def __init__(self):
        self.held, self.number, self.epoch, self.there = {}, 0, None, {}
        self.found = {}  # the place where a share was last found


hands = Hands()  # of the worker process in which this runs


class Shift:
    """One round of one process."""

    def __init__(self, board, slot, user, process, view, seed, epoch, mappings):
        self.board, self.slot, self.view, self.mappings = board, slot, view, mappings
        self.place = PLACES[0]
        self.prefix = f"{user}-{process}-"
        self.random = random.Random(seed)
        self.log = []
        if hands.epoch != epoch:  # another daemon: each handle is tried once more, and given up
            for number in list(hands.held):
                self.use(number)
                self.close(number)
            hands.epoch = epoch

    def own(self, names):
        return self.prefix + self.random.choice(names)

    def path(self, share, name=""):
        return f"{self.view}/{self.place}/files/{share}" + (f"/{name}" if name else "")

    def act(self, what, share, name, function, handle=None, more=None, place=None):
        """Does it, with a word on the board about it, and writes it down. (errno, value)."""
        place = place or self.place
        begin = time.monotonic()
        struct.pack_into("d200s", self.board, self.slot * SLOT, begin, f"{what} {share}/{name}".encode())
        number, value = 0, None
        try:
            value = function()
        except OSError as error:
            number = error.errno
        end = time.monotonic()
        if number == 0 and handle is None:
            hands.found[share] = place
        elif number == errno.ENOENT and hands.found.get(share) == place and self.random.random() < 0.3:
            del hands.found[share]
        struct.pack_into("d", self.board, self.slot * SLOT, 0.0)
        if what in ("list", "list_held") and number == 0:
            more = value
        self.log.append((begin, end, what, place, share, name, number, handle, more))
        return number, value

    # ---- by name ----

    def stat(self, share):
        name = self.random.choice(FIXED) if self.random.random() < 0.6 else self.own(FILES + FOLDERS)
        self.act("stat", share, name, lambda: os.lstat(self.path(share, name)))

    def list(self, share):
        self.act("list", share, "", lambda: sorted(os.listdir(self.path(share))))

    def keep(self, what, kind, share, name, flags):
        number, fd = self.act(what, share, name, lambda: os.open(self.path(share, name), flags), hands.number)
        if number == 0:
            hands.held[hands.number] = (kind, self.place, share, name, fd)
        hands.number += 1

    def any_file(self):
        return self.random.choice(FIXED) if self.random.random() < 0.5 else self.own(FILES)

    def open_read(self, share):
        self.keep("open_read", "read_held", share, self.any_file(), os.O_RDONLY)

    def open_write(self, share):
        self.keep("open_write", "write_held", share, self.any_file(), os.O_WRONLY)

    def open_folder(self, share):
        self.keep("open_folder", "list_held", share, "", os.O_RDONLY | os.O_DIRECTORY)

    def map(self, share):
        """A mapping by a descriptor that is held to read."""
        for source, (kind, place, where, name, fd) in list(hands.held.items()):
            if self.mappings and kind == "read_held" and where == share:
                try:
                    area = mmap.mmap(fd, 10, prot=mmap.PROT_READ)
                except (OSError, ValueError):  # it may not, or the file is empty
                    continue
                hands.held[hands.number] = ("map_held", place, share, name, area)
                now = time.monotonic()
                self.log.append((now, now, "map", place, share, name, 0, hands.number, source))
                hands.number += 1
                return

    def set_there(self, share, name, number, value):
        if number == 0:
            hands.there[share, name] = value
        elif number in (errno.EIO, errno.ENOTCONN, errno.ECONNABORTED):
            hands.there[share, name] = None  # who knows

    def create(self, share):
        name = self.own(FILES)
        number, _ = self.act("create", share, name, lambda: os.close(
            os.open(self.path(share, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)))
        self.set_there(share, name, number, True)

    def mkdir(self, share):
        name = self.own(FOLDERS)
        self.act("mkdir", share, name, lambda: os.mkdir(self.path(share, name), 0o755))

    def unlink(self, share):
        name = self.own(FILES)
        number, _ = self.act("unlink", share, name, lambda: os.unlink(self.path(share, name)))
        self.set_there(share, name, number, False)

    def rmdir(self, share):
        name = self.own(FOLDERS)
        self.act("rmdir", share, name, lambda: os.rmdir(self.path(share, name)))

    def rename(self, share):
        """Only to names that are free: what a save takes over from what it replaces is matrix.py's affair."""
        source = self.own(FILES)
        free = [self.prefix + each for each in FILES if hands.there.get((share, self.prefix + each)) is False]
        if not free:
            return
        target = self.random.choice(free)
        if target == source:
            return
        number, _ = self.act("rename", share, source,
                             lambda: os.rename(self.path(share, source), self.path(share, target)), more=target)
        if number == 0:
            hands.there[share, target], hands.there[share, source] = True, False
        else:
            self.set_there(share, source, number, None)
            self.set_there(share, target, number, None)

    # ---- by what is held ----

    def use(self, number):
        kind, place, share, name, thing = hands.held[number]
        functions = {"read_held": lambda: os.pread(thing, 10, 0), "write_held": lambda: os.pwrite(thing, b"x", 0),
                     "list_held": lambda: sorted(os.listdir(thing)), "map_held": lambda: touch(thing)}
        error, value = self.act(kind, share, name, functions[kind], number, place=place)
        if error == 0 and kind == "read_held" and value == b"":
            self.log.pop()  # an empty file tells nobody anything

    def close(self, number):
        kind, place, share, name, thing = hands.held.pop(number)
        begin = time.monotonic()
        try:
            thing.close() if kind == "map_held" else os.close(thing)
        except OSError:
            pass  # what FLUSH says to somebody who may write no more
        self.log.append((begin, time.monotonic(), "close", place, share, name, 0, number, kind))

    def step(self):
        share = self.random.choice(SHARES)
        found = hands.found.get(share)
        self.place = found if found and self.random.random() < 0.85 else self.random.choice(PLACES)
        if hands.held and self.random.random() < 0.45:
            self.use(self.random.choice(list(hands.held)))
        else:
            self.random.choice(BY_NAME)(self, share)
        if len(hands.held) > HELD_AT_MOST or (hands.held and self.random.random() < 0.02):
            self.close(self.random.choice(list(hands.held)))


BY_NAME = [Shift.stat, Shift.stat, Shift.list, Shift.open_read, Shift.open_read, Shift.open_write, Shift.open_folder,
           Shift.map, Shift.create, Shift.create, Shift.mkdir, Shift.unlink, Shift.rmdir, Shift.rename]


def touch(area):
    """Reads a mapping in a child, since SIGBUS ends who does it. OSError when that happened."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        area[0]
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        raise OSError(SIGBUS_ERRNO, f"signal {os.WTERMSIG(status)}")


def work(board, slot, user, process, view, seed, epoch, mappings, there, until, pause):
    """Until then; the records. `there`: whether the names exist, told before the first round."""
    if there:
        hands.there.update(there)
    shift = Shift(BOARDS[board], slot, user, process, view, seed, epoch, mappings)
    while time.monotonic() < until:
        shift.step()
        time.sleep(shift.random.random() * pause)
    return shift.log


BOARDS = {}  # by name: made before the processes are
