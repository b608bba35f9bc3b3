"""Commands that run as an unprivileged person, which is how everything is measured, on every system."""

import json
import os
import shlex
import subprocess
import tempfile

FIRST_UID = 100000  # of user-1 in the store that bench-store makes

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/nonexistent",
               "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
LIMIT_S = 300  # for one command: a hang must not keep a run forever


class CommandFailed(Exception):
    pass


def run(command, directory=None, uid=FIRST_UID, limit_s=LIMIT_S):
    """Standard output of a command that must succeed. It enters the directory as that person: nobody else, root
    included, has business in a view."""
    name = os.path.basename(command[0])
    enter = (lambda: os.chdir(directory)) if directory else None
    try:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd="/", preexec_fn=enter,
                                   user=uid, group=uid, extra_groups=[])
    except subprocess.SubprocessError:
        raise CommandFailed(f"{name}: cannot enter {directory}") from None
    try:
        said, complained = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()  # and not waited for: what waits for a daemon that hangs ends with that daemon
        raise CommandFailed(f"{name}: not done after {limit_s} s") from None
    if process.returncode != 0:
        last = (complained or said).strip().splitlines()[-3:]
        raise CommandFailed(f"{name}: exit {process.returncode}: {' / '.join(last)}")
    return said


def workload(program, directory, *words):
    """Microseconds of one operation, by tests/bench/workload.c."""
    return float(run([program, *words], directory)) / 1000


def fio(directory, mode, block, file, size, amount):
    """Microseconds of one read or write, by fio: one open file, one request at a time. Its own invalidation of
    the cache is off: warm is warm."""
    text = run(["fio", "--name=bench", f"--rw={mode}", f"--bs={block}", f"--filename={file}", f"--size={size}",
                f"--io_size={amount}", "--ioengine=psync", "--thread", "--invalidate=0", "--fadvise_hint=0",
                "--fallocate=none", "--randrepeat=1", "--output-format=json"], directory)
    job = json.loads(text[text.index("{"):])["jobs"][0]
    return job["write" if "write" in mode else "read"]["lat_ns"]["mean"] / 1000


def hyperfine(directory, command, warmup=0, runs=1):
    """Milliseconds of a whole command, the median, by hyperfine. Output goes into a pipe: grep looks less closely
    when it knows that nobody listens."""
    with tempfile.TemporaryDirectory(prefix="guildfs-bench-") as folder:
        os.chmod(folder, 0o777)
        report = os.path.join(folder, "report.json")
        run(["hyperfine", "-N", "--style=none", "--output=pipe", f"--warmup={warmup}", f"--runs={runs}",
             f"--export-json={report}", shlex.join(map(str, command))], directory)
        with open(report) as file:
            return json.load(file)["results"][0]["median"] * 1000
