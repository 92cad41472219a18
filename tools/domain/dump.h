/* SPDX-License-Identifier: Apache-2.0 */
/* A domain's memory and vCPUs become a core file (core_file.h). */
#ifndef TOOLS_DOMAIN_DUMP_H
#define TOOLS_DOMAIN_DUMP_H

#include "create.h"

struct dump_request {
	uint16_t domid;
	const char *file;
	bool replace; /* a file that is there; otherwise it is refused */
};

struct dump_result {
	uint64_t pages;  /* that the domain has, of 4 KiB */
	uint64_t stored; /* bytes of them that take room: those of zeros do not */
	uint32_t vcpus;  /* that were ever started */
};

/*
 * Write the core of a domain, as s->watch lets it, which is paused meanwhile unless it has ended. The file appears when it is complete and on the disk, readable to its owner
 * only; a file that was there is replaced at once. False: *f, and nothing has changed. Killed by a signal
 * that nobody holds (SIGKILL, SIGQUIT), it leaves the domain paused. SIGXFSZ is ignored from then on.
 */
MUST_USE bool domain_dump(const struct system *s, const struct dump_request *r,
			  struct dump_result *result, struct fault *f);

#endif
