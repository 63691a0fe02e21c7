//===- Artefact.cpp - writes compiled models ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Artefact.h"

#include "lowering/emit/Checksum.h"
#include "lowering/emit/OutputFile.h"
#include "samba/abi.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <atomic>
#include <cstddef>
#include <cstring>
#include <thread>

using namespace samba;

static_assert(sizeof(samba_footer) == 24 + 6 * sizeof(samba_section) + 8, "the footer has no padding");

namespace {

constexpr uint64_t kPage = 4096;

/// Weights of so many bytes begin at a huge page: where the file grows by little, and they do not fit into a cache.
constexpr uint64_t kHugeWeights = 16 * kHugePage;

// The checksums of the checkpoint's files, computed beside the packing while their pages are in memory anyway.
class SourceChecksums {
public:
  SourceChecksums(const std::vector<SourceFile> &files, const WeightSource &source)
      : values(files.size()), thread([this, &files, &source] {
          for (size_t i = 0; i < files.size() && !stopped; ++i)
            values[i] = compute(files[i].bytes, source);
        }) {}
  ~SourceChecksums() {
    stopped = true;
    if (thread.joinable())
      thread.join();
  }

  const std::vector<uint64_t> &wait() {
    thread.join();
    return values;
  }

private:
  uint64_t compute(llvm::ArrayRef<uint8_t> bytes, const WeightSource &source) const {
    constexpr size_t step = 4 << 20;
    Checksum hash;
    while (!bytes.empty() && !stopped) {
      llvm::ArrayRef<uint8_t> piece = bytes.take_front(step);
      hash.update(piece);
      source.release(piece);
      bytes = bytes.drop_front(piece.size());
    }
    return hash.value();
  }

  std::vector<uint64_t> values;
  std::atomic<bool> stopped{false};
  std::thread thread; // last: it uses the others
};

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> readLauncher(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read the launcher '" + path + "': " + buffer.getError().message());
  if (!(*buffer)->getBuffer().starts_with("\x7f"
                                          "ELF"))
    return llvm::createStringError("the launcher '" + path + "' is not a program");
  return std::move(*buffer);
}

} // namespace

llvm::Expected<ArtefactSizes> samba::writeArtefact(llvm::StringRef path, ArtefactContents contents,
                                                   const ArtefactOptions &options) {
  samba_footer footer = {};
  std::memcpy(footer.magic, SAMBA_FOOTER_MAGIC, sizeof(footer.magic));
  footer.abi_version = SAMBA_ABI_VERSION;

  std::unique_ptr<llvm::MemoryBuffer> launcher;
  if (!options.launcher.empty()) {
    auto read = readLauncher(options.launcher);
    if (!read)
      return read.takeError();
    launcher = std::move(*read);
  }
  llvm::Expected<OutputFile> file = OutputFile::create(path, /*executable=*/launcher != nullptr);
  if (!file)
    return file.takeError();
  std::optional<OutputFile> weightsFile;
  std::string weightsPath = (path + ".weights").str();
  if (options.splitWeights) {
    llvm::Expected<OutputFile> split = OutputFile::create(weightsPath);
    if (!split)
      return split.takeError();
    weightsFile.emplace(std::move(*split));
    footer.flags |= SAMBA_WEIGHTS_BESIDE;
  }

  uint64_t end = 0, weightsEnd = 0; // the second one in a file of the weights' own
  if (launcher) {
    if (llvm::Error error = file->write(0, launcher->getBuffer()))
      return error;
    end = llvm::alignTo(launcher->getBufferSize(), kPage);
  }
  auto append = [&](samba_section &section, llvm::StringRef bytes, uint64_t alignment = 1) {
    section = {llvm::alignTo(end, alignment), bytes.size(), checksum(bytes)};
    end = section.offset + bytes.size();
    return file->write(section.offset, bytes);
  };
  if (llvm::Error error = append(footer.code, contents.code))
    return error;

  SourceChecksums sourceChecksums(contents.sources, contents.source);
  auto pack = [&](samba_section &section, const WeightPacker *weights) -> llvm::Error {
    OutputFile &target = weightsFile ? *weightsFile : *file;
    uint64_t &at = weightsFile ? weightsEnd : end;
    section = {0, 0, checksum("")};
    if (!weights || weights->sizeInBytes() == 0)
      return llvm::Error::success();
    section.size = weights->sizeInBytes();
    bool huge = section.size >= kHugeWeights;
    section.offset = llvm::alignTo(at, huge ? kHugePage : kPage);
    at = section.offset + section.size;
    if (llvm::Error error = target.reserve(at))
      return error;
    if (huge)
      target.useHugePages(section.offset, section.size);
    auto sink = [&](uint64_t offset, llvm::ArrayRef<uint8_t> bytes) {
      return target.write(section.offset + offset, bytes);
    };
    return weights->pack(sink, options.packing).moveInto(section.checksum);
  };
  if (llvm::Error error = pack(footer.weights, contents.weights))
    return error;
  if (llvm::Error error = pack(footer.gpu_weights, contents.gpu ? contents.gpu->weights : nullptr))
    return error;
  std::string gpu = contents.gpu ? gpuSection(*contents.gpu) : "";
  if (llvm::Error error = append(footer.gpu, gpu, 64))
    return error;

  if (llvm::Error error = append(footer.tokenizer, llvm::toStringRef(contents.tokenizer)))
    return error;
  contents.manifest.setWeights(footer.weights.size,
                               weightsFile ? std::optional(llvm::sys::path::filename(weightsPath)) : std::nullopt);
  const std::vector<uint64_t> &checksums = sourceChecksums.wait();
  for (size_t i = 0; i < checksums.size(); ++i)
    contents.manifest.addSource(contents.sources[i].file, contents.sources[i].bytes.size(), checksums[i]);
  if (llvm::Error error = append(footer.manifest, contents.manifest.text()))
    return error;

  footer.file_size = end + sizeof(footer);
  llvm::StringRef footerBytes(reinterpret_cast<const char *>(&footer), sizeof(footer));
  footer.checksum = checksum(footerBytes.take_front(offsetof(samba_footer, checksum)));
  if (llvm::Error error = file->write(end, footerBytes))
    return error;

  // Both files or none. The artefact refers to the weights, so they come first.
  SignalBlock block;
  if (weightsFile)
    if (llvm::Error error = weightsFile->commit())
      return error;
  if (llvm::Error error = file->commit()) {
    if (weightsFile)
      llvm::sys::fs::remove(weightsPath);
    return error;
  }
  return ArtefactSizes{footer.code.size,        footer.weights.size,   footer.gpu.size,
                       footer.gpu_weights.size, footer.tokenizer.size, footer.file_size};
}
