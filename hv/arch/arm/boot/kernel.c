/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels for 64-bit Arm: the Image header (Linux, Documentation/arm64/booting.rst), alone or packed with gzip. Whatever the file
 * says is checked against what is there.
 */
#include "boot.h"
#include <hv/log.h>
#include <hv/payload.h>
#include <hv/string.h>

struct image_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size; /* in memory, with its bss; 0: before Linux 3.17 */
	uint64_t flags;
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t pe_offset;
};
_Static_assert(sizeof(struct image_header) == 64, "Image header, booting.rst");

#define IMAGE_MAGIC      0x644d5241u /* "ARM\x64" */
#define IMAGE_BIG_ENDIAN 1u
#define OLD_TEXT_OFFSET  0x80000u    /* of images without a size */
#define ZIMAGE_MAGIC     0x016f2818u /* at 0x24: 32-bit */

static bool bad(const struct boot_module *m, const char *why)
{
	log_error("%s: %s", m->node, why);
	return false;
}

/* Linux' Image.gz. The others that it can make do not say how large they are unpacked. */
const struct payload_format *const payload_formats[] = { &payload_gzip, NULL };

bool kernel_prepare(struct boot_domain *b)
{
	const struct boot_module *m = &boot_info.module[b->kernel];
	const void *file = fill_module(m);

	if (b->unpacked || !payload_format(file, m->size) || payload_share(b))
		return true;
	return payload_keep(b, m->node, file, m->size);
}

const void *kernel_file(const struct boot_domain *b, uint64_t *size)
{
	const struct boot_module *m = &boot_info.module[b->kernel];

	*size = b->unpacked ? b->unpacked_size : m->size;
	return b->unpacked ? b->unpacked : fill_module(m);
}

/* What somebody may have given instead of an Image. */
static const char *other_format(const unsigned char *p, uint64_t size)
{
	uint32_t word;

	if (memcmp(p,
		   "\x7f"
		   "ELF",
		   4) == 0)
		return "an ELF file, not an arm64 Image";
	memcpy(&word, p + 0x24, 4);
	if (size > 0x28 && word == ZIMAGE_MAGIC)
		return "a 32-bit kernel (zImage): not supported";
	return "not an arm64 kernel Image (wrong magic number)";
}

static uint32_t word_at(const unsigned char *file, uint64_t at, unsigned bytes)
{
	uint32_t v = 0;

	memcpy(&v, file + at, bytes);
	return v;
}

/*
 * Kernels with an EFI stub have a PE header, whose sections say where the file ends. 0: it does not say.
 * (PE format: signature, 20 bytes of header, optional header, 40 bytes a section.)
 */
static uint64_t whole_size(const unsigned char *file, uint64_t size, uint32_t pe)
{
	uint32_t sections;
	uint64_t end = 0, at;

	if (pe < 0x40 || size < 24 || pe > size - 24 || memcmp(file + pe, "PE\0\0", 4) != 0)
		return 0;
	sections = word_at(file, pe + 6, 2);
	at = pe + 24ull + word_at(file, pe + 20, 2);
	for (; sections && at + 40 <= size; sections--, at += 40) {
		uint64_t raw = word_at(file, at + 16, 4), from = word_at(file, at + 20, 4);

		end = MAX(end, from + raw);
	}
	return end;
}

bool kernel_parse(const struct boot_domain *b, struct kernel_image *k)
{
	const struct boot_module *m = &boot_info.module[b->kernel];
	struct image_header h;
	uint64_t size;
	const unsigned char *file = kernel_file(b, &size);

	if (size < sizeof(h))
		return bad(m, "a truncated kernel: shorter than its header");
	memcpy(&h, file, sizeof(h));
	if (h.magic != IMAGE_MAGIC)
		return bad(m, other_format(file, size));
	if (h.flags & IMAGE_BIG_ENDIAN)
		return bad(m, "a big-endian kernel: not supported");
	if (h.image_size == 0)
		h.text_offset = OLD_TEXT_OFFSET;
	if (h.text_offset >= MIB2 || !IS_ALIGNED(h.text_offset, PAGE_SIZE))
		return bad(m, "its header's text offset is not inside 2 MiB");
	if (h.image_size > (uint64_t)1 << 32)
		return bad(m, "its header claims more than 4 GiB");
	if (whole_size(file, size, h.pe_offset) > size)
		return bad(m, "a truncated kernel: its sections end behind the end of the file");
	k->text_offset = h.text_offset;
	k->memory = MAX(h.image_size, size);
	return true;
}
