# SPDX-License-Identifier: BSD-2-Clause
"""Proofs of components with Frama-C/WP: see docs/assurance.md.

A unit is one source file with all that it includes. Of it are proved, for every function that no
unit before it has: that it has a contract; that it keeps it; and that no undefined behaviour is
possible, whatever the shared memory contains. Then WP's smoke tests look for contradictions, from
which everything would follow. Facts that the contracts build on are proved by Z3 alone, and every
seeded mistake must leave a goal unproved.
"""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path

from checks import Job, Row, programs

from seeded import SEEDED

TITLE = "components, with Frama-C/WP, Z3 and CVC4: whatever the shared memory contains"

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# In this order; what a unit includes of those before it is not proved again.
UNITS = {
    "queue": "verify/wp/queue.c",
    "limit": "verify/wp/limit.c",
    "helpers": "verify/wp/helpers.c",
    "policies": "verify/wp/policies.c",
    "tx_check": "verify/wp/tx_check.c",
    "virt_tx_return": "verify/wp/virt_tx_return.c",
    "virt_tx_provide": "verify/wp/virt_tx_provide.c",
    "virt_tx": "verify/wp/virt_tx.c",
    "virt_rx": "verify/wp/virt_rx.c",
    "copy": "verify/wp/copy.c",
    "arp": "verify/wp/arp.c",
    "timer client": "verify/wp/timer_client.c",
    "AF_XDP ring": "verify/wp/xdp_ring.c",
    "e1000e ring": "verify/wp/e1000e.c",
}

# Options that a unit takes besides.
OPTIONS = {unit: ["-wp-split"] for unit in ("virt_tx_return", "virt_tx_provide", "virt_tx")}

# Units whose proofs take minutes; their seeded mistakes do, too.
SLOW = ("virt_tx_return", "virt_tx_provide", "virt_tx", "virt_rx", "arp")

# What is not proved yet, by name, so that nobody takes it for proved.
NOT_COVERED = (
    "the client library",
    "the timer driver: timeouts.c, driver.c, drivers/timer",
    "the other drivers' rings: virtqueue.h; drivers/network/dma.h",
    "the bodies of sddf/atomic.h, sddf/raw.h and sddf/wide.h",
)

ASSUMPTIONS = (
    "the compiler keeps to C11; integers are those of a 64-bit little-endian machine",
    "what the configuration names is memory, of the size that it says, and the shared regions do"
    " not overlap each other or a program's own memory (the tool writes both it and the page"
    " tables)",
    "pointers of different types to private memory name different objects (C's own rule)",
    "sddf/atomic.h, sddf/raw.h and sddf/wide.h do what the prover's contracts for them say: they"
    " touch the words they are given and no others, and what they read may be anything",
    "the microkit calls a program's entry points one at a time, init first",
    "the clock does not go backwards, and has not run for 292 years",
    "what a function is handed a pointer to is apart from the program's own tables and from what else"
    " it is handed pointers to (WP's model for pointers that are references)",
    "functions end: loops have variants, but for the search for a sent batch's end in the e1000e's"
    " ring, virt_tx's turns and the passes themselves; that these are short is shown by tests, not"
    " here",
)

FRAMA_C = [
    "frama-c", "-no-autoload-plugins", "-load-module", "wp,rtegen", "-c11",
    "-machdep", "gcc_x86_64", "-cpp-frama-c-compliant",
    "-kernel-warn-key", "annot:missing-spec=error",
]
# One goal at a time: other units are proved besides.
WP = [
    "-wp", "-wp-rte", "-wp-model", "Typed+ref", "-wp-cache", "none", "-wp-par", "1",
    "-wp-prop=-@lemma", "-wp-prover", "sddf",
]
# What the prover gives up before is a number of steps (see prover), so these are only large. One
# second is for those who ask for no more than a short try.
PROOF = ["-wp-timeout", "120"]
SMOKE = [*PROOF, "-wp-smoke-tests", "-wp-smoke-timeout", "1"]
SEED = ["-wp-timeout", "1"]
INCLUDES = ["verify/wp/include", "include", "network", "timer", "drivers/virtio",
            "drivers/network", "drivers/network/linux_xdp", "drivers/network/e1000e",
            "platform/linux/include"]

