//===- Kernels.h - launches of each operation --------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per operation, or group of operations, of the dialect: it adds the launches that compute it to the step.
// What an operation means stands in dialect/SambaOps.td; here stands how a device computes it.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_KERNELS_H
#define LOWERING_GPU_KERNELS_H

#include "dialect/Samba.h"
#include "lowering/gpu/GpuEmitter.h"
#include "lowering/gpu/Program.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace samba {

/// A matrix in the device's memory: `extent` rows of `width` elements, `stride` elements apart. A weight has a static
/// number of rows; vectors have one row.
struct Matrix {
  LaunchArgument base; // where row 0, column 0 lies
  int64_t width = 0, stride = 0;
  mlir::Type element;
  Extent extent = Extent::One;
  QuantAttr quant = {}; // of a quantised weight, whose stride says nothing (QuantWeight.h)

  explicit operator bool() const { return width > 0; }
  /// A power of two up to 16 that divides the addresses of all rows, in bytes.
  int64_t alignment() const;
  /// How many neighbouring elements, up to `most`, may be accessed at once: they are aligned and make up the rows.
  int64_t vectorWidth(int64_t most) const;
  /// Says all of it but the place, for the identity of a kernel.
  std::string describe() const;
};

/// The slices of one state argument: that of sequence `s` lies at `states[s] + offset`.
struct StateSlice {
  int64_t offset = 0;
  StateType type;
};

/// What the launches of one program are made with. Kernels are shared by all that are the same.
class StepBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  StepBuilder(mlir::gpu::GPUModuleOp module, GpuProgram &program, llvm::StringMap<std::string> &kernels,
              llvm::StringSet<> &names)
      : loc(module.getLoc()), module(module), program(program), kernels(kernels), names(names) {}

  const Limits &limits() const { return program.limits; }
  /// All segments have one token at most.
  bool isDecode() const { return program.limits.longest == 1; }
  /// The kernels are for sm_90a alone.
  bool isHopper() const { return program.exact == 90; }
  mlir::MLIRContext *context() { return module.getContext(); }

  /// A new intermediate value of dense rows.
  Matrix buffer(int64_t width, mlir::Type element, Extent extent);

  /// Inputs of the step.
  static LaunchArgument input(llvm::StringRef name);

  /// What a kernel is and how it is launched.
  struct Spec {
    std::string kind; // of the kernel: the start of its name
    std::string key;  // all that its code depends on beside the kind
    int64_t threads = 128;
    GridSize grid[3] = {};
    int64_t sharedBytes = 0; // that the launch gives the kernel (GpuEmitter::dynamicShared)
    bool hopper = false;     // only sm_90a can run it
    bool chooses = false;    // launched only in steps of which tokens are wanted in place of logits
  };
  using Body = llvm::function_ref<void(GpuEmitter &e, ValueRange arguments)>;
  /// Adds a launch. `body` writes the kernel if none of that kind and key exists. Arguments are pointers, those of
  /// states and numbers i64, maps pointers to them.
  void launch(const Spec &spec, std::vector<LaunchArgument> arguments, Body body);
  void probe(int64_t index, const Matrix &x);

  std::string layer; // names the launches from now on
  mlir::Location loc;

private:
  std::string write(const Spec &spec, llvm::ArrayRef<LaunchArgument> arguments, Body body);

  mlir::gpu::GPUModuleOp module;
  GpuProgram &program;
  llvm::StringMap<std::string> &kernels; // kind and key -> name
  llvm::StringSet<> &names;
};

/// The sizes of the step, as a kernel reads them.
enum class SizeIndex { Tokens, Sequences, Rows, Longest };
mlir::Value loadSize(GpuEmitter &e, mlir::Value sizes, SizeIndex which);
SizeIndex sizeIndexOf(Extent extent);
/// The sequence that owns a row: the first `s` with `segments[s + 1] > row`.
mlir::Value findSegment(GpuEmitter &e, mlir::Value segments, mlir::Value row);
/// The slice of sequence `s`, a pointer to f32 in global memory.
mlir::Value statePointer(GpuEmitter &e, mlir::Value states, mlir::Value sequence, mlir::Value offset);

/// Rows.cpp
void launchEmbedding(StepBuilder &s, const LaunchArgument &tokens, const Matrix &table, const Matrix &result);
void launchGather(StepBuilder &s, const Matrix &x, const LaunchArgument &rows, const Matrix &result);
void launchCopy(StepBuilder &s, const Matrix &x, const Matrix &result);
void launchAdd(StepBuilder &s, const Matrix &x, const Matrix &y, const Matrix &result);
void launchSwiglu(StepBuilder &s, const Matrix &gate, const Matrix &up, const Matrix &result);

/// How rows are normalised. The weight may be null; with one there may be a bias.
struct NormOperands {
  Matrix weight, bias;
  double eps = 0;
  bool centred = false; // the mean is taken off first: LayerNorm
};
/// Norm.cpp
void launchNorm(StepBuilder &s, const Matrix &x, const NormOperands &norm, const Matrix &result);

/// Convolution.cpp: `weight` is `[K, D]`.
struct ConvolutionOperands {
  Matrix x, weight, bias, result; // bias may be null
  StateSlice state;
  Activation activation = Activation::None;
};
void launchConvolution(StepBuilder &s, const ConvolutionOperands &conv);
/// A channel's step of one token, for a kernel that has computed its input: stores the output and moves the state on.
struct ConvolutionPlaces {
  mlir::Value weight, bias, result, segments, states, offset;
};
void emitConvolutionStep(GpuEmitter &e, const ConvolutionOperands &conv, const ConvolutionPlaces &places,
                         mlir::Value channel, mlir::Value row, mlir::Value input);
