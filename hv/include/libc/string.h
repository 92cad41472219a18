/* SPDX-License-Identifier: Apache-2.0 */
/* For libfdt's headers only: the hypervisor's own string functions under the C library's name. */
#ifndef LIBC_STRING_H
#define LIBC_STRING_H

#include <hv/string.h>

#endif
