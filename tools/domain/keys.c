/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key that xl.cfg(5) of Xen 4.17 documents, in its order, and what becomes of it here. A key that asks for what Krypton does anyway is
 * accepted with that value only, so that files written for xl work where they mean the same.
 */
#include "keys.h"

#define AT(field)  offsetof(struct config, field)
#define NO_HVM     "it belongs to HVM guests, which Krypton does not have yet"
#define NO_PV      "it belongs to PV guests, which Krypton does not have yet"
#define NO_MODEL   "there is no device model (QEMU) yet"
#define NO_HOSTDEV "devices of the host can be given to boot-time domains only"
#define NO_NUMA    "there is no NUMA placement yet"
#define NO_XSM     "there are no security labels"
#define NO_BACKEND "there is no back end for it"
#define NO_SHADOW  "guests have second-stage page tables, there is no shadow paging"

#define TEXT(name, field)                                   \
	{                                                   \
		name, KEY_TEXT, NULL, AT(field), 0, 0, NULL \
	}
#define PATH(name, field)                                   \
	{                                                   \
		name, KEY_PATH, NULL, AT(field), 0, 0, NULL \
	}
#define NUMBER(name, field, low, high)                             \
	{                                                          \
		name, KEY_NUMBER, NULL, AT(field), low, high, NULL \
	}
#define MBYTES(name, field)                                              \
	{                                                                \
		name, KEY_NUMBER64, NULL, AT(field), 1, 1ull << 30, NULL \
	}
#define EITHER(name)                                  \
	{                                             \
		name, KEY_EITHER, NULL, 0, 0, 0, NULL \
	}
#define ACTION(name, field)                                   \
	{                                                     \
		name, KEY_ACTION, NULL, AT(field), 0, 0, NULL \
	}
#define WORD(name, words, why)                                \
	{                                                     \
		name, KEY_WORD, words "\0" why, 0, 0, 0, NULL \
	}
#define ZERO(name, why)                                 \
	{                                               \
		name, KEY_MUST_BE_0, why, 0, 0, 0, NULL \
	}
#define ONE(name, why)                                  \
	{                                               \
		name, KEY_MUST_BE_1, why, 0, 0, 0, NULL \
	}
#define EMPTY(name, why)                                 \
	{                                                \
		name, KEY_EMPTY_LIST, why, 0, 0, 0, NULL \
	}
#define OTHER(name, take)                            \
	{                                            \
		name, KEY_OTHER, NULL, 0, 0, 0, take \
	}
#define REFUSED(name, why)                            \
	{                                             \
		name, KEY_REFUSED, why, 0, 0, 0, NULL \
	}

