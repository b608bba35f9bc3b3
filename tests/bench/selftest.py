#!/usr/bin/env python3
"""The benchmark by itself: figures, report and plot from made-up numbers, and what it says to wrong arguments."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import boot  # noqa: F401
import bench
import figures
import goals
import plot
import report
import workloads

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/bench"


def rounds(**systems):
    """Rounds of the workload `open`: a value for each system in each."""
    count = max(len(values) for values in systems.values())
    return [{"open": {name: values[i] for name, values in systems.items() if values[i] is not None}}
            for i in range(count)]


def results(measured, facts=(), failures=()):
    return {"format": bench.FORMAT, "made": "2001-02-03", "machine": {"processor": "slow", "kernel": None},
            "settings": {"rounds": len(measured), "quick": False, "whole": True, "systems": list(goals.SYSTEMS),
                         "authorizations": 1000000, "transport": "/dev/fuse"},
            "filesystems": {"ext4": {"rounds": measured, "facts": list(facts), "failures": list(failures)}}}


class Figures(unittest.TestCase):
    def test_ratios_are_formed_within_a_round(self):
        # the machine is ten times slower in the second round; the ratio is 2 in each
        measured = rounds(native=[1.0, 10.0, 3.0], fast=[2.0, 20.0, 6.0])
        self.assertEqual(figures.ratios(measured, "open", "fast"), [2.0, 2.0, 2.0])

    def test_median_and_quartiles(self):
        found = figures.ratio(rounds(native=[1.0] * 5, fast=[1.0, 9.0, 2.0, 3.0, 4.0]), "open", "fast")
        self.assertEqual(found, figures.Ratio(3.0, 2.0, 4.0, 5))

    def test_one_round_has_no_spread(self):
        found = figures.ratio(rounds(native=[2.0], fast=[3.0]), "open", "fast")
        self.assertEqual(found, figures.Ratio(1.5, 1.5, 1.5, 1))

    def test_what_was_not_measured_is_left_out(self):
        measured = rounds(native=[1.0, None, 1.0], fast=[2.0, 5.0, None])
        self.assertEqual(figures.ratios(measured, "open", "fast"), [2.0])
        self.assertIsNone(figures.ratio(measured, "open", "bindfs"))
        self.assertIsNone(figures.ratio(measured, "tar", "fast"))
        self.assertIsNone(figures.reached(measured, "tar", "fast"))
        self.assertIsNone(figures.faster(measured, "open", "fast", "bindfs"))

    def test_a_goal_is_reached_at_its_value_and_not_above(self):
        goal = goals.goal("open", "fast")
        self.assertTrue(figures.reached(rounds(native=[1.0], fast=[goal]), "open", "fast"))
        self.assertFalse(figures.reached(rounds(native=[1.0], fast=[goal * 1.01]), "open", "fast"))

    def test_each_mode_has_its_goal(self):
        self.assertEqual((goals.goal("read-1m", "fast"), goals.goal("read-1m", "revocable")), (1.1, 2.0))

    def test_faster(self):
        def against(fast, bindfs):
            return figures.faster(rounds(native=[1.0] * len(fast), fast=fast, bindfs=bindfs), "open", "fast", "bindfs")
        self.assertEqual(against([1.0] * 4, [2.0] * 4), "yes")
        self.assertEqual(against([2.0] * 4, [1.0] * 4), "no")
        self.assertEqual(against([1.0] * 4, [0.5, 2.0, 0.5, 2.0]), "even")
        self.assertEqual(against([1.0], [1.0]), "no")

    def test_every_system_begins_and_follows_different_ones(self):
        orders = [figures.order(goals.SYSTEMS, number) for number in range(10)]
        self.assertEqual({tuple(sorted(each)) for each in orders}, {tuple(sorted(goals.SYSTEMS))})
        self.assertEqual({each[0] for each in orders}, set(goals.SYSTEMS))
        before_fast = {each[each.index("fast") - 1] for each in orders if each[0] != "fast"}
        self.assertGreater(len(before_fast), 1)


class Tables(unittest.TestCase):
    def test_every_workload_is_measured_once(self):
        measured = [key for mount in workloads.MOUNTS for _, keys in mount for key in keys]
        self.assertEqual(sorted(measured), sorted(goals.KEYS))

    def test_choosing(self):
        self.assertEqual(workloads.chosen(["rm"]), [[workloads.tar]])
        self.assertEqual(workloads.chosen(["views"]), [])
        self.assertEqual(len(workloads.chosen(goals.KEYS)), len(workloads.MOUNTS))

    def test_the_help_names_every_choice(self):
        text = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True).stdout
        for word in goals.KEYS + goals.SHOWN + goals.SYSTEMS:
            self.assertRegex(text, rf"\b{word}\b")


class Report(unittest.TestCase):
    measured = rounds(native=[2.0, 2.0, 2.0], bindfs=[20.0, 20.0, 20.0], mergerfs=[1.0, 1.0, 1.0], fast=[4.0, 5.0, 3.0],
                      revocable=[40.0, 40.0, 40.0])

    def test_rows(self):
        text = report.markdown(results(self.measured), "ext4", "plot.svg")
        self.assertIn("| open, read, close, small, warm | 2.00 µs | 10.0 (10.0–10.0) | 0.50 (0.50–0.50) | "
                      "2.00 (1.75–2.25) | 20.0 (20.0–20.0) |", text)
        self.assertIn("| open, read, close, small, warm | ≤ 4.5 | 2.00 | yes | yes | **no** |", text)
        self.assertIn("| open, read, close, small, warm | ≤ 4.5 | 20.0 | **no** | **no** | **no** |", text)
        self.assertIn("Guildfs fast: 1 of 1 goals reached; faster than both others in 0 of 1 rows.", text)
        self.assertIn("![ratios to native](plot.svg)", text)
        self.assertIn("1,000,000 authorizations", text)
        self.assertNotIn("tar x", text)
        self.assertNotIn("kernel", text)

    def test_nothing_is_said_of_others_that_were_not_measured(self):
        text = report.markdown(results(rounds(native=[1.0], fast=[1.0])), "ext4")
        self.assertIn("Guildfs fast: 1 of 1 goals reached.\n", text)

    def test_facts_and_failures(self):
        fact = {"mode": "fast", "what": "memory of the daemon for each", "value": 269.4, "unit": "B", "goal": "300",
                "reached": True}
        text = report.markdown(results([], [fact], ["tar on bindfs: exit 1"]), "ext4")
        self.assertIn("| memory of the daemon for each | Guildfs fast | 269 B | 300 | yes |", text)
        self.assertIn("- tar on bindfs: exit 1", text)

    def test_a_quick_run_says_so(self):
        made = results(self.measured)
        self.assertNotIn("quick run", report.markdown(made, "ext4"))
        made["settings"]["quick"] = True
        self.assertIn("quick run", report.markdown(made, "ext4"))

    def test_made_again_from_the_values(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "values.json")
            source.write_text(json.dumps(results(self.measured)))
            with contextlib.redirect_stdout(io.StringIO()):
                status = bench.main(["--from", str(source), "--output", folder])
            text = pathlib.Path(folder, "filesystem-ext4.md").read_text()
            self.assertEqual(status, 0)
            self.assertIn("2.00 (1.75–2.25)", text)
            image = pathlib.Path(folder, "filesystem-ext4.svg")
            self.assertEqual(image.exists(), "![" in text)
            if image.exists():  # where gnuplot is installed
                self.assertIn("open, read, close, small, warm", image.read_text())

    def test_the_plot_has_a_bar_for_each_system_and_the_goals(self):
        text = plot.script(self.measured, goals.SYSTEMS, "ext4", "out.svg")
        self.assertIn("$fast << END\n0 2.0 1.75 2.25\nEND", text)
        self.assertIn("$goal_fast << END\n0 4.5\nEND", text)
        self.assertNotIn("$native", text)


class Arguments(unittest.TestCase):
    def refused(self, *words):
        """What is said to a wrong command line, by the script and by the program alike with exit 2."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            bench.parse(words)
        self.assertEqual(ended.exception.code, 2)
        return said.getvalue()

    def test_values(self):
        self.assertIn("zfs is none of", self.refused("--fs", "zfs"))
        self.assertIn("nothing is none of", self.refused("--fs", "ext4,"))
        self.assertIn("is none of", self.refused("--only", "tar,nothing"))
        self.assertIn("is none of", self.refused("--systems", "fast slow"))
        for words in (("--rounds", "0"), ("--rounds", "many"), ("--authorizations", "-1"), ("--round", "3"), ("more",)):
            self.refused(*words)

    def test_order_and_defaults(self):
        options = bench.parse(["--systems", "fast,native", "--only", "all", "--fs", "all"])
        self.assertEqual(options.systems, ("native", "fast"))
        self.assertEqual(options.only, goals.KEYS + goals.SHOWN)
        self.assertEqual(bench.parse([]).rounds, bench.ROUNDS)
        self.assertEqual(bench.parse(["--quick"]).rounds, bench.QUICK_ROUNDS)
        self.assertEqual(bench.parse(["--quick", "--rounds", "9"]).rounds, 9)

    def test_only_a_whole_run_becomes_the_documented_figures(self):
        for words in (["--quick"], ["--only", "tar"], ["--systems", "native,fast"]):
            self.assertFalse(bench.is_whole(bench.parse(words)), words)
        self.assertTrue(bench.is_whole(bench.parse(["--fs", "xfs"])))
        self.assertEqual(bench.output_folder(bench.parse([]), True).name, "benchmarks")
        self.assertEqual(bench.output_folder(bench.parse([]), False).name, "bench")
        self.assertEqual(bench.output_folder(bench.parse(["--output", "there"]), True).name, "there")

    def test_a_file_of_something_else(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            for text in ("[]", "{}", "no json", '{"format": 99}'):
                pathlib.Path(file.name).write_text(text)
                said = io.StringIO()
                with contextlib.redirect_stderr(said):
                    self.assertEqual(bench.main(["--from", file.name]), 1)
                self.assertIn("bench: error: ", said.getvalue())

    def test_the_script(self):
        for words, said in ((["--sometimes"], "unknown argument: --sometimes"), (["--fs"], "--fs needs a value"),
                            (["--dry-run", "--fs", "zfs"], "zfs is none of")):
            done = subprocess.run([SCRIPT, *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)
        done = subprocess.run([SCRIPT, "--dry-run", "--only", "views"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("workloads: views\n", done.stdout)


if __name__ == "__main__":
    sys.exit(unittest.main())
