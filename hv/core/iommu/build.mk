# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/iommu/device.c hv/core/iommu/context.c hv/core/iommu/table.c hv/core/iommu/follow.c
unit-tests += tests/unit/iommu_test.c
