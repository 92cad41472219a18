# SPDX-License-Identifier: Apache-2.0
guest-tests += hello hypercall-pointers events grants balloon crash rings
guest-tests-arm64 += wild-mmio wild-sysregs psci sgi timer wfi set-way mmio-decode gic gic-storm programs \
		     vcpu-ops
guest-tests-x86_64 += svm-instructions wild-msrs wild-ports wild-control mmio-modes mmio-edges db-storm \
		      triple-fault task-switch nmi-storm nmi-nesting hypercalls-32 sipi-race apic extended-state pv-clock
