# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces joined by a veth pair, and the means to run things in them.

        generator's namespace                     system's namespace
    +---------------------------+             +-----------------------------+
    | gXXXXX  10.0.0.1/24       |=============| sXXXXX  no address (sDDF),  |
    | tx checksums off          |    veth     | or 10.0.0.10 .11 (Linux)    |
    +---------------------------+             +-----------------------------+

Nothing has a name outside: each namespace lives as long as its holder, a process that waits, and
the holders, like everything started here, get SIGKILL when this process dies, however it dies.
The kernel then takes the interfaces and whatever is attached to them away.

    with Lab() as lab:
        echo = lab.system.start(['echo_linux', '7'], cpu=1, fifo=10)
        lab.generator.run(['ping', '-c1', '10.0.0.10'])
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
PR_SET_PDEATHSIG = 1
MS_REC_PRIVATE = 0x44000
GENERATOR_ADDRESS = '10.0.0.1'
PREFIX = 24

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f'{what}: {os.strerror(error)}')


def die_with_parent():
    _must(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), 'prctl')


class Namespace:
    """A network namespace, held by a process of its own."""

    def __init__(self):
        self.interface = None
        self.children = []
        ready, tell = os.pipe()
        parent = os.getpid()
        self.holder = os.fork()
        if self.holder == 0:
            self._hold(parent, tell)
        os.close(tell)
        answer = os.read(ready, 200)
        os.close(ready)
        if answer != b'ready':
            os.waitpid(self.holder, 0)
            raise OSError('no network namespace: ' + answer.decode(errors='replace'))
        self.fd = os.open(f'/proc/{self.holder}/ns/net', os.O_RDONLY | os.O_CLOEXEC)

    @staticmethod
    def _hold(parent, tell):
        try:
            die_with_parent()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _must(_libc.unshare(CLONE_NEWNET), 'unshare')
            if os.getppid() == parent:
                os.write(tell, b'ready')
                os.close(tell)
                while True:
                    signal.pause()
        except OSError as error:
            os.write(tell, str(error).encode())
        finally:
            os._exit(1)

    def enter(self):
        """Moves the calling process into this namespace."""
        _must(_libc.setns(self.fd, CLONE_NEWNET), 'setns')

    def start(self, command, cpu=None, fifo=None, own_group=True, **options):
        """Starts `command` in here; `cpu`: pinned to it, or to several; `fifo`: with this real-time
        priority.

        It dies with this process. Ctrl-C reaches it only through us, so that ends are orderly.
        """
        def prepare():
            die_with_parent()
            self.enter()
            if cpu is not None:
                os.sched_setaffinity(0, {cpu} if isinstance(cpu, int) else cpu)
            if fifo is not None:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(fifo))
        child = subprocess.Popen(command, preexec_fn=prepare, start_new_session=own_group,
                                 **options)
        self.children.append(child)
        return child

    def run(self, command, check=True, **options):
        """Runs `command` in here to its end and returns its output."""
        child = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           **options)
        out, error = child.communicate()
        self.children.remove(child)
        if check and child.returncode != 0:
            raise OSError(f'{" ".join(command)}: {error.strip() or out.strip()}')
        return out

    def call(self, function):
        """Runs a Python function in here, in a process of its own with its own /sys."""
        child = os.fork()
        if child == 0:
            try:
                die_with_parent()
                self.enter()
                _must(_libc.unshare(CLONE_NEWNS), 'unshare')
                _must(_libc.mount(b'none', b'/', None, MS_REC_PRIVATE, None), 'mount')
                _must(_libc.mount(b'sysfs', b'/sys', b'sysfs', 0, None), 'mount /sys')
                function()
                os._exit(0)
            except OSError:
                os._exit(1)
        return os.waitpid(child, 0)[1] == 0

    def counters(self, interface):
        """The interface's counters as the kernel keeps them: {'rx_packets': n, ...}."""
        names = ('rx_bytes rx_packets rx_errs rx_drop rx_fifo rx_frame rx_compressed rx_multicast '
                 'tx_bytes tx_packets tx_errs tx_drop').split()
        with open(f'/proc/{self.holder}/net/dev', encoding='ascii') as file:
            for line in file:
                name, _, numbers = line.partition(':')
                if name.strip() == interface:
                    return dict(zip(names, map(int, numbers.split())))
        raise OSError(f'{interface}: no such interface')

    def close(self):
        for child in self.children:
            stop(child)
        self.children.clear()
        os.close(self.fd)
        os.kill(self.holder, signal.SIGKILL)
        os.waitpid(self.holder, 0)


