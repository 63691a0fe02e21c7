//===- Importer.h - samba IR of a checkpoint --------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_IMPORTER_H
#define FRONTEND_IMPORTER_H

#include "frontend/Checkpoint.h"
#include "frontend/ModelDescription.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace samba {

struct ImportOptions {
  /// Tokens that full attention can look back on, at most 2^24; 0: the configuration's max_position_embeddings. Models
  /// with windows only have no such bound and ignore it.
  int64_t context = 0;
  /// Name of the module; empty: the name of the checkpoint's directory.
  std::string name;
  /// Flags of dialect/Numerics.h in place of those of the family: "dtype=bf16,logits=f32".
  std::string numerics;
};

/// Checks that the checkpoint holds exactly the tensors of the model (names, shapes, F32, BF16 or F16), and builds the
/// module: one samba.weight for each weight, all declared f32; one private function for each kind of block;
/// the public function samba_step:
///
///   (tokens i32 [T], segments i64 [S+1], positions i64 [S], rows i64 [R], states...) -> (logits f32 [R, V], states...)
///
/// with a state argument (attribute samba.name, "layers.0.conv") for each state of each layer. The module attribute
/// `samba.model` describes the model: name, family, sizes, "layers" (kind of each), "attention" (list of its kinds),
/// parameters, token ids, and max_context if the model has a bound. `samba.numerics` is the profile of its numerics.
///
/// Loads the dialects it needs into the context. The result passes the verifier. An error is one line that names file
/// and tensor.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importModel(mlir::MLIRContext &context, const ModelDescription &model,
                                                              const Checkpoint &checkpoint,
                                                              const ImportOptions &options = {});

/// The first half of importModel: fails if a tensor is missing, surplus, or of another shape or type than expected.
/// The stored head of a tied model is accepted if it equals the embeddings.
llvm::Error checkTensors(const ModelDescription &model, const Checkpoint &checkpoint);

} // namespace samba

#endif // FRONTEND_IMPORTER_H
