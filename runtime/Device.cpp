//===- Device.cpp - which device runs a model ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"
#include "runtime/CpuExecutor.h"
#include "runtime/Error.h"
#include "runtime/cuda/CudaExecutor.h"

#include <algorithm>

using namespace samba::runtime;

static Error wrong(const std::string &text) {
  return Error(SAMBA_ERROR_ARGUMENT,
               "device is '" + text + "', expected cpu, cuda, cuda:N, virtual or virtual:KEY=VALUE,...");
}

DeviceChoice DeviceChoice::parse(const char *given) {
  DeviceChoice choice;
  if (!given)
    return choice;
  std::string text = given;
  size_t colon = text.find(':');
  std::string name = text.substr(0, colon);
  std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (colon != std::string::npos && rest.empty())
    throw wrong(text);
  if (name == "cpu" && colon == std::string::npos) {
    choice.kind = Kind::Cpu;
  } else if (name == "cuda") {
    choice.kind = Kind::Cuda;
    bool digits = std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || rest.size() > 4)
      throw wrong(text);
    choice.ordinal = rest.empty() ? 0 : std::stoi(rest);
  } else if (name == "virtual") {
    choice.kind = Kind::Virtual;
    choice.settings = rest;
  } else {
    throw wrong(text);
  }
  return choice;
}

std::optional<Artefact::Target> DeviceChoice::target() const {
  if (kind == Kind::Any)
    return std::nullopt;
  return kind == Kind::Cpu ? Artefact::Target::Cpu : Artefact::Target::Gpu;
}

std::unique_ptr<Executor> samba::runtime::createExecutor(const Artefact &artefact, const DeviceChoice &choice,
                                                         int32_t threads, bool check) {
  if (artefact.target() == Artefact::Target::Cpu)
    return std::make_unique<CpuExecutor>(artefact, threads);
  return cuda::createCudaExecutor(artefact, choice, check);
}
