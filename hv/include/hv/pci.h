/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI functions of the machine: which there are, whose they are, and their configuration space (PCI Local Bus 3.0, 6; PCI Express
 * Base 4.0, 7). Found once while booting, in the numbers that firmware gave the buses; a domain that owns devices announces
 * later ones (pci_add). A function is the hypervisor's own (hidden), a domain's, or nobody's; nobody's can do no DMA where an
 * IOMMU sees it.
 *
 * Functions live for ever, in frames, in order of discovery. Looking one up takes no lock.
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include <hv/compiler.h>
#include <hv/iommu.h>
#include <hv/rcu.h>

/* Segment 31..16, bus 15..8, device 7..3, function 2..0. */
typedef struct {
	uint32_t n;
} pci_id_t;

static inline pci_id_t pci_id(unsigned segment, unsigned bus, unsigned devfn)
{
	return (pci_id_t){ segment << 16 | bus << 8 | devfn };
}

static inline unsigned pci_segment(pci_id_t id)
{
	return id.n >> 16;
}

static inline unsigned pci_bus(pci_id_t id)
{
	return id.n >> 8 & 0xff;
}

/* For "%04x:%02x:%02x.%x". */
#define PCI_ID_FORMAT       "%04x:%02x:%02x.%x"
#define PCI_ID_ARGS(id)     pci_segment(id), pci_bus(id), (id).n >> 3 & 0x1f, (id).n & 7

/* Registers of the header. */
#define PCI_VENDOR          0x00
#define PCI_COMMAND         0x04
#define PCI_COMMAND_MEMORY  0x0002u
#define PCI_COMMAND_MASTER  0x0004u
#define PCI_COMMAND_NO_INTX 0x0400u
#define PCI_STATUS          0x06
#define PCI_STATUS_CAPS     0x0010u
#define PCI_CLASS           0x08 /* class in bits 31..8 */
#define PCI_HEADER          0x0e
#define PCI_HEADER_MULTI    0x80u
#define PCI_BAR             0x10
#define PCI_CAPS            0x34
#define PCI_PRIMARY_BUS     0x18 /* of a bridge */
#define PCI_SECONDARY_BUS   0x19
#define PCI_LAST_BUS        0x1a

#define PCI_ROM             0x30
#define PCI_BRIDGE_ROM      0x38

#define PCI_CAP_MSI         0x05
#define PCI_CAP_SECURE      0x0f /* an IOMMU's */
#define PCI_CAP_EXPRESS     0x10
#define PCI_CAP_MSIX        0x11
#define PCI_CAP_AF          0x13

/* A memory window of a function (core/pci/bar.c). All under the PCI lock. */
enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEM,
	PCI_BAR_MEM64,
	PCI_BAR_HIGH,
	PCI_BAR_ROM
};
enum pci_bar_phase { PCI_BAR_STEADY, PCI_BAR_MAPS, PCI_BAR_UNMAPS };
struct pci_bar {
	uint8_t kind, phase;
	uint8_t flags; /* the register's low bits, which cannot be written; a ROM's enable bit */
	uint8_t sizing; /* bits: all ones were written to its lower, upper register, to learn the size */
	uint64_t size;     /* bytes, a power of two; 0: none */
	uint64_t value;    /* as the owner wrote it, without flags */
	uint64_t hardware; /* as the function has it */
	uint64_t mapped; /* where it is in the owner's second stage, wholly or in part; 0: nowhere */
	uint64_t progress; /* frames done of the phase */
	uint64_t refused;  /* an address where it could not be mapped */
};
#define PCI_BARS           7u /* the last is the ROM's */
#define PCI_ROM_SLOT       6u

/* Message interrupts, MSI or MSI-X: one pci_message each, in frames of the owner's pool. */
#define PCI_MESSAGE_FRAMES 8u
#define PCI_MAX_MESSAGES   256u
struct pci_message;
struct pci_messages {
	struct pci_message *frame[PCI_MESSAGE_FRAMES];
	uint16_t nr;      /* that it may use; 0: none */
	bool msi_enabled; /* as the owner sees it */
	uint8_t msi_log;  /* log2 of messages that MSI uses */
	uint8_t msi_size; /* bytes of the capability; 0: none that can be used */
	uint64_t msi_address;
	uint32_t msi_data;
	bool msix_enabled, msix_masked;
	uint16_t msix_nr;  /* entries that can be used; 0: none */
	uint16_t msix_all; /* entries in the hardware */
	uint8_t msix_bar;
	uint32_t msix_table; /* offset in that window */
};

