/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error numbers of the Xen ABI (xen/errno.h), under their plain names. Inside the hypervisor a
 * function returns 0 or one of these, negated. Code in core/ and abi/ never writes one down: it
 * calls refuse() (hv/reason.h), whose table holds them. Comparing a returned error is fine.
 */
#ifndef HV_ERR_H
#define HV_ERR_H

#ifndef EPERM /* a host test that included the C library's errno.h has the same numbers already */
#define XEN_ERRNO(name, value) name = value,
enum {
#include <xen/errno.h>
};
#endif

/*
 * Not an error and never seen by a guest: the call has done a finished step, has rewritten its
 * arguments to what is left, and is to be entered again with them.
 */
#define ERR_RESTART 1024

#endif
