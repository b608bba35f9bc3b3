"""The operations of the matrix: how each is performed, which rule of the model answers it, and
what it leaves behind in the backing folder when it is allowed.

The performing functions run in the user's process. An effect changes a picture of the backing
folder (a dict from path to Entry) to what it must be afterwards; an operation without one, like
every refused operation, must leave everything as it was.
"""

import errno
import fcntl
import mmap
import os
import socket
import stat
import struct
import typing

import calls
from model import FILE, FOLDER, SYMLINK

ANY = object()  # in an expected Entry: whatever is there
NOTE = "user.note"
LONG_AGO = (1_000_000_000, 1_000_000_000)
# A valid access ACL: user, group and others, as the kernel wants to see one before it asks anybody.
ACL = struct.pack("<IHHIHHIHHI", 2, 1, 6, 0xFFFFFFFF, 4, 4, 0xFFFFFFFF, 32, 4, 0xFFFFFFFF)


class Entry(typing.NamedTuple):
    kind: str
    inode: int
    mode: int
    content: bytes  # a symlink's target
    xattrs: tuple
    links: int
    mtime: int


def picture(folder, prefix=""):
    """Everything below a backing folder, to any depth."""
    entries = {}
    with os.scandir(folder) as scan:
        for item in scan:
            st = item.stat(follow_symlinks=False)
            name = prefix + item.name
            if item.is_symlink():
                kind, content = SYMLINK, os.readlink(item.path).encode()
            elif item.is_dir(follow_symlinks=False):
                kind, content = FOLDER, b""
                entries.update(picture(item.path, name + "/"))
            elif item.is_file(follow_symlinks=False):
                kind, content = FILE, calls.read_file(item.path)
            else:
                kind, content = "special", b""
            xattrs = () if kind == SYMLINK else tuple(
                (key, os.getxattr(item.path, key)) for key in sorted(os.listxattr(item.path)) if key[:5] == "user.")
            entries[name] = Entry(kind, st.st_ino, stat.S_IMODE(st.st_mode), content, xattrs, st.st_nlink,
                                  st.st_mtime_ns)
    return entries


def agrees(found, wanted):
    return found is not None and all(w is ANY or f == w for f, w in zip(found, wanted))


class Operation(typing.NamedTuple):
    name: str
    rule: str             # the Judge's method
    kinds: tuple          # of the item
    perform: typing.Callable
    effect: typing.Callable = None  # (entries, a, b)
    value: typing.Callable = None   # whether what an allowed call returned is right: (value, content) -> bool
    arguments: tuple = ()  # of the rule
    only_user: bool = False  # the kernel spares root the question


# ---- performing ----

def open_read(a):
    return calls.read_file(a)


def map_read(a):
    fd = os.open(a, os.O_RDONLY)
    try:
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as area:
            return area[:]
    finally:
        os.close(fd)


def seek_data(a):
    fd = os.open(a, os.O_RDONLY)
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    finally:
        os.close(fd)


def send_away(a):
    fd, sink = os.open(a, os.O_RDONLY), os.memfd_create("sink")
    try:
        os.sendfile(sink, fd, 0, 4096)
        return os.pread(sink, 4096, 0)
    finally:
        os.close(fd)
        os.close(sink)


def open_path(a):
    calls.open_close(a, os.O_PATH | os.O_NOFOLLOW)


def open_write(a):
    calls.open_close(a, os.O_WRONLY)


def open_read_write(a):
    calls.open_close(a, os.O_RDWR)


def overwrite(a):
    calls.write_file(a, b"X", os.O_WRONLY)


def append(a):
    calls.write_file(a, b"+", os.O_WRONLY | os.O_APPEND)


def open_write_truncate(a):
    calls.open_close(a, os.O_WRONLY | os.O_TRUNC)


def open_read_truncate(a):
    calls.open_close(a, os.O_RDONLY | os.O_TRUNC)


def truncate(a):
    os.truncate(a, 2)


def ftruncate(a):
    fd = os.open(a, os.O_WRONLY)
    try:
        os.ftruncate(fd, 2)
    finally:
        os.close(fd)


def _fallocate(a, mode, offset, length):
    fd = os.open(a, os.O_WRONLY)
    try:
        calls.fallocate(fd, mode, offset, length)
    finally:
        os.close(fd)


def allocate(a):
    _fallocate(a, 0, 0, 20)


def punch_hole(a):
    _fallocate(a, calls.FALLOC_PUNCH_HOLE | calls.FALLOC_KEEP_SIZE, 0, 2)


