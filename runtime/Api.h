//===- Api.h - the objects behind the C interface --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_API_H
#define RUNTIME_API_H

#include "runtime/Detokenizer.h"
#include "runtime/Error.h"
#include "runtime/Model.h"
#include "runtime/Sampler.h"
#include "runtime/Scheduler.h"

struct samba_model {
  std::shared_ptr<samba::runtime::Model> model;
};

struct samba_session : samba::runtime::Session {
  using Session::Session;
};

struct samba_detokenizer {
  std::shared_ptr<samba::runtime::Model> model; // owns the tokenizer
  samba::runtime::Detokenizer detokenizer;
  std::string text;
};

struct samba_sampler : samba::runtime::Sampler {
  using Sampler::Sampler;
};

struct samba_scheduler {
  samba::runtime::Scheduler scheduler;
  std::vector<samba_ready> ready;
};

namespace samba::runtime {

inline void require(bool condition, const char *message) {
  if (!condition)
    throw Error(SAMBA_ERROR_ARGUMENT, message);
}

} // namespace samba::runtime

#endif // RUNTIME_API_H
