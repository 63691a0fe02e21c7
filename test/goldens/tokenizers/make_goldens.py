"""Trains the small tokenizers of this folder and writes what the reference libraries make of the test strings.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3
    venv/bin/python test/goldens/tokenizers/make_goldens.py

Tokenizers: NAME.json, trained on the text of docs/ and of strings.json, with the normalizers, pre-tokenizers and decoders
of the published tokenizers of that name. strings.json: the test strings, made from a fixed seed; [TEXT, N] stands for N
times TEXT. NAME.ids: a line for each string with its ids without special tokens, written as differences in base 36; a
line of more than 400 ids is "#COUNT HASH" instead (64-bit FNV-1a over the ids as 32-bit little-endian numbers). The last
line of a NAME.decoded is "HASH" over all decoded texts, each with a zero byte after it."""
import glob
import io
import json
import os
import random

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(os.path.dirname(here)))

CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
CHAT = ["<|im_start|>", "<|im_end|>", "<|im_sep|>"]


def special(text, **options):
    return AddedToken(text, special=True, normalized=False, **options)


def byte_level(pre_tokenizer, vocabulary, specials, added, normalizer=None, post=None, decoder=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder or decoders.ByteLevel()
    return tokenizer, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=specials, show_progress=False,
                                          initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), added, post


def gpt2():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), 900, [special("<|endoftext|>")],
                      [AddedToken("two words", normalized=True)],
                      post=lambda t: processors.ByteLevel(trim_offsets=True))


