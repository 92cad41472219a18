/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels for PVH domains: an ELF file, or a bzImage that has one inside, packed (Linux, Documentation/x86/boot.rst). Unpacking happens
 * while booting only, so a boot-time domain that may reboot keeps what was unpacked instead of its module.
 */
#include "boot.h"
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

const struct payload_format *const payload_formats[] = { &payload_xz, &payload_lz4, &payload_zstd,
							 &payload_gzip, NULL };

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

bool kernel_prepare(struct boot_domain *b)
{
	const struct boot_module *m = &boot_info.module[b->kernel];
	const uint8_t *file = fill_module(m), *payload = NULL;
	uint64_t n = 0;

	if (b->unpacked || is_elf(file, m->size) || payload_share(b))
		return true;
	if (!find_payload(m, file, &payload, &n))
		return false;
	if (is_elf(payload, n))
		return bad(m, "its payload is not packed: give the ELF file itself");
	return payload_keep(b, m->node, payload, n);
}

bool kernel_parse(const struct boot_domain *b, struct kernel_image *k)
{
	const struct boot_module *m = &boot_info.module[b->kernel];

	if (b->unpacked)
		return elf_parse(m->node, b->unpacked, b->unpacked_size, k);
	return elf_parse(m->node, fill_module(m), m->size, k);
}
