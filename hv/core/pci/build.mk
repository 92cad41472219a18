# SPDX-License-Identifier: Apache-2.0
# Of no use before there is a PCI driver, which Arm does not have yet.
x86_64-src += hv/core/pci/function.c hv/core/pci/config.c hv/core/pci/bar.c hv/core/pci/msi.c
x86_64-src += hv/core/pci/msix.c
host-src += hv/core/pci/function.c hv/core/pci/config.c hv/core/pci/bar.c hv/core/pci/msi.c
host-src += hv/core/pci/msix.c
unit-tests += tests/unit/vpci_test.c
