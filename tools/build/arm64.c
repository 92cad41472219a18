/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels for 64-bit Arm: the Image header (Linux, Documentation/arch/arm64/booting.rst). */
#include "parts.h"

/* Offsets in the header. */
#define IMAGE_TEXT_OFFSET 8u
#define IMAGE_SIZE        16u
#define IMAGE_FLAGS       24u
#define IMAGE_MAGIC       56u
#define IMAGE_PE          60u
#define IMAGE_HEADER      64u

#define FLAG_BIG_ENDIAN   1u
#define OLD_TEXT_OFFSET   0x80000u /* of images that say no size: before Linux 3.17 */
#define ZIMAGE_MAGIC      0x016f2818u
#define ZIMAGE_AT         0x24u
#define MOST_MEMORY       (4096 * MIB)

/* What somebody may have given instead of an Image. */
static bool other_format(const struct blob *b, struct fault *f)
{
	if (b->size >= 4 && memcmp(b->data, "\177ELF", 4) == 0)
		return fault_set(
		    f, F_KERNEL_FORMAT,
		    "%s: an ELF file, not an Image: give arch/arm64/boot/Image or vmlinuz", b->name);
	if (bzimage_is(b))
		return fault_set(f, F_KERNEL_ARCH, "%s: a bzImage: a kernel for x86, not for Arm",
				 b->name);
	if (b->size >= ZIMAGE_AT + 4 && little(b->data + ZIMAGE_AT, 4) == ZIMAGE_MAGIC)
		return fault_set(f, F_KERNEL_ARCH,
				 "%s: a zImage: a kernel for 32-bit Arm, which is not supported",
				 b->name);
	if (b->size < IMAGE_HEADER)
		return fault_set(f, F_KERNEL_TRUNCATED,
				 "%s: %zu bytes: less than the 64 of an Image's header", b->name,
				 b->size);
	return fault_set(f, F_KERNEL_FORMAT,
			 "%s: not an arm64 Image: the magic number at 0x%x is 0x%llx", b->name,
			 IMAGE_MAGIC, (unsigned long long)little(b->data + IMAGE_MAGIC, 4));
}

/*
 * Kernels with an EFI stub have a PE header, whose sections say where the file ends; 0: it does not say. (PE format: signature,
 * 20 bytes of header, optional header, 40 bytes a section.)
 */
static uint64_t whole_size(const struct blob *b)
{
	uint64_t pe = little(b->data + IMAGE_PE, 4), at, end = 0;
	uint64_t sections;

	if (pe < IMAGE_HEADER || !range_inside(b->size, pe, 24) ||
	    memcmp(b->data + pe, "PE\0\0", 4) != 0)
		return 0;
	sections = little(b->data + pe + 6, 2);
	at = pe + 24 + little(b->data + pe + 20, 2);
	for (; sections && range_inside(b->size, at, 40); sections--, at += 40) {
		uint64_t raw = little(b->data + at + 16, 4), from = little(b->data + at + 20, 4);

		end = from + raw > end ? from + raw : end;
	}
	return end;
}

bool arm64_is(const struct blob *b)
{
	return b->size >= IMAGE_HEADER && memcmp(b->data + IMAGE_MAGIC, "ARM\x64", 4) == 0;
}

bool arm64_parse(const struct blob *b, struct arm64_image *k, struct fault *f)
{
	uint64_t whole;

	if (!arm64_is(b))
		return other_format(b, f);
	k->text_offset = little(b->data + IMAGE_TEXT_OFFSET, 8);
	k->memory = little(b->data + IMAGE_SIZE, 8);
	if (little(b->data + IMAGE_FLAGS, 8) & FLAG_BIG_ENDIAN)
		return fault_set(f, F_KERNEL_ARCH,
				 "%s: Image: flags at 0x%x say big-endian, which is not supported",
				 b->name, IMAGE_FLAGS);
	if (k->memory == 0)
		k->text_offset = OLD_TEXT_OFFSET;
	if (k->text_offset >= 2 * MIB || k->text_offset % BUILD_PAGE)
		return fault_set(f, F_KERNEL_HEADER,
				 "%s: Image: text offset at 0x%x is 0x%llx: not a page below 2 MiB",
				 b->name, IMAGE_TEXT_OFFSET, (unsigned long long)k->text_offset);
	if (k->memory > MOST_MEMORY)
		return fault_set(f, F_KERNEL_HEADER,
				 "%s: Image: size at 0x%x claims %llu bytes: more than 4 GiB",
				 b->name, IMAGE_SIZE, (unsigned long long)k->memory);
	whole = whole_size(b);
	if (whole > b->size)
		return fault_set(
		    f, F_KERNEL_TRUNCATED,
		    "%s: a truncated Image: its sections end at %llu, the file has %zu bytes",
		    b->name, (unsigned long long)whole, b->size);
	if (k->memory < b->size)
		k->memory = b->size;
	return true;
}
