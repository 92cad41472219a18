/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the domain that owns the machine asks about it and does to it: XENPF_* and PHYSDEVOP_* of x86. Others are -ENOSYS: what is PV's (map_pirq, apic_read, memory
 * types), what would need AML or firmware calls that we do not make (processor states, EFI, sleep but for power-off), and what
 * Xen 4.17 does not have (get_dom0_console).
 */
#include <arch/vcpu.h>

#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/vpci.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>

#define SLEEP_SOFT_OFF 5u

/* ---- firmware ---------------------------------------------------------------------------------------- */

/* Of BIOS calls we make none: no disks and no monitor are known. Of EFI nothing is, as no loader has told us of it. */
static int firmware_info(struct xenpf_firmware_info *f)
{
	switch (f->type) {
	case XEN_FW_DISK_INFO:
	case XEN_FW_DISK_MBR_SIGNATURE:
	case XEN_FW_VBEDDC_INFO: return refuse(R_NO_FIRMWARE_INFO, f->type, 0, f->index);
	case XEN_FW_KBD_SHIFT_FLAGS: f->u.kbd_shift_flags = machine.keyboard_flags; return 0;
	case XEN_FW_EFI_INFO:
		return refuse(R_NOT_IMPLEMENTED, XENPF_firmware_info, 0, __HYPERVISOR_platform_op);
	default: return refuse(R_BAD_FIRMWARE_TYPE, f->type, XEN_FW_KBD_SHIFT_FLAGS, 0);
	}
}

/* ---- processors -------------------------------------------------------------------------------------- */

static void cpu_info(struct xenpf_pcpuinfo *p)
{
	const struct cpu *c = p->xen_cpuid < nr_cpus ? cpu_get(p->xen_cpuid) : NULL;

	p->max_present = nr_cpus - 1;
	p->flags = XEN_PCPU_FLAGS_INVALID;
	p->apic_id = p->acpi_id = 0;
	if (!c)
		return;
	p->flags = cpuset_has(&cpus_online, c->id) ? XEN_PCPU_FLAGS_ONLINE : 0;
	p->apic_id = c->arch.apic_id;
	p->acpi_id = c->arch.acpi_id;
}

/* All CPUs are of one kind (APM vol. 3, appendix E.3.2: base and extended family and model). */
static void cpu_version(struct xenpf_pcpu_version *p)
{
	struct cpuid name = cpuid(0, 0);
	uint32_t id = cpuid(1, 0).eax, family = id >> 8 & 15;

	p->max_present = nr_cpus - 1;
	memset(p->vendor_id, 0, sizeof(p->vendor_id));
	p->family = p->model = p->stepping = 0;
	if (p->xen_cpuid >= nr_cpus)
		return;
	memcpy(p->vendor_id, &name.ebx, 4);
	memcpy(p->vendor_id + 4, &name.edx, 4);
	memcpy(p->vendor_id + 8, &name.ecx, 4);
	p->family = family == 15 ? family + (id >> 20 & 0xff) : family;
	p->model = (id >> 4 & 15) | (family == 15 || family == 6 ? id >> 12 & 0xf0 : 0);
	p->stepping = id & 15;
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

static int enter_sleep(struct vcpu *caller, const struct xenpf_enter_acpi_sleep *s)
{
	if (s->sleep_state != SLEEP_SOFT_OFF)
		return refuse(R_NO_SLEEP_STATE, s->sleep_state, SLEEP_SOFT_OFF, 0);
	domain_shutdown(caller->domain, SHUTDOWN_poweroff);
	return 0;
}

int arch_platform_op(struct vcpu *caller, struct xen_platform_op *op, gva_t arg)
{
	int err = guest_writable(caller, arg, sizeof(*op));

	if (err)
		return err;
	switch (op->cmd) {
	case XENPF_firmware_info: err = firmware_info(&op->u.firmware_info); break;
	case XENPF_get_cpuinfo: cpu_info(&op->u.pcpu_info); break;
	case XENPF_get_cpu_version: cpu_version(&op->u.pcpu_version); break;
	case XENPF_platform_quirk: break; /* hints for PV dom0s: nothing depends on them */
	case XENPF_enter_acpi_sleep: return enter_sleep(caller, &op->u.enter_acpi_sleep);
	default: return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_platform_op);
	}
	return err ? err : guest_put(caller, arg, op);
}

/* ---- physdev_op -------------------------------------------------------------------------------------- */

static int device_add(struct vcpu *v, gva_t arg)
{
	struct physdev_pci_device_add op;
	int err = guest_get(v, &op, arg);

	return err ? err : vpci_device_add(v->domain, pci_id(op.seg, op.bus, op.devfn));
}

static int device_remove(struct vcpu *v, gva_t arg)
{
	struct physdev_pci_device op;
	int err = guest_get(v, &op, arg);

	return err ? err : vpci_device_remove(v->domain, pci_id(op.seg, op.bus, op.devfn));
}

static int mmcfg_reserved(struct vcpu *v, gva_t arg)
{
	struct physdev_pci_mmcfg_reserved op;
	int err = guest_get(v, &op, arg);

	return err ? err
		   : vpci_mmcfg_reserved(v->domain, op.address, op.segment, op.start_bus,
					 op.end_bus);
}

/* The others are those of PV guests and of guests with PIRQs, and the USB debug port, which we do not use. */
int arch_physdev_op(struct vcpu *v, uint32_t op, gva_t arg)
{
	if (v->domain->roles & ROLE_HARDWARE)
		switch (op) {
		case PHYSDEVOP_pci_device_add: return device_add(v, arg);
		case PHYSDEVOP_pci_device_remove: return device_remove(v, arg);
		case PHYSDEVOP_pci_mmcfg_reserved: return mmcfg_reserved(v, arg);
		default: break;
		}
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_physdev_op);
}
