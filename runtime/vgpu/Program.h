//===- Program.h - decoded kernels -----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_PROGRAM_H
#define RUNTIME_VGPU_PROGRAM_H

#include "runtime/vgpu/Instruction.h"
#include "runtime/vgpu/Vgpu.h"

#include <memory>
#include <string>
#include <vector>

namespace samba::vgpu {

/// Where generic addresses of the other spaces lie. Global memory has the rest.
constexpr uint64_t sharedWindow = uint64_t(1) << 40, localWindow = uint64_t(2) << 40,
                   parameterWindow = uint64_t(3) << 40;
constexpr uint64_t windowBytes = uint64_t(1) << 32;

/// The special registers, kept as lanes in the register file and filled in for each block.
enum class SpecialRegister : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  Laneid,
  Warpid,
  Nwarpid,
  Smid,
  Nsmid,
  MaskEq,
  MaskLe,
  MaskLt,
  MaskGe,
  MaskGt,
  DynamicShared,
  TotalShared,
  Zero,
  One,
};

struct Kernel {
  std::string name;
  const Program *program = nullptr;
  std::vector<Instruction> code;
  std::vector<int32_t> operands; // further operands of instructions

  // The register file: registers and temporaries, which start as zero, then constants.
  int32_t registerBytes = 0;
  std::vector<uint8_t> constants; // what follows the registers
  struct Special {
    SpecialRegister what;
    int32_t offset;
    uint8_t bytes;
  };
  std::vector<Special> specials;
  struct Relocation {
    int32_t offset;
    uint32_t variable;
    int64_t addend;
    bool generic;
  };
  std::vector<Relocation> relocations; // constants that are addresses of the module's variables

  // Shared and local memory: places of variables, with gaps between them.
  struct Place {
    std::string name;
    uint32_t offset, bytes;
  };
  std::vector<Place> sharedPlaces, localPlaces;
  uint32_t dynamicOffset = 0; // of the extern array
  bool dynamic = false;       // there is one
  uint32_t sharedBytes = 0;   // as a device would pack them
  uint32_t localBytes = 0;    // with gaps
  uint32_t plainLocalBytes = 0;

  std::vector<std::pair<uint32_t, uint32_t>> parameters; // offset, size
  uint32_t parameterBytes = 0;
  uint32_t maxThreads = 1024;
  bool ordered = false; // blocks run one after the other: their order can be seen
  int arch = 80;

  int32_t fileBytes() const { return registerBytes + static_cast<int32_t>(constants.size()); }
};

struct Program {
  ptx::Module source;
  std::vector<std::unique_ptr<Kernel>> kernels;
};

/// Decodes one entry of a module. Throws Error.
std::unique_ptr<Kernel> decodeKernel(const Program &program, const ptx::Function &function, int arch);

/// Sets Instruction::reconverge of branches: where the paths from it meet again.
void findReconvergence(Kernel &kernel);

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_PROGRAM_H
