# SPDX-License-Identifier: Apache-2.0
core-src += hv/abi/dispatch.c hv/abi/multicall.c hv/abi/vcpu.c hv/abi/sched.c hv/abi/version.c
core-src += hv/abi/hvm.c hv/abi/platform.c hv/abi/misc.c
core-src += hv/abi/memory.c
