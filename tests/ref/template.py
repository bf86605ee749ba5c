#!/usr/bin/env python3
"""Write tests/data/template.json: conversations, small templates, and what
Transformers' apply_chat_template makes of them.

Of the templates in DATA (../shared/data), which are not ours to keep, only
the XXH3-128 of each text is stored, or what the template raises.

usage: tests/ref/template.py [DATA] > tests/data/template.json
"""
import datetime
import glob
import hashlib
import itertools
import json
import os
import sys

import jinja2
import xxhash
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

DATE = "2025-03-09"


class Frozen(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(DATE)


chat_template_utils.datetime = Frozen


def message(role, content=None, **more):
    m = dict(role=role)
    if content is not None:
        m["content"] = content
    m.update(more)
    return m


def call(name, wrapped=True, **arguments):
    body = dict(name=name, arguments=arguments)
    return dict(type="function", function=body) if wrapped else body




def user(text):
    return message("user", text)


def assistant(text):
    return message("assistant", text)


SYSTEM = message("system", "You are terse. /no_think")
WEATHER = call("weather", city="Zürich", days=3, detail=dict(
    unit="°C", hours=[0, 6.5, 1e22], rain=True, snow=None))
TOOLS = [
    dict(type="function", function=dict(
        name="weather", description="Weather of a city <now>.",
        parameters=dict(type="object", required=["city"], properties=dict(
            city=dict(type="string", description="a city's name"),
            days=dict(type="integer", description="how far", default=1),
            unit=dict(type="string", description="unit", default="°C",
                      enum=["°C", "°F"]),
            where=dict(description="a place", oneOf=[
                dict(type="string", description="it's a name"),
                dict(type="number")], default="here"),
            kinds=dict(type=["string", "null"], description="kinds"),
            more=dict(type="array", description="more", nullable=True,
                      items=dict(type="number")),
        )))),
    dict(type="function", function=dict(
        name="clock", description="It's \"now\".\\\n", parameters={})),
]
CONVERSATIONS = dict(
    one=[user("Hi.")],
    two=[user("Hi."), assistant("Hello!")],
    system=[SYSTEM, user("Why?"), assistant("Because.")],
    system_twice=[SYSTEM, user("a"), message("system", "b"), assistant("c")],
    system_alone=[SYSTEM],
    override=[message("system", "Be kind. /system_override  "), user("x")],
    think=[message("system", "/think hard"), user("x"), assistant("y")],
    turns=[SYSTEM, user("one"), assistant("two"), user("three"),
           assistant("four"), user("five"), assistant("six"), user("seven")],
    empty=[user(""), assistant("")],
    blank=[user("  \n\n"), assistant("\n\n\t \n"), user("\n")],
    unicode=[message("system", "日本語の説明。"), user("é́ 😀\u200b\u00a0"),
             assistant("\u2028ß\u0085ﬁ \x7f\x01'\"\\")],
    markup=[user("<b>&amp;</b> {{ x }} {% y %}"), assistant("<|im_end|>")],
    long=[user("abc " * 300), assistant("déf\n" * 200)],
    thoughts=[user("2+2?"), assistant("<think>\n\nfour?\n</think>\n\n4"),
              user("3+3?"), assistant("<think>six</think>6")],
    thoughts_open=[user("2+2?"), assistant("<think>\nno end")],
    thoughts_only=[user("2+2?"), assistant("<think>\nhm\n</think>")],
    reasoning=[user("2+2?"), message("assistant", "4",
                                     reasoning_content="\nadd them\n"),
               user("and?"), message("assistant", "5", thinking="more")],
    reasoning_only=[user("x"), message("assistant", "y", reasoning="z")],
    tools=[user("weather?"), message("assistant", "", tool_calls=[WEATHER]),
           message("tool", "sunny \"☀\" é", name="weather"),
           assistant("It is sunny.")],
    tools_flat=[SYSTEM, user("weather?"),
                message("assistant", "I look.", tool_calls=[
                    call("weather", False, city="Bern"),
                    call("clock", False)]),
                message("tool", "rain"), message("tool", '{"time": "9:00"}'),
                assistant("Rain, at nine."), user("Thanks.")],
    tools_text=[user("a"), message("assistant", "b", tool_calls=[
        dict(function=dict(name="clock", arguments='{"zone": "CET"}'))]),
        message("tool", "c")],
    tools_null=[user("a"), message("assistant", None, tool_calls=[WEATHER]),
                user("b")],
    tools_none=[user("a"), dict(role="assistant", content="b",
                                tool_calls=None)],
    tool_response=[user("q"), assistant("w"),
                   user("<tool_response>\n1\n</tool_response>"),
                   assistant("<think>r</think>s")],
    parts=[message("user", [dict(type="text", text="look")]),
           assistant("nice")],
    channels=[user("a"), message("assistant", "b", channel="analysis"),
              message("assistant", "c", channel="final"), user("d")],
    assistant_first=[assistant("I begin."), user("Do.")],
    users=[user("a"), user("b"), assistant("c")],
    assistants=[user("a"), assistant("b"), assistant("c")],
    tool_first=[message("tool", "x"), user("y")],
    developer=[message("developer", "Be brief."), user("x"), assistant("y")],
    other_role=[user("a"), message("critic", "b"), assistant("c")],
    extra_keys=[message("user", "a", name="Ann", weight=0.5, n=3),
                message("assistant", "b", name=None)],
)
# Of each template: further variables.
VARS = [dict(), dict(enable_thinking=False), dict(enable_thinking=True),
        dict(reasoning_effort="high", builtin_tools=["browser", "python"],
             model_identity="I am.\n"),
        dict(xml_tools=TOOLS[:1]), dict(python_tools=["def f(): pass"])]


def tokenizer(template, **special):
    t = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()),
                                **special)
    t.chat_template = template
    return t


