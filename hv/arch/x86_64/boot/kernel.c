/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels for PVH domains: an ELF file, or a bzImage that has one inside, packed (Linux, Documentation/x86/boot.rst). Unpacking happens
 * while booting only, so a boot-time domain that may reboot keeps what was unpacked instead of its module.
 */
#include "boot.h"
#include <hv/frame.h>
#include <hv/log.h>
#include <hv/payload.h>
#include <hv/string.h>

/* Offsets in the setup header. */
#define SETUP_SECTS     0x1f1u
#define SETUP_SYSSIZE   0x1f4u
#define SETUP_BOOT_FLAG 0x1feu
#define SETUP_MAGIC     0x202u
#define SETUP_VERSION   0x206u
#define SETUP_PAYLOAD   0x248u /* offset, then length: protocol 2.08 */
#define SETUP_END       0x250u
#define SECTOR          512u

#define MAX_UNPACKED    ((uint64_t)1 << 30)

static uint32_t get(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static bool bad(const struct boot_module *m, const char *why)
{
	log_error("%s: %s", m->node, why);
	return false;
}

static bool is_elf(const uint8_t *file, uint64_t size)
{
	return size >= 4 && memcmp(file, "\177ELF", 4) == 0;
}

/* Where in a bzImage the packed kernel lies. False: it is none, or broken; said. */
static bool find_payload(const struct boot_module *m, const uint8_t *file, const uint8_t **payload,
			 uint64_t *n)
{
	uint64_t start, size, whole;

	if (m->size < SETUP_END || memcmp(file + SETUP_MAGIC, "HdrS", 4) != 0 ||
	    get(file + SETUP_BOOT_FLAG, 2) != 0xaa55)
		return bad(m, "not a kernel: neither ELF nor bzImage");
	if (get(file + SETUP_VERSION, 2) < 0x208)
		return bad(m, "a kernel from before Linux 2.6.26 (boot protocol 2.08)");
	start = ((file[SETUP_SECTS] ? file[SETUP_SECTS] : 4) + 1u) * SECTOR;
	whole = start + (uint64_t)get(file + SETUP_SYSSIZE, 4) * 16;
	if (whole > m->size)
		return bad(m, "a truncated kernel: its header claims more than there is");
	start += get(file + SETUP_PAYLOAD, 4);
	size = get(file + SETUP_PAYLOAD + 4, 4);
	if (size < 16 || start > m->size || size > m->size - start)
		return bad(m, "its packed part lies outside of the file");
	*payload = file + start;
	*n = size;
	return true;
}

/* Give back the frames behind the first `used` bytes of a block. */
static void trim(mfn_t m, unsigned order, uint64_t used)
{
	uint64_t at = frames_for(used), end = (uint64_t)1 << order;

	for (; at < end && !IS_ALIGNED(at, (uint64_t)1 << ORDER_2M); at++)
		frame_free(mfn_add(m, at), 0);
	for (; at < end; at += (uint64_t)1 << ORDER_2M)
		frame_free(mfn_add(m, at), ORDER_2M);
}

static bool unpack(struct boot_domain *b, const struct boot_module *m, const uint8_t *payload,
		   uint64_t n)
{
	/* The build of Linux puts the unpacked size last. */
	uint64_t room = get(payload + n - 4, 4);
	unsigned order = MAX(fill_order_for(room), ORDER_2M);
	size_t size;
	mfn_t block;

	if (room < 64 || room > MAX_UNPACKED)
		return bad(m, "its packed part claims an absurd size");
	block = frame_alloc(order, ALLOC_ANY_NODE, ALLOC_DIRTY);
	if (!mfn_valid(block)) {
		log_error("%s: no %llu MiB in one piece to unpack the kernel to", m->node,
			  (unsigned long long)(PAGE_SIZE << order) >> 20);
		return false;
	}
	if (!payload_unpack(m->node, payload, n, frame_va(block), room, &size)) {
		frame_free(block, order);
		return false;
	}
	b->unpacked = frame_va(block);
	b->unpacked_size = size;
	trim(block, order, size);
	return true;
}

/* Domains often boot the same kernel: unpacked once, it serves them all. Nobody writes to it. */
static bool share(struct boot_domain *b, const struct boot_module *m)
{
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

bool kernel_prepare(struct boot_domain *b)
{
	const struct boot_module *m = &boot_info.module[b->kernel];
	const uint8_t *file = fill_module(m), *payload;
	uint64_t n;

	if (b->unpacked || is_elf(file, m->size) || share(b, m))
		return true;
	if (!find_payload(m, file, &payload, &n))
		return false;
	if (is_elf(payload, n))
		return bad(m, "its payload is not packed: give the ELF file itself");
	return unpack(b, m, payload, n);
}

bool kernel_parse(const struct boot_domain *b, struct kernel_image *k)
{
	const struct boot_module *m = &boot_info.module[b->kernel];

	if (b->unpacked)
		return elf_parse(m->node, b->unpacked, b->unpacked_size, k);
	return elf_parse(m->node, fill_module(m), m->size, k);
}
