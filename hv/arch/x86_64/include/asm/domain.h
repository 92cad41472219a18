/* SPDX-License-Identifier: Apache-2.0 */
/* The x86 part of a domain. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <hv/addr.h>
#include <hv/io.h>
#include <hv/lock.h>

struct cpu_policy;
struct vioapic;
struct iommu_context;

struct arch_domain {
	struct cpu_policy *policy; /* [c] what CPUID and MSRs show: leaf/MSR form, a frame of the pool */
	uint64_t predictor_tag; /* [c] no other domain ever has this one */
	void *msr_permission;   /* [c] vendor's bitmap, pool */
	uint64_t msr_permission_pa;
	void *port_permission; /* [c] vendor's bitmap, pool */
	uint64_t port_permission_pa;
	uint8_t callback_vector; /* [domain lock, a] HVM_PARAM_CALLBACK_IRQ type vector, 0: none */
	bool physdev;            /* [c] dom0: sees the machine's ACPI, IO-APIC and PCI */
	uint32_t pci_address;    /* [a] what it wrote to port 0xcf8 */
	struct vioapic *ioapic;  /* [c] NULL: none */
	struct iommu_context *iommu;  /* [c] NULL: no devices */
	struct io_device apic_window; /* [c] */
	uint8_t tsc_mode; /* [domain lock] as a toolstack wanted it: 0 default, 2 never emulated */
	uint32_t nr_map;  /* [domain lock] entries of: */
	void *map; /* [domain lock] memory map of XENMEM_set_memory_map, a frame of the pool; NULL: none */
	uint64_t tsc_offset; /* of vCPUs at their start; changed while it is loaded from records */
	uint64_t state_tsc; /* [paused] the machine's TSC when its state began to be saved or loaded */
};

#endif
