/* SPDX-License-Identifier: Apache-2.0 */
/* What domains that a toolstack makes have on x86. */
#ifndef ASM_CONTROL_H
#define ASM_CONTROL_H

struct domain;

/* Give back what control.c keeps of a domain. */
void control_free(struct domain *d);

#endif
