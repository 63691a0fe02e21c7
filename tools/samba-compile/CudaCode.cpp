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
  std::optional<std::string> hopperPtx;
  CudaArch hopperArch = {90, true};
  if (target.hopper() && hasHopperKernels(module)) {
    llvm::Expected<std::string> own = emitPtx(module, hopperArch);
    if (!own)
      return own.takeError();
    hopperPtx = std::move(*own);
  }
  llvm::ArrayRef<CudaArch> archs = target.listed ? llvm::ArrayRef<CudaArch>(target.cubinArchs) : usualArchitectures();
  for (CudaArch arch : ptxas.empty() ? llvm::ArrayRef<CudaArch>() : archs) {
    // Without kernels of its own, sm_90a is sm_90.
    if (arch.exact && !hopperPtx && !target.listed)
      continue;
    llvm::Expected<std::string> code = assemblePtx(ptxas, arch.exact && hopperPtx ? *hopperPtx : *ptx, arch);
    if (!code)
      return code.takeError();
    contents.images.push_back({GpuImage::Kind::Cubin, int(arch.number), arch.exact, std::move(*code)});
  }
  contents.images.push_back({GpuImage::Kind::Ptx, int(target.ptxArch.number), false, std::move(*ptx)});
  if (hopperPtx)
    contents.images.push_back({GpuImage::Kind::Ptx, int(hopperArch.number), true, std::move(*hopperPtx)});
  return contents;
}
