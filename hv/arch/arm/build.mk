# SPDX-License-Identifier: Apache-2.0
# The guest side of Arm: what vCPUs and domains have of it. The host side is in arm64/build.mk.
arm64-src += hv/arch/arm/exit.c hv/arch/arm/vcpu.c hv/arch/arm/inject.c hv/arch/arm/sysreg.c \
	     hv/arch/arm/vpsci.c hv/arch/arm/vtimer.c hv/arch/arm/setway.c hv/arch/arm/decode.c hv/arch/arm/abort.c \
	     hv/arch/arm/p2m_arch.c hv/arch/arm/vpl011.c hv/arch/arm/vgic/lr.c \
	     hv/arch/arm/vgic/registers.c hv/arch/arm/vgic/state.c hv/arch/arm/state.c hv/arch/arm/control.c \
	     hv/arch/arm/arm64/fpsimd.S
# The decoder is pure: its test runs on the host.
host-src += hv/arch/arm/decode.c
unit-tests += tests/unit/decode_test.c
# So is the choice of countermeasures.
arm64-src += hv/arch/arm/speculation.c
host-src += hv/arch/arm/speculation.c
unit-tests += tests/unit/speculation_test.c
# The virtual GIC's list registers, over a model of the hardware's.
unit-tests += tests/unit/vgic_test.c
cflags-tests/unit/vgic_test.c := -Itests/unit/vgic -idirafter hv/arch/arm/include
# Waiting for the virtual timer, with its registers in memory.
unit-tests += tests/unit/vtimer_test.c
cflags-tests/unit/vtimer_test.c := -Itests/unit/vtimer -idirafter hv/arch/arm/include
