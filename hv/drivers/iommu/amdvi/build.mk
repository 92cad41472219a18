# SPDX-License-Identifier: Apache-2.0
x86_64-src += hv/drivers/iommu/amdvi/ivrs.c hv/drivers/iommu/amdvi/table.c hv/drivers/iommu/amdvi/unit.c
x86_64-src += hv/drivers/iommu/amdvi/ops.c hv/drivers/iommu/amdvi/regs.c
host-src += hv/drivers/iommu/amdvi/ivrs.c hv/drivers/iommu/amdvi/table.c hv/drivers/iommu/amdvi/unit.c
host-src += hv/drivers/iommu/amdvi/ops.c
unit-tests += tests/unit/amdvi_test.c
