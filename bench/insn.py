#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Counts the instructions that an echoed UDP datagram costs: of this system on seL4, and of Debian's
arm64 kernel with an echo of forty lines, in the same emulated machine.

    MICROKIT_SDK=FOLDER build/bench/insn [--quick] [--no-linux] [--ring N]
                                         [--million | --idle | --split]

QEMU counts: with "-icount shift=0" each instruction takes a nanosecond of the guest's time, so the
guest's own counter tells how many there were. What nobody wanted is counted by a program of the
lowest priority and taken off. The figures do not depend on what else this machine does; how long it
takes to get them does: from five minutes on a quiet machine.

Exit status 2: something is missing, and one line says what."""

import argparse
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path("@ROOT@")
BUILD = Path("@BUILD@")
os.environ.setdefault("SDDF_BUILD", str(BUILD))
sys.path.append(str(ROOT / "platform" / "microkit"))
import boards  # noqa: E402 (the path comes first)
import build  # noqa: E402
sys.path.append(str(ROOT / "bench"))
import insn_split  # noqa: E402
import lab  # noqa: E402

BOARD = "qemu_virt_aarch64"
LOAD = BUILD / "bench" / "insn_load"
GUEST = ROOT / "bench" / "guest"
GUEST_IP, ECHO_PORT = "10.0.0.10", "1235"
SIZES = (64, 1472)
WINDOWS = (256, 512, 1)
# A request that goes alone is to find the guest idle, and not still at the end of what the last one
# took, nor at the device's word that the reply has left: so many instructions after it.
PAUSE = 250_000
IDLE_PERIOD = 10_000_000  # 10 ms of the guest's time
GOALS = {(64, True): 1400, (1472, True): 2400, (64, False): 8000, (1472, False): 9500}


class Guest:
    """An emulated machine, its network's other end in our hands."""

    def __init__(self, folder, *options, log=subprocess.DEVNULL):
        board = boards.find_board(BOARD)
        self.counts = folder / "counts"
        self.counts.write_bytes(bytes(16))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (ours, theirs):  # Room for a window of the largest frames.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        command = [*board.qemu, "-icount", "shift=0,sleep=off", "-m", "size=2G", "-display", "none",
                   "-monitor", "none", "-serial", "stdio",
                   "-plugin", f"{BUILD / 'bench/count.so'},to={self.counts}", *map(str, options),
                   "-global", "virtio-mmio.force-legacy=false",
                   "-device", f"{board.network},netdev=ethernet0",
                   "-netdev", f"socket,fd={theirs.fileno()},id=ethernet0"]
        self.wire = ours
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        preexec_fn=lab.die_with_parent)
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()
        self.process.kill()
        self.process.wait()

    def measure(self, measurements):
        """Yields what the generator says of each SIZE:WINDOW:PACKETS[:PAUSE]."""
        with subprocess.Popen([LOAD, str(self.wire.fileno()), GUEST_IP, ECHO_PORT, self.counts,
                               *measurements], pass_fds=[self.wire.fileno()],
                              stdout=subprocess.PIPE, text=True,
                              preexec_fn=lab.die_with_parent) as load:
            try:
                for line in load.stdout:
                    said = json.loads(line)
                    if "of" in said:
                        progress(f"{said['size']} bytes, {said['window']} under way: "
                                 f"{said['replies']:,} of {said['of']:,}")
                    else:
                        yield Row(said)
            except BaseException:
                load.kill()
                raise
        if load.returncode != 0:
            raise SystemExit(f"insn: the generator ended with status {load.returncode}")


class Row:
    """One measurement. The counters' ticks are so many instructions each."""

    def __init__(self, said):
        self.size, self.window, self.lost = said["size"], said["window"], said["lost"]
        self.replies, self.packets = said["replies"], said["packets"]
        self.accounts = said["accounts"]
        tick = 1e9 / said["frequency"]
        self.total, self.idle = said["counter"] * tick, said["idle"] * tick

    @property
    def busy(self):
        return (self.total - self.idle) / self.packets


BEGAN = time.monotonic()


def progress(text):
    """What is going on, for somebody who waits; the results alone go to the standard output."""
    print(f"   {time.monotonic() - BEGAN:4.0f} s: {text}", file=sys.stderr, flush=True)


# ---- seL4 ------------------------------------------------------------------------------------------

