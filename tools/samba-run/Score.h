//===- Score.h - how well a model predicts a text --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_SCORE_H
#define TOOLS_SAMBA_RUN_SCORE_H

#include "samba/samba.hpp"
#include "tools/samba-run/Limits.h"

#include <cstddef>
#include <cstdint>

namespace samba::run {

/// -log softmax(logits)[token], in double. NaN or infinite if logits are.
double negativeLogLikelihood(const float *logits, size_t vocabSize, int32_t token);

/// Prints the negative log likelihood of the ids of a file as JSON. The ids are cut into pieces of options.context;
/// each piece is fed as the begin token and all its ids but the last, from a fresh state, and all its ids are
/// predicted. Throws std::runtime_error or ClosedPipe. Prints nothing if interrupted; what was done by then, with
/// "stop", if a limit ends it.
void score(const Model &model, const Options &options, const Limits &limits);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_SCORE_H
