"""Renders conversations by templates in the style of published ones, and small templates for single rules of the language,
with Jinja2 as chat programs set it up, and writes cases.json: {"templates": {NAME: TEXT}, "cases": [[NAME or TEXT,
VARIABLES, EXPECTED]]}; EXPECTED is null for an error. Time stands still at 2024-07-26 12:00 UTC.

    python3 -m venv venv && venv/bin/pip install jinja2==3.1.6 && venv/bin/python test/goldens/chat/make_goldens.py"""
import datetime
import itertools
import json
import os

import jinja2
import jinja2.ext
import jinja2.sandbox

here = os.path.dirname(os.path.abspath(__file__))

CHATML = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{%- for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "1 Jan 2000" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message, so that it can be put in its place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one tool call at a time") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("user and assistant must take turns") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] != "tool" and message["role"] != "system" %}
        {{- raise_exception("unknown role " ~ message["role"]) }}
    {%- endif %}
{%- endfor %}
"""

PHI3 = """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'user' %}{{'<|user|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>
' + message['content'] + '<|end|>
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}"""

PHI4 = """{% for message in messages %}{% if (message['role'] == 'system') %}{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'assistant') %}{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

GEMMA = """{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}{%- if messages[0]['content'] is string -%}{%- set first_user_prefix = messages[0]['content'] + '

' -%}{%- else -%}{%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}{%- endif -%}{%- set loop_messages = messages[1:] -%}{%- else -%}{%- set first_user_prefix = "" -%}{%- set loop_messages = messages -%}{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception("turns") }}{%- endif -%}
    {%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}{{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}{{ '<image>' }}{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}
    {%- else -%}{{ raise_exception("content") }}{%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{'<start_of_turn>model
'}}{%- endif -%}
"""

THINKING = """{%- macro part(role, text, think=none) -%}
<|im_start|>{{ role }}
{% if think %}<think>
{{ think.strip('\\n') }}
</think>

{% endif %}{{ text.lstrip('\\n') }}<|im_end|>
{% endmacro -%}
{%- set ns = namespace(multi=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi and message.role == "user" and message.content is string and not (message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.multi = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content or '' %}
        {%- set reason = '' %}
        {%- if '</think>' in content %}
            {%- set reason = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- part('assistant', content, reason if loop.index0 > ns.last else none) }}
    {%- else %}
        {{- part(message.role, message.content) }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

TEMPLATES = {"chatml": CHATML, "llama2": LLAMA2, "llama3": LLAMA3, "mistral": MISTRAL, "phi3": PHI3, "phi4": PHI4,
             "zephyr": ZEPHYR, "gemma": GEMMA, "thinking": THINKING}


def turns(*texts):
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


SYSTEM = [{"role": "system", "content": "  You help, \"gladly\".\n"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells <it> & 'all'", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "enum": ["Köln", "東京"]}}, "required": ["city"]},
    "return": {"type": "string"}}}]
CALL = [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Köln", "n": 1.5, "x": None}}}]},
        {"role": "tool", "content": {"t": [1, 2.0, True, 1e20, 1e-7]}}]
CONVERSATIONS = [turns("Hi"), turns("Hi", "Hello!", "And?\n"), turns(" a ", " b\n\n", "c {{ d }} {% e %}", "f"), SYSTEM + turns("Hi"),
                 SYSTEM + turns("1", "2", "3"), turns("naïve 😀 数学", "<think>\nhm\n</think>\n\nyes", "more"), turns(""), turns("x", "y"),
                 turns("q", "<think>\nwhy\n</think>\nanswer"), [{"role": "assistant", "content": "first"}], SYSTEM,
                 [{"role": "user", "content": [{"type": "text", "text": " two "}, {"type": "image"}]}], turns("t") + CALL, [], turns("u", "v", "w", "x", "y")]

RULES = r"""
{{ 1 + 2 * 3 ** 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** -1 }} {{ 1.0 }} {{ 1e16 }} {{ 1.5e-5 }} {{ 3 * 1.5 }}
{{ 'a' ~ 1 ~ none ~ true ~ [1, 'b', "it's", none] ~ {'k': (1,), 2: ()} }}
{{ not 1 == 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'b' in 'abc' }} {{ 3 not in [1, 2] }} {{ 'k' in {'k': 1} }} {{ '' or 'x' }} {{ 'a' and 'b' }}
{{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[-2:] }} {{ [1,2,3,4][::2] }} {{ [1,2,3][5:] }} {{ 'äöü'[1] }} {{ [1,2,3][-1] }} {{ 'abc'[:-5] }} {{ [1,2,3][-5::-1] }} {{ [1,2,3][1:-9:-1] }}
{% for i in range(3) %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for a, b in [(1, 2), (3, 4)] %}{{ loop.index }}/{{ loop.length }}:{{ a }}{{ b }} {{ loop.revindex0 }}{% endfor %}
{% for x in [] %}a{% else %}none{% endfor %}
{% for x in [1,2,3,4,5] if x is odd %}{{ loop.index }}{{ x }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in [1,1,2,2] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }} {% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}
{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}
{% if false %}a{% elif none %}b{% elif 0 %}c{% else %}d{% endif %}
{% macro m(a, b='B', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m('x', 'y', 'z') }}
{% macro outer() %}<{{ caller() }}>{% endmacro %}{% call outer() %}inside{% endcall %}
{% macro rec(n) %}{{ n }}{% if n > 0 %}{{ rec(n - 1) }}{% endif %}{% endmacro %}{{ rec(5) }}
{% set y %}block {{ 1 }}{% endset %}{{ y }}{{ y|length }}
{% set z | upper | trim %} shout {% endset %}[{{ z }}]
{% filter upper | replace('A', 'b') %}abc{% endfilter %}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}
{% raw %}{{ not this }} {% nor this %}{% endraw %}
  {%- raw -%}  x  {%- endraw -%}  y