def stop(child, patience=5):
    """Ends a child in good order if it takes SIGTERM, and otherwise."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            stream.close()


class Lab:
    """The picture above. `threaded`: both ends' packet work in kernel threads of its own."""

    def __init__(self, addresses=(), threaded=True):
        # Kernel threads are found by their interface's name, so no two labs' may be alike.
        own = mark(os.getpid())
        self.generator_interface, self.system_interface = 'g' + own, 's' + own
        self.threaded = threaded
        self.threads = {}  # interface: its kernel threads when they were last pinned
        self.generator = Namespace()
        try:
            self.system = Namespace()
        except BaseException:
            self.generator.close()
            raise
        try:
            self._join(addresses)
        except BaseException:
            self.close()
            raise

    def _join(self, addresses):
        g, s = self.generator, self.system
        g.interface, s.interface = self.generator_interface, self.system_interface
        g.run(['ip', 'link', 'add', g.interface, 'type', 'veth', 'peer', 'name', s.interface,
               'netns', str(s.holder)])
        for side in (g, s):
            side.run(['ip', 'link', 'set', 'lo', 'up'])
            # No IPv6 of the kernel's own accord: its packets would be in nobody's account.
            side.run(['ip', 'link', 'set', side.interface, 'addrgenmode', 'none'])
            side.run(['ethtool', '-K', side.interface, 'gro', 'on'])
        # Otherwise unfinished checksums cross the pair, and who takes frames by XDP sees them so.
        g.run(['ethtool', '-K', g.interface, 'tx', 'off'])
        self.set_addresses(addresses)
        g.run(['ip', 'address', 'add', f'{GENERATOR_ADDRESS}/{PREFIX}', 'dev', g.interface])
        for side in (g, s):
            side.run(['ip', 'link', 'set', side.interface, 'up'])
        self.set_threaded(self.threaded)

    def set_addresses(self, addresses):
        """The addresses that Linux itself answers for on the system's side; () for none."""
        s = self.system
        s.run(['ip', 'address', 'flush', 'dev', s.interface])
        for address in addresses:
            s.run(['ip', 'address', 'add', f'{address}/{PREFIX}', 'dev', s.interface])
        # What answered for them before had another hardware address.
        self.generator.run(['ip', 'neighbour', 'flush', 'dev', self.generator_interface])

    def set_threaded(self, on):
        """Threaded NAPI on both ends. True if the kernel obeyed."""
        def write(interface):
            with open(f'/sys/class/net/{interface}/threaded', 'w', encoding='ascii') as file:
                file.write('1' if on else '0')
        self.threaded = on
        self.threads.clear()
        # A veth hands a frame to its peer's NAPI only if the sending end does no segmentation
        # offload; otherwise it runs the peer's whole receive path on the sender's core. (The
        # generator's end has none anyway, without transmit checksums.)
        self.system.run(['ethtool', '-K', self.system_interface, 'tso', 'off' if on else 'on'])
        return all([side.call(lambda side=side: write(side.interface))
                    for side in (self.generator, self.system)])

    def set_moderation(self, microseconds):
        """At most one look every so often at what the system's end has received, as a network card
        moderates its interrupts. True if the kernel obeyed.

        (Documentation/networking/napi.rst, "Software IRQ coalescing".)
        """
        def write():
            folder = f'/sys/class/net/{self.system.interface}'
            # After this many looks that found nothing the next frame has one at once.
            for name, value in (('napi_defer_hard_irqs', 2),
                                ('gro_flush_timeout', microseconds * 1000)):
                with open(f'{folder}/{name}', 'w', encoding='ascii') as file:
                    file.write(str(value))
        return self.system.call(write)

    def pin(self, generator_cpu, system_cpu, system_fifo=None):
        """Pins each end's kernel threads to its side's core. True if each end has one.

        To be called after whatever attaches to the interface: attaching makes new threads. The
        generator's thread goes before the generator itself, as an interrupt would, also if that is
        a real-time process (with priority 1). The system's is an ordinary one, or has the real-time
        priority `system_fifo`.
        """
        found = []
        for interface, cpu, fifo in ((self.generator_interface, generator_cpu, 2),
                                     (self.system_interface, system_cpu, system_fifo)):
            threads = napi_threads(interface)
            found.append(bool(threads))
            self.threads[interface] = threads
            for thread in threads:
                os.sched_setaffinity(thread, {cpu})
                if fifo is not None:
                    os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(fifo))
        return all(found)

    def close(self):
        self.generator.close()
        self.system.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def napi_threads(interface):
    """The kernel threads of this interface's threaded NAPI."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/comm', encoding='utf-8') as file:
                if file.read().startswith(f'napi/{interface}-'):
                    found.append(int(pid))
    return found


def mark(n):
    """What a process's lab has in its interfaces' names, which must be short."""
    digits = '0123456789abcdefghijklmnopqrstuvwxyz'
    text = ''
    while n or not text:
        n, digit = divmod(n, 36)
        text = digits[digit] + text
    return text


# ---- processor time ---------------------------------------------------------------------------

TICK = os.sysconf('SC_CLK_TCK')


def core_times(cpu):
    """(now, idle, stolen) of a core in seconds. Idle is exact to a tick of 10 ms at worst."""
    with open('/proc/stat', encoding='ascii') as file:
        for line in file:
            if line.startswith(f'cpu{cpu} '):
                part = [int(x) / TICK for x in line.split()[1:]]
                return time.monotonic(), part[3] + part[4], part[7]
    raise OSError(f'cpu {cpu}: no such processor')


def process_time(pid):
    """Seconds of processor time that a process (one thread) has had; exact to nanoseconds."""
    with open(f'/proc/{pid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0]) / 1e9


def wait_for(condition, seconds, step=0.01):
    """Polls until `condition()` is true. The value, or something false when time has run out."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(step)
    return value
