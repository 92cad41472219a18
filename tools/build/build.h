/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain builder. Planning is a pure function: files in memory and a few numbers go in, and out comes either a checked
 * plan (what lies where in the guest's memory, and how its first vCPU starts) or the one fault. Nothing of a file is trusted
 * before it was compared with the file's size and with the guest's memory. Planning knows both architectures everywhere;
 * carrying a plan out is fill.h's.
 *
 *	files -> unpack.c -> bzimage.c, elf.c, arm64.c -> layout_x86.c, layout_arm64.c -> start_info.c, device_tree.c -> plan
 *
 * The kernel in a bzImage is planned by its ELF headers alone, and unpacked a megabyte at a time on its way into the guest (packed.c).
 */
#ifndef TOOLS_BUILD_H
#define TOOLS_BUILD_H

#include "lib/fault.h"
#include <stddef.h>
#include <stdint.h>

#define BUILD_MAX_MODULES 16u
#define BUILD_MAX_PIECES  64u
#define BUILD_MAX_BANKS   2u
#define BUILD_PAGE        4096u

enum build_arch { BUILD_X86_64, BUILD_ARM64 };

/* A file in memory. */
struct blob {
	const char *name; /* for messages */
	const uint8_t *data;
	size_t size; /* 0: there is none */
	bool mapped; /* build_file_map() made it */
};

struct build_module {
	struct blob blob;
	const char *cmdline; /* NULL: none */
};

struct build_request {
	enum build_arch arch;
	uint64_t memory; /* bytes, a multiple of the page size */
	uint32_t vcpus;  /* the most it can have */
	const char *cmdline;
	struct blob kernel, ramdisk;
	struct build_module module[BUILD_MAX_MODULES]; /* x86: after the ramdisk */
	uint32_t nr_modules;
	struct blob partial_tree; /* Arm */
	bool vuart;               /* Arm: an emulated PL011 */
};

struct build_range {
	uint64_t start, size; /* guest physical, bytes */
};

/* Bytes to be copied to guest memory; what lies behind file_size is zero and needs no copy. */
struct build_piece {
	const char *what; /* "kernel", "ramdisk", "device tree", ... */
	struct build_range at;
	const uint8_t *data; /* NULL: build_unpack() has it */
	size_t file_size;    /* at most at.size */
};

struct build_plan {
	enum build_arch arch;
	struct build_range bank[BUILD_MAX_BANKS]; /* RAM, ascending, page-aligned */
	uint32_t nr_banks;
	struct build_piece piece[BUILD_MAX_PIECES]; /* inside the banks; no two overlap */
	uint32_t nr_pieces;
	uint64_t entry; /* x86: eip, flat 32-bit, of a packed kernel after build_unpack(); Arm: pc */
	uint64_t argument; /* x86: ebx, the start info; Arm: x0, the device tree */
	/* Frames beside the banks that the guest shares with others, to be populated singly. */
	uint64_t console_gfn, store_gfn;
	const char *kernel_kind;      /* "bzImage (xz)", "Image", ... */
	struct packed_kernel *packed; /* NULL: the pieces have all data */
	void *owned[4];               /* what the plan allocated, and it and its pieces point to */
};

/*
 * Judge the request and plan. False: *f says why, and there is nothing to free. The pieces point into the request's blobs: they
 * must outlive the plan.
 */
MUST_USE bool build_plan(const struct build_request *r, struct build_plan *plan, struct fault *f);

/* `n` bytes that go to the guest physical address `to`. False: *f says why not. */
typedef bool build_put_fn(void *ctx, uint64_t to, const uint8_t *data, size_t n, struct fault *f);
/*
 * Unpack the plan's kernel, if it is a packed one, hand its segments to `put` (NULL: to nobody) in pieces of any size, and set the plan's entry. False: it is damaged, or has no entry
 * for a PVH guest, or put's fault: all of the kernel but its headers is judged here and not by build_plan().
 */
MUST_USE bool build_unpack(struct build_plan *plan, build_put_fn *put, void *ctx, struct fault *f);
void build_plan_free(struct build_plan *plan);

/* Read a whole file of at most `limit` bytes; `what` for messages ("kernel"). b->data is freed with build_file_free(). */
MUST_USE bool build_file(const char *path, const char *what, size_t limit, struct blob *b,
			 struct fault *f);
/*
 * The same for what is mostly copied: its pages are mapped and not read, but for the first BUILD_HEAD bytes, which are read. What is behind them can change at any
 * time, and looking at it end the program; fmem_fill() copies it nonetheless.
 */
#define BUILD_HEAD 65536u
MUST_USE bool build_file_map(const char *path, const char *what, size_t limit, struct blob *b,
			     struct fault *f);
/* A kernel: mapped if nothing behind its head has to be looked at. */
MUST_USE bool build_kernel_file(const char *path, size_t limit, struct blob *b, struct fault *f);
void build_file_free(struct blob *b);

#endif
