/* SPDX-License-Identifier: Apache-2.0 */
/* For libfdt's headers only: the compiler's own limits. */
#ifndef LIBC_LIMITS_H
#define LIBC_LIMITS_H

#ifndef INT_MAX
#define INT_MAX __INT_MAX__
#endif
#ifndef UINT_MAX
#define UINT_MAX (INT_MAX * 2u + 1u)
#endif
#ifndef INT32_MAX
#define INT32_MAX __INT32_MAX__
#endif

#endif
