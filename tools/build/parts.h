/* SPDX-License-Identifier: Apache-2.0 */
/* What the builder's files have from each other. All are pure; the functions' faults name the blob. */
#ifndef TOOLS_BUILD_PARTS_H
#define TOOLS_BUILD_PARTS_H

#include "build.h"
#include <string.h>

#define MIB                 0x100000ull
#define BUILD_MAX_SEGMENTS  16u
#define BUILD_MAX_UNPACKED  (1024 * MIB)
#define ROUND_DOWN_TO(n, a) ((n) & ~((uint64_t)(a)-1))
#define ROUND_UP_TO(n, a)   ROUND_DOWN_TO((n) + ((uint64_t)(a)-1), a)

/* [at, at + n) lies in `size` bytes. */
static inline bool range_inside(uint64_t size, uint64_t at, uint64_t n)
{
	return at <= size && n <= size - at;
}

/* A little-endian number of `n` bytes. */
static inline uint64_t little(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* unpack.c: the format that starts at `p`: "gzip", "xz", ...; NULL: not packed as far as is known. */
const char *unpack_format(const uint8_t *p, size_t n);
/*
 * Unpack src, all of it but `tail` bytes that follow the stream, into at most `limit` bytes at *out, which the caller frees.
 * False: damaged, larger, or something else follows the stream.
 */
MUST_USE bool unpack(const struct blob *src, size_t tail, size_t limit, uint8_t **out, size_t *size,
		     struct fault *f);

/* bzimage.c */
bool bzimage_is(const struct blob *b);
/* Unpack the kernel inside: *out is the caller's to free, *format a literal. */
MUST_USE bool bzimage_unpack(const struct blob *b, uint8_t **out, size_t *size, const char **format,
			     struct fault *f);

/* elf.c: an ELF kernel with a PVH entry. */
struct elf_segment {
	uint64_t to, size; /* guest physical */
	uint64_t offset, file_size;
};
struct elf_kernel {
	struct elf_segment segment[BUILD_MAX_SEGMENTS]; /* ascending, not overlapping */
	uint32_t nr;
	uint32_t entry;
};
bool elf_is(const struct blob *b);
/* Every segment lies in [floor, ceiling). */
MUST_USE bool elf_parse(const struct blob *b, uint64_t floor, uint64_t ceiling,
			struct elf_kernel *k, struct fault *f);

/* arm64.c: an Image. */
struct arm64_image {
	uint64_t text_offset; /* from a 2 MiB boundary */
	uint64_t memory;      /* bytes from there */
};
bool arm64_is(const struct blob *b);
MUST_USE bool arm64_parse(const struct blob *b, struct arm64_image *k, struct fault *f);

/* layout_x86.c, layout_arm64.c: the plan for a kernel that is not packed. `r` was judged by build_plan(). */
MUST_USE bool layout_x86(const struct build_request *r, const struct blob *kernel,
			 struct build_plan *plan, struct fault *f);
MUST_USE bool layout_arm64(const struct build_request *r, const struct blob *kernel,
			   struct build_plan *plan, struct fault *f);
/* Add a piece. Overlap and space are the layout's business and are asserted. */
void plan_add(struct build_plan *plan, const char *what, uint64_t start, uint64_t size,
	      const uint8_t *data, size_t file_size);
/* Cleared memory that lives as long as the plan; NULL: *f filled. */
void *plan_alloc(struct build_plan *plan, size_t n, struct fault *f);

/* device_tree.c: a tree for `plan`'s banks in `room` bytes at buf. `ramdisk` has size 0 if there is none. */
MUST_USE bool device_tree_write(const struct build_request *r, const struct build_plan *plan,
				const struct build_range *ramdisk, void *buf, size_t room,
				size_t *size, struct fault *f);
/* partial_tree.c: judge the user's tree, and copy /passthrough and /aliases from it to the tree being written (fdt_sw). */
MUST_USE bool partial_tree_check(const struct blob *b, struct fault *f);
MUST_USE bool partial_tree_copy(const struct blob *b, void *tree, struct fault *f);

#endif
