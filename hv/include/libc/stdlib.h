/* SPDX-License-Identifier: Apache-2.0 */
/* For libfdt's headers only, which ask for it and use nothing of it. */
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

#endif
