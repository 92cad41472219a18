/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a new guest's first vCPU: one file for each architecture, and only the machine's own is linked. */
#ifndef TOOLS_BUILD_START_H
#define TOOLS_BUILD_START_H

#include "build.h"
#include "lib/hcall/domctl.h"

/* What createdomain has to say for this architecture: flags and `arch` of *how. */
void start_describe(struct xen_domctl_createdomain *how);

/* Can guests be created on this architecture? Asked before anything is done. False: *f filled. */
MUST_USE bool start_possible(struct fault *f);

/* vCPU 0 is to begin at the plan's entry. False: *f filled. */
MUST_USE bool start_set(struct hcall *h, uint16_t domid, const struct build_plan *plan,
			struct fault *f);

#endif
