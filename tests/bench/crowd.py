"""What Guildfs alone has to show: many views of one folder, and very many cached inodes.

Both give a list of facts: {"mode", "what", "value", "unit", "goal", "reached"}; goal and reached may be None.
"""

import ctypes
import mmap
import os
import shutil
import time

import data
import goals
import person
import systems
import worker

PAGE = mmap.PAGESIZE


class ViewSizes:
    def __init__(self, quick):
        self.views = 20 if quick else 100
        self.entries = 1000 if quick else 10000
        self.file = (8 if quick else 32) << 20
        self.creates = 20 if quick else 100


class MemorySizes:
    def __init__(self, quick):
        self.folders = 10 if quick else 100
        self.files = 10000  # in each


def fact(mode, what, value, unit="", goal=None, reached=None):
    return {"mode": mode, "what": what, "value": value, "unit": unit, "goal": goal, "reached": reached}


def resident_kib(guildfs):
    """What the daemon has in memory."""
    return systems.process_status(guildfs.daemon.pid, "VmRSS")


# ---- done by the people of the views ----

def list_and_stat(path):
    """The number of entries, each of which was asked for its attributes."""
    with os.scandir(path) as entries:
        return sum(1 for entry in entries if entry.stat(follow_symlinks=False))


def read_through(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def resident_percent(path):
    """How much of a file is in the page cache that this process would read it from. By mincore(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap", path)
        pages = (ctypes.c_ubyte * (size // PAGE))()
        failed = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), pages)
        number = ctypes.get_errno()
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
        if failed:
            raise OSError(number, "mincore", path)
        return 100.0 * sum(page & 1 for page in pages) / len(pages)
    finally:
        os.close(fd)


def absent(path):
    return not os.path.exists(path)


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


# ---- many views ----

def prepare_views(prepared, sizes):
    """A large folder, and a file that is in no page cache. Anybody may write to that file on the backing
    filesystem, because mincore tells nobody else the truth."""
    folder = prepared.backing / "crowd"
    data.make_numbered(folder, sizes.entries, 0)
    data.write(prepared.backing / "pages", b"x" * sizes.file)
    data.give(folder, prepared.uid)
    os.chown(prepared.backing / "pages", prepared.uid, prepared.uid)
    os.chmod(prepared.backing / "pages", 0o666)
    return folder


def drop_pages(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


class Crowd:
    """A process for each of the people, with their paths."""

    def __init__(self, guildfs, count):
        self.people = [worker.Worker(person.FIRST_UID + i, person.FIRST_UID + i) for i in range(count)]
        self.views = [guildfs.view(i + 1) for i in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.people:
            each.close()

    def __len__(self):
        return len(self.people)

    def call(self, number, function, name):
        return self.people[number].call(function, str(self.views[number] / name))

    def all(self, function, name):
        return [self.call(number, function, name) for number in range(len(self))]


def list_everywhere(mode, crowd, sizes):
    began = time.monotonic()
    wrong = sum(count != sizes.entries for count in crowd.all(list_and_stat, "crowd"))
    took = time.monotonic() - began
    return [fact(mode, f"views that list all {sizes.entries} entries", len(crowd) - wrong, "views", f"{len(crowd)}",
                 wrong == 0),
            fact(mode, "a first listing with attributes, per entry", 1e6 * took / len(crowd) / sizes.entries, "µs")]


def share_pages(mode, crowd, pages):
    """One reads the file; how much of it do the others have in their page caches, who did not?"""
    drop_pages(pages)
    before = max(crowd.all(resident_percent, "pages"))
    crowd.call(0, read_through, "pages")
    others = [crowd.call(number, resident_percent, "pages") for number in range(1, len(crowd))]
    goal = "100 of 100" if mode == "fast" else None
    return [fact(mode, "pages of a file that is in no cache, in any view", before, "%", "0", before == 0),
            fact(mode, "of them in the others' views after one has read it (at least)", min(others), "%",
                 goal and "100", min(others) == 100 if goal else None)]


def create_everywhere(mode, crowd, sizes):
    """One creates, and each of the others asks once, having been told before that there is no such file."""
    stale = asked = 0
    for number in range(sizes.creates):
        name, creator = f"crowd/new-{number}", number % len(crowd)
        crowd.all(absent, name)
        crowd.call(creator, create, name)
        missing = crowd.all(absent, name)
        asked, stale = asked + len(missing), stale + sum(missing)
    listed = crowd.all(list_and_stat, "crowd")
    short = sum(count != sizes.entries + sizes.creates for count in listed)
    return [fact(mode, f"stale answers of {asked}, each the next call after another's create", stale, "", "0",
                 stale == 0),
            fact(mode, "views whose next listing lacks a created file", short, "views", "0", short == 0)]


def views(guildfs, prepared, quick):
    sizes, mode = ViewSizes(quick), guildfs.name
    folder = prepare_views(prepared, sizes)
    for number in range(2, sizes.views + 1):
        guildfs.store.allow(number)
    try:
        with guildfs.mounted(), Crowd(guildfs, sizes.views) as crowd:
            return (list_everywhere(mode, crowd, sizes) + share_pages(mode, crowd, prepared.backing / "pages")
                    + create_everywhere(mode, crowd, sizes)
                    + [fact(mode, "memory of the daemon", resident_kib(guildfs) / 1024, "MiB")])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (prepared.backing / "pages").unlink(missing_ok=True)


# ---- many inodes ----

def prepare_inodes(program, prepared, sizes):
    """Made once; a later call finds it."""
    root = prepared.backing / "inodes"
    if root.exists():
        return root
    root.mkdir()
    for number in range(sizes.folders):
        folder = root / f"{number:03}"
        folder.mkdir()
        os.chown(folder, prepared.uid, prepared.uid)
        person.run([program, "create", sizes.files, 0], folder)
    os.chown(root, prepared.uid, prepared.uid)
    return root


def limit_of_descriptors(pid):
    with open(f"/proc/{pid}/limits") as limits:
        return int(next(line.split()[3] for line in limits if line.startswith("Max open files")))


def memory(guildfs, prepared, program, quick):
    sizes, mode = MemorySizes(quick), guildfs.name
    prepare_inodes(program, prepared, sizes)
    failures = 0
    with guildfs.mounted() as root:
        pid = guildfs.daemon.pid
        person.run(["ls", "inodes"], root)
        before = resident_kib(guildfs)
        began = time.monotonic()
        for number in range(sizes.folders):
            try:
                person.run([program, "list", sizes.files, 1], root / "inodes" / f"{number:03}")
            except person.CommandFailed as error:
                failures += 1
                print(f"    {error}", flush=True)
        took = time.monotonic() - began
        grown = (resident_kib(guildfs) - before) * 1024
        nodes = guildfs.status()["nodes"]
        descriptors, limit = len(os.listdir(f"/proc/{pid}/fd")), limit_of_descriptors(pid)
    total = sizes.folders * sizes.files
    each = grown / max(nodes, 1)
    return [fact(mode, f"folders that could not be listed, with {total} files altogether", failures, "", "0",
                 failures == 0),
            fact(mode, "inodes in the daemon afterwards", nodes, "", f"{total}", nodes >= total),
            fact(mode, "memory of the daemon for each", each, "B", f"{goals.MEMORY_BYTES}", each <= goals.MEMORY_BYTES),
            fact(mode, f"descriptors of the daemon, which may have {limit}", descriptors, "", f"< {limit}",
                 descriptors < limit),
            fact(mode, "listing with attributes, per entry", 1e6 * took / total, "µs")]
