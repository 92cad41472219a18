/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An emulated PL011 (Arm DDI 0183), as much of it as SBSA's generic UART and the PL011 drivers use. What
 * the guest writes goes to the domain's console; input comes from there.
 */
#ifndef ASM_VPL011_H
#define ASM_VPL011_H

#include <hv/addr.h>
#include <hv/io.h>
#include <hv/lock.h>

struct domain;

#define VPL011_FIFO 32u

struct vpl011 {
	struct lock lock;                          /* rank DEVICE */
	struct io_device dev;                      /* [c] */
	uint32_t spi;                              /* [c] its interrupt */
	uint16_t imsc;                             /* [l] interrupt mask: set bits may interrupt */
	uint16_t ris;                              /* [l] raw interrupt status */
	uint16_t cr, lcr, ibrd, fbrd, ifls, dmacr; /* [l] remembered, without effect */
	uint8_t head, count;                       /* [l] of rx */
	bool line;            /* [l] what the interrupt controller was told last */
	char rx[VPL011_FIFO]; /* [l] */
};

/* Give `d` the device; its console exists already (console_domain_init). Before it runs. */
MUST_USE int vpl011_init(struct domain *d, gpa_t base, uint32_t spi);

/* State records (hv/state.h); only of a domain that has the device. */
struct krypton_state_arm_pl011;
bool vpl011_present(const struct domain *d);
void vpl011_state_save(struct domain *d, struct krypton_state_arm_pl011 *r);
MUST_USE int vpl011_state_check(const struct krypton_state_arm_pl011 *r);
void vpl011_state_load(struct domain *d, const struct krypton_state_arm_pl011 *r);

#endif
