# SPDX-License-Identifier: BSD-2-Clause
"""`sddf bench` in a tiny form, through the whole path; nothing here depends on how fast it goes."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import lib
from test_run import MARK, nothing_left  # noqa: F401 (a fixture)

TINY = ("--seconds", "0.2", "--turns", "1", "--points", "2")


def start(*words, **options):
    return subprocess.Popen([lib.SDDF, "bench", *map(str, words)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, **dict([MARK.split("=")])}, **options)


def bench(*words, status=0, seconds=120):
    with start(*words) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            raise
    assert process.returncode == status, output
    return output


def read(folder):
    with open(folder / "rows.csv", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("# ")))


def check_counts(rows):
    """Every datagram has met one fate, and no reply was wrong."""
    for row in rows:
        count = {name: int(row[name]) for name in ("sent", "returned", "lost", "late", "wrong",
                                                   "unknown", "checked")}
        assert count["sent"] == sum(count[fate] for fate in ("returned", "lost", "late", "wrong"))
        assert count["wrong"] == count["unknown"] == 0
        assert count["sent"] > 0, row
        if "flood" not in row["mode"]:
            assert count["checked"] >= count["returned"]
        assert row["void"] == "" or "fell behind" in row["void"]
        assert row["lag_p99"] != ""


def check_page(folder, experiments):
    """One page that needs no other file, with the figures in it."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!#)", text.replace("xlink:href", ""))
    for name in experiments:
        assert f'<h2 id="{name}">' in text
    figures = re.findall(r"<svg.*?</svg>", text, re.S)
    for figure in figures:
        ElementTree.fromstring(figure)
    ids = re.findall(r"\bid=['\"]([^'\"]+)", text)
    assert len(ids) == len(set(ids)) + ids.count("") and len(figures) > 0
    return text


def test_limited_client(lab, nothing_left, tmp_path):  # noqa: F811
    """E7 as a whole: rows, their counts, the page, and the same page again from the rows."""
    output = bench("E7", *TINY, "-o", tmp_path)
    assert str(tmp_path / "index.html") in output
    rows = read(tmp_path)
    measured = [row for row in rows if row["experiment"] == "E7"]
    assert {row["phase"] for row in measured} == {"A alone", "B alone", "B beside A", "request"}
    assert len({row["client"] for row in measured}) == 3
    check_counts(rows)
    assert {row["experiment"] for row in rows} == {"generator", "E7"}
    text = check_page(tmp_path, ["E7"])
    for wanted in ("100 Mb/s", "A is unaffected", "CPU", "kernel", "bottleneck", "lag p99"):
        assert wanted in text
    raw = json.loads((tmp_path / "rows.json").read_text())
    assert sum(len(one["rows"]) for one in raw["measurements"]) == len(rows)

    again = tmp_path / "again"
    bench("--replay", tmp_path / "rows.csv", "-o", again)
    assert (again / "index.html").read_bytes() == (tmp_path / "index.html").read_bytes()


def receive_priorities(process):
    """The real-time priorities of the kernel's threads for the system's end of a bench's lab."""
    found = set()
    for thread in lib.bench_lab.napi_threads(f"s{lib.bench_lab.mark(process.pid)}"):
        with contextlib.suppress(ProcessLookupError):
            found.add(os.sched_getparam(thread).sched_priority)
    return found


@pytest.mark.parametrize("experiment,priority", [("E4", 1), ("E7", 3)])
def test_where_the_kernel_receives(lab, nothing_left, tmp_path, experiment,  # noqa: F811
                                   priority):
    """After the whole system; where B comes after A, between them: as the first of B's two parts."""
    with start(experiment, *TINY, "-o", tmp_path) as process:
        seen = lib.wait_until(lambda: priority in receive_priorities(process), 30)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    if "# class: SCHED_OTHER" in (tmp_path / "rows.csv").read_text():
        pytest.skip("real time is not permitted here")
    assert seen, output


def test_against_others(lab, nothing_left, tmp_path):  # noqa: F811
    """E12: DPDK and a bare loop answer as the system does, in the same run."""
    bench("e12", *TINY, "-o", tmp_path)
    rows = read(tmp_path)
    assert {row["system"] for row in rows} == {"null", "sddf", "bare", "dpdk-af_xdp",
                                               "dpdk-af_packet"}
    check_counts(rows)
    check_page(tmp_path, ["E12"])


def limit():
    return Path("/proc/sys/kernel/sched_rt_runtime_us").read_text()


@pytest.fixture
def limited():
    """A kernel with its limit on real-time processes, which a run lifts and has to put back."""
    before = limit()
    try:
        Path("/proc/sys/kernel/sched_rt_runtime_us").write_text("950000")
    except OSError as error:
        pytest.skip(f"kernel.sched_rt_runtime_us cannot be set here: {error.strerror}")
    try:
        yield
        assert lib.wait_until(lambda: limit() == "950000\n", 5)
    finally:
        Path("/proc/sys/kernel/sched_rt_runtime_us").write_text(before)


def test_killed(lab, nothing_left, limited, tmp_path):  # noqa: F811
    """What was changed of the machine is put back also if nobody was asked."""
    with start("E11", "--seconds", "1", "-o", tmp_path) as process:
        assert lib.wait_until(lambda: limit() == "-1\n", 30)
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(lab, nothing_left, limited, tmp_path, by):  # noqa: F811
    """The rows so far are kept, and the report has them."""
    with start("E1", "--seconds", "1", "-o", tmp_path) as process:
        rows = tmp_path / "rows.csv"
        assert lib.wait_until(lambda: rows.exists() and ",sddf," in rows.read_text(), 60)
        assert limit() == "-1\n"
        process.send_signal(by)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == (130 if by == signal.SIGINT else 143), output
    assert "rows so far" in output
    check_counts(read(tmp_path))
    assert 'id="E1"' in (tmp_path / "index.html").read_text()


