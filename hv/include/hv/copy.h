/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of normal memory (lib/copy.c). Not before the MMU is on, and never of device memory: words are accessed wherever they lie. */
#ifndef HV_COPY_H
#define HV_COPY_H

#include <stddef.h>

/* memmove(). Any thread; no locks. */
void copy_normal(void *dst, const void *src, size_t n);

#endif