std::string describe(const ConvolutionOperands &conv);

/// result = x weight^T and what follows it. The result may be stored rounded.
struct LinearOperands {
  Matrix x, weight, bias, residual, result; // bias and residual may be null
  int64_t outputs = 0;                      // rows of the weight
  bool swiglu = false; // the first half of the outputs gates the second: the result has half as many columns
  // With the weight of a norm, x is normalised first, and rounded to `roundedTo` if that is set.
  NormOperands norm;
  mlir::Type roundedTo;
  // Columns from `convColumn` on go through a convolution, if there is one, and are not stored. One token a sequence.
  std::optional<ConvolutionOperands> conv;
  int64_t convColumn = 0;
};
/// Linear.cpp chooses among: LinearTile.cpp (any shape, f32 arithmetic), LinearTensor.cpp (bf16 on tensor cores),
/// LinearHopper.cpp (the same on those of sm_90a), LinearSplit.cpp (bf16 weights and any x on tensor cores),
/// LinearDecode.cpp (few rows), LinearFew.cpp (the same on tensor cores), and for quantised weights
/// LinearQuantDecode.cpp (any shape, f32 arithmetic), LinearFew.cpp, LinearQuant.cpp and LinearQuantHopper.cpp (on
/// tensor cores, the last on those of sm_90a).
void launchLinear(StepBuilder &s, const LinearOperands &linear);
/// Whether the kernel that it will be can go on with a convolution.
bool joinsConvolution(const StepBuilder &s, const LinearOperands &linear);
void launchLinearTile(StepBuilder &s, const LinearOperands &linear);
bool fitsLinearTensor(const LinearOperands &linear);
void launchLinearTensor(StepBuilder &s, const LinearOperands &linear);
bool fitsLinearSplit(const LinearOperands &linear);
void launchLinearSplit(StepBuilder &s, const LinearOperands &linear);
bool fitsLinearHopper(const StepBuilder &s, const LinearOperands &linear);
void launchLinearHopper(StepBuilder &s, const LinearOperands &linear);
bool fitsLinearDecode(const StepBuilder &s, const LinearOperands &linear);
void launchLinearDecode(StepBuilder &s, const LinearOperands &linear);
bool fitsLinearFew(const StepBuilder &s, const LinearOperands &linear);
void launchLinearFew(StepBuilder &s, const LinearOperands &linear);
bool fitsQuantDecodeNorm(const LinearOperands &linear);
void launchLinearQuantDecode(StepBuilder &s, const LinearOperands &linear);
void launchLinearQuant(StepBuilder &s, const LinearOperands &linear);
void launchLinearQuantHopper(StepBuilder &s, const LinearOperands &linear);

/// Argmax.cpp: to the step's output "argmax".
void launchArgmax(StepBuilder &s, const Matrix &logits);

/// Rotary.cpp
void launchRotaryTable(StepBuilder &s, double theta, const Matrix &result);
void launchRotary(StepBuilder &s, const Matrix &x, const Matrix &table, const Matrix &result);

/// Scan.cpp: `A` is `[N, E]`; D, z and deltaBias may be null.
struct ScanOperands {
  Matrix u, delta, A, B, C, D, z, deltaBias, result;
  Matrix kept; // the result before z gates it, if that is wanted, too
  StateSlice state;
  bool softplus = false;
  // With one token a sequence the scan may compute delta itself: x weight^T + bias of this.
  std::optional<LinearOperands> projection;
};
bool fitsScanProjection(const StepBuilder &s, const LinearOperands &projection);
void launchScan(StepBuilder &s, const ScanOperands &scan);

/// DifferentialNorm.cpp
struct DifferentialNormOperands {
  Matrix x, lambda, weight, result;
  LaunchArgument depth;
  int64_t pairs = 1; // of a run of heads
  double eps = 0;
};
void launchDifferentialNorm(StepBuilder &s, const DifferentialNormOperands &norm);
/// The factor of the second head of a pair, and that of the norm. All threads take part, in groups of `group`.
std::pair<mlir::Value, mlir::Value> emitDifferentialFactors(GpuEmitter &e, const Matrix &lambda, mlir::Value pointer,
                                                            mlir::Value depth, int64_t group);

/// Attention.cpp: without k and v, cross-attention of the tokens that `rows` selects, to what is in the states.
struct AttentionOperands {
  Matrix q, k, v, result;
  StateSlice keys, values;
  bool windowed = true;
  Matrix table;                                        // if q and k are still to be rotated
  LaunchArgument rows;                                 // of cross-attention
  bool roundWeights = false;                           // to bf16, once the sum of all is known
  bool inBf16 = false;                                 // queries, keys, values and weights may be rounded
  std::optional<DifferentialNormOperands> differences; // of the result, which then nothing else reads

  bool isCross() const { return !k; }
  int64_t headDim() const { return keys.type.getShape()[2]; }
  int64_t valueDim() const { return values.type.getShape()[2]; }
};
void launchAttention(StepBuilder &s, const AttentionOperands &attention);

} // namespace samba

#endif // LOWERING_GPU_KERNELS_H
