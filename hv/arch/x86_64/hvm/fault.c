/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exits about memory and ports: nested page faults and IN/OUT. RAM that is not writable becomes what its type says; an
 * address that a device answers is emulated; anything else reads as ones and ignores writes, as an empty bus does.
 */
#include <asm/hvm.h>

#include <asm/ports.h>
#include <hv/domain.h>
#include <hv/io.h>
#include <hv/log.h>

#define NPF_PRESENT BIT(0)
#define NPF_WRITE   BIT(1)
#define NPF_FETCH   BIT(4)
#define NPF_FINAL   BIT(32) /* not while it walked the guest's tables */
#define PIT_COUNTER 0x40

void hvm_nested_fault(struct vcpu *v, gpa_t pa, uint64_t code)
{
	struct domain *d = v->domain;
	struct p2m_entry e = p2m_lookup(d, gpa_to_gfn(pa));

	/* The tables changed since the walk: try again. */
	if ((code & NPF_WRITE) ? p2m_type_writable(e.type)
			       : (p2m_type_is_ram(e.type) || p2m_type_writable(e.type)))
		return;
	if (e.type == P2M_MMIO_DIRECT && !(code & NPF_FETCH)) /* a window has just come here */
		return;
	if (e.type == P2M_LOGDIRTY) {
		p2m_log_fault(d, gpa_to_gfn(pa));
		return;
	}
	if (p2m_type_is_ram(e.type) || e.type == P2M_GRANT_RO) {
		domain_crash(d, "write to read-only memory at %llx", (unsigned long long)pa.a);
		return;
	}
	if ((code & NPF_FINAL) && !(code & NPF_FETCH))
		hvm_emulate_access(v, pa, code & NPF_WRITE);
	else
		hvm_emulate(v);
}

bool hvm_port(struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value)
{
	if (unlikely(v->domain->arch.physdev))
		return ports_access(v, port, size, write, value);
	/*
	 * No device has ports in a PVH domain without the machine's own: an empty bus reads as ones. The timer's counters read as 0,
	 * like ones that have run down: kernels that measure by them give up at once (Linux: after 100000 reads of ones).
	 */
	if (!write)
		*value = port >= PIT_COUNTER && port < PIT_COUNTER + 3 ? 0 : ~0u;
	return true;
}
