# SPDX-License-Identifier: BSD-2-Clause
"""The auditor finds what it is for: buffers that are lost, doubled, or nowhere that makes sense."""

import struct


def queue_regions(system):
    """Queues of the system, by the stem of their regions' names."""
    names = {region["name"] for region in system.state["regions"]}
    return sorted(name.removesuffix("_producer") for name in names
                  if name.endswith("_producer") and
                  name.removesuffix("_producer") + "_consumer" in names)


def full_queues(system):
    """Queues that hold at least two entries at rest: (stem, head, tail)."""
    for stem in queue_regions(system):
        with system.memory(f"{stem}_producer") as producer, \
                system.memory(f"{stem}_consumer") as consumer:
            tail, = struct.unpack_from("=I", producer, 64)
            head, = struct.unpack_from("=I", consumer, 64)
        if tail - head >= 2:
            yield stem, head, tail


def test_a_lost_buffer_is_found(fresh):
    """An entry is taken away behind everybody's back, in each queue that has any: the auditor
    names the buffer. Put back, and all is well again."""
    system = fresh()
    system.assert_account()
    seen = 0
    for stem, head, tail in full_queues(system):
        with system.memory(f"{stem}_producer", writable=True) as producer:
            struct.pack_into("=I", producer, 64, tail - 1)
            status, text = system.audit(wait=0)
            struct.pack_into("=I", producer, 64, tail)
        assert status == 1 and text.startswith("lost: buffer "), f"{stem}:\n{text}"
        assert text.count("lost:") == 1
        seen += 1
    assert seen >= 3
    system.assert_account()


def test_a_doubled_buffer_is_found(fresh):
    """One entry is written over its neighbour: its buffer is there twice, the neighbour's is lost."""
    system = fresh()
    seen = 0
    for stem, head, _ in full_queues(system):
        with system.memory(f"{stem}_producer", writable=True) as producer:
            capacity, = struct.unpack_from("=I", producer, 4)
            slots = [128 + 16 * (index % capacity) for index in (head, head + 1)]
            old = producer[slots[1]:slots[1] + 16]
            producer[slots[1]:slots[1] + 16] = producer[slots[0]:slots[0] + 16]
            status, text = system.audit(wait=0)
            producer[slots[1]:slots[1] + 16] = old
        assert status == 1 and "doubled: buffer " in text and "lost: buffer " in text, \
            f"{stem}:\n{text}"
        seen += 1
    assert seen >= 3


def test_a_stray_entry_is_found(fresh):
    """An address outside its region, and an index that cannot be."""
    system = fresh()
    stem, head, tail = next(full_queues(system))
    with system.memory(f"{stem}_producer", writable=True) as producer:
        capacity, = struct.unpack_from("=I", producer, 4)
        slot = 128 + 16 * (head % capacity)
        old = producer[slot:slot + 8]
        producer[slot:slot + 8] = b"\xff" * 8
        status, text = system.audit(wait=0)
        producer[slot:slot + 8] = old
        assert status == 1 and "stray: " in text
        struct.pack_into("=I", producer, 64, (head + 2 * capacity) & 0xffffffff)
        status, text = system.audit(wait=0)
        struct.pack_into("=I", producer, 64, tail)
        assert status == 1 and "corrupt: " in text
