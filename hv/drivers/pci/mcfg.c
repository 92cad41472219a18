/* SPDX-License-Identifier: Apache-2.0 */
/* Where firmware says that configuration space lies in memory (PCI Firmware 3.2, 4.1.2, table 4-3). */
#include <hv/acpi.h>
#include <hv/log.h>
#include <hv/pci.h>
#include <hv/string.h>

#define FIRST_RECORD 44u

struct PACKED record {
	uint64_t base;
	uint16_t segment;
	uint8_t first, last;
	uint32_t reserved;
};
_Static_assert(sizeof(struct record) == 16, "PCI Firmware 3.2, table 4-3");

unsigned pci_read_mcfg(const struct acpi_header *mcfg, struct pci_window *out, unsigned max)
{
	struct record r;
	unsigned n = 0;

	for (size_t at = FIRST_RECORD; at + sizeof(r) <= mcfg->length; at += sizeof(r)) {
		memcpy(&r, (const uint8_t *)mcfg + at, sizeof(r));
		if (!r.base || r.base & 0xfffff || r.base >> 52 || r.first > r.last || n == max) {
			log_error("ACPI: MCFG: window at %llx for buses %02x-%02x %s",
				  (unsigned long long)r.base, r.first, r.last,
				  n == max ? "is one too many" : "is impossible");
			continue;
		}
		out[n++] = (struct pci_window){
			.base = paddr(r.base),
			.segment = r.segment,
			.first = r.first,
			.last = r.last,
		};
	}
	return n;
}
