/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression behind one function. Each library is given memory from one arena, which is taken before and given back after, whole:
 * what a library frees is not reused. Reading hostile data is the libraries' trade; what they return is
 * checked against the room by them and by us.
 */
#include <hv/payload.h>

#include <hv/frame.h>
#include <hv/log.h>
#include <hv/string.h>

#include <lzma.h>

/* Linux packs with a dictionary of 32 MiB at most; the decoder's own state is small. */
#define ARENA_ORDER 14u

static struct {
	char *base;
	size_t used, size;
} arena;

static void *arena_take(size_t n)
{
	void *p = arena.base + arena.used;

	n = ROUND_UP(n, (size_t)64);
	if (!arena.base || n > arena.size - arena.used)
		return NULL;
	arena.used += n;
	return p;
}

/* What the libraries call directly. */
void *malloc(size_t n);
void *calloc(size_t n, size_t each);
void free(void *p);

void *malloc(size_t n)
{
	return arena_take(n);
}

void *calloc(size_t n, size_t each)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(n, each, &all))
		return NULL;
	p = arena_take(all);
	if (p)
		memset(p, 0, all);
	return p;
}

void free(void *p) {}

static void *lzma_take(void *opaque, size_t n, size_t each)
{
	return calloc(n, each);
}

static void drop(void *opaque, void *p) {}

static bool unpack_xz(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	const lzma_allocator own = { .alloc = lzma_take, .free = drop };
	uint64_t limit = arena.size;
	size_t in = 0;

	*size = 0;
	return lzma_stream_buffer_decode(&limit, 0, &own, src, &in, n, dst, size, room) == LZMA_OK;
}

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The legacy format that Linux uses: a magic number, then blocks of at most 8 MiB, each after its packed size. */
static bool unpack_lz4(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	const uint8_t *p = (const uint8_t *)src + 4;
	size_t left = n - 4;

	*size = 0;
	while (left >= 4) {
		uint32_t packed = le32(p);
		size_t got;

		if (packed == 0 || packed > left - 4)
			break; /* the end: padding, or the unpacked size that Linux appends */
		if (!lz4_block(p + 4, packed, (uint8_t *)dst + *size, room - *size, &got))
			return false;
		*size += got;
		p += 4 + packed;
		left -= 4 + packed;
	}
	return *size != 0;
}

static const struct format {
	const char *name;
	uint8_t magic[6], length;
	bool arena;
	bool (*unpack)(const void *src, size_t n, void *dst, size_t room, size_t *size);
} formats[] = {
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, true, unpack_xz },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, false, unpack_lz4 },
	/* Named, so that a refusal says more. */
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, false, NULL },
	{ "gzip", { 0x1f, 0x8b, 8 }, 3, false, NULL },
};

static const struct format *find(const void *src, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (n > formats[i].length && !memcmp(src, formats[i].magic, formats[i].length))
			return &formats[i];
	return NULL;
}

const char *payload_format(const void *src, size_t n)
{
	const struct format *f = find(src, n);

	return f ? f->name : NULL;
}

static bool arena_open(const char *who)
{
	mfn_t m = frame_alloc(ARENA_ORDER, ALLOC_ANY_NODE, ALLOC_DIRTY);

	if (!mfn_valid(m)) {
		log_error("%s: no %u MiB to unpack the kernel with", who,
			  (1u << ARENA_ORDER) >> (20 - PAGE_SHIFT));
		return false;
	}
	arena.base = frame_va(m);
	arena.size = (size_t)PAGE_SIZE << ARENA_ORDER;
	arena.used = 0;
	return true;
}

static void arena_close(void)
{
	frame_free(frame_from_va(arena.base), ARENA_ORDER);
	arena.base = NULL;
}

bool payload_unpack(const char *who, const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	const struct format *f = find(src, n);
	bool ok;

	if (!f || !f->unpack) {
		log_error("%s: the kernel is packed as %s: xz and lz4 can be unpacked", who,
			  f ? f->name : "something unknown");
		return false;
	}
	if (f->arena && !arena_open(who))
		return false;
	ok = f->unpack(src, n, dst, room, size);
	if (f->arena)
		arena_close();
	if (!ok)
		log_error("%s: the kernel's %s payload is damaged, or more than %zu bytes", who,
			  f->name, room);
	return ok;
}
