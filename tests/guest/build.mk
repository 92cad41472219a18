# SPDX-License-Identifier: Apache-2.0
guest-tests += hello wild-mmio wild-sysregs psci sgi timer wfi hypercall-pointers events grants \
	       balloon set-way mmio-decode gic gic-storm programs crash vcpu-ops
