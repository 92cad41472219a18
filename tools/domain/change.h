/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a domain that is there: its name, memory and vCPUs. All return false with *f filled when it was refused; then nothing has changed. */
#ifndef TOOLS_DOMAIN_CHANGE_H
#define TOOLS_DOMAIN_CHANGE_H

#include "create.h"

/* A name that nobody has; what stands in its console's log keeps the old one. */
MUST_USE bool domain_rename(const struct system *s, uint16_t domid, const char *name,
			    struct fault *f);
/*
 * How much memory its balloon is asked to leave it, in KiB. It also gets no more than that from now on: the hypervisor's limit follows, but
 * for the pages that the domain shares with daemons. When the guest gives the rest back is its own affair.
 */
MUST_USE bool domain_set_target(const struct system *s, uint16_t domid, uint64_t kib,
				struct fault *f);
/* The most that its target can be set to later, in KiB. */
MUST_USE bool domain_set_maxmem(const struct system *s, uint16_t domid, uint64_t kib,
				struct fault *f);
/* Ask the guest to have `n` vCPUs up, from the first on; 1 to as many as it was created for. */
MUST_USE bool domain_set_vcpus(const struct system *s, uint16_t domid, uint32_t n, struct fault *f);

/* size.c: "512", "512m", "1.5G", "2048 MiB": MiB if there is no unit; in KiB, at least 1. False: it is no size. */
MUST_USE bool size_read(const char *text, uint64_t *kib);

#endif
