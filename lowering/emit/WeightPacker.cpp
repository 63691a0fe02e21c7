//===- WeightPacker.cpp - checkpoint to weights section -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/WeightPacker.h"

#include "dialect/Numerics.h"
#include "dialect/Samba.h"
#include "lowering/emit/Checksum.h"
#include "passes/MemoryLayout.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Threading.h"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kJobBytes = 4 << 20;

std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (int64_t size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

llvm::Error weightError(llvm::StringRef name, const llvm::Twine &message) {
  return llvm::createStringError("weight '" + name + "': " + message);
}

// Shape, layout, type and transform of a weight; the source is set by the caller. A description that is returned is
// small enough for all arithmetic on it.
llvm::Expected<PanelPacking> describe(WeightOp weight) {
  RankedTensorType type = weight.getTensorType();
  PanelPacking packing;
  if (type.getElementType().isBF16())
    packing.packedType = DType::BF16;
  else if (!type.getElementType().isF32())
    return weightError(weight.getSymName(), "only f32 and bf16 can be packed");
  if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding());
      quant && quant.getWidth() && type.getRank() == 2 && packedSizeInBytes(type) < kTooManyBytes) {
    packing.rows = type.getDimSize(0);
    packing.columns = type.getDimSize(1);
    packing.width = quant.getWidth();
    packing.interleave = quant.getGroup();
    packing.bits = quant.getBits();
    return packing;
  }
  auto layout = dyn_cast_or_null<LayoutAttr>(type.getEncoding());
  if ((type.getEncoding() && !layout) || (layout && (type.getRank() != 2 || layout.getWidth() < 0)))
    return weightError(weight.getSymName(), "unknown layout");
  if (packedSizeInBytes(type) >= kTooManyBytes)
    return weightError(weight.getSymName(), "is too large");

  packing.roundSource = weight->hasAttr(kRoundSource);
  packing.plusOne = weight->hasAttr(kPlusOne);
  packing.negExp = weight.getTransform() == WeightTransform::NegExp;
  if (!layout) {
    packing.columns = type.getNumElements();
    return packing;
  }
  packing.rows = type.getDimSize(0);
  packing.columns = type.getDimSize(1);
  packing.width = layout.isPanels() ? layout.getWidth() : packing.rows;
  packing.interleave = layout.getInterleave();
  if (packing.width < 1)
    return weightError(weight.getSymName(), "unknown layout");
  return packing;
}

} // namespace

llvm::Expected<WeightPacker> WeightPacker::create(ModuleOp module, const WeightSource &source) {
  WeightPacker packer(source);
  auto total = module->getAttrOfType<IntegerAttr>("samba.weight_bytes");
  if (!total || total.getInt() < 0 || total.getInt() >= kTooManyBytes)
    return llvm::createStringError("the weights have no place yet (samba-plan-memory has not run)");
  packer.bytes = total.getInt();

  for (WeightOp op : module.getOps<WeightOp>()) {
    llvm::StringRef name = op.getSymName();
    RankedTensorType type = op.getTensorType();
    llvm::Expected<PanelPacking> packing = describe(op);
    if (!packing)
      return packing.takeError();
    int64_t size = packedSizeInBytes(type);
    std::optional<uint64_t> offset = op.getOffset();
    if (!offset || *offset % kMemoryAlignment != 0 || *offset > packer.bytes || uint64_t(size) > packer.bytes - *offset)
      return weightError(name, "has no valid place in the weights (samba-plan-memory has not run)");

    for (const WeightOp::Part &part : op.getParts()) {
      llvm::Expected<TensorView> view = source.lookup(part.source);
      if (!view)
        return view.takeError();
      std::optional<int64_t> first = part.firstElementIn(view->shape);
      if (!first)
        return weightError(name, "tensor '" + part.source + "' has shape " + shapeText(view->shape) + ", expected " +
                                     (part.firstRow ? "rows " + llvm::Twine(*part.firstRow) + " and on to be " : "") +
                                     shapeText(part.shape));
      int64_t elements = view->numElements(), width = dtypeSize(view->dtype);
      if (int64_t(view->bytes.size()) != elements * width)
        return weightError(name, "tensor '" + part.source + "' has " + llvm::Twine(view->bytes.size()) +
                                     " bytes, expected " + llvm::Twine(elements * width));
      int64_t given = 1;
      for (int64_t size : part.shape)
        given *= size;
      packing->sources.push_back({view->bytes.data() + *first * width, view->dtype, given});
    }
    packer.weights.push_back({name.str(), *packing, *offset, uint64_t(size)});
  }

  llvm::sort(packer.weights, [](const Weight &a, const Weight &b) { return a.offset < b.offset; });
  for (size_t i = 1; i < packer.weights.size(); ++i)
    if (packer.weights[i].offset < packer.weights[i - 1].offset + packer.weights[i - 1].size)
      return weightError(packer.weights[i].name, "overlaps weight '" + packer.weights[i - 1].name + "'");
  return packer;
}

