/* SPDX-License-Identifier: Apache-2.0 */
/* What the builder's files have from each other. All are pure; the functions' faults name the blob. */
#ifndef TOOLS_BUILD_PARTS_H
#define TOOLS_BUILD_PARTS_H

#include "build.h"
#include <string.h>

#define MIB                 0x100000ull
#define BUILD_MAX_SEGMENTS  16u
#define BUILD_MAX_NOTES     16u
#define BUILD_NOTES_SIZE    16384u
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
/* `n` bytes, `at` from the beginning, in order and without gaps. They are gone afterwards. False: *f says why there is an end. */
typedef bool unpack_take_fn(void *ctx, uint64_t at, const uint8_t *data, size_t n, struct fault *f);
/*
 * Unpack src, all of it but `tail` bytes that follow the stream, and hand what comes out to `take`, at most `limit` bytes (not 0). False: *f is
 * take's, or the data is damaged, gives more, or is followed by something else.
 */
MUST_USE bool unpack_each(const struct blob *src, size_t tail, size_t limit, unpack_take_fn *take,
			  void *ctx, struct fault *f);
/* The first *n bytes of the same, or all if it gives fewer: *n of them. What gives the others is not judged. */
MUST_USE bool unpack_head(const struct blob *src, size_t tail, size_t limit, uint8_t *head,
			  size_t *n, struct fault *f);
/* All into memory at *out, which the caller frees. */
MUST_USE bool unpack(const struct blob *src, size_t limit, uint8_t **out, size_t *size,
		     struct fault *f);

/* bzimage.c: the packed ELF file in a bzImage. */
struct bzimage {
	struct blob payload;
	const char *format; /* a literal */
	size_t tail, size;  /* bytes behind the stream; what it says that it gives */
};
bool bzimage_is(const struct blob *b);
MUST_USE bool bzimage_find(const struct blob *b, struct bzimage *z, struct fault *f);
/* All of it, and exactly what it says: for `take`. */
MUST_USE bool bzimage_unpack(const struct bzimage *z, unpack_take_fn *take, void *ctx,
			     struct fault *f);

/* elf.c: an ELF kernel with a PVH entry. */
struct elf_segment {
	uint64_t to, size; /* guest physical */
	uint64_t offset, file_size;
};
struct elf_kernel {
	struct elf_segment segment[BUILD_MAX_SEGMENTS]; /* ascending, not overlapping */
	uint32_t nr;
	struct build_range note[BUILD_MAX_NOTES]; /* in the file */
	uint32_t nr_notes;
	uint8_t notes[BUILD_NOTES_SIZE]; /* one behind the other */
	uint32_t entry;                  /* set by elf_entry() */
};
bool elf_is(const struct blob *b);
/* `b` is a file of `size` bytes, or its beginning with all program headers. Every segment lies in [floor, ceiling). */
MUST_USE bool elf_parse(const struct blob *b, uint64_t size, uint64_t floor, uint64_t ceiling,
			struct elf_kernel *k, struct fault *f);
/* Keep what of the file's `n` bytes at `at` belongs to its notes. */
void elf_take_notes(struct elf_kernel *k, uint64_t at, const uint8_t *data, size_t n);
/* The entry, by the notes, all of which were taken. `name` is the file's. */
MUST_USE bool elf_entry(struct elf_kernel *k, const char *name, struct fault *f);

/* arm64.c: an Image. */
struct arm64_image {
	uint64_t text_offset; /* from a 2 MiB boundary */
	uint64_t memory;      /* bytes from there */
};
bool arm64_is(const struct blob *b);
MUST_USE bool arm64_parse(const struct blob *b, struct arm64_image *k, struct fault *f);

/* packed.c: the kernel of a bzImage. */
#define PACKED_HEAD 65536u
struct packed_kernel {
	struct bzimage bzimage;
	struct elf_kernel elf;
	uint8_t head[PACKED_HEAD]; /* the first bytes of the ELF file */
};
/* Unpack the head: *head is the ELF file as far as it is known, in the plan's memory. */
MUST_USE bool packed_open(const struct blob *b, struct build_plan *plan, struct blob *head,
			  struct fault *f);

/*
 * layout_x86.c, layout_arm64.c: the plan for a kernel that is not packed, or for the head of one where plan->packed. `r` was judged
 * by build_plan().
 */
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
