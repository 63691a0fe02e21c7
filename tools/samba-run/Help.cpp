//===- Help.cpp - the text of --help -------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Options.h"

std::string samba::run::helpText(const std::string &program, bool carriesModel) {
  std::string usage = program + (carriesModel ? "" : " MODEL");
  return "usage: " + usage + " --prompt TEXT [options]      continue a text\n" + //
         "       " + usage + " --score FILE [options]       measure how well a text is predicted\n" + "       " +
         usage + " --batch FILE [-o OUT]        continue many texts\n" + "       " + usage +
         " --stream [options]           read standard input without end\n" + "       " + usage +
         " --chat [options]             have a conversation\n" + "       " + usage +
         " --info                       print the manifest of the model\n" + R"(
Input (one of them):
  --prompt TEXT          the text to continue
  --prompt-file FILE     the same, from a file
  --tokens FILE          token ids to continue, from a JSON array; nothing is added to them
  --score FILE           print tokens, negative log likelihood (nats) and perplexity as JSON; FILE is text, or a JSON
                         array of token ids if its name ends in .json
  --batch FILE           continue the prompts of a file of JSON lines, {"prompt": TEXT} or {"tokens": [...]}, each with
                         any of n, temp, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty,
                         seed, stop, logit_bias, logprobs, ignore_eos; prints one JSON line for each, in order
  --stream[=tokens]      read text, or token ids, from standard input for ever; prints a JSON line for each token, with
                         its log probability. A word is read when the space after it is. Memory does not grow

Conversations:
  --chat                 read messages from standard input, a line each, and print answers; /help lists commands (/reset,
                         /save FILE, /load FILE, /quit), """ encloses a message of several lines, Ctrl-C stops an answer.
                         Works in pipes, too. The state goes on from turn to turn: only what the chat template adds is
                         read. If the template writes earlier text anew (some trim answers, or drop thoughts), the
                         session goes back to the latest of eight kept states before the difference, or to the start,
                         and reads from there. -n is 1024 by default
  --system TEXT          the system prompt
  --chat-template FILE   a template other than the model's own

Streams:
  --continue N           print a continuation of at most N tokens for each line of the input instead; the sequence goes
                         on as if there was none

Batches:
  -o FILE                results; until all are done they are in FILE.partial, from which the same command goes on
  --concurrency N        prompts at a time (default 16)
  --budget N             tokens per step (default: that of --chunk)

Generation:
  -n N                   tokens to generate at most, or 0 to only read the prompt (default 128)
  --temp T               temperature; 0 takes the most probable token (default 0)
  --top-k K              draw from the K most probable tokens only; 0: from all (default 0; needs --temp)
  --top-p P              draw from the fewest tokens that have probability P together, 0 < P <= 1 (default 1; needs
                         --temp)
  --min-p P              drop tokens with less than P times the best one's probability (default 0; needs --temp)
  --repeat-penalty R     divide positive logits of the last 64 tokens by R, multiply others (default 1)
  --speculate=lookup[:N] guess the next N tokens (default 7) by what came after the last ones before, and evaluate them
                         together; keeps what the model would have chosen itself
  --speculate=MODEL      the same with the guesses of a smaller model
  --seed S               of the random numbers; the same seed gives the same text (default 0)
  --presence-penalty P   take P from the logits of the last 64 tokens (default 0)
  --frequency-penalty P  take P for each time that a token is among the last 64 (default 0)
  --logit-bias ID=X,...  add X to the logit of a token; -inf forbids it
  --stop TEXT            stop before this text, which is not printed; may be given several times
  --ignore-eos           do not stop at the end-of-sequence token (a model without a tokenizer never does)
  --json                 print prompt and generated token ids, text and timings (seconds) as one JSON object at the end
  --logprobs K           with --json: log probabilities of the generated tokens and of the K best ones at their places

Scoring:
  --context C            cut the ids into pieces of C, each predicted from a fresh state (default: one piece)

Limits; what was produced until then is printed, and the exit status is 0:
  --max-tokens M         tokens of prompt and text together; with --score, use only the first M ids
  --deadline SECONDS     from the start of the program; looked at after each step
  --max-memory MB        of the process, without the mapped weights; looked at after each step

States (a file of one size, whatever the length of the text):
  --save-state FILE      save the state at the end
  --load-state FILE      go on from there; a prompt is optional, and no begin token is added to it
  --prompt-cache DIR     keep states of prompts there, and go on from the longest beginning of the prompt that is known
  --prompt-cache-size MB remove the ones that were not used for longest beyond that (default 1024)

Files (safetensors, f32), for all T prompt tokens:
  --dump-logits FILE     logits [T, vocabulary]
  --dump-hidden FILE     hidden/embeddings, hidden/layerN, hidden/norm_f [T, width]
  --dump-state FILE      state/layerN/conv [K-1, D], /ssm [D, states], /key and /value [heads, window, head size]
                         after the last prompt token

Machine:
  --device D             cpu; cuda or cuda:N, the first or N-th GPU; virtual, a GPU that the CPU imitates, slowly, to
                         check what a model does there (default: cpu, if the model is compiled for it, else cuda).
                         virtual:arch=90,seed=3 makes it another one: docs/gpu.md has all settings
  --check                with a GPU, wait for each kernel and name the one that fails; on the virtual one, also check
                         every access to memory and all synchronisation
  --counters[=FILE]      what each kernel did on the virtual GPU, as JSON (default: to standard error)
  --threads N            (default: OMP_NUM_THREADS, or the number of usable cores); OMP_PLACES and OMP_PROC_BIND say
                         where they run
  --chunk N              prompt tokens per step; bounds the memory, changes results by rounding only (default 512)
  --verify               check the checksum of the weights also if they are larger than 256 MiB
  --help, --version

Exit status: 0; 1 for a failure; 2 for a wrong command line; 130 after Ctrl-C.
)";
}
