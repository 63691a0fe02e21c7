//===- CudaCode.cpp - the GPU's part of a compiled model ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/CudaCode.h"

#include "lowering/emit/Manifest.h"

using namespace mlir;
using namespace samba;

llvm::Expected<GpuContents> samba::emitCudaCode(ModuleOp module, const CudaTarget &target, Report &report) {
  auto programs = module->getAttrOfType<ArrayAttr>("samba.programs");
  auto arenaBytes = module->getAttrOfType<IntegerAttr>("samba.gpu_arena_bytes");
  if (!programs || !arenaBytes)
    return llvm::createStringError("the module attribute 'samba.programs' is missing; is the module lowered?");
  GpuContents contents;
  llvm::json::Value json = attributeToJson(programs);
  contents.programs = std::move(*json.getAsArray());
  contents.arenaBytes = arenaBytes.getInt();

  llvm::Expected<std::string> ptx = emitPtx(module, target.ptxArch);
  if (!ptx)
    return ptx.takeError();
  std::string ptxas = findPtxas();
  if (ptxas.empty() && target.listed)
    return llvm::createStringError("ptxas is not found (in $SAMBA_PTXAS, the PATH, $CUDA_HOME or /usr/local/cuda); "
                                   "without architectures, --target=cuda needs none");
  if (ptxas.empty())
    report.warn("ptxas is not found: the compiled model has PTX only, which the driver compiles when it is loaded");
  llvm::ArrayRef<int64_t> archs = target.listed ? llvm::ArrayRef<int64_t>(target.cubinArchs) : usualArchitectures();
  for (int64_t arch : ptxas.empty() ? llvm::ArrayRef<int64_t>() : archs) {
    llvm::Expected<std::string> code = assemblePtx(ptxas, *ptx, arch);
    if (!code)
      return code.takeError();
    contents.images.push_back({GpuImage::Kind::Cubin, int(arch), false, std::move(*code)});
  }
  contents.images.push_back({GpuImage::Kind::Ptx, int(target.ptxArch), false, std::move(*ptx)});
  return contents;
}