WHY3 = """
[main]
datadir = "{datadir}"
libdir = "{libdir}"
magic = 14
memlimit = 4000
running_provers_max = 1
timelimit = 120

[prover]
name = "sDDF"
version = "1"
alternative = ""
shortcut = "sddf"
command = "{here}/prover %t %f"
command_steps = "{here}/prover %t %f"
driver = "{here}/prover.drv"
editor = ""
in_place = false
interactive = false
"""


@cache
def why3_config():
    """A file that says which prover there is. The user's own configuration stays as it is."""
    folder = tempfile.mkdtemp(prefix="sddf-wp.")
    atexit.register(shutil.rmtree, folder)
    datadir, libdir = (subprocess.run(["why3", option], stdout=subprocess.PIPE, text=True,
                                      check=True).stdout.strip()
                       for option in ("--print-datadir", "--print-libdir"))
    file = Path(folder) / "why3.conf"
    file.write_text(WHY3.format(datadir=datadir, libdir=libdir, here=HERE))
    return str(file)


def frama_c(root, unit, arguments, timeout=5400):
    includes = " ".join(f"-I{root / folder}" for folder in INCLUDES)
    command = [*FRAMA_C, "-cpp-command", f"{HERE / 'cpp'} %args {includes} %i %o",
               str(root / UNITS[unit]), *arguments]
    with tempfile.TemporaryDirectory(prefix="sddf-wp.") as folder:
        environment = {**os.environ, "WHY3CONFIG": why3_config(), "OCAMLRUNPARAM": "o=400"}
        result = programs.run(command, cwd=folder, env=environment, timeout=timeout)
    return result.returncode, result.stdout


# ---- every function has a contract ----------------------------------------------------------------

DEFINITION = re.compile(r"^(?:[\w*]+ +\**)+\**(\w+)\([^;{}]*\)\n\{.*?^\}", re.MULTILINE | re.DOTALL)
CONTRACT = re.compile(r"/\*@((?:(?!\*/).)*)\*/\n(?:[\w*]+ +\**)+\**(\w+)\(", re.DOTALL)
# Ghost functions, which are there for proofs alone, and are proved like others.
GHOST = re.compile(r"^  void (\w+)\([^;{}]*\)\n  \{.*?^  \}", re.MULTILINE | re.DOTALL)
GHOST_CONTRACT = re.compile(r"/@((?:(?!@/).)*)@/\n  void (\w+)\(", re.DOTALL)


def unnumbered(text):
    return re.sub(r"(?<=\w)_\d+\b", "", text)


def functions(root, unit):
    """The functions that the unit defines: name -> its contract, if it says assigns, and text.

    Functions of two sources may have one name: what tells them apart is what they say, but for the
    numbers behind the names of what another source has, too.
    """
    with tempfile.NamedTemporaryFile(prefix="sddf-wp.", suffix=".c") as printed:
        status, output = frama_c(root, unit, ["-print", "-ocode", printed.name])
        text = Path(printed.name).read_text(errors="replace")
    if status != 0:
        raise RuntimeError(output)
    contracts = {name: unnumbered(contract)
                 for contract, name in CONTRACT.findall(text) + GHOST_CONTRACT.findall(text)
                 if "assigns" in contract}
    return {found.group(1): (contracts.get(found.group(1)), unnumbered(found.group()))
            for pattern in (DEFINITION, GHOST) for found in pattern.finditer(text)}


# ---- proofs ---------------------------------------------------------------------------------------


def prove(root, unit, names, how=PROOF):
    """Of these functions: the numbers of goals, of goals proved and of smoke tests; the output."""
    status, output = frama_c(
        root, unit, [*WP, *how, *OPTIONS.get(unit, []), "-wp-fct", ",".join(names)])
    scheduled = re.search(r"(\d+) goals scheduled", output)
    if status != 0 or not scheduled:
        return 0, 0, 0, output
    smoke = len(re.findall(r"\[(?:Passed|Failed)\] Smoke-test", output))
    goals = int(scheduled.group(1)) - smoke
    return goals, goals - len(unproved(output)), smoke, output