/* Staying with its owner; quiet, until a grace period is over; ready for another. */
enum pci_leaving { PCI_STAYS, PCI_WAITS, PCI_FREED };

/* What an owner sees, while there is one. */
struct pci_virtual {
	struct pci_bar bar[PCI_BARS];
	struct pci_messages messages;
	bool memory_on;  /* memory decoding, as the owner has set it */
	uint8_t leaving; /* enum pci_leaving */
	uint8_t af;      /* offset of the advanced features, 0: none */
	struct rcu_head rcu;
};

struct pci_dev {
	pci_id_t id;                /* [c] */
	uint16_t vendor, device;    /* [c] */
	uint32_t class;             /* [c] 24 bits */
	uint8_t header;             /* [c] type: 0 a device, 1 a bridge */
	uint8_t msi, msix, express; /* [c] offsets of capabilities, 0: none */
	uint8_t secondary, last;    /* [c] a bridge's buses, as found */
	bool hidden;                /* [boot] the hypervisor's own */
	struct iommu_device dma;    /* its owner is iommu_owner(&dma) */
	struct pci_virtual seen;    /* [PCI lock] by its owner */
};

/* ---- configuration space ---- */

/* How registers are reached; `size` is 1, 2 or 4, `reg` a multiple of it below 4096. What cannot be reached reads as all ones. */
struct pci_access {
	const char *name;
	uint32_t (*read)(pci_id_t id, unsigned reg, unsigned size);
	void (*write)(pci_id_t id, unsigned reg, unsigned size, uint32_t value);
};

uint32_t pci_read(pci_id_t id, unsigned reg, unsigned size);
void pci_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value);
/* Offset of the first capability `cap`, 0: none. Bounded, whatever the device says. */
unsigned pci_find_cap(pci_id_t id, unsigned cap);
void pci_use_access(const struct pci_access *access);

/* A window of memory that holds configuration space (MCFG table, or a device tree's host bridge). */
struct pci_window {
	paddr_t base; /* of bus 0, whether or not that is in it */
	uint16_t segment;
	uint8_t first, last;    /* buses */
	volatile uint8_t *regs; /* of bus `first`; NULL: not mapped */
};
#define PCI_MAX_WINDOWS 16u

/* Windows from the MCFG table (PCI Firmware 3.2, 4.1.2), at most `max`; nonsense is named and left out. Returns how many. */
struct acpi_header;
unsigned pci_read_mcfg(const struct acpi_header *mcfg, struct pci_window *out, unsigned max);
/* Registers through windows that are mapped, other functions by `rest`; the windows stay the caller's. */
void pci_use_windows(const struct pci_window *w, unsigned n, const struct pci_access *rest);
/* Is `pa` in a window, and whose register? */
bool pci_window_find(uint64_t pa, pci_id_t *id, unsigned *reg);
/* Ports 0xcf8 and 0xcfc: segment 0, 256 bytes of each function (x86). */
extern const struct pci_access pci_ports;

/* ---- functions ---- */

/*
 * Find the functions of one segment: from bus `first` on, behind bridges the buses that firmware numbered, none
 * twice and none beyond `last`. Each is announced to `unit_of` (which IOMMU sees it, and as what). Boot.
 */
typedef struct iommu_unit *pci_unit_fn(const struct pci_dev *dev, uint32_t *dma_id);
extern pci_unit_fn *pci_unit_of; /* [c] after boot: of the last pci_scan() */
void pci_scan(unsigned segment, unsigned first, unsigned last, pci_unit_fn *unit_of);
/* One function that was not there before, or the one that is known. NULL: nothing answers there, or no memory. */
struct pci_dev *pci_add(pci_id_t id, pci_unit_fn *unit_of);
struct pci_dev *pci_find(pci_id_t id);
/* Another device may have come in its place: read what is known of it again. Nobody's. */
void pci_refresh(struct pci_dev *dev);
/* All in order of discovery; NULL after the last. */
struct pci_dev *pci_next(const struct pci_dev *dev);
uint32_t pci_count(void);
/* The highest bus number in use in a segment, as firmware numbered them, bridges' ranges included; reads only headers. Boot. */
unsigned pci_last_bus(unsigned segment, unsigned first, unsigned last);

#endif