const struct key keys[] = {
	OTHER("name", config_take_name),
	OTHER("type", config_take_type),
	OTHER("builder", config_take_builder),
	/* CPUs */
	WORD("pool", "Pool-0", "there is only one cpupool, Pool-0"),
	NUMBER("vcpus", vcpus, 1, CONFIG_MAX_VCPUS),
	NUMBER("maxvcpus", maxvcpus, 1, CONFIG_MAX_VCPUS),
	OTHER("cpus", config_take_cpus),
	REFUSED("cpus_soft", "soft affinity is not followed by the scheduler"),
	NUMBER("cpu_weight", cpu_weight, 1, 65535),
	ZERO("cap", "the scheduler has no caps"),
	/* memory */
	MBYTES("memory", memory),
	MBYTES("maxmem", maxmem),
	EMPTY("vnuma", NO_NUMA),
	/* events */
	ACTION("on_poweroff", on_poweroff),
	ACTION("on_reboot", on_reboot),
	ACTION("on_watchdog", on_watchdog),
	ACTION("on_crash", on_crash),
	ACTION("on_soft_reset", on_soft_reset),
	/* what is booted */
	PATH("kernel", kernel),
	PATH("ramdisk", ramdisk),
	TEXT("cmdline", given_cmdline),
	TEXT("root", root),
	TEXT("extra", extra),
	REFUSED("firmware", "guests boot a kernel directly: give kernel="),
	ZERO("pvshim", NO_PV),
	REFUSED("pvshim_path", NO_PV),
	REFUSED("pvshim_cmdline", NO_PV),
	REFUSED("pvshim_extra", NO_PV),
	/* others for all guests */
	OTHER("uuid", config_take_uuid),
	REFUSED("seclabel", NO_XSM),
	REFUSED("init_seclabel", NO_XSM),
	NUMBER("max_grant_frames", max_grant_frames, 1, 1 << 20),
	NUMBER("max_maptrack_frames", max_maptrack_frames, 0, 1 << 20),
	NUMBER("max_grant_version", max_grant_version, 1, 2),
	EITHER("nomigrate"), /* nobody is migrated */
	ZERO("driver_domain", "only this domain can have back ends"),
	OTHER("device_tree", config_take_device_tree),
	WORD("passthrough", "disabled|default", NO_HOSTDEV),
	ZERO("xend_suspend_evtchn_compat", "the store is laid out as libxl does"),
	ZERO("vmtrace_buf_kb", "processor tracing is not virtualised"),
	ZERO("vpmu", "performance counters are not given to guests"),
	/* devices */
	OTHER("disk", config_take_disk),
	OTHER("vif", config_take_vif),
	EMPTY("vtpm", NO_BACKEND),
	EMPTY("p9", NO_BACKEND),
	EMPTY("pvcalls", NO_BACKEND),
	EMPTY("vfb", NO_BACKEND),
	EMPTY("channel", NO_BACKEND),
	EMPTY("rdm", NO_HOSTDEV),
	EMPTY("usbctrl", NO_BACKEND),
	EMPTY("usbdev", NO_BACKEND),
	EMPTY("pci", NO_HOSTDEV),
	ZERO("pci_permissive", NO_HOSTDEV),
	ZERO("pci_msitranslate", NO_HOSTDEV),
	ZERO("pci_seize", NO_HOSTDEV),
	ZERO("pci_power_mgmt", NO_HOSTDEV),
	ZERO("gfx_passthru", NO_HOSTDEV),
	REFUSED("rdm_mem_boundary", NO_HOSTDEV),
	EMPTY("dtdev", NO_HOSTDEV),
	EMPTY("ioports", NO_HOSTDEV),
	EMPTY("iomem", NO_HOSTDEV),
	EMPTY("irqs", NO_HOSTDEV),
	NUMBER("max_event_channels", max_event_channels, 2, 131071),
	EMPTY("vdispl", NO_BACKEND),
	ZERO("dm_restrict", NO_MODEL),
	REFUSED("device_model_user", NO_MODEL),
	EMPTY("vsnd", NO_BACKEND),
	EMPTY("vkb", NO_BACKEND),
	WORD("tee", "none", "there is no mediator for a trusted execution environment"),
	/* PV */
	REFUSED("bootloader", "a boot loader that reads the guest's disk is not run: give kernel="),
	EMPTY("bootloader_args",
	      "a boot loader that reads the guest's disk is not run: give kernel="),
	ZERO("e820_host", NO_PV),
	/* HVM */
	REFUSED("boot", NO_HVM),
	REFUSED("hdtype", NO_HVM),
	ONE("hap", NO_SHADOW),
	ZERO("oos", NO_SHADOW),
	REFUSED("shadow_memory", NO_SHADOW),
	REFUSED("bios", NO_HVM),
	REFUSED("bios_path_override", NO_HVM),
	ONE("pae", "guests of this type always have it"),
	ONE("acpi", "guests of this type find their CPUs by it"),
	ZERO("acpi_s3", NO_HVM),
	ZERO("acpi_s4", NO_HVM),
	ZERO("acpi_laptop_slate", NO_HVM),
	ONE("apic", "guests of this type always have it"),
	ONE("nx", "guests of this type always have it"),
	ZERO("hpet", NO_HVM),
	WORD("altp2m", "disabled", "there are no alternative views of memory"),
	ZERO("altp2mhvm", "there are no alternative views of memory"),
	ZERO("nestedhvm", "hypervisors cannot be nested"),
	REFUSED("cpuid", "the guest's CPUID cannot be changed yet"),
	REFUSED("acpi_firmware", NO_HVM),
	REFUSED("smbios_firmware", NO_HVM),
	WORD("ms_vm_genid", "none", NO_HVM),
	WORD("tsc_mode", "default|native",
	     "the guest's time stamp counter is the CPU's, with an offset and a scale"),
	ZERO("localtime", "the guest's wall clock is UTC"),
	ZERO("rtc_timeoffset", "the guest's wall clock is UTC"),
	ZERO("vpt_align", NO_HVM),
	REFUSED("timer_mode", "guests of this type have no emulated timers that could fall behind"),
	REFUSED("mmio_hole", NO_HVM),
	ZERO("xen_platform_pci", NO_HVM),
	EMPTY("viridian", NO_HVM),
	REFUSED("videoram", NO_MODEL),
	ZERO("stdvga", NO_MODEL),
	WORD("vga", "none", NO_MODEL),
	ZERO("vnc", NO_MODEL),
	REFUSED("vnclisten", NO_MODEL),
	REFUSED("vncdisplay", NO_MODEL),
	ZERO("vncunused", NO_MODEL),
	REFUSED("vncpasswd", NO_MODEL),
	REFUSED("keymap", NO_MODEL),
	ZERO("sdl", NO_MODEL),
	ZERO("opengl", NO_MODEL),
	ONE("nographic", NO_MODEL),
	ZERO("spice", NO_MODEL),
	REFUSED("spicehost", NO_MODEL),
	REFUSED("spiceport", NO_MODEL),
	REFUSED("spicetls_port", NO_MODEL),
	ZERO("spicedisable_ticketing", NO_MODEL),
	REFUSED("spicepasswd", NO_MODEL),
	ZERO("spiceagent_mouse", NO_MODEL),
	ZERO("spicevdagent", NO_MODEL),
	ZERO("spice_clipboard_sharing", NO_MODEL),
	ZERO("spiceusbredirection", NO_MODEL),
	REFUSED("spice_image_compression", NO_MODEL),
	REFUSED("spice_streaming_video", NO_MODEL),
	EMPTY("serial",
	      "an emulated serial port needs a device model: the guest's console is hvc0"),
	EMPTY("soundhw", NO_MODEL),
	ZERO("vkb_device", NO_MODEL),
	ZERO("usb", NO_MODEL),
	REFUSED("usbversion", NO_MODEL),
	EMPTY("usbdevice", NO_MODEL),
	WORD("vendor_device", "none", NO_HVM),
	/* device model */
	REFUSED("device_model_version", NO_MODEL),
	REFUSED("device_model_override", NO_MODEL),
	REFUSED("stubdomain_kernel", NO_MODEL),
	REFUSED("stubdomain_cmdline", NO_MODEL),
	REFUSED("stubdomain_ramdisk", NO_MODEL),
	REFUSED("stubdomain_memory", NO_MODEL),
	ZERO("device_model_stubdomain_override", NO_MODEL),
	REFUSED("device_model_stubdomain_seclabel", NO_MODEL),
	EMPTY("device_model_args", NO_MODEL),
	EMPTY("device_model_args_pv", NO_MODEL),
	EMPTY("device_model_args_hvm", NO_MODEL),
	/* one architecture's */
	OTHER("gic_version", config_take_gic),
	REFUSED("vuart",
		"an emulated UART is for boot-time domains only: the guest's console is hvc0"),
	EMPTY("mca_caps", NO_HVM),
	ZERO("msr_relaxed", "an unknown MSR is a fault for every guest"),
	{ NULL, KEY_REFUSED, NULL, 0, 0, 0, NULL },
};
