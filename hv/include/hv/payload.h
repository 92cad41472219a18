/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking compressed kernels (boot/payload.c). Boot CPU, while booting only: the libraries are compiled for user space and use
 * floating-point registers, and all take their memory from one arena.
 *
 * Each architecture lists what its kernels come packed with, and links no more:
 *
 *	const struct payload_format *const payload_formats[] = { &payload_gzip, &payload_zstd, NULL };
 *
 * Its boot code finds where in a module the packed part lies, and calls payload_keep() on it.
 */
#ifndef HV_PAYLOAD_H
#define HV_PAYLOAD_H

#include <hv/compiler.h>

struct boot_domain;

struct payload_format {
	const char *name;
	uint8_t magic[6], length; /* the first bytes, and how many of them count */
	uint8_t arena;            /* how much memory unpacking takes: pages, as a power of two */
	/* Unpack all of `src` into `dst`. False: damaged, or larger than `room`. */
	bool (*unpack)(const void *src, size_t n, void *dst, size_t room, size_t *size);
};

extern const struct payload_format payload_gzip; /* payload_gzip.c: zlib */
extern const struct payload_format payload_xz;   /* payload_xz.c: liblzma */
extern const struct payload_format payload_lz4;  /* lz4.c */
extern const struct payload_format payload_zstd; /* zstd.c */

/* The architecture's; NULL is last. */
extern const struct payload_format *const payload_formats[];

/* The name of the format that starts at `src`: "xz", "lz4", ...; NULL: none of the architecture's. */
const char *payload_format(const void *src, size_t n);

/*
 * Unpack all of `src` into `dst`, which has room for `room` bytes; *size is what it gave. False: damaged, or larger than the
 * room; said, with `who` in front.
 */
MUST_USE bool payload_unpack(const char *who, const void *src, size_t n, void *dst, size_t room,
			     size_t *size);

/*
 * boot/unpack.c: unpack the `n` bytes at `src`, whose last four say how many they give, for a domain: b->unpacked and
 * b->unpacked_size, which stay for its next boot. False: said, with `who` in front.
 */
MUST_USE bool payload_keep(struct boot_domain *b, const char *who, const void *src, size_t n);

/* Take over what another domain with the same kernel unpacked. False: there is none. */
MUST_USE bool payload_share(struct boot_domain *b);

/* Give back what was unpacked for a domain that is not built again, unless another has it too. */
void payload_release(struct boot_domain *b);

/* Memory of the arena for the unpacking under way, 64-byte aligned, not cleared; NULL: none left. Nothing is given back before it ends. */
void *payload_take(size_t n);

/* boot/lz4.c: unpack one block. False: damaged, or larger than the room; some of `dst` may have been written. */
MUST_USE bool lz4_block(const void *src, size_t n, void *dst, size_t room, size_t *size);

/* What zstd_frame() needs for itself: so many bytes, 64-byte aligned. */
size_t zstd_memory(void);
/*
 * boot/zstd.c: unpack the frame at `src`; what follows it is not looked at. False: damaged, or larger than the room; some of `dst` may have
 * been written.
 */
MUST_USE bool zstd_frame(void *memory, const void *src, size_t n, void *dst, size_t room,
			 size_t *size);

#endif
