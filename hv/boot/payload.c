/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression behind one function. Each format is given memory from one arena, which is taken before and given back after, whole:
 * what a library frees is not reused. Reading hostile data is the libraries' trade; what they return is
 * checked against the room by them and by us.
 */
#include <hv/payload.h>

#include <hv/frame.h>
#include <hv/log.h>
#include <hv/string.h>

static struct {
	char *base;
	size_t used, size;
} arena;

void *payload_take(size_t n)
{
	void *p = arena.base + arena.used;

	if (!arena.base || n > arena.size - arena.used)
		return NULL;
	arena.used += ROUND_UP(n, (size_t)64);
	return p;
}

static const struct payload_format *find(const void *src, size_t n)
{
	for (const struct payload_format *const *f = payload_formats; *f; f++)
		if (n > (*f)->length && !memcmp(src, (*f)->magic, (*f)->length))
			return *f;
	return NULL;
}

const char *payload_format(const void *src, size_t n)
{
	const struct payload_format *f = find(src, n);

	return f ? f->name : NULL;
}

static bool arena_open(const char *who, unsigned order)
{
	mfn_t m = frame_alloc(order, ALLOC_ANY_NODE, ALLOC_DIRTY);

	if (!mfn_valid(m)) {
		log_error("%s: no %u KiB to unpack the kernel with", who,
			  (1u << order) << (PAGE_SHIFT - 10));
		return false;
	}
	arena.base = frame_va(m);
	arena.size = (size_t)PAGE_SIZE << order;
	arena.used = 0;
	return true;
}

static void arena_close(unsigned order)
{
	frame_free(frame_from_va(arena.base), order);
	arena.base = NULL;
}

bool payload_unpack(const char *who, const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	const struct payload_format *f = find(src, n);
	bool ok;

	if (!f) {
		log_error("%s: the kernel is packed as something unknown", who);
		return false;
	}
	if (!arena_open(who, f->arena))
		return false;
	ok = f->unpack(src, n, dst, room, size);
	arena_close(f->arena);
	if (!ok)
		log_error("%s: the kernel's %s payload is damaged, or more than %zu bytes", who,
			  f->name, room);
	return ok;
}
