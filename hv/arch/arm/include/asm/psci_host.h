/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's side of PSCI (DEN0022), as its caller. */
#ifndef ASM_PSCI_HOST_H
#define ASM_PSCI_HOST_H

#include <hv/compiler.h>

/* Find the conduit and the version. Boot CPU. Without PSCI there is one CPU and no way to power off. */
void psci_host_init(const void *fdt);
/* Start the CPU with this MPIDR at machine address `entry`, x0 = context. 0 or the firmware's error. */
MUST_USE int64_t psci_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t context);
/* SMCCC_ARCH_FEATURES of `function` on this CPU; below 0: the firmware does not know it, or cannot be asked. Booting. */
int64_t smccc_arch_features(uint32_t function);
/* Return only when the firmware cannot. */
void psci_system_off(void);
void psci_system_reset(void);

#endif
