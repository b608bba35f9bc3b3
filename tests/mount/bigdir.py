#!/usr/bin/env python3
"""A folder of 100,000 entries: listed in pieces, from any place, while it changes."""

import os
import time

import boot  # noqa: F401
import calls
import guild

COUNT = 100_000


def list_all(path, size=32768):
    """Every name, by getdents64."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    names = []
    try:
        while entries := calls.getdents(fd, size):
            names += [name for name, *_ in entries]
    finally:
        os.close(fd)
    return names


def list_with_restarts(path, every):
    """The same, but goes back to a remembered place after some entries, as telldir and seekdir do."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    names, steps = [], 0
    try:
        while entries := calls.getdents(fd, 4096):
            steps += 1
            if steps % every == 0:  # back to the middle of what was just read
                keep = len(entries) // 2
                os.lseek(fd, entries[keep][2], os.SEEK_SET)
                entries = entries[:keep + 1]
            names += [name for name, *_ in entries]
    finally:
        os.close(fd)
    return names


def seek_everywhere(path, every):
    """Reads all offsets once, then checks that each n-th of them leads to the entry that followed it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        entries = []
        while more := calls.getdents(fd, 32768):
            entries += more
        wrong = []
        for index in range(0, len(entries) - 1, every):
            os.lseek(fd, entries[index][2], os.SEEK_SET)
            found = calls.getdents(fd, 512)[0][0]
            if found != entries[index + 1][0]:
                wrong.append((entries[index][0], found, entries[index + 1][0]))
        os.lseek(fd, 0, os.SEEK_SET)
        again = calls.getdents(fd, 512)[0][0] == entries[0][0]
        return len(entries), wrong[:3], again
    finally:
        os.close(fd)


def churn(path, seconds):
    """Creates and removes names of its own until the time is over. How many."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        name = f"{path}/churn-{count % 50}-{os.getpid()}"
        calls.write_file(name, b"")
        os.rename(name, name + "-renamed")
        os.unlink(name + "-renamed")
        count += 1
    return count


def wanted():
    return {".", ".."} | {f"n{i:06}" for i in range(COUNT)}


def fill(g):
    share = g.share("big", alice="editor", bob="editor", carol="dropbox")
    for i in range(COUNT):
        os.close(os.open(share.backing / f"n{i:06}", os.O_CREAT | os.O_WRONLY, 0o644))
    g.big = share


def compare(names, what):
    guild.equal(len(names), len(set(names)), f"{what}: entries, and different ones among them")
    guild.equal(set(names) ^ wanted(), set(), f"{what}: names missing or too many")


def test_listing(g):
    fill(g)
    start = time.monotonic()
    compare(g.alice.call(list_all, g.big.at(g.alice)), "in large pieces")
    print(f"#    {COUNT} entries listed in {time.monotonic() - start:.2f} s")
    compare(g.alice.call(list_all, g.big.at(g.alice), 1000), "in small pieces")


def test_restarts(g):
    compare(g.alice.call(list_with_restarts, g.big.at(g.alice), 5), "going back")


def test_seeking(g):
    count, wrong, again = g.alice.call(seek_everywhere, g.big.at(g.alice), 997)
    guild.equal((count, wrong, again), (COUNT + 2, [], True), "entries, wrong places, rewind")


def test_while_others_change_it(g):
    """POSIX: what is there all the time is listed exactly once."""
    worker = g.bob.another_worker()
    worker.start(churn, g.big.at(g.bob), 4.0)
    rounds = 0
    while not worker.ready(0):
        names = g.alice.call(list_with_restarts, g.big.at(g.alice), 7)
        compare([name for name in names if not name.startswith("churn-")], f"round {rounds}")
        rounds += 1
    print(f"#    {rounds} listings, {worker.finish()[1]} names made and removed meanwhile")
    worker.close()


def test_hidden_entries_cost_no_page(g):
    """A drop box of 100,000 foreign items lists as empty, and one's own is found among them."""
    guild.equal(set(g.carol.call(list_all, g.big.at(g.carol))), {".", ".."}, "carol's listing")
    g.carol.call(calls.write_file, g.big.at(g.carol, "carols"), b"x")
    for size in (280, 32768):
        guild.equal(set(g.carol.call(list_all, g.big.at(g.carol), size)), {".", "..", "carols"}, "carol's listing")
    g.carol.call(os.unlink, g.big.at(g.carol, "carols"))


guild.main(users=["alice", "bob", "carol"])
