//===- CheckTensors.cpp - is the checkpoint what its config says? ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/Importer.h"
#include "frontend/SambaTensors.h"
#include "llvm/ADT/StringSet.h"
#include <cstring>

using namespace llvm;
using namespace samba;

namespace {

std::string more(size_t others, StringRef state) {
  return others == 0 ? "" : (" (and " + Twine(others) + " more tensors are " + state + ")").str();
}

/// The oldest files keep the gate's and the up projection's rows in one tensor.
bool isFusedGateUp(const TensorSpec &spec, const TensorView &view, const Checkpoint &checkpoint) {
  StringRef name = spec.name;
  return name.consume_back("gate_proj.weight") && view.shape.size() == 2 && view.shape[0] == 2 * spec.shape[0] &&
         view.shape[1] == spec.shape[1] && !checkpoint.find((name + "up_proj.weight").str());
}

Error checkTensor(const TensorSpec &spec, const Checkpoint &checkpoint) {
  Expected<TensorView> view = checkpoint.lookup(spec.name);
  if (!view)
    return view.takeError();
  if (ArrayRef(view->shape) == ArrayRef(spec.shape))
    return Error::success();
  return makeError(checkpoint.find(spec.name)->file->file().path() + ": tensor " + quoted(spec.name) +
                   ": expected shape " + shapeText(spec.shape) + ", found " + shapeText(view->shape) +
                   (isFusedGateUp(spec, *view, checkpoint)
                        ? "; gate and up projection in one tensor (an old form of the format) are not supported"
                        : ""));
}

/// Some writers store the head of a tied model, too. It must then say the same.
Error checkTiedHead(const SambaConfig &config, const Checkpoint &checkpoint) {
  if (Error failed = checkTensor({kHead.str(), {config.vocabSize, config.hiddenSize}}, checkpoint))
    return failed;
  TensorView head = cantFail(checkpoint.lookup(kHead)), table = cantFail(checkpoint.lookup(kEmbeddings));
  bool same = head.dtype == table.dtype;
  constexpr size_t kStep = 16 << 20;
  for (size_t at = 0; same && at < head.bytes.size(); at += kStep) {
    size_t size = std::min(kStep, head.bytes.size() - at);
    same = std::memcmp(head.bytes.data() + at, table.bytes.data() + at, size) == 0;
    checkpoint.release(head.bytes.slice(at, size));
    checkpoint.release(table.bytes.slice(at, size));
  }
  if (same)
    return Error::success();
  return makeError(checkpoint.find(kHead)->file->file().path() + ": tensor " + quoted(kHead) + ": expected a copy of " +
                   quoted(kEmbeddings) + ", because tie_word_embeddings is true in " + config.path +
                   ", found other values");
}

} // namespace

Error samba::checkTensors(const SambaConfig &config, const Checkpoint &checkpoint) {
  StringSet<> expected;
  const TensorSpec *firstMissing = nullptr;
  size_t missing = 0;
  std::vector<TensorSpec> specs = modelTensors(config);
  for (const TensorSpec &spec : specs) {
    expected.insert(spec.name);
    if (!checkpoint.find(spec.name)) {
      ++missing;
      firstMissing = firstMissing ? firstMissing : &spec;
    } else if (Error failed = checkTensor(spec, checkpoint)) {
      return failed;
    }
  }
  if (firstMissing)
    return makeError(checkpoint.directory() + ": tensor " + quoted(firstMissing->name) + ": expected shape " +
                     shapeText(firstMissing->shape) + ", as " + config.path + " says, found nothing" +
                     more(missing - 1, "missing"));

  const std::string *firstSurplus = nullptr;
  size_t surplus = 0;
  for (const std::string &name : checkpoint.tensorNames()) {
    if (expected.contains(name))
      continue;
    if (config.tieWordEmbeddings && name == kHead) {
      if (Error failed = checkTiedHead(config, checkpoint))
        return failed;
      continue;
    }
    ++surplus;
    firstSurplus = firstSurplus ? firstSurplus : &name;
  }
  if (!firstSurplus)
    return Error::success();
  const Checkpoint::Tensor *tensor = checkpoint.find(*firstSurplus);
  return makeError(tensor->file->file().path() + ": tensor " + quoted(*firstSurplus) +
                   ": expected no such tensor in the model of " + config.path + ", found " + tensor->info->dtypeName +
                   shapeText(tensor->info->shape) + more(surplus - 1, "surplus"));
}
