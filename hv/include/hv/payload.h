/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking compressed kernels (boot/payload.c, the one user of the decompression libraries). Boot CPU, while booting only: the
 * libraries are compiled for user space and use floating-point registers.
 */
#ifndef HV_PAYLOAD_H
#define HV_PAYLOAD_H

#include <hv/compiler.h>

/* The name of the format that starts at `src`: "xz", "lz4", ...; NULL: none that is known. */
const char *payload_format(const void *src, size_t n);

/*
 * Unpack all of `src` into `dst`, which has room for `room` bytes; *size is what it gave. False: damaged, or larger than the
 * room; said, with `who` in front.
 */
MUST_USE bool payload_unpack(const char *who, const void *src, size_t n, void *dst, size_t room,
			     size_t *size);

/* boot/lz4.c: unpack one block. False: damaged, or larger than the room; some of `dst` may have been written. */
MUST_USE bool lz4_block(const void *src, size_t n, void *dst, size_t room, size_t *size);

#endif
