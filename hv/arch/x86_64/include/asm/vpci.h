/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI as a domain that owns the machine's devices (arch.physdev) sees it: where its accesses to configuration space come in, and
 * the calls that give it functions. What a register does is core/pci's (hv/vpci.h); this is only the PC's way there.
 */
#ifndef ASM_VPCI_H
#define ASM_VPCI_H

#include <hv/io.h>
#include <hv/pci.h>

struct domain;
struct vcpu;
struct domain_config;

#define VPCI_FIRST_PORT 0xcf8
#define VPCI_LAST_PORT  0xcff

/*
 * IN or OUT of `size` bytes (1, 2, 4) at one of the ports above by a vCPU of a physdev domain. IO_DONE: *value is the answer or was
 * written. IO_WAIT: work is left, the vCPU is to execute its instruction again. Never IO_NOBODY. Exit path of `v`.
 */
enum io_result vpci_port(struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value);

/*
 * An access by a physdev domain to memory that no other device of the domain answers: configuration space in memory (ECAM), and
 * pages with MSI-X tables. IO_NOBODY: neither. Asked by hvm/emulate.c after io_access(), so these need no struct io_device: they move.
 */
enum io_result vpci_mmio(struct vcpu *v, struct io_access *a);

/*
 * What a domain that is given all functions needs beyond its memory: raises cfg->pool_more and sets XEN_DOMCTL_CDF_iommu. Call it from
 * arch_boot_domain_config(). R_DOM0_NEEDS_IOMMU.
 */
MUST_USE int vpci_domain_config(struct domain_config *cfg);
/*
 * Give every function that is not the hypervisor's to `d`, whose memory is filled in and which does not run yet: into its IOMMU context, its BARs
 * mapped where memory decoding is on. In steps: *progress starts at 0, -ERR_RESTART until all is done.
 */
MUST_USE int vpci_give_all(struct domain *d, uint64_t *progress);

/*
 * PHYSDEVOP_pci_device_add and _remove by `d`, which has ROLE_HARDWARE. In steps: -ERR_RESTART. Adding what it has already is no error.
 * R_NO_SUCH_DEVICE, R_PCI_HIDDEN, R_DEVICE_IN_USE, and those of iommu_assign().
 */
MUST_USE int vpci_device_add(struct domain *d, pci_id_t id);
MUST_USE int vpci_device_remove(struct domain *d, pci_id_t id);
/*
 * PHYSDEVOP_pci_mmcfg_reserved: the domain's kernel means to use the window whose bus 0 is at `base`. 0 when it is one of the host's (its
 * accesses are answered whether or not this was called); otherwise R_NO_PCI_WINDOW.
 */
MUST_USE int vpci_mmcfg_reserved(struct domain *d, uint64_t base, uint16_t segment, uint8_t first,
				 uint8_t last);

#endif
