//===- FaultTest.cpp - short reads and writes, full disks, closed pipes --===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/RunFixture.h"

using namespace samba::test;
using nlohmann::json;

namespace {

class Fault : public Run {
protected:
  Fault() {
    ::setenv("FAULTY", "env LD_PRELOAD=" SAMBA_FAULTY_CALLS, 1);
    writeBytes(folder / "in.jsonl", json{{"tokens", prompt}, {"n", 9}}.dump() + "\n{\"tokens\": [4]}\n");
  }
};

TEST_F(Fault, ShortAndInterruptedCallsChangeNothing) {
  struct {
    const char *arguments, *file;
  } cases[] = {{"--tokens $D/tokens.json -n 9 --json --save-state $D/f | sed 's/\"timings.*//'", "f"},
               {"--tokens $D/tokens.json -n 0 --json --dump-state $D/f | sed 's/\"timings.*//'", "f"},
               {"--load-state $D/f0 -n 9 --json | sed 's/\"timings.*//'", nullptr},
               {"--batch $D/in.jsonl", nullptr},
               {"--batch $D/in.jsonl -o $D/f", "f"},
               {"--stream=tokens --continue 5 < $D/tokens.json", nullptr},
               {"--info", nullptr}};
  EXPECT_EQ(shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 3 --json --save-state $D/f0").status, 0);
  for (const auto &[arguments, file] : cases) {
    Result plain = shell(folder, std::string("$RUN $D/model.so ") + arguments);
    std::string written = file ? readBytes(folder / file) : "";
    Result faulty = shell(folder, std::string("$FAULTY $RUN $D/model.so ") + arguments);
    EXPECT_EQ(plain.err, "") << arguments;
    EXPECT_EQ(faulty.err, "") << arguments;
    EXPECT_EQ(faulty.out, plain.out) << arguments;
    if (file)
      EXPECT_EQ(readBytes(folder / file), written) << arguments;
  }
}

TEST_F(Fault, FullDisks) {
  for (const char *bytes : {"0", "1", "100"})
    for (const char *arguments :
         {"--tokens $D/tokens.json -n 1 --json --save-state $D/f",
          "--tokens $D/tokens.json -n 0 --json --dump-logits $D/f", "--batch $D/in.jsonl -n 200 -o $D/f"}) {
      Result result =
          shell(folder, std::string("DISK_BYTES=") + bytes + " $FAULTY $RUN $D/model.so " + arguments + " > /dev/null");
      EXPECT_EQ(result.status, 1) << arguments;
      EXPECT_NE(result.err.find("No space left on device"), std::string::npos) << arguments << ": " << result.err;
      EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << arguments << ": " << result.err;
      EXPECT_FALSE(std::filesystem::exists(folder / "f")) << arguments;
    }
  // What the journal has by then counts.
  EXPECT_EQ(shell(folder, "$RUN $D/model.so --batch $D/in.jsonl -n 200 -o $D/f").status, 0);
  EXPECT_EQ(readBytes(folder / "f"), shell(folder, "$RUN $D/model.so --batch $D/in.jsonl -n 200").out);
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
  // A cache that cannot be written is a warning only.
  Result result = shell(folder, "DISK_BYTES=100 $FAULTY $RUN $D/model.so --tokens $D/tokens.json -n 1 --json"
                                " --prompt-cache $D/cache > /dev/null");
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.err.find("warning: cannot write '"), std::string::npos) << result.err;
}

TEST_F(Fault, ClosedPipes) {
  for (const char *arguments : {"--batch $D/in.jsonl -n 30", "--stream=tokens < $D/tokens.json"}) {
    Result result = shell(folder, std::string("{ $RUN $D/model.so ") + arguments + "; echo $? >&2; } | true");
    EXPECT_EQ(result.err, "0\n") << arguments;
  }
}

} // namespace
