/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's own symbol table, for backtraces. Read-only; may be used anywhere. */
#ifndef HV_KSYM_H
#define HV_KSYM_H

#include <hv/compiler.h>

/*
 * The function that `addr` lies in: writes its name to buf (n > 0; cut to fit, terminated),
 * its distance from the function's start to *offset, and returns buf. NULL when addr is not in
 * the hypervisor's text or there is no table.
 */
const char *ksym_lookup(uintptr_t addr, size_t *offset, char *buf, size_t n);

#endif
