/* SPDX-License-Identifier: Apache-2.0 */
/* xz, by liblzma. Linux packs with a dictionary of 32 MiB at most; the decoder's own state is small. */
#include <hv/payload.h>

#include <hv/addr.h>

#include <lzma.h>

#define ARENA_ORDER 14u

/* In libc.c, over the arena. */
void *calloc(size_t n, size_t each);

static void *take(void *opaque, size_t n, size_t each)
{
	return calloc(n, each);
}

static void drop(void *opaque, void *p) {}

static bool unpack(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	const lzma_allocator own = { .alloc = take, .free = drop };
	uint64_t limit = (uint64_t)PAGE_SIZE << ARENA_ORDER;
	size_t in = 0;

	*size = 0;
	return lzma_stream_buffer_decode(&limit, 0, &own, src, &in, n, dst, size, room) == LZMA_OK;
}

const struct payload_format payload_xz = { .name = "xz",
					   .magic = { 0xfd, '7', 'z', 'X', 'Z', 0 },
					   .length = 6,
					   .arena = ARENA_ORDER,
					   .unpack = unpack };
