"""What is measured, in the order of the report, and what is to be reached: multiples of native time, on ext4."""

import collections

# unit: what one value is; values are times, so less is better. fast, revocable: the goals of the two data modes.
Row = collections.namedtuple("Row", "key title unit fast revocable")

ROWS = (
    Row("read-1m", "sequential read 1 MiB, warm", "µs", 1.1, 2.0),
    Row("read-4k", "random read 4 KiB, warm", "µs", 1.1, 1.1),
    Row("write-1m", "sequential write 1 MiB", "µs", 1.1, 3.0),
    Row("write-4k", "random write 4 KiB", "µs", 1.1, 4.0),
    Row("stat-warm", "stat, warm", "µs", 1.15, 1.15),
    Row("stat-cold", "stat, cold", "µs", 3.0, 3.0),
    Row("list-cold", "readdir and stat, cold, per entry", "µs", 2.0, 2.0),
    Row("ls-cold", "ls -l, cold, per entry", "µs", 2.0, 2.0),
    Row("open", "open, read, close, small, warm", "µs", 4.5, 4.5),
    Row("open-4", "the same with 4 threads", "µs", 4.5, 4.5),
    Row("create", "create 4 KiB", "µs", 3.0, 3.0),
    Row("rename", "rename", "µs", 2.3, 2.3),
    Row("unlink", "unlink", "µs", 1.8, 1.8),
    Row("tar", "tar x", "ms", 2.0, 2.0),
    Row("cp", "cp -r", "ms", 2.0, 2.0),
    Row("git", "git clone", "ms", 2.0, 2.0),
    Row("rm", "rm -r", "ms", 2.0, 2.0),
    Row("grep", "grep -r", "ms", 2.0, 2.0),
    Row("import", "400 Python imports", "ms", 2.0, 2.0),
)

KEYS = tuple(row.key for row in ROWS)
SHOWN = ("views", "memory")  # no ratios: what Guildfs alone must show
SYSTEMS = ("native", "bindfs", "mergerfs", "fast", "revocable")
TITLES = {"native": "native", "bindfs": "bindfs", "mergerfs": "mergerfs", "fast": "Guildfs fast",
          "revocable": "Guildfs revocable"}
MODES = ("fast", "revocable")
RIVALS = ("bindfs", "mergerfs")

MEMORY_BYTES = 300  # of the daemon for each cached inode, at most


def row(key):
    return next(each for each in ROWS if each.key == key)


def goal(key, mode):
    return getattr(row(key), mode)