a {#- comment -#} b {# c #}c
{# whole line #}
    {% if true %}
  in
    {% endif %}
out {%+ if true %} plus {% endif +%}
tail
{{ "a\tb\\n\x41\u00e9" }}{{ 'it''s' }}
{{ missing }}|{{ missing is defined }}|{{ missing | default('d') }}|{{ '' | default('e', true) }}|{{ none | default('f') }}|{{ [].x }}
{{ {'a': {'b': 1}}.a.b }} {{ {'a': 1}['a'] }} {{ {'a': 1}.z is defined }} {{ {'items': 5}['items'] }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.get('c') }}
{{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1}.items() | list }} {{ {'b': 1} | items | list }} {{ {'x': 1, 'y': 2}.keys() | list }} {{ {'x': 1}.values() | list }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ [1, 2] | sort(reverse=true) }} {{ [{'n': 2}, {'n': 1}] | sort(attribute='n') }}
{{ [1, 2, 3] | sum }} {{ [1, 2, 3] | max }} {{ [3, 2] | min }} {{ [1, 2, 1] | unique | list }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }}
{{ [1, 2, 3, 4] | select('even') | list }} {{ [1, 2, 3] | reject('equalto', 2) | list }} {{ [0, 1, ''] | select | list }} {{ [1, 5] | select('>', 2) | list }}
{{ [{'a': 1}, {'b': 2}] | selectattr('a') | list }} {{ [{'a': 1}, {'a': 2}] | rejectattr('a', 'equalto', 1) | list }} {{ [{'a': 1}, {'b': 2}] | selectattr('a', 'defined') | list }}
{{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ ['a', 'b'] | map('upper') | join('-') }} {{ [{}] | map(attribute='q', default=7) | list }} {{ [[1, 2]] | map('join', '+') | list }}
{{ ' x ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 'hello world' | title }}|{{ 'hELLO' | capitalize }}|{{ 'a b c' | replace('b', 'd') }}|{{ 'aaa' | replace('a', 'b', 2) }}
{{ '12' | int }} {{ 'x' | int(3) }} {{ 3.9 | int }} {{ '1.5' | float }} {{ 3 | string }} {{ -3 | abs }} {{ 2.5 | round }} {{ 1.25 | round(1) }} {{ 2.1 | round(method='ceil') }} {{ 1 | float }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ '<a> & "b"' | e }}|{{ 'a b  c' | wordcount }}
{{ {'a': [1, 2.5, none, true, 'ü"\\\n\x01'], 'b': {}} | tojson }} {{ [] | tojson(indent=2) }} {{ {'b': [1, {}], 'a': 2} | tojson(indent=2) }} {{ {'a': 1, 'b': [1]} | tojson(separators=(',', ':')) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ 'ü😀' | tojson(ensure_ascii=true) }}
{{ '  a b '.strip() }}|{{ 'xay'.strip('xy') }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'a,b,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'a b  c '.split() }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ' a  b c '.split(none, 1) }}
{{ 'abc'.upper() }}{{ 'ABC'.lower() }}{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.find('c') }}{{ 'abcabc'.rfind('b') }}{{ 'aXbX'.replace('X', '') }}{{ 'banana'.count('an') }}{{ 'a\nb\r\nc'.splitlines() }}
{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}{{ '12'.isdigit() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ '-'.join(['a', 'b']) }}{{ 'hello wORLD'.title() }}{{ 'ab'.replace('', '-') }}
{{ 1 is number }}{{ 'a' is string }}{{ none is none }}{{ [] is iterable }}{{ {} is mapping }}{{ 4 is divisibleby(2) }}{{ 4 is divisibleby 3 }}{{ 3 is in [3] }}{{ true is true }}{{ 1 is true }}{{ 'a' is not string }}{{ 2 is even }}{{ [] is sequence }}{{ 1 is boolean }}{{ 1.5 is float }}{{ 'A' is upper }}
{{ 'x' if false }}|{{ 'x' if true else 'y' }}|{{ ('a' if false else 'b') ~ 'c' }}|{{ [1,2,3] | first }}{{ [1,2,3] | last }}{{ 'abc' | first }}{{ [[1]] | first | first }}
{{ '%s is %d' % ('a', 5) }} {{ '%s' % 'x' }} {{ [1] + [2] }} {{ 'a' * 3 }} {{ [0] * 2 }} {{ (1, 2) + (3,) }} {{ -2 ** 2 }} {{ - 3 | abs }} {{ 10 - 2 - 3 }} {{ 2 * 3 ~ 4 }}
{{ strftime_now('%Y-%m-%d') }} {{ range(5, 0, -2) | list }} {{ dict(a=1) }} {{ range(2) | list | length }}
{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}{% for c in 'añ' %}[{{ c }}]{% endfor %}{% for x in missing %}a{% endfor %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}
{% for i in [1, 2] %}{% for j in [1, 2] %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}
{% generation %}said{% endgeneration %}
{{ raise_exception('no') }}
{{ missing.x }}
{{ missing['x'] }}
{{ missing + 1 }}
{{ 1 + 'a' }}
{{ 'a' < 1 }}
{{ 1 / 0 }}
{{ none() }}
{{ [1] | nofilter }}
{{ 1 is notest }}
{% nostatement %}
{% if true %}
{{ 1
{% for x in 5 %}{% endfor %}
{{ 'open }}
{{ 5 | length }}
{{ m(1, 2, 3, 4) }}
{% set x.y = 1 %}
{% endif %}
{{ (1 }}
{{ 1 ] }}
{% include 'x' %}
{# open
{% break %}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 3 %}{{ m() }}
{% for i in [1] %}{% macro q() %}{{ i }}{% endmacro %}{{ q() }}{% endfor %}
{{ [1, 2, 3][0:2] | join(',') }} {{ messages | length }} {{ messages[0].role }} {{ messages[0]['content'] }} {{ messages | map(attribute='role') | join(',') }}
{{ 5 == 5.0 }} {{ true == 1 }} {{ [1] == [1.0] }} {{ 'a' == none }} {{ 'a' != 'b' }} {{ missing == none }} {{ {'a': 1} == {'a': 1} }}
{{ ('a', 'b')[1] }} {{ 'a'.b is defined }} {{ [1].0 }} {{ {'x': [1, 2]}.x.1 }} {{ ((1)) }} {{ () }} {{ [1,] }} {{ {'a': 1,} }}
"""


def multi_line(lines):
    """Rules that span lines: those between blank ones stay together."""
    return [line for line in lines.strip("\n").split("\n")]


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                       extensions=[jinja2.ext.loopcontrols, Generation])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda text: datetime.datetime(2024, 7, 26, 12).strftime(text)
    return env


def main():
    env = environment()
    cases = []

    def add(name, text, variables):
        try:
            expected = env.from_string(text).render(**variables)
        except Exception:  # of the template or of Python: the tests look for an error only
            expected = None
        cases.append([name, variables, expected])

    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    for (name, text), messages, prompt in itertools.product(TEMPLATES.items(), CONVERSATIONS, (True, False)):
        add(name, text, dict(tokens, messages=messages, add_generation_prompt=prompt))
    for name in ("llama3", "mistral"):
        for messages in CONVERSATIONS:
            add(name, TEMPLATES[name], dict(tokens, messages=messages, tools=TOOLS, add_generation_prompt=True))
    add("thinking", THINKING, dict(tokens, messages=CONVERSATIONS[0], add_generation_prompt=True, enable_thinking=False))
    for rule in multi_line(RULES):
        add(rule, rule, {"messages": CONVERSATIONS[4]})
    whole = "\n".join(multi_line(RULES)[26:37])
    for text in (whole, whole + "\n", whole + "\n\n", whole.replace("\n", "\r\n"), "a\n{% if true %}\n\n b\n  {%- endif %}\n\nc\n",
                 "  {% if true %}x{% endif %}  \n  {{ 1 }}\n{%- if true -%}\n y \n{%- endif %}\n z", "{% if true %}\n  {# c #}\n  d\n{% endif %}",
                 " \t{%- set a = 1 %}\n\n{{ a -}}\n  b {{- a }}"):
        add(text, text, {})
    with open(os.path.join(here, "cases.json"), "w", encoding="utf-8") as file:
        rows = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
        file.write('{"templates": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(TEMPLATES, ensure_ascii=True), rows))
    print(len(cases), "cases,", sum(case[2] is None for case in cases), "errors")


if __name__ == "__main__":
    main()
