//===- ModelDescription.h - a model, whatever family it is of ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the reader of a family (frontend/families) makes of a configuration, and all that the importer and the tensor
// checker know of a model: its blocks, and for each weight where its values are in the checkpoint.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_MODELDESCRIPTION_H
#define FRONTEND_MODELDESCRIPTION_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace samba {

/// A tensor that the checkpoint holds.
struct TensorSpec {
  std::string name;
  llvm::SmallVector<int64_t, 3> shape;
};

/// Rows of a tensor of the checkpoint, or all of it.
struct TensorRows {
  TensorSpec tensor;
  std::optional<int64_t> firstRow; // none: the whole tensor
  int64_t rows = 0;                // with firstRow only
};

/// A weight of the model: its place in the module, and the rows of tensors that it is made of, one after another.
struct WeightSpec {
  std::string role; // "in_proj.weight", "conv1d.bias", "A_log": what the block's builder asks for
  std::vector<TensorRows> parts; // whose moves do not throw: blocks and layers are moved, not copied, as they grow

  /// A weight that is one tensor.
  static WeightSpec of(llvm::StringRef role, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  /// The weight's shape: that of the first tensor with the rows of all parts, unit sizes dropped ([D, 1, K] is [D, K]).
  llvm::SmallVector<int64_t, 3> shape() const;
};

/// A norm that has weights and biases if the block has some of its name.
struct NormSpec {
  double eps = 1e-5;
  bool centred = false; // LayerNorm; else RMSNorm
  bool operator==(const NormSpec &other) const { return eps == other.eps && centred == other.centred; }
};

/// x + out_proj(scan(conv(in_proj(norm(x))))): SPEC 1.5. Weights: norm, in_proj, conv1d, x_proj, dt_proj, A_log, D,
/// out_proj; biases where present.
struct MambaSpec {
  int64_t innerSize = 0, stateSize = 0, convKernel = 0, dtRank = 0;
  /// RMS norms of dt, B and C between x_proj and dt_proj, with this eps; with weights dt_norm, B_norm and C_norm if the
  /// block has them.
  std::optional<double> innerNormEps;
  /// What the scan yields before its gate is the memory of the gated memory units after it.
  bool memory = false;

  bool operator==(const MambaSpec &other) const {
    return innerSize == other.innerSize && stateSize == other.stateSize && convKernel == other.convKernel &&
           dtRank == other.dtRank && innerNormEps == other.innerNormEps && memory == other.memory;
  }
};

/// x + out_proj(silu(in_proj(norm(x))) * memory): SPEC 3.5. Weights: norm, in_proj, out_proj; biases where present.
struct GatedMemorySpec {
  int64_t innerSize = 0;

  bool operator==(const GatedMemorySpec &other) const { return innerSize == other.innerSize; }
};

/// Differences of pairs of heads: SPEC 3.5. Weights: lambda (q1, k1, q2, k2), subln. Heads of queries are in the order
/// of samba.differential_norm, those of keys and values as they come.
struct DifferentialSpec {
  double eps = 1e-5;
  bool operator==(const DifferentialSpec &other) const { return eps == other.eps; }
};

/// x + o_proj(attention(norm(x))): SPEC 1.3. Weights: norm, q_proj, k_proj, v_proj, o_proj; biases where present.
struct AttentionSpec {
  int64_t numHeads = 0, numKvHeads = 0, headDim = 0;
  std::optional<int64_t> window;           // tokens, the current one included; none: full attention
  std::optional<double> ropeTheta = 10000; // none: no rotary embedding
  std::optional<DifferentialSpec> differential;
  /// The keys and values are those of the last layer before it that has its own, without a window; so there are no
  /// weights k_proj and v_proj. Without rotary embedding.
  bool cross = false;

  bool operator==(const AttentionSpec &other) const {
    return numHeads == other.numHeads && numKvHeads == other.numKvHeads && headDim == other.headDim &&
           window == other.window && ropeTheta == other.ropeTheta && differential == other.differential &&
           cross == other.cross;
  }
};

/// x + down_proj(silu(gate_proj(norm(x))) * up_proj(norm(x))): SPEC 1.4. Weights: norm, gate_proj, up_proj, down_proj;
/// biases where present.
struct MlpSpec {
  int64_t width = 0;