def neox():
    spaces = [AddedToken(" " * n, normalized=True) for n in (24, 8, 4, 3, 2)]
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), 900,
                      [special("<|endoftext|>"), special("<|padding|>")], spaces, normalizer=normalizers.NFC(),
                      post=lambda t: processors.TemplateProcessing("<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]))


def llama3():
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K), "isolated"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]

    def post(t):
        begin = t.token_to_id("<|begin_of_text|>")
        return processors.Sequence([processors.ByteLevel(trim_offsets=True), processors.TemplateProcessing(
            "<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)])])
    return byte_level(split, 900, [], [special(name) for name in names], post=post, ignore_merges=True)


def phi4():
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K), "removed", invert=True),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    added = [special("<|endoftext|>", lstrip=True, rstrip=True)]
    return byte_level(split, 800, [], added + [special(name, lstrip=True, rstrip=True) for name in CHAT])


def o200k():
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(O200K), "isolated"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return byte_level(split, 800, [special("<|endoftext|>")], [AddedToken("tool", single_word=True, normalized=False),
                                                               AddedToken("<|tool|>", normalized=False, rstrip=True)])


def digits():
    """StarCoder's and others' digits, one by one, and a lower-cased text without accents."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("contiguous"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=True)])
    normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                       normalizers.Strip(), normalizers.Replace(Regex(r"\s{2,}"), " ")])
    return byte_level(split, 600, [special("<|endoftext|>")], [AddedToken("Résumé", normalized=True)], normalizer=normalizer)


def characters(normalizer, pre_tokenizer, decoder, vocabulary, added, post=True, **model):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True, **model))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    names = [special("<unk>"), special("<s>"), special("</s>")] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=names, show_progress=False, limit_alphabet=120)

    def template(t):
        return processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer, trainer, added, template if post else None


LLAMA_DECODER = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]


def llama2():
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return characters(normalizer, None, decoders.Sequence(LLAMA_DECODER), 1100, [special("[INST]"), special("[/INST]")])


def mistral():
    return characters(None, pre_tokenizers.Metaspace("▁", "first", split=False), decoders.Sequence(LLAMA_DECODER), 1100,
                      [special("[INST]"), special("[/INST]"), AddedToken("▁▁▁▁", normalized=False)])


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    tokenizer.decoder = decoders.Metaspace("▁", "always")
    trainer = trainers.UnigramTrainer(vocab_size=700, special_tokens=[special("<unk>"), special("<s>"), special("</s>")],
                                      unk_token="<unk>", show_progress=False)

    def post(t):
        return processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 2)])
    return tokenizer, trainer, [], post


def corpus():
    for path in sorted(glob.glob(os.path.join(root, "docs", "*.md"))) + [os.path.join(root, "README.md")]:
        with open(path, encoding="utf-8") as file:
            yield from file
    with open(os.path.join(root, "models", "samba-tiny", "validation.txt"), encoding="utf-8") as file:
        yield from file.read()[:100000].splitlines(keepends=True)


def train(make):
    tokenizer, trainer, added, post = make()
    text = [line for line in corpus()]
    if not tokenizer.pre_tokenizer:  # the trainer needs words, and the finished tokenizer does without
        text = ["▁" + word for line in text for word in line.split()]
        tokenizer.normalizer, normalizer = normalizers.Sequence([]), tokenizer.normalizer
        tokenizer.train_from_iterator(text, trainer)
        tokenizer.normalizer = normalizer
    elif isinstance(tokenizer.pre_tokenizer, pre_tokenizers.Metaspace) and not tokenizer.pre_tokenizer.split:
        keep, tokenizer.pre_tokenizer = tokenizer.pre_tokenizer, pre_tokenizers.Metaspace("▁", "always")
        tokenizer.train_from_iterator(text, trainer)
        tokenizer.pre_tokenizer = keep
    else:
        tokenizer.train_from_iterator(text, trainer)
    if isinstance(trainer, trainers.BpeTrainer) and not isinstance(tokenizer.decoder, decoders.ByteLevel):
        # Byte pieces are ordinary pieces.
        document = json.loads(tokenizer.to_str())
        document["added_tokens"] = [t for t in document["added_tokens"] if not t["content"].startswith("<0x")]
        tokenizer = Tokenizer.from_str(json.dumps(document))
    for token in added:
        tokenizer.add_tokens([token]) if not token.special else tokenizer.add_special_tokens([token])
    if post:
        tokenizer.post_processor = post(tokenizer)
    return tokenizer


WORDS = "the a of and model state token Window attention naïve café 数学 模型 日本語 かな 한국어 Привет мир שלום नमस्ते ไทย " \
        "it's They'LL we've I'm don't 3.14 1234567 0x1F foo_bar camelCase HTTPServer e.g. https://a.b/c?d=e&f " \
        "ÀÉÎ Ⅷ ½ ² ﬁ ﬀ İstanbul ǅ ß ſ K Å Å ñ ñ".split()
MARKS = ["é", "ạ̈", "क्ष", "ő̂", "각", "각", "‍", "️", "ﷺ", "가"]
EMOJI = ["😀", "👩‍👩‍👧", "🇩🇪", "👍🏽", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☃", "𝒜", "𠜎"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", " \n ", "\v", "\f",
          "\u180e", "\u200b", "        ", "    "]
CONTROLS = ["\x00", "\x01", "\x1b[0m", "\x7f", "\x9f", "\ufeff", "\ufffd", "\ufffe", "\U0010ffff", "\u202e"]
TOKENS = ["<|endoftext|>", "<|padding|>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<|im_start|>", "<|im_end|>", "<|im_sep|>",
          "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "two words", "tool", "tooltool", "<|tool|>", "<|endoftext", "résumé",
          "Résumé", "<0x41>", "▁", "▁▁▁▁", "Ġ", "<s", "s>", "<|im_start|><|im_end|>"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "—", "“", "”", "¿", "、", "。", "->", "::", "//", "'", "''", "'S", "'ſ"]


def strings():
    rng = random.Random(20240607)
    result = ["", " ", "a", "  ", "\n", "Hello world", " Hello  world ", "Hello\n\n\nworld   ", "'", "'s's", "a'll b'LL"]
    result += WORDS + MARKS + EMOJI + SPACES + CONTROLS + TOKENS
    pools = [WORDS, MARKS, EMOJI, SPACES, CONTROLS, TOKENS, PUNCTUATION]
    weights = [8, 1, 1, 6, 1, 2, 3]
    while len(result) < 1000:
        parts = [rng.choice(rng.choices(pools, weights)[0]) for _ in range(rng.randint(2, 14))]
        result.append(rng.choice(["", "", " "]).join(parts))
    for _ in range(80):  # any characters of any planes
        result.append("".join(chr(rng.choice([rng.randrange(0x20, 0x250), rng.randrange(0x250, 0x2000), rng.randrange(0x2000, 0x3400),
                                              rng.randrange(0x1F300, 0x1F700), rng.randrange(0xAC00, 0xD7A0)]))
                              for _ in range(rng.randint(1, 12))))
    result = [text for text in result if all(assigned(c) for c in text)]
    for text, count in [("a", 3000), ("ab", 2000), ("the ", 1000), (" ", 3000), ("\n", 1000), ("\u0301", 800), ("0123456789", 300),
                        ("😀", 700), ("数学", 700), ("<s>", 200), ("<|endoftext|> ", 100), ("xX", 1000), ("'s", 500), ("!?", 900),
                        ("\x00", 500), ("é\u0323", 400), ("A", 3000), (" \n", 600)]:
        result.append([text, count])
    return result


def assigned(character):
    """Not those that later versions of Unicode than that of the libraries in use have given a meaning."""
    import unicodedata
    return unicodedata.category(character) != "Cn" or ord(character) in (0xFFFE, 0x10FFFF)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def base36(number):
    digits, sign = "", "-" if number < 0 else ""
    number = abs(number)
    while True:
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36] + digits
        number //= 36
        if not number:
            return sign + digits


def line(ids):
    if len(ids) > 400:
        return f"#{len(ids)} {fnv(b''.join(i.to_bytes(4, 'little') for i in ids)):x}"
    return " ".join(base36(b - a) for a, b in zip([0] + ids, ids))


def write(name, encode, decode, texts):
    ids = [encode(text) for text in texts]
    with open(os.path.join(here, name + ".ids"), "w", encoding="ascii") as file:
        file.write("".join(line(one) + "\n" for one in ids))
        file.write("decoded %x\n" % fnv(b"".join(decode(one).encode() + b"\0" for one in ids)))
    print(name, sum(map(len, ids)), "ids")


def main():
    compact = strings()
    with open(os.path.join(here, "strings.json"), "w", encoding="utf-8") as file:
        json.dump(compact, file, ensure_ascii=True, indent=0)
        file.write("\n")
    texts = [text if isinstance(text, str) else text[0] * text[1] for text in compact]
    for make in (gpt2, neox, llama3, phi4, o200k, digits, llama2, mistral, unigram):
        path = os.path.join(here, make.__name__ + ".json")
        if not os.path.exists(path):  # training is not deterministic in all versions: remove a file to make it again
            with open(path, "w", encoding="utf-8") as file:
                file.write(train(make).to_str(pretty=False) + "\n")
        tokenizer = Tokenizer.from_file(path)
        write(make.__name__, lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
              lambda ids: tokenizer.decode(ids, skip_special_tokens=True), texts)
    processor = sentencepiece.SentencePieceProcessor(os.path.join(root, "models", "samba-tiny", "tokenizer.model"))
    write("samba-tiny", lambda text: processor.encode(text), lambda ids: processor.decode(ids), texts)


if __name__ == "__main__":
    main()
