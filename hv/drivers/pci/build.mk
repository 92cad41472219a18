# SPDX-License-Identifier: Apache-2.0
x86_64-src += hv/drivers/pci/config.c hv/drivers/pci/scan.c hv/drivers/pci/mcfg.c hv/drivers/pci/ports.c
host-src += hv/drivers/pci/config.c hv/drivers/pci/scan.c hv/drivers/pci/mcfg.c
unit-tests += tests/unit/pci_test.c
