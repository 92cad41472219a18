# SPDX-License-Identifier: Apache-2.0
arm64-src += hv/arch/arm/boot/dt_dom0.c hv/arch/arm/boot/dt_domu.c hv/arch/arm/boot/kernel.c
arm64-src += hv/arch/arm/boot/load.c hv/arch/arm/boot/memory.c hv/arch/arm/boot/passthrough.c
