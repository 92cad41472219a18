/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking kernels through their formats' libraries, a window at a time: what comes out is handed over before the next comes, so that a kernel needs no memory of
 * its unpacked size, whatever its file claims. Each format is one function: it unpacks into `struct sink`, says how much of the source it
 * used, and answers NULL or why it stopped.
 */
#include "parts.h"
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* xz and zstd say how large a window they need; kernels use 128 MiB at most. */
#define WINDOW_MEMORY (256 * MIB)
#define WINDOW_LOG    27
#define LZ4_BLOCK     (8 * MIB) /* legacy frames: each block but the last gives so much */
#define WINDOW        MIB

struct sink {
	uint8_t *data;        /* the window: what came out and was not handed over yet */
	size_t size, room;    /* of the window: in use, usable */
	size_t before;        /* bytes that were handed over */
	size_t limit;         /* of all together */
	unpack_take_fn *take; /* NULL: one window is all that is wanted */
	void *ctx;
	struct fault *f;
};

static const char *const too_large = "it gives more than it says or than a kernel can have";
static const char *const no_memory = "no memory to unpack it to";
static const char *const ends_early = "it ends in the middle";
static const char *const no_more = "no more of it is wanted";

static const char *hand_over(struct sink *s)
{
	if (s->size && !s->take(s->ctx, s->before, s->data, s->size, s->f))
		return no_more;
	s->before += s->size;
	s->size = 0;
	return NULL;
}

/* An empty window of `n` bytes, the same number each time, or of what is left to the limit (at least one). */
static const char *next_window(struct sink *s, size_t n)
{
	const char *why;

	if (s->before + s->size == s->limit)
		return too_large;
	if (!s->take)
		return s->size ? no_more : NULL;
	why = hand_over(s);
	if (why)
		return why;
	if (!s->data)
		s->data = malloc(n);
	if (!s->data)
		return no_memory;
	s->room = s->limit - s->before < n ? s->limit - s->before : n;
	return NULL;
}

/* ---- the formats ------------------------------------------------------------------------------- */

static const char *unpack_gzip(const uint8_t *src, size_t n, size_t *used, struct sink *s)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)src, .avail_in = (uInt)n };
	const char *why = NULL;
	int err = inflateInit2(&z, 16 + MAX_WBITS) == Z_OK ? Z_OK : Z_MEM_ERROR;

	while (err == Z_OK && !why) {
		if (s->size == s->room)
			why = next_window(s, WINDOW);
		if (why)
			break;
		z.next_out = s->data + s->size;
		z.avail_out = (uInt)(s->room - s->size);
		err = inflate(&z, Z_NO_FLUSH);
		s->size = s->room - z.avail_out;
	}
	*used = n - z.avail_in;
	if (!why && err != Z_STREAM_END)
		why = err == Z_BUF_ERROR   ? ends_early
		      : err == Z_MEM_ERROR ? no_memory
		      : z.msg              ? z.msg
					   : "not valid deflate data"; /* zlib's are literals */
	inflateEnd(&z);
	return why;
}

static const char *lzma_why(lzma_ret err)
{
	switch (err) {
	case LZMA_BUF_ERROR: return ends_early;
	case LZMA_MEM_ERROR: return no_memory;
	case LZMA_MEMLIMIT_ERROR: return "its window is larger than 256 MiB";
	case LZMA_OPTIONS_ERROR: return "it uses a filter that liblzma does not have";
	default: return "not valid LZMA data, or a wrong checksum";
	}
}

static const char *unpack_lzma(lzma_stream *z, size_t n, size_t *used, struct sink *s)
{
	const char *why = NULL;
	lzma_ret err = LZMA_OK;

	while (err == LZMA_OK && !why) {
		if (s->size == s->room)
			why = next_window(s, WINDOW);
		if (why)
			break;
		z->next_out = s->data + s->size;
		z->avail_out = s->room - s->size;
		err = lzma_code(z, LZMA_RUN);
		s->size = s->room - z->avail_out;
	}
	*used = n - z->avail_in;
	if (!why && err != LZMA_STREAM_END)
		why = lzma_why(err);
	lzma_end(z);
	return why;
}

static const char *unpack_xz(const uint8_t *src, size_t n, size_t *used, struct sink *s)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&z, WINDOW_MEMORY, 0) != LZMA_OK)
		return no_memory;
	z.next_in = src;
	z.avail_in = n;
	return unpack_lzma(&z, n, used, s);
}

/* The format before xz: no checksum, and its end may be said by a marker or by the size. */
static const char *unpack_alone(const uint8_t *src, size_t n, size_t *used, struct sink *s)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&z, WINDOW_MEMORY) != LZMA_OK)
		return no_memory;
	z.next_in = src;
	z.avail_in = n;
	return unpack_lzma(&z, n, used, s);
}

static const char *unpack_zstd(const uint8_t *src, size_t n, size_t *used, struct sink *s)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer in = { src, n, 0 };
	const char *why = z ? NULL : no_memory;
	size_t left = 1;

	if (z)
		ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG);
	while (!why && left) {
		ZSTD_outBuffer out;
		size_t before = in.pos;

		if (s->size == s->room)
			why = next_window(s, WINDOW);
		if (why)
			break;
		out = (ZSTD_outBuffer){ s->data, s->room, s->size };
		left = ZSTD_decompressStream(z, &out, &in);
		if (ZSTD_isError(left))
			why = ZSTD_getErrorName(left); /* a literal */
		else if (left && in.pos == before && out.pos == s->size)
			why = ends_early;
		if (!why)
			s->size = out.pos;
	}
	*used = in.pos;
	ZSTD_freeDCtx(z);
	return why;
}

