//===- main.cpp - samba-convert -------------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rewrites a checkpoint in another layout, without changing a bit of any value.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/Importer.h"
#include "frontend/families/Families.h"
#include "tools/CommandLine.h"
#include "tools/ProgressBar.h"
#include "tools/samba-convert/Writers.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <csignal>

using namespace llvm;
using namespace samba;
using namespace samba::convert;

namespace {

enum class Layout { Other, Fla, Microsoft };
enum class Format { SafeTensors, Torch };

cl::OptionCategory category("samba-convert");
cl::opt<std::string> input(cl::Positional, cl::desc("MODEL_DIR_OR_FILE"), cl::Required, cl::cat(category));
cl::opt<std::string> output(cl::Positional, cl::desc("OUT_DIR"), cl::Required, cl::cat(category));
cl::opt<Layout> target("to", cl::desc("Layout to write (default: the other one)"),
                       cl::values(clEnumValN(Layout::Fla, "fla", "flash-linear-attention, model_type samba"),
                                  clEnumValN(Layout::Microsoft, "microsoft", "the original training code")),
                       cl::init(Layout::Other), cl::cat(category));
cl::opt<Format> format("format", cl::desc("Files to write (default: safetensors)"),
                       cl::values(clEnumValN(Format::SafeTensors, "safetensors", "model.safetensors"),
                                  clEnumValN(Format::Torch, "pth", "model.pth, as torch.save writes {'model': ...}")),
                       cl::init(Format::SafeTensors), cl::cat(category));
cl::opt<std::string> config("config", cl::desc("Configuration of the input, as for samba-compile"),
                            cl::value_desc("name|file"), cl::cat(category));
cl::opt<std::string> weightsFile("weights-file", cl::desc("The file with the weights, if the directory has several"),
                                 cl::value_desc("name"), cl::cat(category));

std::atomic<bool> interrupted;

constexpr StringLiteral kTokenizerFiles[] = {"tokenizer.model", "tokenizer.json", "tokenizer_config.json",
                                             "special_tokens_map.json", "generation_config.json"};

/// Writes the directory under another name, which it gets when all is there.
Error write(const Conversion &conversion, const Checkpoint &checkpoint, StringRef directory) {
  std::error_code code;
  if (sys::fs::exists(directory) && (!sys::fs::is_directory(directory) ||
                                     sys::fs::directory_iterator(directory, code) != sys::fs::directory_iterator()))
    return makeError(directory + ": expected no such file or an empty directory, found one with contents");
  SmallString<128> partial;
  sys::fs::createUniquePath(directory + ".partial-%%%%%%", partial, /*MakeAbsolute=*/false);
  if ((code = sys::fs::create_directory(partial, /*IgnoreExisting=*/false, sys::fs::all_all)))
    return makeError(directory + ": cannot be made: " + code.message());
  auto in = [&](StringRef name) { return (partial + "/" + name).str(); };
  auto run = [&]() -> Error {
    uint64_t total = 0, done = 0;
    for (const OutputTensor &tensor : conversion.tensors)
      total += tensor.size();
    if (ErrorOr<sys::fs::space_info> space = sys::fs::disk_space(partial); space && space->available < total)
      return makeError(directory + ": expected " + Twine(total) + " bytes of free space, found " +
                       Twine(space->available));
    ProgressBar bar;
    Progress progress = [&](uint64_t bytes) {
      bar.update(done += bytes, total);
      return !interrupted;
    };
    Error failed = format == Format::Torch
                       ? writeTorchFile(in("model.pth"), conversion.tensors, checkpoint, progress)
                       : writeSafeTensors(in("model.safetensors"), conversion.tensors, checkpoint, progress);
    if (failed)
      return failed;
    {
      raw_fd_ostream os(in(conversion.configName), code, sys::fs::CD_CreateNew);
      if (!code)
        os << formatv("{0:2}", json::Value(json::Object(conversion.config))) << "\n";
      os.close();
      code = code ? code : os.error();
      os.clear_error();
    }
    for (StringRef name : kTokenizerFiles) {
      std::string from = (checkpoint.directory() + "/" + name).str();
      if (!code && sys::fs::is_regular_file(from))
        code = sys::fs::copy_file(from, in(name));
    }
    if (!code)
      code = sys::fs::rename(partial, directory);
    return code ? makeError(directory + ": " + code.message()) : Error::success();
  };
  Error failed = run();
  if (failed)
    sys::fs::remove_directories(partial);
  return failed;
}

Error run() {
  StringRef directory = output;
  while (directory.size() > 1 && directory.ends_with("/"))
    directory = directory.drop_back();
  Expected<std::unique_ptr<Checkpoint>> checkpoint = Checkpoint::open(input, weightsFile);
  if (!checkpoint)
    return checkpoint.takeError();
  Expected<ModelDescription> model = describeModel(**checkpoint, config);
  if (!model)
    return model.takeError();
  if (Error failed = checkTensors(*model, **checkpoint))
    return failed;
  bool isMicrosoft = model->family == "microsoft";
  Layout to = target != Layout::Other ? target : isMicrosoft ? Layout::Fla : Layout::Microsoft;
  Expected<Conversion> conversion = to == Layout::Fla ? toFla(*model, **checkpoint) : toMicrosoft(*model, **checkpoint);
  if (!conversion)
    return conversion.takeError();
  return write(*conversion, **checkpoint, directory);
}

int fail(Error error, int exitCode) {
  errs() << "samba-convert: error: " << toString(std::move(error)) << "\n";
  return exitCode;
}

} // namespace

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  if (Error wrong = readCommandLine(
          argc, argv,
          "Rewrites a checkpoint in the layout of microsoft/Samba or of flash-linear-attention. Every value keeps its "
          "bits.\n\nMakes a directory with the weights, the configuration (config.json or lit_config.json) and the "
          "tokenizer.\n"))
    return fail(std::move(wrong), 2);
  std::signal(SIGXFSZ, SIG_IGN); // a limit on file sizes is an error like a full disk
  sys::SetInterruptFunction([] { interrupted = true; });
  if (Error failed = run())
    return fail(std::move(failed), 1);
  return 0;
}
