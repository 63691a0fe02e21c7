//===- StageFile.cpp - pipelines of the phases from a file ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/StageFile.h"

#include "lowering/cpu/Pipeline.h"
#include "lowering/cpu/Target.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Pipelines.h"
#include "tools/check/Steps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace samba;

static constexpr llvm::StringLiteral kDefault = "default";

llvm::Expected<StageFile> StageFile::read(llvm::StringRef path, llvm::ArrayRef<llvm::StringRef> names) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return llvm::createStringError("cannot read '" + path + "': " + buffer.getError().message());
  auto fail = [&](size_t line, const llvm::Twine &what) {
    return llvm::createStringError("'" + path + "':" + llvm::Twine(line) + ": " + what);
  };
  StageFile file;
  file.path = path.str();
  std::vector<std::string> texts;
  size_t number = 0;
  for (llvm::StringRef line : llvm::split((*buffer)->getBuffer(), '\n')) {
    ++number;
    line = line.split("//").first.rtrim();
    bool indented = line.ltrim() != line;
    line = line.ltrim();
    if (line.empty())
      continue;
    size_t colon = line.find(':');
    llvm::StringRef name = line.take_front(colon).rtrim();
    if (!indented && colon != llvm::StringRef::npos && llvm::is_contained(names, name)) {
      if (file.find(name))
        return fail(number, "stage '" + name + "' is there twice");
      file.stages.push_back({name.str(), {}, number});
      texts.emplace_back();
      line = line.drop_front(colon + 1).ltrim();
    } else if (!indented || file.stages.empty()) {
      return fail(number, "expected a stage (" + llvm::join(names, ", ") + ") and ':' at the start of the line, got '" +
                              line.take_front(40) + "'");
    }
    texts.back() += line.str() + " ";
  }
  if (file.stages.empty())
    return llvm::createStringError("'" + path + "': expected a stage (" + llvm::join(names, ", ") + "), found none");
  for (auto [stage, text] : llvm::zip(file.stages, texts)) {
    llvm::Expected<std::vector<std::string>> items = itemsOf(text);
    if (!items)
      return fail(stage.line, "stage " + stage.name + ": " + toString(items.takeError()));
    stage.items = std::move(*items);
  }
  return file;
}

const StageFile::Stage *StageFile::find(llvm::StringRef name) const {
  auto found = llvm::find_if(stages, [&](const Stage &stage) { return stage.name == name; });
  return found == stages.end() ? nullptr : &*found;
}

bool StageFile::replaces(llvm::StringRef stage) const {
  const Stage *found = find(stage);
  return found && !llvm::is_contained(found->items, kDefault);
}

llvm::Error StageFile::build(llvm::StringRef name, mlir::OpPassManager &pm,
                             llvm::function_ref<void(mlir::OpPassManager &)> buildDefault) const {
  const Stage &stage = *find(name);
  for (const std::string &item : stage.items) {
    if (item == kDefault) {
      buildDefault(pm);
      continue;
    }
    std::string messages;
    llvm::raw_string_ostream stream(messages);
    if (failed(mlir::parsePassPipeline(item, pm, stream))) {
      llvm::StringRef reason = llvm::StringRef(messages).split('\n').first;
      reason = reason.drop_front(reason.find("error: ") == llvm::StringRef::npos ? 0 : reason.find("error: ") + 7);
      return llvm::createStringError("'" + path + "':" + llvm::Twine(stage.line) + ": stage " + name + ": " + reason);
    }
  }
  return llvm::Error::success();
}

namespace {

struct StageOptions : public mlir::PassPipelineOptions<StageOptions> {
  Option<std::string> file{*this, "file", llvm::cl::desc("lines of the form 'fuse: passes'")};
  Option<std::string> stage{*this, "stage", llvm::cl::desc("optimise, fuse, schedule or lower"),
                            llvm::cl::init("fuse")};
};

void buildDefault(llvm::StringRef stage, mlir::OpPassManager &pm) {
  CpuTarget target = llvm::cantFail(CpuTarget::get("native"));
  if (stage == "optimise")
    buildOptimisePipeline(pm, "f32", !target.bf16Dot.empty());
  else if (stage == "fuse")
    buildFusePipeline(pm);
  else if (stage == "schedule")
    buildSchedulePipeline(pm, target.panelWidth);
  else
    buildCpuLoweringPipeline(pm, "native");
}

} // namespace

void samba::registerStagePipeline() {
  mlir::PassPipelineRegistration<StageOptions>(
      "samba-stage", "Passes of a stage from a file.", [](mlir::OpPassManager &pm, const StageOptions &options) {
        llvm::StringRef stage = options.stage;
        llvm::Expected<StageFile> file = StageFile::read(options.file, {"optimise", "fuse", "schedule", "lower"});
        llvm::Error error =
            !file ? file.takeError()
            : !file->has(stage)
                ? llvm::createStringError("'" + options.file + "': expected a stage '" + stage + "', found none")
                : file->build(stage, pm, [&](mlir::OpPassManager &inner) { buildDefault(stage, inner); });
        if (error)
          llvm::reportFatalUsageError(std::move(error));
      });
}