def render(t, messages, generation, tools, variables):
    """What is made, or what was raised: its kind and text."""
    try:
        return dict(text=t.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=generation,
            tools=tools, **variables))
    except jinja2.exceptions.TemplateError as e:
        if type(e) is jinja2.exceptions.TemplateError:
            return dict(raises=str(e))
        return dict(error=type(e).__name__)
    except Exception as e:
        return dict(error=type(e).__name__)


SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
           "cls_token", "mask_token")


def special_of(config):
    found = {}
    for key in SPECIAL:
        value = config.get(key)
        if isinstance(value, dict):
            value = value["content"]
        if value is not None:
            found[key] = value
    return found


def shared(data):
    """Of each template there: one result a conversation and way."""
    for path in sorted(glob.glob(data + "/*/*/tokenizer_config.json")):
        config = json.load(open(path))
        template = config.get("chat_template")
        file = os.path.join(os.path.dirname(path), "chat_template.jinja")
        if os.path.exists(file):
            template = open(file).read()
        if not template:
            continue
        special = special_of(config)
        t = tokenizer(template, **special)
        results = []
        for name, generation, variables, tools in itertools.product(
                CONVERSATIONS, (False, True), VARS, (False, True)):
            if variables and name not in ("turns", "tools", "thoughts"):
                continue
            got = render(t, CONVERSATIONS[name], generation,
                         TOOLS if tools else None, variables)
            if "text" in got:
                got = xxhash.xxh3_128_hexdigest(got["text"].encode())
            results.append([name, generation, VARS.index(variables), tools,
                            got])
        yield dict(directory=os.path.dirname(path)[len(data) + 1:],
                   special=special, results=results)


# What stands beside each conversation that ends in an answer.
OTHER = assistant("No.")


def ids(data):
    """Of tokenizers there with a template: which conversations, with OTHER as
    their last message too, it takes, and the MD5 of their ids as JSON lines."""
    for path in sorted(glob.glob(data + "/tokenizers/*/tokenizer_config.json")):
        if not json.load(open(path)).get("chat_template"):
            continue
        directory = os.path.dirname(path)
        t = PreTrainedTokenizerFast.from_pretrained(directory)
        names, lines = [], []
        for name, messages in CONVERSATIONS.items():
            if messages[-1]["role"] != "assistant":
                continue
            try:
                both = [t.apply_chat_template(m, return_dict=False)
                        for m in (messages, messages[:-1] + [OTHER])]
            except (jinja2.exceptions.TemplateError, TypeError):
                continue
            names.append(name)
            lines += [json.dumps(i, separators=(",", ":")) for i in both]
        text = "\n".join(lines) + "\n"
        yield dict(directory=directory[len(data) + 1:], names=names,
                   md5=hashlib.md5(text.encode()).hexdigest())


