# SPDX-License-Identifier: BSD-2-Clause
"""The packet tests of tests/system, all of them, against the echo system on seL4 in QEMU. Which
board and configuration: BOARD and CONFIG in the environment."""

# pylint: disable=wildcard-import,unused-wildcard-import
import qemu  # noqa: F401 (first: it knows where the others are)
from test_packets import *  # noqa: F401,F403
from test_malformed import *  # noqa: F401,F403
from test_ipbench import *  # noqa: F401,F403

# On seL4 the device is the system's alone: there is no host behind it to keep anything.
del test_the_host_keeps_the_rest  # noqa: F821
del test_agrees_with_the_kernel  # noqa: F821
# It reads what clients print, which the Microkit's debug output mixes letter by letter, or is silent.
del test_wrong_checksum_is_named  # noqa: F821