  bool operator==(const MlpSpec &other) const { return width == other.width; }
};

/// A residual block: x plus what it computes of the norm of x.
struct BlockSpec {
  std::string name; // "mixer", "mlp": distinct within the layer; in the names of weights, "layers.3.mixer.in_proj"
  NormSpec norm;
  std::variant<AttentionSpec, MambaSpec, MlpSpec, GatedMemorySpec> body;
  std::vector<WeightSpec> weights; // of the roles that `body` says, in the order of computation
  /// Only tokens whose logits are wanted go through this block and those after it; no state of theirs depends on them.
  bool selected = false;

  const AttentionSpec *attention() const { return std::get_if<AttentionSpec>(&body); }
  const MambaSpec *mamba() const { return std::get_if<MambaSpec>(&body); }
  const MlpSpec *mlp() const { return std::get_if<MlpSpec>(&body); }
  const GatedMemorySpec *gatedMemory() const { return std::get_if<GatedMemorySpec>(&body); }

  void add(llvm::StringRef role, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape) {
    weights.push_back(WeightSpec::of(role, tensor, shape));
  }
  /// `role`.weight [out, in] and, with `bias`, `role`.bias [out], of the tensors `tensor`.weight and .bias.
  void addLinear(llvm::StringRef role, llvm::StringRef tensor, int64_t out, int64_t in, bool bias = false);
};

/// Which of a Mamba mixer's weights have a bias; dt_proj always does.
struct MambaBiases {
  bool inProj = false, outProj = false, conv = true;
};
/// The weights of a Mamba mixer of the widespread names, `prefix` + "in_proj.weight" and so on, but for its norm and
/// inner norms. `block.body` is a MambaSpec.
void addMambaWeights(BlockSpec &block, const std::string &prefix, int64_t hiddenSize, MambaBiases biases);

/// One hidden value is shown to probes for each layer.
struct LayerSpec {
  std::vector<BlockSpec> blocks;
};

struct ModelDescription {
  std::string family;     // "samba"
  std::string configPath; // for messages
  int64_t vocabSize = 0, hiddenSize = 0;
  std::vector<LayerSpec> layers;
  NormSpec finalNorm;
  WeightSpec embeddings, finalNormWeight;  // roles "embeddings.weight", "norm_f.weight"
  std::optional<WeightSpec> finalNormBias; // role "norm_f.bias"
  std::optional<WeightSpec> head;          // role "lm_head.weight"; none: the embeddings
  /// A tied head may be stored too, under this name, if it equals the embeddings.
  std::string tiedHead;
  /// Tensors that may be in the checkpoint and are not needed.
  std::vector<std::string> ignoredTensors;
  int64_t maxPositionEmbeddings = 0;
  std::optional<int64_t> bosToken, eosToken, padToken; // below vocabSize
  std::vector<int64_t> moreEnds;                       // tokens beside eosToken that end a text
  /// How the family's own code rounds, as flags of dialect/Numerics.h: "residual=f32,norm_cast=hf". Has no effect
  /// before `dtype` asks for roundings.
  std::string numerics;
  /// One line each, for the user: keys that were not understood and do not matter as far as is known.
  std::vector<std::string> warnings;

  /// Tokens that end a text, the first of them `eosToken`.
  void endAt(const std::vector<int64_t> &tokens);
  /// As the key `eos_token_id` has it: null, a token, or a list.
  llvm::json::Value ends() const;
  /// Both need the sizes. A head is `lm_head.weight`, or the embeddings if it is tied to them.
  void addFinalNorm(llvm::StringRef tensor, double eps);
  void addHead(bool tied);

  /// "layers.3.mixer.in_proj": the symbol of a weight of a block.
  static std::string symbolOf(size_t layer, const BlockSpec &block, const WeightSpec &weight);
  /// All tensors of the checkpoint, each once, in the order of computation.
  std::vector<TensorSpec> tensors() const;
  /// Elements of all weights together.
  int64_t numParameters() const;
  /// Calls `visit(symbol, weight)` for each weight of the module, in the order of computation.
  void forEachWeight(llvm::function_ref<void(llvm::StringRef symbol, const WeightSpec &weight)> visit) const;
  /// Any full attention at all.
  bool hasFullAttention() const;
};

} // namespace samba

#endif // FRONTEND_MODELDESCRIPTION_H