# Small templates, each with the variables below.
SMALL_VARS = dict(
    n=7, x=2.5, s="Hello, World", e="", u="Äpfel ß é 日本", d=dict(
        b=1, a=[1, 2, {"c": None}], items="own", Z="last"),
    l=[3, 1, 2], t=True, f=False, z=None, w="  padded\t\n",
    people=[dict(name="Bob", age=31, tags=["x"]),
            dict(name="alice", age=4), dict(name="Carol", age=31)],
    text="one two  three\nfour\r\n\nfive", big=1e16, small=1e-5, q="it's",
    qq="it's \"q\"", ctl="a\x00b\x1f\u200b\u2028")
SMALL = r"""
{{ 1 }} {{ 1.0 }} {{ 1e3 }} {{ 1_000 }} {{ big }} {{ small }} {{ 0.1 + 0.2 }}
{{ true }} {{ True }} {{ none }} {{ None }} {{ missing }}|{{ z }}
{{ 'a' "b" 'c\n\t\\\'\x41\u00e9\101\q' }}
{{ [1, 'a', 2.5, none, true, [], {}, ()] }} {{ (1,) }} {{ 1, 2 }}
{{ {'a': 1, 'b': [2], 3: 'c'} }} {{ d }} {{ l }}
{{ q }} {{ [q] }} {{ [qq] }} {{ [ctl] }} {{ [u] }}
{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }}
{{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 - -1 }} {{ +3 }} {{ true + 1 }}
{{ 'a' + 'b' }} {{ 'a' ~ 1 ~ none ~ 2.0 ~ [1] }} {{ 'ab' * 3 }} {{ [0] * 3 }}
{{ [1] + [2] }} {{ (1,) + (2,) }} {{ 3 * 'x' }} {{ 1 ~ 2 + '3' }}
{{ 1 ~ 2 + 3 }}
{{ t is defined if t else 1 }}
{{ 1 ~ 2 }}{{ 'x' ~ missing }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ true == 1 }}
{{ [1, 2] == [1, 2.0] }} {{ {'a': 1} == {'a': 1} }} {{ [1] < [1, 2] }} {{ (1, 2) == [1, 2] }}
{{ 1 != 2 }} {{ none == none }} {{ missing == missing }} {{ z is none }} {{ missing == none }}
{{ 1 in [1, 2] }} {{ 'a' in 'cat' }} {{ 'b' in d }} {{ 'q' not in d }} {{ '' in 'x' }}
{{ 'x' in missing }} {{ not 1 in [2] }} {{ not false and true }} {{ 1 and 0 or 'z' }}
{{ e or 'empty' }} {{ l and 'full' }} {{ not l }} {{ missing or 'none' }}
{{ 'y' if t else 'n' }} {{ 'y' if f }}| {{ 'a' if f else 'b' if f else 'c' }}
{{ l[0] }} {{ l[-1] }} {{ l[7] }}| {{ s[0] }} {{ s[-1] }} {{ u[0] }} {{ u[-2:] }} {{ u[1:4] }}
{{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ l[::2] }} {{ l[5:] }} {{ s[::-1] }} {{ s[1:8:2] }} {{ s[-3:-1] }} {{ l[-9:9] }}
{{ l[2:0:-1] }} {{ s[3:1] }}| {{ l[:] }} {{ l[none:2] }}
{{ d.b }} {{ d['b'] }} {{ d.a.2.c }} {{ d['items'] }} {{ d.get('b') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.missing }}|
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {{ d.keys() | list }} {{ d.values() | list }}
{% for k in d %}{{ k }},{% endfor %}{{ d | length }}{{ d | count }}
{{ d.items is defined }} {{ d.nope is defined }} {{ missing is defined }} {{ s is string }} {{ l is string }}
{{ l is iterable }} {{ s is iterable }} {{ 1 is iterable }} {{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ s is sequence }} {{ 1 is sequence }}
{{ 1 is number }} {{ 1.5 is number }} {{ t is number }} {{ '1' is number }} {{ 1 is integer }} {{ t is integer }} {{ 1.0 is float }}
{{ t is true }} {{ f is false }} {{ 1 is true }} {{ t is boolean }} {{ z is none }} {{ z is not none }} {{ range is callable }}
{{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is eq 1 }} {{ 1 is ne 1 }} {{ 2 is gt 1 }} {{ 1 is in [1] }} {{ 'a' is in 'abc' }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'a1' is upper }} {{ '12' is lower }} {{ z is sameas none }} {{ 1 is not eq 2 and true }}
{{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }}
{{ s is defined and s is string or f }} {{ missing is undefined }} {{ l[9] is defined }}
{{ s | upper }} {{ s | lower }} {{ 'hello wORLD-foo (bar' | title }} {{ 'hELLO there' | capitalize }} {{ u | upper }} {{ u | lower }}
{{ w | trim }}| {{ 'xxaxx' | trim('x') }} {{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ 'aaa' | replace('', '-') }}
{{ s | length }} {{ u | length }} {{ missing | length }} {{ l | length }} {{ s | wordcount }}
{{ l | join }} {{ l | join(', ') }} {{ people | join('/', attribute='name') }} {{ [] | join(',') }}| {{ ['a', 1, none] | join('-') }}
{{ l | first }} {{ l | last }} {{ [] | first }}| {{ s | first }} {{ s | last }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} {{ people | sort(attribute='age') | map(attribute='name') | list }}
{{ people | sort(attribute='age,name') | map(attribute='name') | list }} {{ people | sort(attribute='nope') | length }} {{ people | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }}
{{ l | min }} {{ l | max }} {{ l | sum }} {{ people | sum(attribute='age') }} {{ people | map(attribute='age') | max }} {{ ['b', 'A'] | min }}
{{ l | reverse | list }} {{ s | reverse }} {{ 'abc' | list }} {{ l | list }}
{{ [1, 2, 1, 3, 2] | unique | list }} {{ ['a', 'A', 'b'] | unique | list }} {{ range(7) | batch(3) | list }} {{ range(7) | batch(3, 'x') | list }} {{ range(7) | slice(3) | list }} {{ range(7) | slice(3, 'x') | list }}
{{ people | map(attribute='name') | map('upper') | list }} {{ people | map(attribute='tags', default='-') | list }} {{ l | map('string') | list }} {{ ['a'] | map('replace', 'a', 'b') | list }}
{{ range(6) | select('odd') | list }} {{ range(6) | reject('odd') | list }} {{ [0, 1, ''] | select | list }} {{ people | selectattr('age', 'equalto', 31) | map(attribute='name') | join(',') }} {{ people | rejectattr('tags') | map(attribute='name') | list }} {{ people | selectattr('tags', 'defined') | list | length }} {{ people | selectattr('age', 'gt', 10) | list | count }}
{{ people | groupby('age') | map('first') | list }} {% for age, them in people | groupby('age') %}{{ age }}:{{ them | map(attribute='name') | join('+') }} {% endfor %}
{{ {'b': 1, 'a': 3, 'C': 2} | dictsort }} {{ {'b': 1, 'a': 3} | dictsort(by='value') }} {{ {'b': 1, 'a': 3} | dictsort(reverse=true) }} {{ d | items | list }}
{{ missing | default('D') }} {{ e | default('D') }}| {{ e | default('D', true) }} {{ z | d('D') }} {{ missing | default }}| {{ none | default('x', boolean=true) }}
{{ 3.7 | int }} {{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ ' 12 ' | int }} {{ '3.9' | int }} {{ 'ff' | int(base=16) }} {{ none | int }} {{ '2.5' | float }} {{ 'q' | float }} {{ 3 | float }} {{ '1e3' | float }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }} {{ 7 | round }} {{ -3 | abs }} {{ -3.5 | abs }}
{{ 1 | string }} {{ none | string }} {{ [1] | string }} {{ d | string }} {{ s | safe }} {{ '<&>"\'' | e }} {{ '<' | escape }}
{{ d | tojson }} {{ [1, 2.0, 'é"\\\n', none, true, 1e16, 1e-7] | tojson }} {{ u | tojson(ensure_ascii=true) }} {{ '😀' | tojson(ensure_ascii=true) }} {{ ctl | tojson }} {{ ctl | tojson(ensure_ascii=true) }}
{{ d | tojson(indent=2) }} {{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }} {{ [] | tojson(indent=2) }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ (1, 2) | tojson }}
{{ 'a\nb\n\nc' | indent }} {{ 'a\nb' | indent(2, true) }} {{ 'a\n\nb' | indent(2, blank=true) }} {{ 'a\nb' | indent('> ') }}
{{ '%s is %d and %r%%' | format('x', 3, 'y') }} {{ '%s' % 'a' }} {{ '%s-%s' % ('a', 'b') }} {{ '%f' % 1.5 }}
{{ d | attr('b') }}| {{ d | attr('get') is callable }}
{{ w.strip() }}| {{ w.lstrip() }}| {{ w.rstrip() }}| {{ 'xxaxx'.strip('x') }} {{ 'abcba'.lstrip('ab') }} {{ '\n\nx\n'.strip('\n') }}
{{ ' a b  c '.split(none, 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ text.split() }} {{ text.split(' ') }} {{ text.split('\n') }} {{ text.split(' ', 1) }} {{ text.rsplit(' ', 1) }} {{ text.rsplit(none, 2) }} {{ text.split(none, 1) }} {{ text.splitlines() }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a,b,'.split(',') }}
{{ s.startswith('Hell') }} {{ s.endswith('ld') }} {{ s.startswith(('x', 'H')) }} {{ s.startswith('e', 1) }} {{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('q') }} {{ u.find('é') }} {{ s.index('W') }} {{ s.count('l') }} {{ 'aaaa'.count('aa') }}
{{ s.replace('World', 'You') }} {{ s.replace('l', '', 2) }} {{ s.upper() }} {{ s.lower() }} {{ 'they\'re ok'.title() }} {{ 'aBC'.capitalize() }} {{ ','.join(['a', 'b']) }} {{ ''.join([]) }}|
{{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ ''.isalpha() }} {{ 'AB'.isupper() }} {{ 'ab'.islower() }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('x') }}
{{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '.') }} {{ 'a'.center(4, '*') }} {{ 'ab'.center(5, '*') }} {{ '{} and {}'.format(1, 'b') }} {{ '{0}{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=1) }} {{ '{{}}'.format() }}
{{ l.index(2) }} {{ l.count(1) }} {{ [1, 1].count(1) }}
{{ range(3) | list }} {{ range(1, 4) | list }} {{ range(5, 0, -2) | list }} {{ range(3)[1] }} {{ range(0) | length }}
{{ dict(a=1, b=2) }} {{ dict([('a', 1)]) }} {{ dict({'a': 1}, b=2) }} {% set ns = namespace(a=1) %}{{ ns.a }}{% set ns.a = 2 %}{{ ns.a }}{% set ns.b = 3 %}{{ ns.b }}{{ ns.c }}|
{{ strftime_now('%d %B %Y') }} {{ strftime_now('%Y-%m-%d %A %j %H:%M') }} {{ strftime_now("%b %d %y") }}
{% for i in range(3) %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }} {% endfor %}
{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {{ loop.cycle('a', 'b') }} {{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}undef{% endfor %}
{% for i in range(9) if i is odd %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% else %}no{% endfor %}{% for i in [2] if i > 5 %}x{% else %}no{% endfor %}
{% for a, b in [(1, 2), (3, 4)] %}{{ a }}-{{ b }} {% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for i in range(6) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in range(2) %}{% for j in range(2) %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }};{% endfor %}{% for c in 'aé' %}[{{ c }}]{% endfor %}
{% for i in l %}{% break %}{% else %}E{% endfor %}{% for i in l %}{% continue %}{% else %}E{% endfor %}{% for i in l %}{% if i == 1 %}{% break %}{% endif %}{% else %}E{% endfor %}{{ true | round }}
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% for i in l %}{% if loop.first %}{% set y = i %}{% endif %}{{ y }}|{% endfor %}{{ y }}
{% set y = 'o' %}{% for i in l %}{% if i == 1 %}{% set y = i %}{% endif %}{{ y }}|{% endfor %}{{ y }}
{% if t %}{% set q = 5 %}{% endif %}{{ q }}{% if e %}a{% elif z %}b{% elif n %}c{% else %}d{% endif %}
{% set b %}block {{ n }}{% endset %}{{ b | upper }}{% set b | upper | replace('X', 'y') %}xx{{ s }}{% endset %}{{ b }}
{% set v = 1 %}{% set b %}{% set v = 2 %}{{ v }}{% endset %}{{ v }}{{ b }}
{% macro m(a, b=2, c='x') %}[{{ a }},{{ b }},{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(a=5, c=1) }}{{ m() }}{{ m(1, c=m(2)) }}
{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}{% macro g() %}{{ later }}{% endmacro %}{% set later = 'L' %}{{ g() }}
{% macro m(x) %}{% set loc = x %}{{ loc }}{{ n }}{% endmacro %}{{ m('p') }}{{ loc }}|{{ m('a') ~ 'b' }}{{ m('q') | upper | length }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m is callable }}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}|{% with %}{% set h = 1 %}{% endwith %}{{ h }}|{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}
{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | upper %}aaa{% endfilter %}
{% raw %}{{ not }} {% this %}{% endraw %}{%- raw -%}  x  {%- endraw -%}  y
{% generation %}gen {{ n }}{% endgeneration %}|{% generation -%} a {%- endgeneration %}
{# comment #}a{#- c -#}  b  {#- d #} c {#+ e +#} f
a  {%- if t %}  b  {% endif -%}  c  {{- n -}}  d
{{ "}}" }}{{ '%}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{ {"a": {}} }}
{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1, 2,) }}{{ [] }}{{ {} }}{{ () }}
{{ messages[0].role }} {{ messages | length }} {{ messages[-1]['content'] }} {{ add_generation_prompt }} {{ tools }} {{ documents }} {{ bos_token }}{{ eos_token }}
{{ messages | map(attribute='role') | join(',') }} {{ messages | selectattr('role', 'equalto', 'system') | list }} {% if messages | selectattr('role', 'equalto', 'zzz') %}true{% endif %}
{% set g = l | map('string') %}{{ g | join }}{{ g | join }}| {{ (l | map('string') | list)[0] }}
{{ 'a' if missing is defined else 'b' }}{{ (missing.x is defined) if missing else 'no' }}{{ (missing | default({})).x }}|{{ (d.nope or {}).x }}
{{ people[0].tags[0] }}{{ people[0]['name'][0:2] }}{{ people | length > 2 }}{{ (people | first).name }}{{ people[1:] | map(attribute='age') | list }}
{{ n is number and n > 3 and n < 10 }}{{ 'yes' if 3 <= n <= 7 else 'no' }}{{ n == 7 == true }}{{ (n == 7) == true }}
{{ not not t }}{{ not (t and f) }}{{ -n }}{{ - n + 1 }}{{ 2 - -2 }}{{ n|string|length }}{{ -n|abs }}{{ 1 + n|int }}
{{ loop }}|{% set loop = 5 %}{{ loop }}
{{ s|upper ~ '!' }}{{ 'a' ~ 'b'|upper }}{{ ('a' ~ 'b')|upper }}{{ s.lower().split(', ')|last|title }}{{ s|replace('o','0')|replace('l','1') }}
{{ '\u00e9\U0001F600' }}{{ 'tab\there' }}{{ "dq \" in" }}{{ 'nl\
x' }}
{{ missing.foo }}
{{ missing['foo'] }}
{{ missing() }}
{{ missing + 1 }}
{{ none.foo }}|{{ none.foo.bar }}
{{ d.nope.deeper }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' + none }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ l + 'a' }}
{{ 1 < 'a' }}
{{ 1 in 2 }}
{{ 1 in 'abc' }}
{{ none | length }}
{{ 5 | join }}
{{ -'a' }}
{{ l.append(1) }}
{{ d.update(a=1) }}
{{ d.pop('a') }}
{{ 'abc'.index('z') }}
{{ missing | tojson }}
{{ range | tojson }}
{{ l[0](1) }}
{{ s.nope() }}
{{ {} in {} }}
{{ missing | int }}
{{ z[1:] }}
{{ d.items()[0] is defined }}{{ d.keys() is sequence }}{{ range(2) == [0, 1] }}{{ none | reject | list }}{{ missing is callable }}
{{ 'one two three four' | truncate(10) }}|{{ 'one two three four' | truncate(9, true, '-', 0) }}|{{ u | truncate(8, leeway=0) }}
{{ 'ab' | center(5) }}|{{ 'été 12 _a' | wordcount }}{{ 'a%' % [] if f else 'b' % {} }}{{ '%s' % [1] }}
{% for i in 5 %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% set a, b = [1, 2, 3] %}
{% set d.x = 1 %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{{ raise_exception('no: ' ~ n) }}
{% if n > 5 %}{{ raise_exception("Rôles must alternate!\n'x'") }}{% endif %}
{{ s | upper(1) }}
{{ s | nope }}
{{ s is nope }}
{{ range(1, 2, 0) }}
{{ range(200000) }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(b=2) }}
{{ d.__class__ }}
{{ ''.__class__ }}
{{ 1 2 }}
{{ }}
{{ 'a
{{ a
{% if %}{% endif %}
{% if t %}
{% endif %}
{% for %}{% endfor %}
{% nope %}
{% else %}
{{ (1 }}
{{ 1) }}
{{ [1 }}
{{ a b }}
{{ 1 + }}
{{ . }}
{{ a. }}
{{ 'x' | }}
{% set %}
{% set 1 = 2 %}
{% include 'x' %}
{{ $ }}
{{ 01 }}
{{ 'a\x4' }}
{# never ends
""".strip().split("\n")


