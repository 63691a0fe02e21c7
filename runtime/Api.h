//===- Api.h - the objects behind the C interface --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_API_H
#define RUNTIME_API_H

#include "runtime/Error.h"
#include "runtime/Model.h"
#include "runtime/Sampler.h"
#include "runtime/Scheduler.h"

#include <cstring>

struct samba_model {
  std::shared_ptr<samba::runtime::Model> model;
};

struct samba_session : samba::runtime::Session {
  using Session::Session;
};

struct samba_detokenizer {
  std::shared_ptr<samba::runtime::Model> model; // owns the tokenizer
  std::unique_ptr<samba::runtime::Detokenizer> detokenizer;
  std::string text;
};

struct samba_sampler : samba::runtime::Sampler {
  using Sampler::Sampler;
};

struct samba_scheduler {
  samba::runtime::Scheduler scheduler;
  std::vector<samba_ready> ready;
  std::vector<samba_chosen> chosen;
};

namespace samba::runtime {

inline void require(bool condition, const char *message) {
  if (!condition)
    throw Error(SAMBA_ERROR_ARGUMENT, message);
}

/// Into a buffer of the caller's; `size` gets what it takes. Throws SAMBA_ERROR_LIMIT.
template <typename Element, typename Result>
void copyOut(const Result &result, Element *buffer, size_t capacity, size_t *size) {
  *size = result.size();
  if (result.size() > capacity)
    throw Error(SAMBA_ERROR_LIMIT,
                "the buffer has room for " + std::to_string(capacity) + ", expected " + std::to_string(result.size()));
  if (!result.empty())
    std::memcpy(buffer, result.data(), result.size() * sizeof(Element));
}

} // namespace samba::runtime

#endif // RUNTIME_API_H
