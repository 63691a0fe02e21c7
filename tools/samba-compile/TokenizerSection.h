//===- TokenizerSection.h - tokenizer and chat template ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_TOKENIZERSECTION_H
#define TOOLS_SAMBA_COMPILE_TOKENIZERSECTION_H

#include "frontend/TokenizerConfig.h"
#include "lowering/emit/Manifest.h"

namespace samba {

/// The section of an artefact, empty if there is no tokenizer. Writes kind, end tokens and chat template into the
/// manifest. The runtime itself checks tokenizer.json and the template, so that a compiled model can be loaded.
/// A template that cannot be used is left out; `warning` says so.
llvm::Expected<std::string> makeTokenizerSection(const TokenizerConfig &config, int64_t vocabSize, Manifest &manifest,
                                                 std::string &warning);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_TOKENIZERSECTION_H
