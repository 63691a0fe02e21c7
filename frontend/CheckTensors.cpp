//===- CheckTensors.cpp - is the checkpoint what its config says? ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/Importer.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace samba;

namespace {

std::string more(size_t others, StringRef state) {
  return others == 0 ? "" : (" (and " + Twine(others) + " more tensors are " + state + ")").str();
}

Error checkTensor(const TensorSpec &spec, const Checkpoint &checkpoint) {
  Expected<TensorView> view = checkpoint.lookup(spec.name);
  if (!view)
    return view.takeError();
  if (ArrayRef(view->shape) == ArrayRef(spec.shape))
    return Error::success();
  return makeError(checkpoint.find(spec.name)->file->file().path() + ": tensor " + quoted(spec.name) +
                   ": expected shape " + shapeText(spec.shape) + ", found " + shapeText(view->shape));
}

/// Some writers store the head of a tied model, too. It must then say the same.
Error checkTiedHead(const ModelDescription &model, const Checkpoint &checkpoint) {
  const TensorSpec &embeddings = model.embeddings.parts.front().tensor;
  if (Error failed = checkTensor({model.tiedHead, embeddings.shape}, checkpoint))
    return failed;
  if (checkpoint.isSame(*checkpoint.find(model.tiedHead), *checkpoint.find(embeddings.name)))
    return Error::success();
  return makeError(checkpoint.find(model.tiedHead)->file->file().path() + ": tensor " + quoted(model.tiedHead) +
                   ": expected a copy of " + quoted(embeddings.name) + ", because tie_word_embeddings is true in " +
                   model.configPath + ", found other values");
}

} // namespace

Error samba::checkTensors(const ModelDescription &model, const Checkpoint &checkpoint) {
  StringSet<> expected;
  const TensorSpec *firstMissing = nullptr;
  size_t missing = 0;
  std::vector<TensorSpec> specs = model.tensors();
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
                     shapeText(firstMissing->shape) + ", as " + model.configPath + " says, found nothing" +
                     more(missing - 1, "missing"));

  expected.insert_range(model.ignoredTensors);
  const std::string *firstSurplus = nullptr;
  size_t surplus = 0;
  for (const std::string &name : checkpoint.tensorNames()) {
    if (expected.contains(name))
      continue;
    if (!model.tiedHead.empty() && name == model.tiedHead) {
      if (Error failed = checkTiedHead(model, checkpoint))
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
                   ": expected no such tensor in the model of " + model.configPath + ", found " +
                   tensor->info->dtypeName + shapeText(tensor->info->shape) + more(surplus - 1, "surplus"));
}
