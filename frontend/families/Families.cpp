//===- Families.cpp - the model families that can be read -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/families/Families.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "frontend/families/Microsoft.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace samba;

ArrayRef<const Family *> samba::families() {
  static const Family *const all[] = {&kFalconMambaFamily, &kJambaFamily,     &kLlamaFamily,
                                      &kMambaFamily,       &kMicrosoftFamily, &kMistralFamily,
                                      &kPhi4FlashFamily,   &kQwen2Family,     &kSambaFamily};
  return all;
}

Expected<ModelDescription> samba::describeModel(const json::Object &config, StringRef path,
                                                const Checkpoint *checkpoint) {
  const json::Value *type = config.get("model_type");
  std::optional<StringRef> name = type ? type->getAsString() : std::nullopt;
  for (const Family *family : families())
    if (name ? is_contained(family->modelTypes, *name) : !type && family->recognises && family->recognises(config))
      return family->read(config, path, checkpoint);
  std::string known;
  for (const Family *family : families())
    for (StringRef modelType : family->modelTypes)
      known += (known.empty() ? "" : ", ") + ("\"" + modelType + "\"").str();
  if (size_t last = known.rfind(", "); last != std::string::npos)
    known.replace(last, 2, " or ");
  return makeError(path + ": key 'model_type': expected " + known + ", found " + describe(type));
}

Expected<ModelDescription> samba::describeModel(const Checkpoint &checkpoint, StringRef configName) {
  if (isMicrosoftCheckpoint(checkpoint)) {
    Expected<std::optional<MicrosoftConfig>> config = findMicrosoftConfig(checkpoint, configName);
    return config ? describeMicrosoft(checkpoint, *config ? &**config : nullptr) : config.takeError();
  }
  SmallString<128> path(configName);
  if (path.empty()) {
    path = checkpoint.directory();
    sys::path::append(path, "config.json");
  }
  Expected<json::Object> config = readJsonObject(path);
  if (!config)
    return config.takeError();
  return describeModel(*config, path, &checkpoint);
}
