//===- Checkpoint.cpp - the weights of a model directory ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Checkpoint.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <map>

using namespace llvm;
using namespace samba;

namespace {

std::string joined(StringRef directory, StringRef name) {
  if (sys::path::is_absolute(name))
    return name.str();
  SmallString<128> path(directory);
  sys::path::append(path, name);
  return path.str().str();
}

/// A shard's name comes from the index, which must not reach outside the directory.
bool isPlainFileName(StringRef name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(StringRef("/\\\0", 3)) == StringRef::npos;
}

constexpr StringLiteral kUsualFiles[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                         "pytorch_model.bin.index.json"};

/// The file of weights in a directory; its name alone.
Expected<std::string> findWeights(StringRef directory) {
  for (StringRef usual : kUsualFiles)
    if (sys::fs::exists(joined(directory, usual)))
      return usual.str();
  std::vector<std::string> others;
  std::error_code failed;
  for (sys::fs::directory_iterator it(directory, failed), end; it != end && !failed; it.increment(failed)) {
    StringRef name = sys::path::filename(it->path());
    if (is_contained({".safetensors", ".pth", ".pt", ".bin", ".ckpt"}, sys::path::extension(name)))
      others.push_back(name.str());
  }
  llvm::sort(others);
  if (others.size() == 1)
    return others.front();
  return makeError(directory + ": expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or one " +
                   "other file of weights, found " +
                   (others.empty() ? "none"
                                   : Twine(others.size()) + ", " + quoted(others[0]) + " and " + quoted(others[1]) +
                                         " among them; choose one with --weights-file"));
}

} // namespace

Expected<std::unique_ptr<Checkpoint>> Checkpoint::open(StringRef path, StringRef weightsFile) {
  std::string directory = path.str(), weightsPath = path.str();
  if (sys::fs::is_directory(path)) {
    std::string name = weightsFile.str();
    if (name.empty()) {
      Expected<std::string> found = findWeights(path);
      if (!found)
        return found.takeError();
      name = std::move(*found);
    }
    weightsPath = joined(path, name);
    if (!sys::fs::exists(weightsPath))
      return makeError(path + ": expected " + name + ", found nothing");
  } else if (!sys::fs::exists(path)) {
    return makeError(path + ": expected a model directory or a file of weights, found nothing");
  } else if (!weightsFile.empty()) {
    return makeError(path + ": expected a model directory with " + weightsFile + " in it, found a file");
  } else if (path.ends_with(".json") && !path.ends_with(".index.json")) {
    return makeError(path + ": expected a model directory or a file of weights, found a JSON file");
  } else {
    directory = sys::path::parent_path(path).str();
    if (directory.empty())
      directory = ".";
  }
  std::unique_ptr<Checkpoint> result(new Checkpoint(directory));
  bool isIndex = StringRef(weightsPath).ends_with(".json");
  if (Error failed = isIndex ? result->readIndex(weightsPath) : result->addShard(weightsPath))
    return std::move(failed);
  result->listTensors();
  return std::move(result);
}

Error Checkpoint::addShard(StringRef shardPath) {
  Expected<std::unique_ptr<WeightFile>> file = WeightFile::open(shardPath);
  if (!file)
    return file.takeError();
  for (const TensorInfo &info : (*file)->tensors()) {
    auto [entry, isNew] = tensors.try_emplace(info.name, Tensor{file->get(), &info});
    if (!isNew)
      return makeError(shardPath + ": tensor " + quoted(info.name) + ": expected it in one file, found it also in " +
                       entry->second.file->file().path());
  }
  shards.push_back(std::move(*file));
  return Error::success();
}

Error Checkpoint::readIndex(StringRef indexPath) {
  Expected<json::Object> index = readJsonObject(indexPath);
  if (!index)
    return index.takeError();
  const json::Object *weightMap = index->getObject("weight_map");
  if (!weightMap)
    return makeError(indexPath + ": key 'weight_map': expected an object, found " + describe(index->get("weight_map")));

  // Sorted, so that the same broken checkpoint always gives the same message.
  std::map<std::string, std::string> shardOf;
  std::map<std::string, std::string> firstTensorOf;
  for (auto &[key, value] : *weightMap) {
    std::string name = StringRef(key).str();
    std::optional<StringRef> shard = value.getAsString();
    if (!shard || !isPlainFileName(*shard))
      return makeError(indexPath + ": tensor " + quoted(name) +
                       ": expected the name of a file in the directory, found " + describe(&value));
    shardOf[name] = shard->str();
    auto [first, isNew] = firstTensorOf.try_emplace(shard->str(), name);
    if (!isNew && name < first->second)
      first->second = name;
  }
  for (auto &[shard, tensor] : firstTensorOf) {
    std::string shardPath = joined(path, shard);
    if (!sys::fs::exists(shardPath))
      return makeError(shardPath + ": missing, but " + indexPath + " says that tensor " + quoted(tensor) + " is in it");
    if (Error failed = addShard(shardPath))
      return failed;
    for (const TensorInfo &info : shards.back()->tensors()) {
      auto listed = shardOf.find(info.name);
      if (listed == shardOf.end() || listed->second != shard)
        return makeError(shardPath + ": tensor " + quoted(info.name) + ": expected it to be listed in " + indexPath +
                         ", found " + (listed == shardOf.end() ? "nothing" : "it under " + quoted(listed->second)));
    }
  }
  for (auto &[name, shard] : shardOf)
    if (!tensors.count(name))
      return makeError(joined(path, shard) + ": tensor " + quoted(name) + ": expected it, as " + indexPath +
                       " lists it here, found nothing");
  return Error::success();
}

void Checkpoint::listTensors() {
  for (auto &entry : tensors)
    names.push_back(entry.first().str());
  llvm::sort(names);
}

const Checkpoint::Tensor *Checkpoint::find(StringRef name) const {
  auto it = tensors.find(name);
  return it == tensors.end() ? nullptr : &it->second;
}

bool Checkpoint::isSame(const Tensor &left, const Tensor &right) const {
  if (left.info->dtypeName != right.info->dtypeName || left.info->shape != right.info->shape)
    return false;
  ArrayRef<uint8_t> a = left.file->bytes(*left.info), b = right.file->bytes(*right.info);
  constexpr size_t kStep = 16 << 20;
  for (size_t at = 0; at < a.size() && a.data() != b.data(); at += kStep) {
    ArrayRef<uint8_t> pieceOfA = a.drop_front(at).take_front(kStep), pieceOfB = b.drop_front(at).take_front(kStep);
    bool same = pieceOfA == pieceOfB;
    release(pieceOfA);
    release(pieceOfB);
    if (!same)
      return false;
  }
  return true;
}

Expected<TensorView> Checkpoint::lookup(StringRef name) const {
  if (const Tensor *tensor = find(name))
    return tensor->file->view(*tensor->info);
  return makeError(path + ": tensor " + quoted(name) + ": expected it in the checkpoint, found nothing");
}

void Checkpoint::release(ArrayRef<uint8_t> bytes) const {
  for (const std::unique_ptr<WeightFile> &shard : shards)
    if (shard->file().contains(bytes))
      return shard->file().release(bytes);
}