/* Of a block that is cut short it cannot be told whether it gives too much. */
static int unpack_block(const struct sink *s, const uint8_t *src, int n)
{
	if (s->take || s->room == s->limit)
		return LZ4_decompress_safe((const char *)src, (char *)s->data, n, (int)s->room);
	return LZ4_decompress_safe_partial((const char *)src, (char *)s->data, n, (int)s->room,
					   (int)s->room);
}

/* Legacy frame: a magic number, then blocks with their packed size in front. Its end is the end of the source. */
static const char *unpack_lz4(const uint8_t *src, size_t n, size_t *used, struct sink *s)
{
	size_t at = 4;

	while (n - at >= 4) {
		uint64_t block = little(src + at, 4);
		const char *why;
		int got;

		at += 4;
		if (block == 0 || block > n - at || block > LZ4_COMPRESSBOUND(LZ4_BLOCK))
			return block > n - at ? ends_early : "a block with a senseless size";
		why = next_window(s, LZ4_BLOCK);
		if (why)
			return why;
		got = unpack_block(s, src + at, (int)block);
		if (got <= 0)
			return s->room < LZ4_BLOCK ? too_large : "not valid lz4 data";
		s->size = (size_t)got;
		at += block;
	}
	*used = at;
	return NULL;
}

/* ---- choosing ------------------------------------------------------------------------------------ */

static const struct format {
	const char *name;
	uint8_t magic[6], length;
	const char *(*unpack)(const uint8_t *src, size_t n, size_t *used, struct sink *s);
} formats[] = {
	{ "gzip", { 0x1f, 0x8b, 8 }, 3, unpack_gzip },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_xz },
	{ "lzma", { 0x5d, 0, 0 }, 3, unpack_alone },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	/* Known by name only. */
	{ "bzip2", { 'B', 'Z', 'h' }, 3, NULL },
	{ "lzo", { 0x89, 'L', 'Z', 'O', 0, '\r' }, 6, NULL },
	{ "lz4 (frame format)", { 0x04, 0x22, 0x4d, 0x18 }, 4, NULL },
};

static const struct format *find(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (n >= formats[i].length && memcmp(p, formats[i].magic, formats[i].length) == 0)
			return &formats[i];
	return NULL;
}

const char *unpack_format(const uint8_t *p, size_t n)
{
	const struct format *format = find(p, n);

	return format ? format->name : NULL;
}

static bool run(const struct blob *src, size_t tail, struct sink *s)
{
	const struct format *format = find(src->data, src->size);
	size_t n = src->size - tail, used = 0;
	struct fault *f = s->f;
	const char *why;

	if (!format || !format->unpack)
		return fault_set(f, F_PAYLOAD_FORMAT, "%s: packed with %s, which is not supported",
				 src->name, format ? format->name : "something unknown");
	if (src->size > INT32_MAX)
		return fault_set(f, F_FILE_HUGE, "%s: %zu bytes packed with %s are more than 2 GiB",
				 src->name, src->size, format->name);
	why = format->unpack(src->data, n, &used, s);
	if (!why && used != n)
		why = "something else follows it";
	if (!why && s->take)
		why = hand_over(s);
	if (!why || why == no_more)
		return !why || !s->take; /* the head was wanted, or *f is take's */
	if (why == no_memory)
		return fault_set(f, F_NO_MEMORY, "%s: %s data at byte %zu: %s", src->name,
				 format->name, used, why);
	return fault_set(f, why == too_large ? F_PAYLOAD_SIZE : F_PAYLOAD_DAMAGED,
			 "%s: %s data is damaged after %zu of %zu bytes: %s", src->name,
			 format->name, used, n, why);
}

bool unpack_each(const struct blob *src, size_t tail, size_t limit, unpack_take_fn *take, void *ctx,
		 struct fault *f)
{
	struct sink s = { .limit = limit, .take = take, .ctx = ctx, .f = f };
	bool ok = run(src, tail, &s);

	free(s.data);
	return ok;
}

bool unpack_head(const struct blob *src, size_t tail, size_t limit, uint8_t *head, size_t *n,
		 struct fault *f)
{
	struct sink s = { .data = head, .room = *n < limit ? *n : limit, .limit = limit, .f = f };
	bool ok = run(src, tail, &s);

	*n = s.size;
	return ok;
}

/* ---- into memory ---------------------------------------------------------------------------------- */

struct whole {
	const char *name;
	uint8_t *data;
	size_t size, room;
};

static bool append(void *ctx, uint64_t at, const uint8_t *data, size_t n, struct fault *f)
{
	struct whole *w = ctx;

	if (n > w->room - w->size) {
		size_t room = 2 * w->room + n;
		uint8_t *larger = realloc(w->data, room);

		if (!larger)
			return fault_set(f, F_NO_MEMORY, "%s: no %zu KiB of memory to unpack it to",
					 w->name, room / 1024);
		w->data = larger;
		w->room = room;
	}
	memcpy(w->data + at, data, n);
	w->size += n;
	return true;
}

bool unpack(const struct blob *src, size_t limit, uint8_t **out, size_t *size, struct fault *f)
{
	struct whole w = { .name = src->name };

	if (!unpack_each(src, 0, limit, append, &w, f)) {
		free(w.data);
		return false;
	}
	*out = w.data;
	*size = w.size;
	return true;
}