def test_void_rows(tmp_path):
    """A row that does not count stands out, and enters no figure and no claim."""
    sys_path = lib.ROOT / "bench"
    code = f"""
import sys
sys.path.insert(0, {str(sys_path)!r})
import report, rows, verdicts
row = dict.fromkeys(rows.COLUMNS, "") | {{"experiment": "E12", "client": "all", "phase": "saturation",
      "turn": 1, "pps": 100.0, "cpu": 0.5, "cpu_own": 0.5, "mode": "open", "payload": "1472",
      "interface_pps": 100.0, "wrong": 0, "unknown": 0, "void": ""}}
made = [row | {{"system": "sddf", "title": "sDDF"}}, row | {{"system": "bare", "title": "bare"}},
        row | {{"system": "sddf", "title": "sDDF", "turn": 2, "pps": 1.0,
               "void": "generator fell behind: lag p99 9.0 ms"}}]
open({str(tmp_path / 'rows.csv')!r}, "w").write(
    rows.csv_head({{"experiments": "E12"}}) + rows.csv_lines(made))
print(report.make({str(tmp_path / 'rows.csv')!r}, {str(tmp_path)!r}))
_, read = rows.read({str(tmp_path / 'rows.csv')!r})
claim = verdicts.of("E12", read, read, rows.pairs)[0]
assert claim.measured == 1.0 and claim.holds, claim.measured
"""
    done = lib.command("/usr/bin/python3", "-B", "-c", code)
    assert done.stdout.strip() == "[]"
    text = (tmp_path / "index.html").read_text()
    assert "1 measurements do not count" in text and '<tr class="void">' in text


@pytest.mark.parametrize("part", ["virt_rx", "copy", "client", "virt_tx"])
def test_parts(part):
    """The components do by themselves, batch by batch, what their instructions are counted for."""
    program = lib.BUILD / "bench" / "parts" / f"part_{part}"
    for batch in (1, 7, 32):
        lib.command(program, batch, 20)
        lib.command(program, batch, 130, 60)  # each of 60 clients twice
    done = lib.command(program, 33, 20, check=False)
    assert done.returncode == 1 and "usage" in done.stderr


@pytest.mark.parametrize("words,says", [
    ((), "name experiments"), (("E13",), "E13"), (("E1", "--turns", "0"), "--turns"),
    (("E1", "--nothing"), "--nothing"), (("--replay", "x.csv", "E1"), "--replay"),
    (("all", "--seconds", "soon"), "soon")])
def test_mistakes(words, says):
    output = bench(*words, status=2)
    assert output.startswith("sddf bench: ") and says in output and "--help" in output


@pytest.mark.parametrize("text", [None, "", "a,b\n1,2\n", "# x: y\n"])
def test_no_rows(tmp_path, text):
    path = tmp_path / "rows.csv"
    if text is not None:
        path.write_text(text)
    output = bench("--replay", path, "-o", tmp_path, status=1)
    assert output.startswith("sddf bench: ") and str(path) in output
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize("wrong,says", [
    ({"turn": ""}, "row 1 has no turn"), ({"parts": "driver=much"}, "row 1: could not convert"),
    ({"pps": "many"}, "row 1: could not convert")])
def test_garbled_rows(tmp_path, wrong, says):
    """Of rows that somebody has edited it says which one is wrong."""
    code = f"""
import sys
sys.path.insert(0, {str(lib.ROOT / "bench")!r})
import rows
row = dict.fromkeys(rows.COLUMNS, "") | {{"experiment": "E1", "client": "all", "turn": 1, "void": "x"}}
print(rows.csv_head({{"experiments": "E1"}}) + rows.csv_lines([row | {wrong!r}]), end="")
"""
    path = tmp_path / "rows.csv"
    path.write_text(lib.command("/usr/bin/python3", "-B", "-c", code).stdout)
    output = bench("--replay", path, "-o", tmp_path, status=1)
    assert output.startswith(f"sddf bench: {path}: {says}") and "Traceback" not in output


def test_nothing_came_back(tmp_path):
    """A system that carried nothing makes a report like any other, with claims that have no result."""
    code = f"""
import sys
sys.path.insert(0, {str(lib.ROOT / "bench")!r})
import experiments, report, rows
empty = dict.fromkeys(rows.NUMBERS, 0.0) | dict.fromkeys(rows.TEXTS, "")
made = [empty | {{"experiment": e.name, "system": system, "title": system, "client": client,
                "phase": phase, "mode": "open", "payload": "1472", "x": x}}
        for e in experiments.ALL if e.run for system in ("sddf", "linux", "e11_5", "e11_2", "bare")
        for client in ("a", "b", "all") for phase in ("saturation", "request", "overload")
        for x in (0.0, 1.0, 28.0)]
open({str(tmp_path / 'rows.csv')!r}, "w").write(
    rows.csv_head({{"experiments": "E1"}}) + rows.csv_lines(made))
report.make({str(tmp_path / 'rows.csv')!r}, {str(tmp_path)!r})
"""
    lib.command("/usr/bin/python3", "-B", "-c", code)
    assert "no result" in (tmp_path / "index.html").read_text()
