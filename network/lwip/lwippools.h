/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's heap: packets on their way out. The large ones hold a full segment with its headers and
 * lwIP's own (TCP_OVERSIZE rounds every segment of data up to that); the small ones what carries
 * no data: acknowledgements, ARP, errors. lwIP includes this file several times, so no guard.
 */
LWIP_MALLOC_MEMPOOL_START
LWIP_MALLOC_MEMPOOL(96, 256)
LWIP_MALLOC_MEMPOOL(300, 1616)
LWIP_MALLOC_MEMPOOL_END
