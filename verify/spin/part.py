# SPDX-License-Identifier: BSD-2-Clause
"""The components' handlers under every order of their steps, by SPIN: see world.h."""

import contextlib
import re
import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path

from checks import Job, Row, programs

TITLE = "the signalling between the shipped components, in every order of steps (SPIN)"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

CC = ["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector",
      "-fno-pie", "-fcf-protection=none",
      # A model is small: few buffers and clients, so that their account is small too.
      "-DNET_CLIENTS_MAX=2", "-DNET_REGION_BUFFERS_MAX=8", "-DNET_TX_BUFFERS_MAX=16",
      "-DNET_CLIENT_BUFFERS_MAX=4", "-DTIMER_CLIENTS_MAX=2", "-DPASSES_MAX=1",
      "-DPATIENCE_SHARE=2",
      "-I", HERE / "include", "-I", "platform/linux/include", "-I", ".", "-I", "include"]
MEMORY_MB = 3000
DEPTH = 20000

# A component in a scenario: a prefix for its symbols, and its sources.
VIRT_RX = ["verify/spin/peek_virt_rx.c"]
COPY = ["network/copy.c"]
VIRT_TX = ["verify/spin/peek_virt_tx.c", "network/virt_tx_provide.c", "network/virt_tx_return.c",
           "verify/spin/no_timer.c"]
LIMITED = [*VIRT_TX[:-1], "timer/client.c"]
CLIENT = ["verify/spin/peek_client.c", "verify/spin/app.c"]

TIMER = ["timer/driver.c", "timer/timeouts.c"]
SLEEPER = ["timer/client.c", "verify/spin/sleeper.c"]

# name: how many protection domains, the components among them, and sources besides the stubs'
SCENARIOS = {
    "virt_rx": (4, {"rx": VIRT_RX}),
    "patience": (3, {"rx": VIRT_RX}),
    "copy": (3, {"copy": COPY, "a": CLIENT}),
    "rx_path_one": (4, {"rx": VIRT_RX, "copya": COPY, "copyb": COPY, "a": CLIENT, "b": CLIENT}),
    "rx_path": (6, {"rx": VIRT_RX, "copya": COPY, "copyb": COPY, "a": CLIENT, "b": CLIENT}),
    "virt_tx": (4, {"tx": VIRT_TX, "a": CLIENT, "b": CLIENT}),
    "arp": (4, {"arp": ["network/arp.c"]}),
    "limit": (5, {"tx": LIMITED, "a": CLIENT, "driver": TIMER}, "stub_timer"),
    "restart": (2, {}),
    "copy_restart": (3, {"copy": COPY, "a": CLIENT}),
    "virt_tx_restart": (3, {"tx": VIRT_TX, "a": CLIENT, "b": CLIENT}),
    "timer": (4, {"driver": TIMER, "a": SLEEPER, "b": SLEEPER}, "stub_timer"),
    "timer_restart": (4, {"driver": TIMER, "a": SLEEPER, "b": SLEEPER}, "stub_timer"),
}

# Those small enough to check that everybody is served at last, under weak fairness, as well; and
# those that take long.
LIVE = ("virt_rx", "copy", "virt_tx", "arp", "timer_restart")
LONG = ("patience", "rx_path", "rx_path_one", "restart", "timer_restart")


def run(words, cwd):
    done = programs.run(words, cwd=cwd)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]}: {done.stdout}")
    return done.stdout


def component(work, source, prefix, sources):
    """An object whose symbols begin with the prefix, and whose variables are the model's state."""
    objects = []
    for name in sources:
        objects.append(work / f"{prefix}_{Path(name).stem}.o")
        run([*CC, "-c", name, "-o", objects[-1]], source)
    whole = work / f"{prefix}.o"
    run(["ld", "-r", "-o", whole, *objects], source)
    symbols = [line.split()[-1] for line in run(["nm", "-g", "--defined-only", whole], source)
               .splitlines()]
    renames = [word for name in symbols for word in ("--redefine-sym", f"{name}={prefix}_{name}")]
    sections = []
    for name in (".bss", ".data"):
        sections += ["--set-section-flags", f"{name}=alloc,load,contents,data",
                     "--rename-section", f"{name}=world_state"]
    run(["objcopy", *renames, *sections, whole], source)
    return whole