def zero_range(a):
    _fallocate(a, calls.FALLOC_ZERO_RANGE | calls.FALLOC_KEEP_SIZE, 0, 2)


def creat(a):
    calls.open_close(a, os.O_WRONLY | os.O_CREAT)


def creat_truncate(a):
    calls.open_close(a, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def create_new(a):
    calls.write_file(a, b"new")


def create_read_back(a):
    fd = os.open(a, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(fd, b"new")
        return os.pread(fd, 10, 0)
    finally:
        os.close(fd)


def create_unreadable(a):
    """A mode that forbids its creator to open it again does not forbid the creating handle to write."""
    fd = os.open(a, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        os.write(fd, b"new")
    finally:
        os.close(fd)


def make_node(a):
    os.mknod(a, stat.S_IFREG | 0o644)


def make_symlink(a):
    os.symlink("somewhere", a)


def make_fifo(a):
    os.mkfifo(a)


def make_socket(a):
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(a)
        except OSError as error:  # bind(2) has a name of its own for it
            raise OSError(errno.EEXIST if error.errno == errno.EADDRINUSE else error.errno, str(error)) from None


def make_device(a):
    os.mknod(a, stat.S_IFCHR | 0o644, os.makedev(1, 3))


def create_unnamed(a):
    fd = calls.open_tmpfile(os.path.dirname(a))
    try:
        os.write(fd, b"new")
        calls.link_fd(fd, a)
    finally:
        os.close(fd)


def make_folder(a):
    os.mkdir(a, 0o755)


def create_inside(a):
    calls.write_file(a + "/inside", b"new")


def make_folder_inside(a):
    os.mkdir(a + "/inside", 0o755)


def list_folder(a):
    os.listdir(a)


def enter(a):
    os.chdir(a)
    os.chdir("/")


def chmod(a):
    os.chmod(a, 0o700)


def chmod_set_id(a):
    os.chmod(a, 0o6755)


def set_times(a):
    os.utime(a, LONG_AGO, follow_symlinks=False)


def touch(a):
    os.utime(a)


def set_xattr(a):
    os.setxattr(a, "user.new", b"1")


def remove_xattr(a):
    os.removexattr(a, NOTE)


def get_xattr(a):
    return os.getxattr(a, NOTE)


def list_xattrs(a):
    return os.listxattr(a)


def set_acl(a):
    os.setxattr(a, "system.posix_acl_access", ACL)


def chown_same(a):
    st = os.lstat(a)
    os.chown(a, st.st_uid, st.st_gid, follow_symlinks=False)


def chown_other(a):
    os.chown(a, 12345, -1, follow_symlinks=False)


def _locked(a, flags, operation):
    fd = os.open(a, flags)
    try:
        calls.flock(fd, operation | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def flock_shared(a):
    _locked(a, os.O_RDONLY, fcntl.LOCK_SH)


def flock_shared_of_writer(a):
    _locked(a, os.O_WRONLY, fcntl.LOCK_SH)


def flock_exclusive_of_reader(a):
    _locked(a, os.O_RDONLY, fcntl.LOCK_EX)


def flock_exclusive(a):
    _locked(a, os.O_WRONLY, fcntl.LOCK_EX)


def _ofd_locked(a, flags, kind):
    fd = os.open(a, flags)
    try:
        calls.ofd_lock(fd, kind)
    finally:
        os.close(fd)


def ofd_read(a):
    _ofd_locked(a, os.O_RDONLY, fcntl.F_RDLCK)


def ofd_write(a):
    _ofd_locked(a, os.O_WRONLY, fcntl.F_WRLCK)


def access_exists(a):
    calls.faccessat(a, os.F_OK)


def access_read(a):
    calls.faccessat(a, os.R_OK)


def access_write(a):
    calls.faccessat(a, os.W_OK)


def access_execute(a):
    calls.faccessat(a, os.X_OK)


def rename(a, b):
    os.rename(a, b)


def rename_noreplace(a, b):
    calls.renameat2(a, b, calls.RENAME_NOREPLACE)


def exchange(a, b):
    calls.renameat2(a, b, calls.RENAME_EXCHANGE)


def whiteout(a, b):
    calls.renameat2(a, b, calls.RENAME_WHITEOUT)


def link(a, b):
    os.link(a, b, follow_symlinks=False)


# ---- effects ----

def _content(change):
    def effect(entries, a, _b):
        entries[a] = entries[a]._replace(content=change(entries[a].content), mtime=ANY)
    return effect


def _made(kind, content=b"", mode=ANY):
    def effect(entries, a, _b):
        entries[a] = Entry(kind, ANY, mode, content, (), ANY, ANY)
    return effect


def _made_or(effect):
    """O_CREAT: made when it was not there, else the effect (None: nothing)."""
    def either(entries, a, b):
        if a not in entries:
            _made(FILE)(entries, a, b)
        elif effect:
            effect(entries, a, b)
    return either


def _inside(kind, content=b""):
    def effect(entries, a, _b):
        entries[a] = entries[a]._replace(links=ANY, mtime=ANY)
        entries[a + "/inside"] = Entry(kind, ANY, ANY, content, (), ANY, ANY)
    return effect


def _gone(entries, a, _b):
    del entries[a]


def _mode(mode):
    def effect(entries, a, _b):
        entries[a] = entries[a]._replace(mode=mode)
    return effect


def _times(mtime):
    def effect(entries, a, _b):
        entries[a] = entries[a]._replace(mtime=mtime)
    return effect


def _xattrs(change):
    def effect(entries, a, _b):
        entries[a] = entries[a]._replace(xattrs=change(entries[a].xattrs))
    return effect


def _under(entries, path):
    return [name for name in entries if name == path or name.startswith(path + "/")]


def _moved(entries, a, b):
    replaced = entries.get(b)
    for name in _under(entries, b):
        del entries[name]
    for name in _under(entries, a):
        entries[b + name[len(a):]] = entries.pop(name)
    if replaced and replaced.kind != FOLDER:
        # A save takes over xattrs and mode from what it replaces; save.py looks at that.
        entries[b] = entries[b]._replace(xattrs=ANY, mode=ANY)


def _exchanged(entries, a, b):
    first = {name: entries.pop(name) for name in _under(entries, a)}
    second = {name: entries.pop(name) for name in _under(entries, b)}
    entries.update({b + name[len(a):]: entry for name, entry in first.items()})
    entries.update({a + name[len(b):]: entry for name, entry in second.items()})


def _linked(entries, a, b):
    entries[a] = entries[a]._replace(links=entries[a].links + 1)
    entries[b] = entries[a]


def _is_content(value, content):
    return value == content


# ---- the tables ----

EVERY = (FILE, FOLDER, SYMLINK)
SOLID = (FILE, FOLDER)

ON_ONE = [
    Operation("lstat", "see", EVERY, os.lstat),
    Operation("open-path", "see", EVERY, open_path),
    Operation("readlink", "see", (SYMLINK,), os.readlink, value=lambda target, content: target.encode() == content),
    Operation("list-xattrs", "see", SOLID, list_xattrs, value=lambda names, _: NOTE in names),
    Operation("list", "see", (FOLDER,), list_folder),
    Operation("enter", "see", (FOLDER,), enter),
    Operation("statfs", "statfs", SOLID, os.statvfs),
    Operation("access-exists", "access", SOLID, access_exists, arguments=(0,)),
    Operation("access-read", "access", SOLID, access_read, arguments=(4,), only_user=True),
    Operation("access-write", "access", SOLID, access_write, arguments=(2,), only_user=True),
    Operation("access-execute", "access", SOLID, access_execute, arguments=(1,), only_user=True),
    Operation("open-read", "read", (FILE,), open_read, value=_is_content),
    Operation("map", "read", (FILE,), map_read, value=_is_content),
    Operation("seek-data", "read", (FILE,), seek_data),
    Operation("sendfile", "read", (FILE,), send_away, value=_is_content),
    Operation("get-xattr", "read", SOLID, get_xattr, value=lambda value, _: value == b"old"),
    Operation("flock-shared", "read", (FILE,), flock_shared),
    Operation("ofd-read-lock", "read", (FILE,), ofd_read),
    Operation("flock-exclusive", "write", (FILE,), flock_exclusive),
    Operation("ofd-write-lock", "write", (FILE,), ofd_write),
    Operation("flock-shared-of-writer", "lock_shared", (FILE,), flock_shared_of_writer),
    Operation("flock-exclusive-of-reader", "lock_exclusive", (FILE,), flock_exclusive_of_reader),
    Operation("open-write", "write", (FILE,), open_write),
    Operation("open-read-write", "read_write", (FILE,), open_read_write),
    Operation("overwrite", "write", (FILE,), overwrite, _content(lambda old: b"X" + old[1:])),
    Operation("append", "grow", (FILE,), append, _content(lambda old: old + b"+")),
    Operation("open-write-truncate", "write", (FILE,), open_write_truncate, _content(lambda old: b"")),
    Operation("open-read-truncate", "read_write", (FILE,), open_read_truncate, _content(lambda old: b"")),
    Operation("truncate", "write", (FILE,), truncate, _content(lambda old: old[:2])),
    Operation("ftruncate", "write", (FILE,), ftruncate, _content(lambda old: old[:2])),
    Operation("allocate", "allocate", (FILE,), allocate, _content(lambda old: old.ljust(20, b"\0"))),
    Operation("punch-hole", "punch", (FILE,), punch_hole, _content(lambda old: b"\0\0" + old[2:])),
    Operation("zero-range", "punch", (FILE,), zero_range, _content(lambda old: b"\0\0" + old[2:])),
    Operation("chmod", "retouch", SOLID, chmod, _mode(0o700)),
    Operation("chmod-set-id", "retouch", SOLID, chmod_set_id, _mode(0o755)),
    Operation("set-times", "retouch", EVERY, set_times, _times(LONG_AGO[1] * 1_000_000_000)),
    Operation("touch", "retouch", SOLID, touch, _times(ANY)),
    Operation("set-xattr", "write", SOLID, set_xattr, _xattrs(lambda old: old + (("user.new", b"1"),)
                                                              if not old or old[0][0] < "user.new"
                                                              else (("user.new", b"1"),) + old)),
    Operation("remove-xattr", "write", SOLID, remove_xattr, _xattrs(lambda old: ())),
    Operation("set-acl", "foreign_xattr", SOLID, set_acl),
    Operation("chown-same", "chown_same", EVERY, chown_same),
    Operation("chown-other", "chown_other", EVERY, chown_other),
    Operation("unlink", "remove", (FILE, SYMLINK), os.unlink, _gone),
    Operation("rmdir", "remove", (FOLDER,), os.rmdir, _gone),
    Operation("creat", "create_or_open", (FILE,), creat, _made_or(None)),
    Operation("creat-truncate", "create_or_open", (FILE,), creat_truncate, _made_or(_content(lambda old: b""))),
    Operation("create-new", "create", EVERY, create_new, _made(FILE, b"new", 0o644)),
    Operation("create-read-back", "create", (FILE,), create_read_back, _made(FILE, b"new", 0o644),
              value=lambda value, _: value == b"new"),
    Operation("create-unreadable", "create", (FILE,), create_unreadable, _made(FILE, b"new", 0o444)),
    Operation("create-unnamed", "unnamed", (FILE,), create_unnamed, _made(FILE, b"new", 0o644)),
    Operation("mknod", "create", EVERY, make_node, _made(FILE, b"", 0o644)),
    Operation("symlink", "create", EVERY, make_symlink, _made(SYMLINK, b"somewhere")),
    Operation("mkdir", "make_folder", EVERY, make_folder, _made(FOLDER, b"", 0o755)),
    Operation("mkfifo", "special", (FILE,), make_fifo),
    Operation("socket", "special", (FILE,), make_socket),
    Operation("device", "special", (FILE,), make_device),
    Operation("create-inside", "inside", (FOLDER,), create_inside, _inside(FILE, b"new"), arguments=("create", FILE)),
    Operation("mkdir-inside", "inside", (FOLDER,), make_folder_inside, _inside(FOLDER),
              arguments=("make_folder", FOLDER)),
]

# Of a program: the only ones with an x bit.
ON_PROGRAM = [
    Operation("execute", "execute", (FILE,), calls.execute, value=lambda status, _: status == 0),
    Operation("access-execute", "access", (FILE,), access_execute, arguments=(1,), only_user=True),
]

ON_TWO = [
    Operation("rename", "rename", EVERY, rename, _moved),
    Operation("rename-noreplace", "rename_noreplace", EVERY, rename_noreplace, _moved),
    Operation("exchange", "exchange", EVERY, exchange, _exchanged),
    Operation("whiteout", "whiteout", (FILE,), whiteout),
    Operation("link", "link", (FILE, SYMLINK), link, _linked),
]

# What is tried below the share's root too.
BELOW = {"lstat", "open-read", "overwrite", "chmod", "unlink", "rmdir", "create-new", "mkdir", "creat", "list",
         "access-write", "set-xattr", "create-unnamed"}
