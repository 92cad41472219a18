/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile payloads of our own decoders (hv/boot/zstd.c, hv/boot/lz4.c): the first byte says which and how much room there is. Both buffers have
 * exactly their size, so that the sanitizer sees each byte beyond.
 */
#include <hv/payload.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void *memory;
	uint8_t *src, *dst;
	size_t room, size = 0;
	bool ok;

	if (n < 2)
		return 0;
	if (!memory)
		memory = aligned_alloc(64, ROUND_UP(zstd_memory(), (size_t)64));
	room = (size_t)1 << (data[0] & 15);
	src = malloc(n - 1);
	dst = malloc(room);
	memcpy(src, data + 1, n - 1);
	ok = data[0] & 0x80 ? lz4_block(src, n - 1, dst, room, &size)
			    : zstd_frame(memory, src, n - 1, dst, room, &size);
	if (ok && size > room)
		abort();
	free(src);
	free(dst);
	return 0;
}
