# SPDX-License-Identifier: Apache-2.0
arm64-src += hv/arch/arm/arm64/head.S hv/arch/arm/arm64/entry.S hv/arch/arm/arm64/page.S \
	     hv/arch/arm/arm64/early_console.c \
	     hv/arch/arm/arm64/mm/early.c hv/arch/arm/arm64/mm/map.c
arm64-src += hv/arch/arm/main.c hv/arch/arm/cpu.c hv/arch/arm/panic.c hv/arch/arm/gicv3.c \
	     hv/arch/arm/irq.c hv/arch/arm/timer.c hv/arch/arm/psci_host.c
arm64-src += hv/drivers/uart/pl011.c
