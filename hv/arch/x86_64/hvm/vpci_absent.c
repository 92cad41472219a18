/* SPDX-License-Identifier: Apache-2.0 */
/* PCI as a domain sees it that is given no functions: an empty bus. Weak: hvm/vpci.c replaces each of these. */
#include <asm/vpci.h>

#include <hv/domain.h>
#include <hv/iommu.h>
#include <hv/reason.h>
#include <xen/domctl.h>

__attribute__((weak)) enum io_result vpci_port(struct vcpu *v, uint16_t port, unsigned size,
					       bool write, uint32_t *value)
{
	if (!write)
		*value = ~0u;
	return IO_DONE;
}

__attribute__((weak)) int vpci_domain_config(struct domain_config *cfg)
{
	if (!iommu_works())
		return refuse(R_DOM0_NEEDS_IOMMU, 0, 0, 0);
	cfg->flags |= XEN_DOMCTL_CDF_iommu;
	return 0;
}

__attribute__((weak)) int vpci_give_all(struct domain *d, uint64_t *progress)
{
	return 0;
}
