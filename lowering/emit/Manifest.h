//===- Manifest.h - what an artefact says about itself -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_MANIFEST_H
#define LOWERING_EMIT_MANIFEST_H

#include "lowering/cpu/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/JSON.h"
#include <optional>

namespace samba {

/// Writes down, as module attribute `samba.interface`, what lowering erases from the entry point and the manifest
/// needs: names and places of the states, names and widths of the probes. Run after `samba-plan-memory`.
llvm::Error recordInterface(mlir::ModuleOp module);

/// Numbers, strings, types, arrays and dictionaries; null for all else.
llvm::json::Value attributeToJson(mlir::Attribute attribute);

/// A file of the checkpoint that went into an artefact.
struct SourceFile {
  std::string file; // without folder
  llvm::ArrayRef<uint8_t> bytes;
};

struct TokenizerSettings {
  std::string kind = "sentencepiece"; // or "pipeline"
  // Of a SentencePiece model:
  bool addBos = true;
  bool addEos = false;
  std::vector<std::pair<std::string, int64_t>> added; // tokens and their ids
};

/// A chat template and the values of "bos_token" and others in it.
struct ChatSettings {
  std::string text;
  std::vector<std::pair<std::string, std::string>> tokens;
};

/// The manifest of an artefact, of ABI version SAMBA_ABI_VERSION.
class Manifest {
public:
  /// From the module attributes of a lowered module: its name, `samba.model`, `samba.interface`, `samba.state_bytes`,
  /// `samba.arena_bytes_per_token`. The precision is that of the narrowest `samba.weight`. Without `target` it is that
  /// of an artefact without code for the CPU, and the arena is not needed.
  static llvm::Expected<Manifest> create(mlir::ModuleOp module, const CpuTarget *target);

  /// Code of the same model for another CPU, with an entry point of its own: better than what was there before.
  void addVariant(const CpuTarget &target, llvm::StringRef entry);
  void setTokenizer(const TokenizerSettings &settings);
  void setChat(const ChatSettings &settings);
  /// Ids that end a text, beside the model's eos_token_id and those that its configuration names.
  void addEndTokens(llvm::ArrayRef<int64_t> ids);
  /// `file` is the name of the weights file beside the artefact, if there is one.
  void setWeights(uint64_t bytes, std::optional<llvm::StringRef> file);
  void addSource(llvm::StringRef file, uint64_t bytes, uint64_t checksum);
  /// One line of JSON.
  std::string text() const;

private:
  llvm::json::Object root;
};

} // namespace samba

#endif // LOWERING_EMIT_MANIFEST_H
