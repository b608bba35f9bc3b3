"""What is done on every system. A session measures one workload, or several that follow from each other.

    session(bench, root, work)  ->  {workload: value}

root: the directory in which the backing directory shows; work: the same for an empty folder of the session's own.
Sessions that would be disturbed by what others leave in the caches have a mount of their own.
"""

import data
import person
import place


class Bench:
    """What sessions use besides the directory they work in."""

    def __init__(self, programs, prepared):
        self.program, self.data, self.sizes = programs / "bench-workload", prepared, prepared.sizes

    def small(self, directory, *words):
        return person.workload(self.program, directory, *words)


def read(bench, root, _work):
    """One pass over a file that is read for the second time, so that its pages are where the system keeps them."""
    person.run(["dd", "if=big", "of=/dev/null", "bs=1M"], root)
    return {"read-1m": person.fio(root, "read", "1M", "big", bench.sizes.big, bench.sizes.big),
            "read-4k": person.fio(root, "randread", "4k", "big", bench.sizes.big, bench.sizes.random)}


def write(bench, _root, work):
    """Into the page cache: first a new file, then at random places of it."""
    return {"write-1m": person.fio(work, "write", "1M", "written", bench.sizes.big, bench.sizes.big),
            "write-4k": person.fio(work, "randwrite", "4k", "written", bench.sizes.big, bench.sizes.random)}


def small_files(bench, root, _work):
    small, passes = root / "small", bench.sizes.open_passes
    return {"stat-warm": bench.small(small, "stat", data.SMALL, bench.sizes.stat_passes),
            "open": bench.small(small, "read", data.SMALL, passes),
            "open-4": bench.small(small, "read", data.SMALL, passes, 4)}


def stat_cold(bench, root, _work):
    place.drop_names()
    return {"stat-cold": bench.small(root / "many", "stat", bench.sizes.many, 1)}


def list_cold(bench, root, _work):
    place.drop_names()
    return {"list-cold": bench.small(root / "many", "list", bench.sizes.many, 1)}


def ls_cold(bench, root, _work):
    place.drop_names()
    return {"ls-cold": person.hyperfine(root / "many", ["ls", "-l"]) * 1000 / bench.sizes.many}


def names(bench, _root, work):
    return {each: bench.small(work, each, bench.sizes.names) for each in ("create", "rename", "unlink")}


def tar(bench, _root, work):
    return {"tar": person.hyperfine(work, ["tar", "-xf", bench.data.outside / "tree.tar"]),
            "rm": person.hyperfine(work, ["rm", "-r", "tree"])}


def tree(_bench, root, work):
    grep = person.hyperfine(root, ["grep", "-rlF", data.NEEDLE, "tree"], warmup=1, runs=3)
    return {"grep": grep, "cp": person.hyperfine(root, ["cp", "-r", "tree", f"work/{work.name}/copy"])}


def git(bench, _root, work):
    clone = ["git", "clone", "--quiet", "--no-hardlinks", bench.data.outside / "tree.git"]
    return {"git": person.hyperfine(work, clone)}


def imports(_bench, root, _work):
    return {"import": person.hyperfine(root / "modules", ["python3", "-B", "main.py"], warmup=1, runs=3)}


# What shares a mount. What begins cold has one of its own.
MOUNTS = (
    ((read, ("read-1m", "read-4k")), (write, ("write-1m", "write-4k"))),
    ((small_files, ("stat-warm", "open", "open-4")), (names, ("create", "rename", "unlink"))),
    ((tar, ("tar", "rm")), (git, ("git",))),
    ((tree, ("grep", "cp")), (imports, ("import",))),
    ((stat_cold, ("stat-cold",)),),
    ((list_cold, ("list-cold",)),),
    ((ls_cold, ("ls-cold",)),),
)


def chosen(keys):
    """For each mount that is needed, the sessions on it that measure any of these workloads."""
    wanted = ([session for session, measured in mount if set(measured) & set(keys)] for mount in MOUNTS)
    return [sessions for sessions in wanted if sessions]
