/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952), by zlib: its decoder only, the checksum is checksum.c's. */
#include <hv/payload.h>

#include <zlib.h>

#define GZIP_ONLY (16 + MAX_WBITS)

static voidpf take(voidpf opaque, uInt n, uInt each)
{
	size_t all;

	return __builtin_mul_overflow((size_t)n, (size_t)each, &all) ? Z_NULL : payload_take(all);
}

static void drop(voidpf opaque, voidpf p) {}

static bool unpack(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	z_stream z = { .zalloc = take, .zfree = drop };

	if ((uInt)n != n || (uInt)room != room)
		return false;
	z.next_in = (z_const Bytef *)src;
	z.avail_in = (uInt)n;
	z.next_out = dst;
	z.avail_out = (uInt)room;
	/* What comes last is the check of everything: the end is reached only when it holds. */
	if (inflateInit2(&z, GZIP_ONLY) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
		return false;
	*size = room - z.avail_out;
	return true;
}

const struct payload_format payload_gzip = {
	.name = "gzip", .magic = { 0x1f, 0x8b, 8 }, .length = 3, .arena = 5, .unpack = unpack
};