models, models_lock = {}, threading.Lock()


def model(pds, live):
    """What SPIN makes of the model for so many domains, compiled: the same for all scenarios."""
    with models_lock:
        if (pds, live) not in models:
            with tempfile.TemporaryDirectory(prefix="sddf-spin-") as work:
                run(["spin", "-a", f"-DPDS={pds}", *(["-DLIVE"] if live else []),
                     HERE / "world.pml"], work)
                words = [word for word in CC if not str(word).startswith("-W")]
                run([*words, "-w", f"-DPDS={pds}", f"-DMEMLIM={MEMORY_MB}", "-DVECTORSZ=4096",
                     *(["-DNFAIR=3"] if live else ["-DSAFETY", "-DNOFAIR"]), "-I", ROOT,
                     "-I", ROOT / "include", "-I", ROOT / "platform/linux/include",
                     "-c", "pan.c", "-o", "pan.o"], work)
                models[pds, live] = (Path(work) / "pan.o").read_bytes()
        return models[pds, live]


def build(work, source, name, live):
    """SPIN's verifier of the scenario, with the components compiled from the sources."""
    pds, components, *more = SCENARIOS[name]
    objects = [component(work, source, prefix, files) for prefix, files in components.items()]
    (work / "pan.o").write_bytes(model(pds, live))
    verifier = work / "pan"
    run([*CC, "-no-pie", *(f"verify/spin/{file}.c" for file in ("world", "stubs", *more, name)),
         *objects, work / "pan.o", "-o", verifier], source)
    return verifier


def verify(work, source, name, live=False):
    """SPIN's verdict: states, depth, and what is wrong (None if nothing is)."""
    verifier = build(work, source, name, live)
    words = [verifier, f"-m{DEPTH}", "-w22"] + (["-a", "-f"] if live else [])
    text = programs.run(words, cwd=work, timeout=1200).stdout
    states = re.search(r"(\d+) states, stored", text)
    depth = re.search(r"depth reached (\d+)", text)
    errors = re.search(r"errors: (\d+)", text)
    if not states or not errors:
        return 0, 0, "SPIN gave up: " + text[-300:]
    wrong = None
    if int(errors[1]):
        said = re.search(r"wrong: (.*)", text)
        wrong = said[1] if said else "somebody is never served" if live else "a deadlock"
    elif "max search depth too small" in text:
        wrong = f"the search is not whole: deeper than {DEPTH} steps"
    return int(states[1]), int(depth[1]), wrong


