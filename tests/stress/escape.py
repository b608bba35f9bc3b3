#!/usr/bin/env python3
"""Nobody gets out of a share: a user works behind folders that are swapped for symlinks meanwhile.

    escape.py PROGRAM [--tries N]       PROGRAM: the compiled escape.c

The symlinks lead to a folder outside that is closed to the user, but not to the daemon: whatever
of it is read, listed or changed came through the daemon. 0 escapes in N tries are needed.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import calls
import guild

DOORS = ("absolute", "relative", "middle/deep", "dotted")


def make_door(path):
    path.mkdir(parents=True)
    for folder in (path, path / "sub"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        for name in ("secret", "victim"):
            guild.make_file(folder / name, b"inside", 0o666)


def make_outside(path):
    """What must not be touched: the same names, and marks by which it is known."""
    path.mkdir()
    for folder in (path, path / "sub"):
        folder.mkdir(exist_ok=True)
        for name in ("secret", "victim", "marker", "only-outside"):
            guild.make_file(folder / name, b"OUTSIDE".ljust(12345, b"."), 0o600)
            os.setxattr(folder / name, "user.outside", b"1")
    path.chmod(0o700)
    for each in sorted(path.rglob("*")) + [path]:
        os.utime(each, (1, 2))  # an access time before the other: a read will move it


def fingerprint(path):
    """Everything by which a change or a read of the outside would show."""
    facts = {}
    for each in [path, *sorted(path.rglob("*"))]:
        st = os.lstat(each)
        facts[str(each.relative_to(path))] = (st.st_ino, st.st_mode, st.st_nlink, st.st_size, st.st_mtime_ns,
                                              st.st_ctime_ns,
                                              st.st_atime_ns, tuple(os.listxattr(each, follow_symlinks=False)))
    return facts


def prepare(backing, outside):
    """The doors, each with its twin, in a share's backing folder; two levels below its parent lies the outside."""
    relative = os.path.relpath(outside, backing)
    targets = {"absolute": str(outside), "relative": relative, "middle/deep": "../" + relative,
               "dotted": f"../{backing.name}/./{relative}"}
    for door in DOORS:
        make_door(backing / door)
        (backing / f"{door}.twin").symlink_to(targets[door])
    (backing / "middle").chmod(0o777)
    guild.make_file(backing / "file", b"inside", 0o666)
    (backing / "file.twin").symlink_to(f"{relative}/secret")


def race(program, backing, folder, tries, seed, uid):
    """(succeeded, leaked, swaps) of one attacker and one user."""
    def as_user():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)

    attacker = subprocess.Popen([program, "attack", backing], stdout=subprocess.PIPE, text=True,
                                preexec_fn=lambda: calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL))
    try:
        done = subprocess.run([program, "use", folder, str(tries), str(seed)], capture_output=True, text=True,
                              preexec_fn=as_user, timeout=1500)
    finally:
        attacker.terminate()
        swaps = attacker.communicate(timeout=20)[0]
    if done.returncode != 0:
        raise guild.Failure(f"the user's program ended with {done.returncode}: {done.stderr}")
    sys.stdout.write("".join(f"    {line}\n" for line in done.stderr.splitlines()[:10]))
    _, succeeded, leaked = map(int, done.stdout.split())
    return succeeded, leaked, int(swaps)


def check_the_test(g, program):
    """The same race, root in the backing folder itself: here it must escape, or the test sees nothing."""
    backing = guild.make_folder(guild.make_folder(g.dir / "plain") / "share")
    outside = g.dir / "plain-outside"
    make_outside(outside)
    prepare(backing, outside)
    before = fingerprint(outside)
    _, leaked, _ = race(program, backing, str(backing), 500, 1, 0)
    guild.true(leaked > 0 and fingerprint(outside) != before, "the test notices escapes where nothing prevents them")


def run(g, program, tries, options):
    name = "open" if options else "cached"
    share = g.share(name, wait=False, alice="editor")
    outside = g.dir / f"outside-{name}"
    make_outside(outside)
    prepare(share.backing, outside)
    before = fingerprint(outside)
    g.mount(options)
    succeeded, leaked, swaps = race(program, share.backing, share.at(g.alice), tries, 20260101, g.alice.uid)
    alive = g.daemon.poll() is None
    g.unmount()
    changed = [name for name, facts in fingerprint(outside).items() if before.get(name) != facts]
    changed += [name for name in before if not (outside / name).exists()]
    print(f"{name}: {tries} tries, {succeeded} operations succeeded, {swaps} swaps, {leaked} leaks, "
          f"{len(changed)} changes outside", flush=True)
    guild.true(alive, "the daemon survives")
    guild.equal((leaked, changed), (0, []), "escapes")
    guild.true(succeeded > tries // 50 and swaps > tries, "a race that means something")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--tries", type=int, default=100_000)
    arguments = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(3600)
    with guild.Guild(["alice"], mounted=False) as g:
        program = str(guild.reachable(arguments.program.resolve(), g.dir))
        try:
            check_the_test(g, program)
            # Without name caches in the kernel every step of every path is the daemon's.
            run(g, program, arguments.tries - arguments.tries // 4, "entry_timeout=0,attr_timeout=0")
            run(g, program, arguments.tries // 4, "")
        except guild.Failure as failure:
            print(f"FAIL: {failure}\n{g.log_tail()}")
            sys.exit(1)
    print(f"0 escapes in {arguments.tries} tries")


if __name__ == "__main__":
    main()