std::vector<WeightPacker::Job> WeightPacker::makeJobs() const {
  std::vector<Job> jobs;
  for (const Weight &weight : weights) {
    const PanelPacking &packing = weight.packing;
    int64_t groups = packing.groups(), step = std::max<int64_t>(1, kJobBytes / packing.groupBytes());
    if (step > packing.groupsPerPanel()) // whole panels: what a job reads is then contiguous
      step -= step % packing.groupsPerPanel();
    for (int64_t begin = 0; begin < groups; begin += step)
      jobs.push_back({&weight, begin, std::min(groups, begin + step)});
  }
  return jobs;
}

void WeightPacker::release(const Job &job) const {
  const PanelPacking &packing = job.weight->packing;
  auto releaseElements = [&](int64_t first, int64_t count) {
    for (const PackSource &part : packing.sources) {
      int64_t begin = std::clamp<int64_t>(first, 0, part.elements);
      int64_t end = std::clamp<int64_t>(first + count, 0, part.elements);
      int64_t bytes = dtypeSize(part.type);
      if (begin < end)
        source->release({part.bytes + begin * bytes, size_t((end - begin) * bytes)});
      first -= part.elements;
    }
  };
  int64_t columns = packing.columns, perPanel = packing.groupsPerPanel();
  for (int64_t begin = job.begin; begin < job.end;) {
    int64_t panel = begin / perPanel, stop = std::min(job.end, (panel + 1) * perPanel);
    int64_t firstRow = panel * packing.width, lastRow = std::min(packing.rows, firstRow + packing.width);
    int64_t first = (begin - panel * perPanel) * packing.interleave;
    int64_t last = std::min(columns, (stop - panel * perPanel) * packing.interleave);
    if (stop - begin == perPanel)
      releaseElements(firstRow * columns, (lastRow - firstRow) * columns);
    else
      for (int64_t row = firstRow; row < lastRow; ++row)
        releaseElements(row * columns + first, last - first);
    begin = stop;
  }
}

// Threads take jobs in the order of the section and pack them side by side. The checksum needs the bytes in order, so
// each thread waits for its turn to add its piece; the job whose turn it is is never one that waits for another.
class WeightPacker::Run {
public:
  Run(const WeightPacker &packer, const Sink &sink, const Options &options)
      : packer(packer), sink(sink), options(options), jobs(packer.makeJobs()) {}

  llvm::Expected<uint64_t> run() {
    unsigned threads = options.threads ? options.threads : llvm::hardware_concurrency().compute_thread_count();
    threads = std::min<size_t>(threads, std::max<size_t>(1, jobs.size()));
    std::vector<std::thread> helpers;
    for (unsigned i = 1; i < threads; ++i)
      helpers.emplace_back([this] { work(); });
    work();
    for (std::thread &helper : helpers)
      helper.join();
    if (failed)
      return std::move(failure);
    hash.updateZeros(packer.bytes - hashedBytes);
    return hash.value();
  }

private:
  void work() {
    std::vector<uint8_t> buffer;
    while (!failed) {
      size_t index = next++;
      if (index >= jobs.size())
        return;
      const Job &job = jobs[index];
      const PanelPacking &packing = job.weight->packing;
      uint64_t offset = job.weight->offset + job.begin * packing.groupBytes();
      buffer.resize((job.end - job.begin) * packing.groupBytes());
      packGroups(packing, job.begin, job.end, buffer.data());
      packer.release(job);
      llvm::Error error = sink(offset, buffer);

      std::unique_lock<std::mutex> lock(mutex);
      if (error) {
        if (failed)
          llvm::consumeError(std::move(error));
        else
          failure = std::move(error);
        failed = true;
        turn.notify_all();
        return;
      }
      turn.wait(lock, [&] { return failed || hashedJobs == index; });
      if (failed)
        return;
      hash.updateZeros(offset - hashedBytes);
      hash.update(buffer);
      hashedBytes = offset + buffer.size();
      ++hashedJobs;
      if (options.progress)
        options.progress(hashedBytes, packer.bytes);
      turn.notify_all();
    }
  }

  const WeightPacker &packer;
  const Sink &sink;
  const Options &options;
  std::vector<Job> jobs;
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};

  std::mutex mutex; // guards what follows
  std::condition_variable turn;
  llvm::Error failure = llvm::Error::success();
  size_t hashedJobs = 0;
  uint64_t hashedBytes = 0;
  Checksum hash;
};

llvm::Expected<uint64_t> WeightPacker::pack(const Sink &sink, const Options &options) const {
  return Run(*this, sink, options).run();
}

llvm::Expected<uint64_t> WeightPacker::packToMemory(llvm::MutableArrayRef<uint8_t> section,
                                                    const Options &options) const {
  if (section.size() < bytes)
    return llvm::createStringError("weights of %llu bytes do not fit %zu bytes", (unsigned long long)bytes,
                                   section.size());
  auto copy = [&](uint64_t offset, llvm::ArrayRef<uint8_t> piece) {
    std::memcpy(section.data() + offset, piece.data(), piece.size());
    return llvm::Error::success();
  };
  return pack(copy, options);
}
