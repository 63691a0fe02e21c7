//===- Plugins.cpp - passes and dialects from elsewhere -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/Plugins.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace samba;

static llvm::Error explain(llvm::StringRef path, llvm::Error error) {
  std::string reason = llvm::toString(std::move(error));
  llvm::StringRef line = llvm::StringRef(reason).rtrim();
  return llvm::createStringError("plugin '" + path + "': " + line);
}

llvm::Error Plugins::load(mlir::DialectRegistry &registry) const {
  for (const std::string &path : dialects) {
    llvm::Expected<mlir::DialectPlugin> plugin = mlir::DialectPlugin::load(path);
    if (!plugin)
      return explain(path, plugin.takeError());
    plugin->registerDialectRegistryCallbacks(registry);
  }
  for (const std::string &path : passes) {
    llvm::Expected<mlir::PassPlugin> plugin = mlir::PassPlugin::load(path);
    if (!plugin)
      return explain(path, plugin.takeError());
    plugin->registerPassRegistryCallbacks();
  }
  return llvm::Error::success();
}