def small_templates():
    lines, hold = [], None
    for line in SMALL:
        if hold is not None:        # the one with a backslash at its end
            line = hold + "\n" + line
        hold = line if line.endswith("\\") else None
        if hold is None:
            lines.append(line)
    lines += [
        "  {% if t %}\n  a\n  {% endif %}\n  b\n",
        "{% if t %}\r\nx\r\n{% endif %}\r\ny\rz\r\n",
        "x\n  {%+ if t %}\n y {% endif +%}\n z\n\n",
        "  {{ n }}\n  {# c #}\n  {{ n }}  \n",
        "\n\n  {%- for i in l %}\n    {{ i }}\n  {%- endfor %}\n",
        "a {% if t %} {% if t %} b {% endif %} {% endif %} c",
        "\t {% set x = 1 %}\n\n{{ x }}\n",
        "{{ n }}\n{% if t %}\n{% endif %}\n{{ n }}",
        "x {#- a -#} \n y\n {# b #}\n z",
        "{% raw %}\n a {% endraw %}\n b",
        "  {% raw %}  x\n  {% endraw %}\n y",
        "{% for m in messages %}{{ loop.index0 }}{{ m['role'] }}: "
        "{{ m.content }}\n{% endfor %}",
        "\u00a0{% if t %} \u2003{%- endif %}\u3000{{- n }}",
        "{{ 'a' ~ \n\n 'b' }}\n\n{%\n set\ny\n=\n1\n%}\n{{y}}",
        "",
        "\n",
        "just text\n",
        "{{'{{'}} {{ '{%' }} { { % } {x} }}",
    ]
    return lines


def main():
    data = sys.argv[1] if len(sys.argv) > 1 else "../shared/data"
    messages = CONVERSATIONS["system"]
    small = []
    for source in small_templates():
        t = tokenizer(source, bos_token="<s>", eos_token="</s>")
        small.append(dict(source=source, **render(t, messages, True, None,
                                                  SMALL_VARS)))
    out = dict(date=DATE, conversations=CONVERSATIONS, tools=TOOLS, vars=VARS,
               small_vars=SMALL_VARS, small=small, shared=list(shared(data)), other=OTHER,
               ids=list(ids(data)))
    json.dump(out, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
