/* SPDX-License-Identifier: Apache-2.0 */
/* XENVER_*: who we are, in the words of Xen 4.17. No state; anybody may ask, some answers are for managers. */
#include <hv/hypercall.h>

#include <arch/vcpu.h>
#include <generated/version.h>
#include <hv/boot.h>
#include <hv/domain.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <hv/version.h>
#include <xen/features.h>
#include <xen/version.h>

const char krypton_version[] = "0.1";
const char krypton_commit[] = BUILD_COMMIT;
const char krypton_date[] = BUILD_DATE;

static int64_t put_text(struct vcpu *v, gva_t to, char *buf, size_t n, const char *text)
{
	memset(buf, 0, n);
	(void)strcopy(buf, text, n);
	return guest_write(v, to, buf, n);
}

static int64_t compile_info(struct vcpu *v, gva_t to)
{
	xen_compile_info_t info = { 0 };

	(void)strcopy(info.compiler, __VERSION__, sizeof(info.compiler));
	(void)strcopy(info.compile_by, "krypton", sizeof(info.compile_by));
	(void)strcopy(info.compile_domain, "", sizeof(info.compile_domain));
	(void)strcopy(info.compile_date, krypton_date, sizeof(info.compile_date));
	return guest_put(v, to, &info);
}

static int64_t get_features(struct vcpu *v, gva_t arg)
{
	struct xen_feature_info info;
	int err;

	err = guest_get(v, &info, arg);
	if (err)
		return err;
	info.submap = arch_features(v->domain, info.submap_idx);
	return guest_put(v, arg, &info);
}

static int64_t command_line(struct vcpu *v, gva_t to)
{
	xen_commandline_t text;
	bool may = policy_sysctl(v->domain, XENVER_commandline) == 0;

	return put_text(v, to, text, sizeof(text),
			!may                ? "<denied>"
			: boot_info.cmdline ? boot_info.cmdline
					    : "");
}

static NOINLINE int64_t other_question(struct vcpu *v, uint64_t *a)
{
	gva_t arg = gva(a[1]);

	switch ((uint32_t)a[0]) {
	case XENVER_extraversion: {
		xen_extraversion_t text;

		return put_text(v, arg, text, sizeof(text), "-krypton");
	}
	case XENVER_compile_info: return compile_info(v, arg);
	case XENVER_capabilities: {
		xen_capabilities_info_t text;

		return put_text(v, arg, text, sizeof(text), arch_capabilities());
	}
	case XENVER_changeset: {
		xen_changeset_info_t text;

		return put_text(v, arg, text, sizeof(text), krypton_commit);
	}
	case XENVER_platform_parameters: {
		xen_platform_parameters_t p = { .virt_start = 0 };

		return guest_put(v, arg, &p);
	}
	case XENVER_get_features: return get_features(v, arg);
	case XENVER_pagesize: return PAGE_SIZE;
	case XENVER_guest_handle:
		return guest_write(v, arg, v->domain->uuid, sizeof(v->domain->uuid));
	case XENVER_commandline: return command_line(v, arg);
	case XENVER_build_id: return refuse(R_NO_BUILD_ID, v->domain->id, 0, 0);
	default: return refuse(R_NOT_IMPLEMENTED, a[0], 0, __HYPERVISOR_xen_version);
	}
}

int64_t abi_xen_version(struct vcpu *v, uint64_t *a)
{
	/* What kernels call often, to have events delivered now, stays apart from the buffers of the rest. */
	return likely((uint32_t)a[0] == XENVER_version) ? XEN_MAJOR << 16 | XEN_MINOR
							: other_question(v, a);
}
