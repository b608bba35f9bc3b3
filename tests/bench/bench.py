#!/usr/bin/env python3
"""Measures Guildfs beside native, bindfs and mergerfs. scripts/bench calls it, and its --help tells the options."""

import argparse
import datetime
import json
import os
import pathlib
import signal
import sys
import time

import boot  # noqa: F401
import crowd
import data
import figures
import goals
import machine
import person
import place
import plot
import report
import systems
import workloads

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMAT = 1  # of the results
ROUNDS, QUICK_ROUNDS = 5, 2


# ---- the command line ----

def list_of(allowed):
    def parse(text):
        names = allowed if text == "all" else tuple(text.split(","))
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name or 'nothing'} is none of {', '.join(allowed)}")
        return tuple(name for name in allowed if name in names)
    return parse


def count(text):
    if not text.isdigit() or not 0 < int(text) <= 10**8:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return int(text)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench", add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    parser.add_argument("--dir", default="/var/tmp")
    parser.add_argument("--fs", type=list_of(place.KINDS), default=("ext4",))
    parser.add_argument("--rounds", type=count)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=list_of(goals.KEYS + goals.SHOWN), default=goals.KEYS + goals.SHOWN)
    parser.add_argument("--systems", type=list_of(goals.SYSTEMS), default=goals.SYSTEMS)
    parser.add_argument("--authorizations", type=count, default=1000000)
    parser.add_argument("--io-uring", action="store_true")
    parser.add_argument("--output")
    parser.add_argument("--json")
    parser.add_argument("--from", dest="source")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    options = parser.parse_args(arguments)
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    return options


def is_whole(options):
    """Only what is complete may become the documented figures by itself."""
    return not options.quick and options.only == goals.KEYS + goals.SHOWN and options.systems == goals.SYSTEMS


def output_folder(options, whole):
    if options.output:
        return pathlib.Path(options.output)
    return ROOT / ("docs/benchmarks" if whole else "build/bench")


def say(text):
    print(text, flush=True)


# ---- measuring ----

def transport(options):
    if not options.io_uring:
        return "/dev/fuse"
    if machine.io_uring_possible():
        return "io_uring"
    say("bench: warning: the kernel's fuse module has io_uring off (its parameter enable_uring): measuring /dev/fuse")
    return "/dev/fuse"


WRONG = (person.CommandFailed, OSError, place.Unusable)  # with one system, not with the run


def note_failure(failures, what, error):
    """Said once, however many rounds it happens in."""
    text = f"{what}: {error}"
    if text not in failures:
        failures.append(text)
        say(f"    failed: {text}")


def measure_mount(sessions, system, bench, filesystem, failures):
    """{workload: value}; what failed is not in it."""
    values = {}
    bench.data.work_folders(session.__name__ for session in sessions)
    try:
        with system.mounted() as root:
            for session in sessions:
                filesystem.flush()
                try:
                    values.update(session(bench, root, root / "work" / session.__name__))
                except WRONG as error:
                    note_failure(failures, f"{session.__name__} on {system.name}", error)
    except WRONG as error:
        note_failure(failures, f"mounting {system.name}", error)
    return values


def measure_round(number, compared, bench, filesystem, options, failures):
    values = {}
    for sessions in workloads.chosen(options.only):
        for system in figures.order(compared, number):
            for key, value in measure_mount(sessions, system, bench, filesystem, failures).items():
                if key in options.only:
                    values.setdefault(key, {})[system.name] = value
    return values


def measure_rounds(compared, bench, filesystem, options, failures):
    """Round 0 warms everything up and is thrown away."""
    if not workloads.chosen(options.only):
        return
    for number in range(options.rounds + 1):
        began = time.monotonic()
        values = measure_round(number, compared, bench, filesystem, options, failures)
        counted = "" if number else " (not counted)"
        say(f"    round {number} of {options.rounds}{counted}: {time.monotonic() - began:.0f} s")
        if number:
            yield values


