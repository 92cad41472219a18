/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI for a domain that owns the machine's devices: the two ports to configuration space, and the calls that hand functions out. What
 * registers do is core/pci's. The address that was last written to 0xcf8 is the domain's, as it is the machine's on hardware: kernels
 * keep it under a lock of theirs.
 */
#include <asm/vpci.h>

#include <asm/irq.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/iommu.h>
#include <hv/log.h>
#include <hv/reason.h>
#include <hv/vpci.h>
#include <xen/domctl.h>

#define DATA_PORT      0xcfc
#define ADDRESS_ENABLE 0x80000000u

/* ---- ports (PCI Local Bus 3.0, 3.2.2.3.2) ----------------------------------------------------------- */

static enum io_result data_port(struct domain *d, uint32_t address, unsigned at, unsigned size,
				bool write, uint32_t *value)
{
	pci_id_t id = pci_id(0, address >> 16 & 0xff, address >> 8 & 0xff);
	unsigned reg = (address & 0xfc) + at;

	if (!(address & ADDRESS_ENABLE) || at % size) {
		if (!write)
			*value = ~0u;
		return IO_DONE;
	}
	return write ? vpci_write(d, id, reg, size, *value) : vpci_read(d, id, reg, size, value);
}

/* Only whole dwords are for the address; 0xcf9, the reset register, lies in the middle of it and is not a guest's. */
enum io_result vpci_port(struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value)
{
	struct domain *d = v->domain;

	if (port >= DATA_PORT)
		return data_port(d, read_once(&d->arch.pci_address), port - DATA_PORT, size, write,
				 value);
	if (port == VPCI_FIRST_PORT && size == 4) {
		if (write)
			write_once(&d->arch.pci_address, *value);
		else
			*value = read_once(&d->arch.pci_address);
	} else if (!write) {
		*value = ~0u;
	}
	return IO_DONE;
}

enum io_result vpci_mmio(struct vcpu *v, struct io_access *a)
{
	return vpci_memory(v->domain, a);
}

/* ---- messages --------------------------------------------------------------------------------------- */

int arch_msi_bind(struct irq *irq, struct domain *d, const struct msi_message *guest,
		  struct iommu_irq_target *to)
{
	return irq_msi_bind(irq, d, guest, to);
}

void arch_msi_unbind(struct irq *irq)
{
	irq_msi_unbind(irq);
}

/* ---- handing out ------------------------------------------------------------------------------------ */

int vpci_domain_config(struct domain_config *cfg)
{
	if (!iommu_works())
		return refuse(R_DOM0_NEEDS_IOMMU, 0, 0, 0);
	cfg->flags |= XEN_DOMCTL_CDF_iommu;
	cfg->pool_more += vpci_pool_need();
	return 0;
}

static bool is_ours(const struct pci_dev *f)
{
	return f->hidden || !f->dma.unit;
}

/* One function that cannot be given away is no reason to be without the others. */
static void leave_out(const struct pci_dev *f)
{
	char why[192];

	(void)reason_format(why, sizeof(why), reason_last());
	log_error("PCI: " PCI_ID_FORMAT " stays nobody's: %s", PCI_ID_ARGS(f->id), why);
}

int vpci_give_all(struct domain *d, uint64_t *progress)
{
	uint64_t n = 0;

	for (struct pci_dev *f = pci_next(NULL); f; f = pci_next(f)) {
		int err;

		if (n++ < *progress || is_ours(f))
			continue;
		err = vpci_give(f, d);
		if (err == -ERR_RESTART)
			return err;
		if (err)
			leave_out(f);
		*progress = n;
	}
	return 0;
}

int vpci_device_add(struct domain *d, pci_id_t id)
{
	struct pci_dev *f = vpci_find(id);

	return f ? vpci_give(f, d) : refuse(R_NO_SUCH_DEVICE, id.n, 0, 0);
}

int vpci_device_remove(struct domain *d, pci_id_t id)
{
	struct pci_dev *f = pci_find(id);

	return f ? vpci_release_step(f, d) : refuse(R_NO_SUCH_DEVICE, id.n, 0, 0);
}

int vpci_mmcfg_reserved(struct domain *d, uint64_t base, uint16_t segment, uint8_t first,
			uint8_t last)
{
	pci_id_t id;
	unsigned reg;

	if (first <= last && pci_window_find(base + ((uint64_t)first << 20), &id, &reg) &&
	    pci_segment(id) == segment && pci_bus(id) == first)
		return 0;
	return refuse(R_NO_PCI_WINDOW, base, 0, segment);
}
