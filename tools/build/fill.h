/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying a plan out: a domain that was created and has nothing gets memory and the plan's pieces. */
#ifndef TOOLS_BUILD_FILL_H
#define TOOLS_BUILD_FILL_H

#include "build.h"
#include "lib/fmem/fmem.h"
#include "lib/hcall/hcall.h"
#include "lib/watch.h"

/*
 * Populate the banks of `plan` (2 MiB at a time where they are aligned, single frames elsewhere or where there are no more large ones) and the two
 * shared pages, copy the pieces, unpack the kernel (build_unpack()), and on Arm clean them to memory. False: *f has the step and the
 * hypervisor's reason, or `w` (NULL: nobody) has stopped it; what was done so far is undone by destroying the domain.
 */
MUST_USE bool build_fill(struct hcall *h, struct fmem *m, uint16_t domid, struct build_plan *plan,
			 const struct watch *w, struct fault *f);

/* Fill *f with what the hypervisor refused in `what`, its error `err` (negative), and its own reason where there is one. Always false. */
bool hypervisor_fault(struct hcall *h, int err, const char *what, struct fault *f);

#endif