@contextlib.contextmanager
def workplace():
    folder = tempfile.mkdtemp(prefix="sddf-spin-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


# Mistakes, each of which must be found: what it is, the file, its text, the text with the mistake,
# and the scenario that finds it.
QUEUE, RX, TX = "include/sddf/queue.h", "network/virt_rx.c", "network/virt_tx.c"
CLIENT_C, DRIVER = "network/client.c", "timer/driver.c"
SEEDS = [
    ("a consumer that asks does not look again", QUEUE,
     "    return q->tail == head && sddf_queue_consumer_refresh(q) == 0;\n}", "    return true;\n}", "copy"),
    ("a consumer looks before it has asked", QUEUE,
     "    sddf_store_relaxed_u32(&q->own->mark, head);\n    /* Orders",
     "    bool empty = sddf_queue_available(q) == 0;\n"
     "    sddf_store_relaxed_u32(&q->own->mark, head);\n    if (empty) {\n"
     "        return true;\n    }\n    /* Orders", "copy"),
    ("a producer signals only at the mark itself", QUEUE,
     "&q->peer->mark) - 1 < tail - since;", "&q->peer->mark) == 1 && tail != since;",
     "rx_path_one"),
    ("a producer's mark is one off", QUEUE,
     "&q->peer->mark) - 1 < tail", "&q->peer->mark) - 2 < tail", "copy"),
    ("a producer compares the mark before it publishes", "network/copy.c",
     "    bool client_waits = sddf_queue_hand_over(&client_active);",
     "    bool client_waits = sddf_queue_mark_passed(&client_active, client_active.signalled,\n"
     "                                               client_active.tail);\n"
     "    sddf_queue_publish(&client_active);\n"
     "    client_active.signalled = client_active.tail;", "copy"),
    ("a consumer publishes no mark after it has drained", "network/copy.c",
     "    return !sddf_queue_request_signal(&rx_active) && !stuck;",
     "    sddf_queue_release(&rx_active);\n"
     "    return sddf_queue_available(&rx_active) != 0 && !stuck;", "copy"),
    ("virt_rx does not signal its first receiver", RX,
     "    if (serve()) {\n        /* The one", "    if (serve() && !running) {\n        /* The one",
     "virt_rx"),
    ("virt_rx keeps a buffer that nobody got", RX,
     "    if (holders[arrival->buffer] == 0) {\n        buffer_reclaim(arrival->buffer);\n    }",
     "    if (arrival_receivers(arrival) != 0 && holders[arrival->buffer] == 0) {\n"
     "        buffer_reclaim(arrival->buffer);\n    }", "virt_rx"),
    ("virt_rx does not signal a receiver", RX,
     "            microkit_notify(receivers[number].channel);\n", "", "virt_rx"),
    ("virt_rx asks for a signal that comes too late", "network/virt_rx_start.h",
     "setup_max(1, setup_min(capacity / 2, buffer_count / (2 * receiver_count)));",
     "setup_max(1, capacity);", "virt_rx"),
    ("virt_rx waits, and does not think of what arrives meanwhile", RX,
     "lent_count + arriving >= patience", "lent_count + 0 * arriving >= patience",
     "patience"),
    ("virt_rx waits until a receiver may hold no more", "network/virt_rx_start.h",
     "buffer_count / PATIENCE_SHARE", "buffer_count", "patience"),
    ("virt_rx takes back only what it knew of", RX,
     "sddf_queue_consumer_refresh(&receivers[number].free)",
     "sddf_queue_available(&receivers[number].free)", "patience"),
    ("the copier gives a buffer back twice", "network/copy.c",
     "            back++;\n",
     "            net_queue_set(&rx_free, ++back, (struct net_entry){.address = batch[i].address});\n"
     "            back++;\n",
     "copy"),
    ("the copier does not signal its client", "network/copy.c",
     "        microkit_deferred_notify(sddf_net_config.client.channel);\n", "", "copy"),
    ("virt_tx does not signal a client that waits for a buffer", TX,
     "        microkit_notify(client->channel);\n", "", "virt_tx"),
    ("virt_tx does not signal the driver", TX,
     "    if (serve()) {\n        /* The one",
     "    if (serve() && !virt_tx.running) {\n        /* The one", "virt_tx"),
    ("virt_tx does not ask again when it has taken what came", "network/virt_tx_return.c",
     "enough == virt_tx.asked_for && virt_tx.driver_free.head == virt_tx.asked_at",
     "enough == virt_tx.asked_for", "virt_tx"),
    ("a client sleeps without asking for a buffer to send", CLIENT_C,
     "        idle = sddf_queue_request_signal(&net_client.tx_free) && idle;\n", "", "virt_tx"),
    ("a producer signals whenever it has published", QUEUE,
     "&q->peer->mark) - 1 < tail - since;",
     "&q->peer->mark) - 1 < tail - since || tail != since;", "copy"),
    ("virt_rx signals receivers that have got nothing", RX,
     "    bool waits = sddf_queue_hand_over(&receivers[number].active);",
     "    bool waits = sddf_queue_hand_over(&receivers[number].active) || running;", "virt_rx"),
    ("arp does not signal virt_tx", "network/arp.c",
     "        microkit_notify(sddf_net_config.tx.channel);\n", "", "arp"),
    ("arp keeps the buffer of a question", "network/arp.c",
     "    net_queue_enqueue(&rx_free, empty);\n", "    (void)empty;\n", "arp"),
    ("arp asks too late behind its last pass", "network/arp.c",
     "!sddf_queue_request_signal_at(&rx_active, count + 1)",
     "!sddf_queue_request_signal_at(&rx_active, count + 2)", "arp"),
    ("arp answers for who has claimed nothing", "network/arp.c",
     "        if (config->client[i].channel != SDDF_NO_CHANNEL) {\n",
     "        if (config->client[i].channel != SDDF_NO_CHANNEL) {\n"
     "            address[i] = 0x0200000a;\n", "arp"),
    ("virt_tx sets no timeout for whom it holds", TX, "        timeout_set();\n",
     "        (void)timeout_set;\n", "limit"),
    ("virt_tx forgets to charge a frame to its limit", "network/virt_tx_provide.c",
     "        tx_limit_charge(&client->limit, sent);\n", "", "limit"),
    ("the timer driver does not acknowledge its interrupt", DRIVER,
     "    arm();\n    microkit_irq_ack(irq);\n", "    arm();\n", "timer"),
    ("the timer driver does not set the timer again", DRIVER,
     "    arm();\n    microkit_irq_ack(irq);\n", "    microkit_irq_ack(irq);\n", "timer"),
    ("the timer driver does not look at earlier deadlines", DRIVER,
     "answer == TIMER_OK && next() < armed", "answer == TIMER_OK && armed == TIMEOUTS_NEVER", "timer"),
    ("the timer driver notifies for each timeout", DRIVER,
     "        gather(client, id);\n    }\n}", "        (void)id;\n    }\n}", "timer"),
    ("a client believes the timer driver", "timer/client.c",
     "record[id].deadline == TIMEOUTS_NEVER || record[id].deadline > now",
     "record[id].deadline == TIMEOUTS_NEVER", "timer"),
    ("a client hears of what it has cancelled", "timer/client.c",
     "    record[id].deadline = TIMEOUTS_NEVER; /* off, whatever the driver says */\n", "",
     "timer"),
    ("a producer that attaches again keeps to itself what it has published", QUEUE,
     "    q->signalled = head;", "    q->signalled = tail;", "restart"),
    ("a consumer that attaches again passes over what lies there", QUEUE,
     "    q->head = head;\n    q->tail = tail;\n", "    q->head = tail;\n    q->tail = tail;\n",
     "restart"),
    ("a side that attaches again has the same epoch", QUEUE,
     "sddf_load_relaxed_u32(&header->epoch) + 1;", "sddf_load_relaxed_u32(&header->epoch);",
     "restart"),
    ("a client that starts again loses what it had to send with", CLIENT_C,
     "epoch) != 0 && b->count == count;", "epoch) != 0 && b->count > count;",
     "virt_tx_restart"),
    ("a client that starts again has what it has yet to take", CLIENT_C,
     "coming->head, entries, coming->capacity, CLIENT_AWAY", "coming->head, entries, coming->capacity, CLIENT_SPARE", "copy_restart"),
    ("a client that starts again forgets what it had not handed over", CLIENT_C,
     "restarted && more <= config->capacity", "restarted && more > config->capacity", "virt_tx_restart"),
    ("a timer's client that starts again remembers its timeouts", "timer/client.c",
     "        record[id].deadline = TIMEOUTS_NEVER;\n        record[id].period = 0;\n",
     "        record[id].period = 0;\n", "timer_restart"),
]


def seeded(work, seed):
    """A copy of the sources with the mistake in it."""
    _, name, text, mistake, _ = seed
    source = work / "source"
    for folder in ("include", "network", "timer", "platform/linux/include", "verify/spin"):
        shutil.copytree(ROOT / folder, source / folder)
    file = source / name
    old = file.read_text()
    if old.count(text) != 1:
        raise RuntimeError(f"{name}: the text to put a mistake into is there {old.count(text)}"
                           f" times, not once: {text.strip()}")
    file.write_text(old.replace(text, mistake))
    return source


def check_scenario(name, live):
    with workplace() as work:
        states, depth, wrong = verify(work, ROOT, name, live)
    what = "served at last" if live else "nothing lost, no deadlock"
    return Row(f"{name}: {what}", f"{states} states", wrong is None,
               wrong or f"at most {depth} steps")


def check_seed(seed):
    with workplace() as work:
        _, _, wrong = verify(work, seeded(work, seed), seed[4])
    return Row(f"found: {seed[0]}", seed[4], wrong is not None, wrong or "nobody noticed")


def jobs():
    if shutil.which("spin") is None:
        return [Job(lambda: Row("spin", "", False,
                                "spin is missing: ./setup.sh --verify installs it"))]
    checks = [Job(partial(check_scenario, name, live), seconds=20 if name in LONG else 5)
              for name in SCENARIOS for live in ((False, True) if name in LIVE else (False,))]
    return checks + [Job(partial(check_seed, seed), seconds=2) for seed in SEEDS]
