/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packed kernel is unpacked once, while booting, into memory of its own: that stays for the domain's next boot, where there will be one, and the module goes back.
 */
#include <hv/boot.h>
#include <hv/fill.h>
#include <hv/frame.h>
#include <hv/log.h>
#include <hv/payload.h>
#include <hv/string.h>

#define MAX_UNPACKED ((uint64_t)1 << 30)
#define MIN_UNPACKED 64u

/* Give back the frames from number `at` to `end` of a block. */
static void give_back(mfn_t m, uint64_t at, uint64_t end)
{
	for (; at < end && !IS_ALIGNED(at, (uint64_t)1 << ORDER_2M); at++)
		frame_free(mfn_add(m, at), 0);
	for (; at + (1u << ORDER_2M) <= end; at += (uint64_t)1 << ORDER_2M)
		frame_free(mfn_add(m, at), ORDER_2M);
	for (; at < end; at++)
		frame_free(mfn_add(m, at), 0);
}

static uint32_t last_word(const uint8_t *end)
{
	uint32_t v;

	memcpy(&v, end - sizeof(v), sizeof(v));
	return v;
}

bool payload_keep(struct boot_domain *b, const char *who, const void *src, size_t n)
{
	/* gzip puts the unpacked size last, and the build of Linux does so with the other formats. */
	uint64_t room = n < 4 ? 0 : last_word((const uint8_t *)src + n);
	unsigned order;
	size_t size;
	mfn_t block;

	if (room < MIN_UNPACKED || room > MAX_UNPACKED) {
		log_error("%s: its packed part claims an absurd size: %llu bytes", who,
			  (unsigned long long)room);
		return false;
	}
	order = MAX(fill_order_for(room), ORDER_2M);
	block = frame_alloc(order, ALLOC_ANY_NODE, ALLOC_DIRTY);
	if (!mfn_valid(block)) {
		log_error("%s: no %llu MiB in one piece to unpack the kernel to", who,
			  (unsigned long long)(PAGE_SIZE << order) >> 20);
		return false;
	}
	if (!payload_unpack(who, src, n, frame_va(block), room, &size)) {
		frame_free(block, order);
		return false;
	}
	if (size != room) {
		log_error("%s: a truncated kernel: its packed part gives %zu bytes instead of %llu",
			  who, size, (unsigned long long)room);
		frame_free(block, order);
		return false;
	}
	b->unpacked = frame_va(block);
	b->unpacked_size = size;
	give_back(block, frames_for(size), (uint64_t)1 << order);
	return true;
}

/* Nobody writes to it, so that it serves them all. */
bool payload_share(struct boot_domain *b)
{
	const struct boot_module *m = &boot_info.module[b->kernel];

	for (const struct boot_domain *o = boot_info.domain; o < b; o++) {
		const struct boot_module *other = &boot_info.module[o->kernel];

		if (o->unpacked && other->size == m->size &&
		    memcmp(fill_module(other), fill_module(m), m->size) == 0) {
			b->unpacked = o->unpacked;
			b->unpacked_size = o->unpacked_size;
			return true;
		}
	}
	return false;
}

void payload_release(struct boot_domain *b)
{
	const struct boot_domain *end = boot_info.domain + boot_info.nr_domains;

	for (const struct boot_domain *o = boot_info.domain; o < end; o++)
		if (o != b && !o->skip && o->unpacked == b->unpacked)
			b->unpacked = NULL; /* it is the other's now */
	if (b->unpacked)
		give_back(frame_from_va(b->unpacked), 0, frames_for(b->unpacked_size));
	b->unpacked = NULL;
}