def sel4_image(folder, ring):
    """Builds the system; its description is the one in bench/guest but for the rings."""
    description = folder / "insn.xml"
    text = (GUEST / "insn.xml").read_text()
    if ring:
        text = text.replace('<network device="ethernet0"',
                            f'<network device="ethernet0" ring_size="{ring}"')
    description.write_text(text)
    board = boards.find_board(BOARD)
    sdk, sdk_board = boards.find_sdk(board, "release")
    build_folder = ROOT / f"build-sel4-{BOARD}-release"
    programs = build.build_programs(build_folder, board.target, sdk_board, board.clock_hz)
    subprocess.run([BUILD / "sddf", "build", description, "-b",
                    ROOT / "platform/microkit/boards" / f"{BOARD}.xml", "-o", folder,
                    "--search-path", programs, "--sdk", sdk, "--config", "release"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder / "loader.img"


def sel4_guest(image, *options):
    return Guest(image.parent, "-device", f"loader,file={image},addr=0x70000000,cpu-num=0", *options)


# ---- Linux -----------------------------------------------------------------------------------------

MODULES = ("net/core/failover.ko", "drivers/net/net_failover.ko", "drivers/virtio/virtio_mmio.ko",
           "drivers/net/virtio_net.ko")


def run(command, **how):
    done = subprocess.run(list(map(str, command)), text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **how)
    if done.returncode != 0:
        raise boards.Missing(f"{' '.join(map(str, command[:4]))} ...: {done.stdout.strip()[-300:]}")
    return done.stdout


def debian_kernel(folder):
    """Debian's arm64 kernel package, unpacked: downloaded by apt with package lists, state and
    architecture of its own, so the machine's stay as they are, and nothing is installed."""
    kept = ROOT / "build-insn"
    if (kept / "vmlinuz").exists():
        return kept
    for name in ("lists/partial", "cache/archives/partial", "new"):
        (folder / name).mkdir(parents=True)
    (folder / "status").write_text("")
    config = folder / "apt.conf"
    config.write_text(f"""#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "root";
Dir::State::status "{folder}/status";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
""")
    subprocess.run(["apt-get", "-q", "-c", config, "update"], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)
    depends = run(["apt-cache", "-c", config, "depends", "linux-image-arm64"])
    package = next((line.split()[-1] for line in depends.splitlines()
                    if "Depends: linux-image-" in line), None)
    if package is None:
        raise boards.Missing("apt knows no linux-image-arm64: is this Debian, with a network?")
    run(["apt-get", "-q", "-c", config, "download", package], cwd=folder)
    run(["dpkg-deb", "-x", next(folder.glob("linux-image-*.deb")), folder / "x"])
    kernel = next((folder / "x/boot").glob("vmlinuz-*"))
    shutil.copy(kernel, folder / "new/vmlinuz")
    for module in MODULES:
        found = next((folder / "x/lib/modules").glob(f"*/kernel/{module}"))
        shutil.copy(found, folder / "new" / found.name)
    (folder / "new/version").write_text(kernel.name.removeprefix("vmlinuz-"))
    shutil.move(folder / "new", kept)
    return kept


def cpio(files):
    """An archive in the format that the kernel unpacks ("newc"): (name, mode, bytes, device)."""
    out = b""
    for number, (name, mode, content, device) in enumerate([*files, ("TRAILER!!!", 0, b"", (0, 0))]):
        name = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4) + content
        out += b"\0" * (-len(out) % 4)
    return out


def linux_guest(folder, batch):
    kernel = debian_kernel(folder / "apt")
    init = folder / "init"
    run(["aarch64-linux-gnu-gcc", "-O2", "-static", "-o", init, GUEST / "linux.c"])
    files = [("dev", 0o40755, b"", (0, 0)), ("dev/console", 0o20600, b"", (5, 1)),
             ("init", 0o100755, init.read_bytes(), (0, 0))]
    files += [(Path(module).name, 0o100644, (kernel / Path(module).name).read_bytes(), (0, 0))
              for module in MODULES]
    ramdisk = folder / "initrd.gz"
    ramdisk.write_bytes(gzip.compress(cpio(files), 1))
    return Guest(folder, "-kernel", kernel / "vmlinuz", "-initrd", ramdisk,
                 "-append", f"console=ttyAMA0 quiet rdinit=/init BATCH={batch}")


# ---- the table -------------------------------------------------------------------------------------

def table(guest, name, scale, results):
    """Measures all sizes and windows, and prints a row for each as it comes."""
    progress(f"{name} boots")
    wanted = [f"{size}:{window}:{scale}" if window > 1 else f"{size}:1:{scale // 10}:{PAUSE}"
              for size in SIZES for window in WINDOWS]
    for row in guest.measure(wanted):
        results[name, row.size, row.window] = row
        print(f"{name:28} {row.size:5} bytes {row.window:5} under way {row.busy:10,.0f} instructions"
              f"{f'   {row.lost} LOST' if row.lost else ''}", flush=True)


def summary(results, names):
    print(f"\n{'busy instructions per packet':28} " +
          " ".join(f"{f'{size} B, {how}':>14}" for how in ("saturated", "one") for size in SIZES))
    for name in names:
        cells = []
        for saturated in (True, False):
            for size in SIZES:
                windows = (256, 512) if saturated else (1,)
                busy = [results[name, size, window].busy for window in windows]
                cells.append(sum(busy) / len(busy))
        ours = [results[names[0], size, window].busy for window in (256, 1) for size in SIZES]
        print(f"{name:28} " + " ".join(f"{cell:14,.0f}" for cell in cells))
        if name != names[0]:
            print(f"{'  ... times ours':28} " +
                  " ".join(f"{cell / own:14.1f}" for cell, own in zip(cells, ours)))
    goals = [GOALS[size, saturated] for saturated in (True, False) for size in SIZES]
    print(f"{'goal':28} " + " ".join(f"{goal:14,}" for goal in goals))
    for size in SIZES:
        for name in names:
            a, b = (results[name, size, window].busy for window in (256, 512))
            if abs(a - b) > 0.01 * a:
                print(f"{name}, {size} bytes: 256 and 512 under way differ by {abs(a / b - 1):.1%}")


def split_table(folder, image, scale):
    """Whose the instructions are: each row with a guest of its own, counted from outside."""
    programs = sorted(image.parent.glob("*.elf"))
    rows, names = {}, []
    for size in SIZES:
        for window in (256, 1):
            split = insn_split.Split(folder, BUILD / "bench/split.so", programs)
            with sel4_guest(image, *split.options) as guest:
                # The first round is the start, and its traffic: what follows is counted.
                pause = f":{PAUSE}" if window == 1 else ""
                packets = scale if window > 1 else scale // 10
                next(guest.measure([f"{size}:{window}:{packets // 10}{pause}"]))
                before = split.read()
                row = next(guest.measure([f"{size}:{window}:{packets}{pause}"]))
                after = split.read()
            split.path.unlink()
            counts = {name: (count - before.get(name, 0)) / row.replies
                      for name, count in after.items() if name != "idle"}
            rows[size, window] = counts
            names += [name for name in counts if name not in names]
            print(f"{size:5} bytes {window:5} under way: {row.replies} replies", flush=True)
    names.sort(key=lambda name: -rows[64, 256].get(name, 0))
    columns = [(size, window) for window in (256, 1) for size in SIZES]
    print(f"\n{'instructions per packet':28} " + " ".join(
        f"{f'{size} B, {window}':>14}" for size, window in columns))
    for name in names:
        cells = [rows[column].get(name, 0) for column in columns]
        if max(cells) >= 0.5:
            print(f"{name:28} " + " ".join(f"{cell:14,.0f}" for cell in cells))
    print(f"{'in all, without idle':28} " +
          " ".join(f"{sum(rows[column].values()):14,.0f}" for column in columns))


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the packets")
    parser.add_argument("--no-linux", action="store_true", help="leave the comparison out")
    parser.add_argument("--ring", type=int, default=0, help="entries of the hardware rings at most")
    parser.add_argument("--million", action="store_true",
                        help="only echo a million frames, 512 under way, and count those lost")
    parser.add_argument("--idle", action="store_true",
                        help="only say how idle the system is at a packet each 10 ms")
    parser.add_argument("--split", action="store_true",
                        help="only say whose the instructions are: each part's, and the kernel's")
    return parser.parse_args()


def main():
    arguments = parse()
    scale = 1000 if arguments.quick else 20000
    with tempfile.TemporaryDirectory(prefix="sddf-insn.") as temporary:
        folder = Path(temporary)
        board = boards.find_board(BOARD)
        board.target.check()
        boards.find_sdk(board, "release")
        board.check_qemu()
        image = sel4_image(folder, arguments.ring)
        if arguments.split:
            split_table(folder, image, scale)
            return 0
        if arguments.million or arguments.idle:
            wanted = "64:512:1000000" if arguments.million else f"64:1:100:{IDLE_PERIOD}"
            with sel4_guest(image) as guest:
                row = next(guest.measure([wanted]))
            print(f"{row.replies:,} echoed, {row.lost} lost; {row.total / row.packets / 1e6:.3f} ms "
                  f"a packet, {row.idle / row.total:.2%} idle")
            return 0 if row.lost == 0 else 1
        results = {}
        with sel4_guest(image) as guest:
            table(guest, "sDDF on seL4", scale, results)
        names = ["sDDF on seL4"]
        if not arguments.no_linux:
            for name, batch in (("Linux, recvfrom and sendto", 1), ("Linux, batches of 64", 64)):
                with linux_guest(folder, batch) as guest:
                    table(guest, name, scale // 2, results)
                names.append(name)
        summary(results, names)
    return 1 if any(row.lost for row in results.values()) else 0


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):  # Also where a shell had it ignored.
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(main())
    except boards.Missing as missing:
        print(f"insn: {missing}", file=sys.stderr)
        sys.exit(2)
    except subprocess.CalledProcessError as failed:  # It has said why.
        sys.exit(failed.returncode)
    except KeyboardInterrupt:
        sys.exit(130)
