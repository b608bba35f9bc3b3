#!/usr/bin/env python3
"""Help, manual page and completions tell of the same commands and options."""

import json
import re
import shutil
import subprocess
import unittest

import harness

PAGE = (harness.SOURCE / "docs/man/guildfs.1.scd").read_text()


def run(*words):
    return subprocess.run([harness.GUILDFS, *words], capture_output=True, text=True, timeout=60)


def commands():
    """[(words, usage line after the words)] of every command, from --help."""
    text = run("--help").stdout
    section = text.split("Commands:\n")[1].split("\n\n")[0]
    found = []
    for line in section.splitlines():
        match = re.match(r"  (\S.*)", line)
        if not match:
            continue
        words = re.match(r"[a-z]+(?: [a-z]+)?(?= |$)", match.group(1)).group(0)
        found.append(words)
    return found


def usage(words):
    return run(*words.split(), "--help").stdout.splitlines()[0].removeprefix("Usage: ")


def plain(text):
    return re.sub(r"[*_]", "", text)


class Help(unittest.TestCase):
    def test_every_command_has_help(self):
        self.assertGreater(len(commands()), 20)
        for words in commands():
            done = run(*words.split(), "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertTrue(done.stdout.startswith(f"Usage: guildfs {words}"), words)

    def test_help_of_a_noun(self):
        self.assertIn("user add NAME", run("user", "--help").stdout)

    def test_version(self):
        self.assertRegex(run("--version").stdout, r"^guildfs \d+\.\d+\.\d+\n$")

    def test_the_program_does_not_link_libfuse(self):
        needed = subprocess.run(["ldd", harness.GUILDFS], capture_output=True, text=True).stdout
        self.assertNotIn("fuse", needed)


class Manual(unittest.TestCase):
    def entries(self):
        """The synopsis of every command in the page."""
        lines = [plain(line) for line in PAGE.splitlines() if line.startswith("*guildfs ")]
        return {line.removeprefix("guildfs ").strip() for line in lines}

    def test_every_command_and_no_other(self):
        # The order of options, and options in brackets or required, may differ: words are compared.
        norm = lambda text: frozenset(re.findall(r"--?[a-z]+|[A-Z][A-Z=]*|[a-z]+", text))
        wanted = {norm(usage(words).removeprefix("guildfs ")): words for words in commands()}
        found = {norm(entry): entry for entry in self.entries() if not entry.startswith("[--store")}
        self.assertEqual(set(wanted), set(found),
                         f"not in the page: {[wanted[k] for k in set(wanted) - set(found)]}; "
                         f"only there: {[found[k] for k in set(found) - set(wanted)]}")

    def test_every_option_is_explained(self):
        explained = set(re.findall(r"^\t?\*(--?[a-z-]+)\*|, \*(--?[a-z-]+)\*", PAGE, re.M))
        explained = {name for pair in explained for name in pair if name}
        options = set()
        for words in commands():
            options |= set(re.findall(r"^  (--?[a-z-]+)", run(*words.split(), "--help").stdout, re.M))
        self.assertEqual(options, explained)

    def test_every_operation_is_named(self):
        done = run("check", "x", "no-such-operation", "y")
        operations = run("completion", "bash").stdout.split("OP) echo '")[1].split("'")[0].split()
        self.assertGreater(len(operations), 20)
        for operation in operations:
            self.assertRegex(PAGE, rf"\b{operation}\b")
        self.assertEqual(done.returncode, 2)

    @unittest.skipUnless(shutil.which("scdoc"), "needs scdoc")
    def test_scdoc_takes_it(self):
        subprocess.run(["scdoc"], input=PAGE.encode(), check=True, stdout=subprocess.DEVNULL)


def complete(line):
    """What bash would offer at the end of the line."""
    script = """source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _guildfs; printf '%s\\n' "${COMPREPLY[@]}\""""
    path = str(harness.SOURCE / "docs/completions/guildfs.bash")
    done = subprocess.run(["bash", "-c", script, "bash", path, line], capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    return set(done.stdout.split())


class Completion(unittest.TestCase):
    def test_the_files_are_what_the_program_prints(self):
        for shell, name in (("bash", "guildfs.bash"), ("zsh", "_guildfs")):
            path = harness.SOURCE / "docs/completions" / name
            self.assertEqual(run("completion", shell).stdout, path.read_text(),
                             f"renew it with: guildfs completion {shell} > docs/completions/{name}")

    def test_bash(self):
        self.assertLessEqual({"user", "group", "share", "check", "mount"}, complete("guildfs "))
        self.assertEqual(complete("guildfs us"), {"user"})
        self.assertEqual(complete("guildfs user "), {"add", "list", "show", "set"})
        self.assertEqual(complete("guildfs --json user s"), {"show", "set"})
        self.assertEqual(complete("guildfs --store /x user s"), {"show", "set"})
        self.assertLessEqual({"--uid", "--gid", "--json"}, complete("guildfs user add --"))
        self.assertEqual(complete("guildfs share add x --kind v"), {"volume"})
        self.assertEqual(complete("guildfs grant user:x atlas edi"), {"editor"})
        self.assertEqual(complete("guildfs check alice unl"), {"unlink"})
        self.assertEqual(complete("guildfs member add g u --role o"), {"owner"})
        self.assertEqual(complete("guildfs share set atlas state=active over"),
                         {"overwrite=delete", "overwrite=upload"})
        self.assertEqual(complete("guildfs share set atlas overwrite=d"), {"delete"}, "bash breaks the word at =")
        self.assertEqual(complete("guildfs grant us"), {"user:"})
        self.assertEqual(complete("guildfs user add x extra "), set())
        self.assertIn("/etc/", {path + "/" for path in complete("guildfs init /et")})

    @unittest.skipUnless(shutil.which("zsh"), "needs zsh")
    def test_zsh_reads_it(self):
        script = """compadd() { shift; print -l -- "$@" }; _files() { print files }; compdef() { }; source $1
words=(guildfs user add --); CURRENT=4; _guildfs
words=(guildfs share add x --kind v); CURRENT=6; _guildfs"""
        path = str(harness.SOURCE / "docs/completions/_guildfs")
        done = subprocess.run(["zsh", "-fc", script, "zsh", path], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        self.assertLessEqual({"--uid", "--gid", "volume"}, set(done.stdout.split()))


class CompletionOfNames(harness.StoreTest):
    def test_names_from_the_store(self):
        self.ok("group", "add", "genomics")
        script = """PATH=$2:$PATH; source "$1"
for COMP_LINE in "guildfs user show a" "guildfs --store $GUILDFS_STORE member list ge"; do
    COMP_POINT=${#COMP_LINE}; _guildfs; echo "${COMPREPLY[@]}"
done"""
        path = str(harness.SOURCE / "docs/completions/guildfs.bash")
        program = str(harness.Path(harness.GUILDFS).parent)
        done = subprocess.run(["bash", "-c", script, "bash", path, program], capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", "GUILDFS_STORE": str(self.store)})
        self.assertEqual((done.stderr, done.stdout.splitlines()), ("", ["alice", "genomics"]))


if __name__ == "__main__":
    harness.main()
