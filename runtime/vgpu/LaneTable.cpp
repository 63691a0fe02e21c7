//===- LaneTable.cpp - chooses lane handlers for the host ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Instruction.h"

using namespace samba::vgpu;

namespace samba::vgpu {
#define VGPU_DECLARE(NAME)                                                                                             \
  namespace NAME {                                                                                                     \
  Handler integerHandler(Op, ptx::Type, uint32_t);                                                                     \
  Handler realHandler(Op, ptx::Type, uint32_t, Rounding);                                                              \
  Handler halfHandler(Op, LaneType, uint32_t);                                                                         \
  void multiplyReal(const float *, const float *, float *, unsigned, unsigned, unsigned);                              \
  Handler convertHandler(ptx::Type, ptx::Type, uint32_t, bool);                                                        \
  }
VGPU_DECLARE(lanes_base)
#ifdef VGPU_HAVE_V3
VGPU_DECLARE(lanes_v3)
VGPU_DECLARE(lanes_v4)
#endif
} // namespace samba::vgpu

const LaneTable &samba::vgpu::laneTable() {
#define VGPU_TABLE(NAME)                                                                                               \
  {                                                                                                                    \
    NAME::integerHandler, NAME::realHandler, NAME::halfHandler, NAME::convertHandler, NAME::multiplyReal               \
  }
#ifdef VGPU_HAVE_V3
  static const LaneTable table = __builtin_cpu_supports("x86-64-v4")   ? LaneTable VGPU_TABLE(lanes_v4)
                                 : __builtin_cpu_supports("x86-64-v3") ? LaneTable VGPU_TABLE(lanes_v3)
                                                                       : LaneTable VGPU_TABLE(lanes_base);
#else
  static const LaneTable table = VGPU_TABLE(lanes_base);
#endif
  return table;
}
