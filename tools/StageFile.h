//===- StageFile.h - pipelines of the phases from a file ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The passes of a phase of compilation, as text that can be kept, compared and sent to others:
//
//   // the gate first
//   fuse: func.func(samba-form-kernels, samba-fuse-swiglu{force=true}),
//         default
//
// A stage begins with its name and a colon at the start of a line and ends where the next one begins. Its text is a
// pipeline on modules, in which `default` stands for the passes that the phase would run otherwise. "//" begins a
// comment.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_STAGEFILE_H
#define TOOLS_STAGEFILE_H

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace samba {

class StageFile {
public:
  StageFile() = default;
  /// Reads a file whose stages are among `names`. The error names file, line, what is expected and what is there.
  static llvm::Expected<StageFile> read(llvm::StringRef path, llvm::ArrayRef<llvm::StringRef> names);

  bool has(llvm::StringRef stage) const { return find(stage) != nullptr; }
  /// Whether a stage leaves nothing of its phase's own passes.
  bool replaces(llvm::StringRef stage) const;
  /// Adds the passes of a stage that the file has; `buildDefault` adds those of the phase.
  llvm::Error build(llvm::StringRef stage, mlir::OpPassManager &pm,
                    llvm::function_ref<void(mlir::OpPassManager &)> buildDefault) const;

private:
  struct Stage {
    std::string name;
    std::vector<std::string> items; // of the pipeline, at its top level
    size_t line;
  };
  const Stage *find(llvm::StringRef name) const;

  std::string path;
  std::vector<Stage> stages;
};

/// Registers the pipeline `samba-stage`, which is a stage of a file; `default` stands for what samba-compile runs
/// without options.
void registerStagePipeline();

} // namespace samba

#endif // TOOLS_STAGEFILE_H
