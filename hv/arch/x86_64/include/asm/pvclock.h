/* SPDX-License-Identifier: Apache-2.0 */
/* struct vcpu_time_info of each vCPU (xen/xen.h): written at each switch to it and when it asks. */
#ifndef ASM_PVCLOCK_H
#define ASM_PVCLOCK_H

struct vcpu;

void pvclock_update(struct vcpu *v);

#endif
