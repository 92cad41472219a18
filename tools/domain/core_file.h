/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core file of a domain in Xen's own format (dump-core-format.txt of Xen's documents, version 0.1), of a domain whose memory is translated: ELF for 64 bits without
 * program headers, in this order:
 *
 *	ELF header, section headers, .note.Xen, .xen_prstatus | at a page's start: .xen_pages | .xen_pfn, .shstrtab
 *
 * Frames come in ascending order, and how many there are is known at the end: so the front is written last. Frames of zeros are holes of the file.
 */
#ifndef TOOLS_DOMAIN_CORE_FILE_H
#define TOOLS_DOMAIN_CORE_FILE_H

#include "lib/fault.h"
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/version.h>

#define CORE_PAGE 4096u

/* Descriptors of .note.Xen; their names and fields are the format's. */
struct core_header {
	uint64_t magic, nr_vcpus, nr_pages, page_size;
};

struct core_xen_version {
	uint64_t major, minor;
	xen_extraversion_t extra;
	xen_compile_info_t compile;
	xen_capabilities_info_t capabilities;
	xen_changeset_info_t changeset;
	xen_platform_parameters_t platform;
	uint64_t page_size;
};

/* Frames that follow each other in the domain and in the file. */
struct core_run {
	uint64_t first, n;
};

struct core_file {
	int fd;
	vcpu_guest_context_t *context; /* nr_vcpus of them */
	uint32_t nr_vcpus;
	struct core_run *run;
	size_t nr_runs, room;
	uint64_t nr_pages;
	uint64_t pages_at; /* where .xen_pages begins */
	uint64_t stored;   /* bytes of frames that are no holes */
};

/* `fd` is an empty file, open for writing; it stays the caller's. `context`, of malloc(), does not: core_file_free() is due. */
void core_file_begin(struct core_file *c, int fd, vcpu_guest_context_t *context, uint32_t nr_vcpus);
/* Add `n` frames from `gfn` on, which is above all that were added, with their contents. False: errno. */
MUST_USE bool core_file_add(struct core_file *c, uint64_t gfn, const void *data, unsigned n);
/* Complete it: lists and headers. False: errno. */
MUST_USE bool core_file_end(struct core_file *c, const struct core_xen_version *version);
void core_file_free(struct core_file *c);

#endif
