# SPDX-License-Identifier: Apache-2.0
# The simulated machine. fiber.c and thread.c are empty in the build that the other is for.
host-src += hv/arch/host/boot.c hv/arch/host/console.c hv/arch/host/fault.c hv/arch/host/fiber.c \
	    hv/arch/host/guest.c hv/arch/host/irq.c hv/arch/host/machine.c hv/arch/host/memory.c \
	    hv/arch/host/panic.c hv/arch/host/stack.c hv/arch/host/thread.c
host-src += hv/arch/host/state.c
host-src += hv/arch/host/control.c
