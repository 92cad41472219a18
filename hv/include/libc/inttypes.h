/* SPDX-License-Identifier: Apache-2.0 */
/* For the headers of boot-time libraries only. */
#ifndef LIBC_INTTYPES_H
#define LIBC_INTTYPES_H

#include <stdint.h>

#endif