def unproved(output):
    """The goals that no prover has proved."""
    open_goals = set()
    for goal, verdict in re.findall(r"^\[wp\] \[[^]]+\] Goal (\w+)(?: : (\w+))?", output,
                                    re.MULTILINE):
        if verdict == "Valid":
            open_goals.discard(goal)
        else:
            open_goals.add(goal)
    return sorted(open_goals)


# ---- facts and seeded mistakes --------------------------------------------------------------------


def check_facts():
    """Each lemma that the contracts use has a file of its name, which Z3 refutes the opposite of."""
    text = (HERE / "include" / "sddf" / "raw.h").read_text()
    lemmas = set(re.findall(r"\blemma (\w+)", text))
    files = {path.stem: path for path in (HERE / "facts").glob("*.smt2")}
    wrong = sorted(lemmas - set(files))
    for name, path in sorted(files.items()):
        answer = subprocess.run(["z3", "-T:30", str(path)], stdout=subprocess.PIPE, text=True,
                                check=False).stdout.strip()
        if answer != "unsat":
            wrong.append(f"{name}: {answer}")
    return Row("facts of arithmetic", f"{len(files)} facts", not wrong and bool(files),
               "; ".join(wrong) or "Z3 alone, in bit-vectors and integers")


def check_seed(what, unit, names, file, old, new):
    """Is this mistake, in a copy of the sources, noticed?"""
    title = f"seeded, {unit}: {what}"
    with tempfile.TemporaryDirectory(prefix="sddf-wp.") as folder:
        root = Path(folder)
        for name in ("include", "network", "timer", "drivers", "verify", "platform/linux/include"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("corpus"))
        text = (root / file).read_text()
        if text.count(old) != 1:
            return Row(title, "nothing", False, f"{file} has changed: {old!r} is not there once")
        (root / file).write_text(text.replace(old, new))
        goals, proved, _, output = prove(root, unit, names, SEED)
    if goals == 0:
        return Row(title, "nothing", False, last_lines(output))
    return Row(title, f"{goals - proved} of {goals} goals open", proved < goals,
               "as they should" if proved < goals else "it was not noticed")


# ---- the part -------------------------------------------------------------------------------------


def last_lines(output):
    return " / ".join(output.strip().splitlines()[-4:])


def check_unit(unit, names, bare):
    """These functions of the unit, some of which have no contract."""
    if bare or not names:
        return Row(unit, f"{len(names)} functions", False, "without a contract: " + ", ".join(bare))
    goals, proved, smoke, output = prove(ROOT, unit, names, SMOKE)
    failed = unproved(output) + re.findall(r"\[Failed\] Smoke-test (\w+)", output)
    if goals == 0:
        failed.append(last_lines(output))
    if failed:
        print(output)
    return Row(unit, f"{proved} of {goals} goals", goals > 0 and not failed,
               f"{len(names)} functions, {smoke} smoke tests" if not failed else ", ".join(failed))


def jobs():
    checks, done = [Job(check_facts)], set()
    for unit in UNITS:
        try:
            defined = functions(ROOT, unit)
        except RuntimeError as error:
            checks.append(Job(partial(Row, unit, "nothing", False, last_lines(str(error)))))
            continue
        names = [name for name, said in defined.items() if (name, said) not in done]
        bare = [name for name in names if not defined[name][0]]
        done.update((name, defined[name]) for name in names)
        checks.append(Job(partial(check_unit, unit, names, bare), seconds=len(names),
                          slow=f"proofs of {unit}" if unit in SLOW else ""))
    return checks + [Job(partial(check_seed, *mistake), seconds=2,
                         slow=f"seeded, {mistake[1]}: {mistake[0]}" if mistake[1] in SLOW else "")
                     for mistake in SEEDED]


def notes():
    yield "This holds if:"
    for assumption in ASSUMPTIONS:
        yield f"  - {assumption};"
    for name in NOT_COVERED:
        yield f"NOT COVERED: {name}"