def show_facts(compared, bench, options, failures):
    facts = []
    for system in (each for each in compared if each.name in goals.MODES):
        for name in (each for each in goals.SHOWN if each in options.only):
            say(f"    {name}, {system.name}")
            try:
                if name == "views":
                    facts += crowd.views(system, bench.data, options.quick)
                else:
                    facts += crowd.memory(system, bench.data, bench.program, options.quick)
            except WRONG as error:
                note_failure(failures, f"{name} in mode {system.name}", error)
    return facts


def measure_filesystem(measured, kind, store, scratch, programs, options):
    """Fills measured, and yields whenever there is something new in it."""
    say(f"==> {kind}")
    failures = measured["failures"]
    with place.Filesystem(kind, scratch) as filesystem:
        prepared = data.Data(filesystem.root, data.Sizes(options.quick), options.only)
        if store:
            store.adopt(prepared.backing, f"bench-{kind}")
        mount_options = "io_uring=auto" if options.transport == "io_uring" else ""
        compared = systems.make(options.systems, prepared.backing, scratch, store, mount_options)
        bench = workloads.Bench(programs, prepared)
        for values in measure_rounds(compared, bench, filesystem, options, failures):
            measured["rounds"].append(values)
            yield
        measured["facts"] += show_facts(compared, bench, options, failures)
        yield


def reachable_programs(scratch, programs):
    """Copies that anybody can run: the checkout may lie where only root can go."""
    copies = scratch.folder("bin")
    for name in ("guildfs", "guildfsd", "bench-store", "bench-workload"):
        if not (programs / name).is_file():
            raise place.Unusable(f"there is no {programs / name}; scripts/bench builds it")
        copy = copies / name
        copy.write_bytes((programs / name).read_bytes())
        copy.chmod(0o755)
    return copies


def measure(options):
    if os.geteuid() != 0:
        raise place.Unusable("only root can mount what is to be measured; run this as root")
    place.private_mounts()
    os.umask(0o022)
    options.transport = transport(options)
    results = {"format": FORMAT, "made": datetime.date.today().isoformat(),
               "machine": machine.describe(options.programs),
               "settings": {"rounds": options.rounds, "quick": options.quick, "whole": is_whole(options),
                            "systems": list(options.systems), "authorizations": options.authorizations,
                            "transport": options.transport},
               "filesystems": {}}
    with place.Scratch(options.dir) as scratch:
        programs, store = reachable_programs(scratch, options.programs), None
        if set(options.systems) & set(goals.MODES):
            say(f"==> make a store with {options.authorizations:,} authorizations")
            store = systems.Store(programs, scratch.path / "store", options.authorizations)
        for kind in options.fs:
            measured = results["filesystems"][kind] = {"rounds": [], "facts": [], "failures": []}
            for _ in measure_filesystem(measured, kind, store, scratch, programs, options):
                save(results, options)
    return results


# ---- what comes of it ----

def save(results, options):
    """After every round, so that a run that is broken off was not for nothing."""
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


def load(path):
    results = json.loads(pathlib.Path(path).read_text())
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise place.Unusable(f"{path} holds no results of this program")
    return results


def write_reports(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for kind, measured in results["filesystems"].items():
        image = folder / f"filesystem-{kind}.svg"
        drawn = bool(measured["rounds"]) and plot.draw(measured["rounds"], results["settings"]["systems"], kind, image)
        text = report.markdown(results, kind, image.name if drawn else None)
        (folder / f"filesystem-{kind}.md").write_text(text)
        say(f"\n{text}")
        say(f"==> written: {folder / f'filesystem-{kind}.md'}" + (f" and {image.name}" if drawn else ""))


def plan(options):
    say(f"filesystems: {', '.join(options.fs)}\nsystems: {', '.join(options.systems)}\n"
        f"workloads: {', '.join(options.only)}\nrounds: {options.rounds}, and one that is not counted\n"
        f"authorizations: {options.authorizations}\nreport: {output_folder(options, is_whole(options))}")
    return 0


def main(arguments):
    options = parse(arguments)
    if options.dry_run:
        return plan(options)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        results = load(options.source) if options.source else measure(options)
        save(results, options)
        write_reports(results, output_folder(options, results["settings"]["whole"]))
    except (place.Unusable, person.CommandFailed, OSError, ValueError, RuntimeError) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    return 1 if any(each["failures"] for each in results["filesystems"].values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
