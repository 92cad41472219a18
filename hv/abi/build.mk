# SPDX-License-Identifier: Apache-2.0
core-src += hv/abi/dispatch.c hv/abi/multicall.c hv/abi/vcpu.c hv/abi/sched.c hv/abi/version.c
core-src += hv/abi/hvm.c hv/abi/platform.c hv/abi/misc.c
core-src += hv/abi/memory.c
core-src += hv/abi/ctlmap.c hv/abi/sysctl.c hv/abi/sysctl_sched.c hv/abi/sysctl_trace.c
core-src += hv/abi/domctl.c hv/abi/domctl_vcpu.c hv/abi/domctl_mem.c hv/abi/domctl_state.c
core-src += hv/abi/domctl_dirty.c
unit-tests += tests/unit/domctl_test.c tests/unit/sysctl_test.c
