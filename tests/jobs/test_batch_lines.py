"""What a batch may say: every form of lines, and everything that is wrong with them told at once, before anything is sent."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from batch_runs import drawn
from conftest import at_sandbox, posts
from mediakit.base import errors, spool
from mediakit.jobs.batch import chains, lines, results, source, task
from mediakit.services.payloads import Content

GOOD = '{"task": "t2i", "prompt": "a"}'
# What is wrong with a file of lines -> the paths of the problems that are told.
WRONG = {
    "no JSON": ([GOOD, "{", GOOD], ["line 2"]),
    "no object": (["[1]", "3", '"a"', "null"], ["line 1", "line 2", "line 3", "line 4"]),
    "a name twice in one object": (['{"prompt": "a", "prompt": "b"}'], ["line 1"]),
    "no number of JSON": (['{"task": "t2i", "prompt": "a", "params": {"seed": NaN}}', '{"payload": {"a": -1e999}}'],
                          ["line 1", "line 2"]),
    "no text of UTF-8": ([GOOD, '{"prompt": "a\udcff"}', GOOD], ["line 2"]),
    "jobs that are not known": (['{"task": "i2v", "prompt": "a", "inputs": {"image": "job:job_0123456789abcdef"}}', GOOD,
                                 '{"task": "i2v", "prompt": "a", "inputs": {"image": "job:job_0000000000000001"}}'],
                                ["line 1: inputs", "line 3: inputs"]),
    "an id twice": (['{"id": "x", "task": "t2i", "prompt": "a"}', "", '{"id": "x", "task": "t2i", "prompt": "b"}'],
                    ["line 3: id"]),
    "an id that is a later line's number": (['{"id": 2, "task": "t2i", "prompt": "a"}', GOOD], ["line 2: id"]),
    "an unknown field": (['{"promt": "a"}'], ["line 1: promt"]),
    "values of other kinds": (['{"prompt": 3}', '{"params": []}', '{"inputs": {"image": 1}}', '{"id": {}}',
                               '{"id": true}', '{"payload": "a"}', '{"output_name": "../a"}', '{"prompt": " "}'],
                              ["line 1: prompt", "line 2: params", "line 3: inputs.image", "line 4: id", "line 5: id",
                               "line 6: payload", "line 7: output_name", "line 8: prompt"]),
    "standard input": (['{"task": "i2v", "prompt": "a", "inputs": {"image": "-"}}'], ["line 1: inputs.image"]),
    "no such line": (['{"task": "i2v", "prompt": "a", "inputs": {"image": "line:b"}}'], ["line 1: inputs"]),
    "a circle": ([GOOD, *(json.dumps({"id": a, "task": "i2v", "prompt": a, "inputs": {"image": f"line:{b}"}})
                          for a, b in ("xy", "yz", "zx", "cx"))], ["line 2: inputs", "line 3: inputs", "line 4: inputs"]),
    "a reference that is no input": (['{"id": "x", "task": "t2i", "prompt": "a"}', *(
        json.dumps({"task": "i2v", "prompt": "line:x is no reference, nor is line:y", **more}) for more in (
            {"params": {"first_frame_url": "line:x"}}, {"params": {"first_frame_url": "job:job_0123456789abcdef"}},
            {"payload": {"first_frame_url": "line:x"}}, {"inputs": {"image": "line:x"}}))],
        ["line 2: first_frame_url", "line 3: params", "line 4: first_frame_url"]),
    "its own output": (['{"id": "x", "task": "i2v", "prompt": "a", "inputs": {"image": "line:x"}}'], ["line 1: inputs"]),
    "what the contract refuses": ([GOOD, '{"task": "t2i", "prompt": "a", "params": {"sise": 1}}'], ["line 2: sise"]),
    "no such service, task, file": (['{"provider": "nobody", "prompt": "a"}', '{"task": "x2y", "prompt": "a"}',
                                     '{"task": "i2v", "prompt": "a", "inputs": {"image": "no.png"}}'],
                                    ["line 1: provider", "line 2: task", "line 3: inputs"]),
    "other words in the payload": (['{"task": "t2i", "prompt": "a", "payload": {"prompt": "b"}}'], ["line 1: prompt"]),
    "nothing asked for": (['{"task": "t2i"}'], ["line 1: prompt"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_sent(batch, sandbox, case):
    told, expected = WRONG[case]
    for flags in ((), ("--dry-run",)):
        ran = batch(told, *at_sandbox(sandbox), "--max-jobs", "99", *flags)
        assert (ran.code, ran.result["error"]) == (22, "lines_invalid"), ran.result
        assert [problem["path"] for problem in ran.result["problems"]] == expected, ran.result["problems"]
    assert all(problem["line"] and problem["message"] for problem in ran.result["problems"])
    assert not posts(sandbox) and not (ran.folder / "results.jsonl").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--shard", "0/2"], ["--shard", "3/2"], ["--shard", "1"], ["--shard", "1/0"], ["--rate", "0"],
        ["--rate", "fast"], ["--max-spend", "5"], ["--in-flight", "0"], ["--models", "a/b"], ["--csv", "jobs.jsonl"],
        ["--copies", "2"], ["--sse-endpoint", "/generation/sse/a"], ["--from", "a.json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_flag_that_cannot_be_used_is_refused_before_anything_is_sent(batch, sandbox, flags):
    ran = batch(drawn("a"), *at_sandbox(sandbox), *flags)
    assert (ran.code, ran.result["error"], posts(sandbox)) == (2, "invalid_arguments", 0), ran.result


def test_a_file_without_a_line_is_a_bad_argument(batch, sandbox):
    assert batch([""], *at_sandbox(sandbox)).code == 2
    assert batch(None, *at_sandbox(sandbox), file="no-such-file.jsonl").code == 2
    assert batch(None, *at_sandbox(sandbox), file=None).code == 2


def test_what_a_line_does_not_say_the_flags_say(batch, sandbox, tmp_path):
    said = [{"params": {"n": 2}}, {"prompt": "b", "model": "z-image/z-image"}, {"payload": {"prompt": "c"}}]
    flags = ("--task", "t2i", "--prompt", "a fault:job-fast", "--param", "n=1")
    ran = batch(said, *at_sandbox(sandbox), *flags, "--max-jobs", "3")
    assert ran.code == 0, ran.events
    bodies = [json.loads(exchange.body) for exchange in sandbox.exchanges if exchange.method == "POST"]
    by_prompt = {body["prompt"]: body.get("n") for body in bodies}
    assert by_prompt == {"a fault:job-fast": 2, "b": 1, "c": 1}
    models = {line["id"]: line["model"] for line in ran.lines}
    assert models["2"] == "z-image/z-image" and models["1"] == models["3"] != models["2"]


@pytest.mark.parametrize("place", ["params", "payload"])
def test_a_line_never_says_whom_the_service_is_to_call(batch, sandbox, place):
    line = {"task": "t2i", "prompt": "a", place: {"webhook_url": "https://example.com"}}
    ran = batch([line], *at_sandbox(sandbox), "--no-validate")
    assert (ran.code, posts(sandbox)) == (22, 0) and "webhook_url" in ran.result["message"]


def test_a_csv_says_the_same_as_lines():
    text = 'id,prompt,seed,params.size,inputs.image,payload,output_name\nx,"a, b",3,2K,line:y,,"{line}"\n\ny,c,,,,"{""a"":1}",\n'
    found, problems = lines.from_csv(io.StringIO(text, newline=""))
    assert not problems and [lines.as_object(line) for line in found] == [
        {"id": "x", "prompt": "a, b", "params": {"seed": 3, "size": "2K"}, "output_name": "{line}",
         "inputs": {"image": "line:y"}},
        {"id": "y", "prompt": "c", "payload": {"a": 1}},
    ]  # fmt: skip
    for bad, number in (("a,a\n1,2\n", 1), ("prompt\na,b\n", 1), ('prompt\n"a', 1), ("", 1), ("payload\n{\n", 1),
                        ("prompt,\na,\nb,c\n", 2), ("prompt,Prompt\na,b\n", 1), ("seed,params.seed\n1,2\n", 1),
                        ("params,params.seed\n{},1\n\"{\"\"seed\"\":1}\",1\n", 2),
                        ('inputs.image,inputs\na,"{""image"":""b""}"\n', 1), ('p\na\n"b', 2)):  # fmt: skip
        found, problems = lines.from_csv(io.StringIO(bad, newline=""))
        assert [problem.line for problem in problems] == [number] and len(found) < number, bad


# A file as somebody's program writes it -> what its first line says.
CSV_FILES = {
    "semicolons": ("id;prompt;size\nx;a, b;2K\n", {"id": "x", "prompt": "a, b", "params": {"size": "2K"}}),
    "semicolons, and commas in quotes": ('id;"a,b,c";prompt\nx;1;p\n', {"id": "x", "prompt": "p", "params": {"a,b,c": 1}}),
    "Excel's own word": ("sep=;\r\nid;prompt\r\nx;a, b\r\n", {"id": "x", "prompt": "a, b"}),
    "empty lines above": ("\n,\nid,prompt\nx,a\n", {"id": "x", "prompt": "a"}),
    "blanks around names": ("id , prompt,model\n x , a , b/c \n", {"id": "x", "prompt": " a ", "model": "b/c"}),
    "a column for some": ("params,params.seed\n{},1\n", {"id": "1", "params": {"seed": 1}}),
    "tabs": ("id\tprompt\nx\ta;b\n", {"id": "x", "prompt": "a;b"}),
    "Windows": ("id,prompt\r\nx,a\r\n", {"id": "x", "prompt": "a"}),
    "capitals": ("ID,Prompt,Params.Seed\nx,a,3\n", {"id": "x", "prompt": "a", "params": {"Seed": 3}}),
    "a name of the service in capitals": ("prompt,Seed\na,3\n", {"id": "1", "prompt": "a", "params": {"Seed": 3}}),
    "other scripts": ("prompt,größe,提示\na,3,b\n", {"id": "1", "prompt": "a", "params": {"größe": 3, "提示": "b"}}),
    "several files": ('id,inputs.image\nx,"[""a.png"",""b.png""]"\n', {"id": "x", "inputs": {"image": ["a.png", "b.png"]}}),
    "a file in brackets": ("id,inputs.image\nx,[a].png\n", {"id": "x", "inputs": {"image": "[a].png"}}),
    "a number with zeros": ("id,prompt\n007,a\n", {"id": "007", "prompt": "a"}),
    "several lines in a cell": ('prompt\n"a ""b""\nc"\n', {"id": "1", "prompt": 'a "b"\nc'}),
    "empty cells and lines": ("id,prompt,seed,\n\n,a,,\n,,,\n", {"id": "1", "prompt": "a"}),
    "a very long cell": ("prompt\n" + "a" * 200_000 + "\n", {"id": "1", "prompt": "a" * 200_000}),
}  # fmt: skip


@pytest.mark.parametrize("case", CSV_FILES)
def test_a_csv_of_any_program_is_read(case):
    text, first = CSV_FILES[case]
    found, problems = lines.from_csv(io.StringIO(text, newline=""))
    told = lines.as_object(found[0])
    assert not problems and {**told, "id": first.get("id")} == first


@pytest.mark.parametrize("text", ['[{"prompt": "a"}]', '[\n{"prompt": "a"},\n{"prompt": "b"}\n]\n'])
def test_one_list_of_all_is_one_problem_with_its_way_out(text):
    found, problems = lines.from_jsonl(io.StringIO(text))
    assert not found and [(problem.line, "jq -c" in problem.message) for problem in problems] == [(1, True)]


def test_a_matrix_is_every_combination_and_its_lines_can_be_run_as_they_are(batch, sandbox, tmp_path):
    (tmp_path / "prompts.txt").write_text("a fault:job-fast\n\nb fault:job-fast\n", "utf-8")
    matrix = ("--prompts", "prompts.txt", "--models", "z-image/z-image,bytedance/seedream-4.5", "--param", "n=2..1")
    ran = batch(None, *at_sandbox(sandbox), *matrix, "--param", "resolution=2K", "--expand-only", file=None)
    told = ran.events[:-1]
    assert (ran.code, ran.result["lines"], len(told), posts(sandbox)) == (0, 8, 8, 0)
    first = {
        "id": "1",
        "model": "z-image/z-image",
        "prompt": "a fault:job-fast",
        "params": {"resolution": "2K", "n": 2},
    }
    assert {**first, "provider": "sandbox"} == {name: told[0][name] for name in (*first, "provider")}
    assert [line["params"]["n"] for line in told] == [2, 1] * 4
    again, problems = lines.from_jsonl(io.StringIO("\n".join(json.dumps(event) for event in ran.events)))
    assert not problems and [line.id for line in again] == [str(number) for number in range(1, 9)]
    direct = batch(None, *at_sandbox(sandbox), *matrix, "--max-jobs", "8", file=None)
    assert (direct.code, len(direct.lines), posts(sandbox)) == (0, 8, 8), direct.result


def test_a_prompt_of_a_matrix_ends_only_where_its_line_does(tmp_path):
    (tmp_path / "p.txt").write_bytes("a\u2028b\x0cc\x85d\x1ce\r\n\r\nf\rg\n".encode())
    found, _ = source.read({"prompts": str(tmp_path / "p.txt")}, "a/b,c/d", Content(), None)
    assert [line.prompt for line in found.lines] == ["a\u2028b\x0cc\x85d\x1ce"] * 2 + ["f"] * 2 + ["g"] * 2


@pytest.mark.parametrize("value", ["1 .. 3", "0.5..1.5", "1...3", "1..", "1..9..2", "1..+3"])
def test_what_is_nearly_a_range_is_not_bought_as_words(value, tmp_path):
    (tmp_path / "p.txt").write_text("a\n", "utf-8")
    with pytest.raises(errors.Failure) as refused:
        source.read({"prompts": str(tmp_path / "p.txt")}, None, Content(parameters={"seed": value}), None)
    assert (refused.value.exit_code, "seed=1..8" in refused.value.message) == (2, True)


@pytest.mark.parametrize("models", ["", ",", "a/b,", "a/b,,c/d", "a/b, a/b"])
def test_each_model_of_a_matrix_has_a_name_of_its_own(models, tmp_path):
    (tmp_path / "p.txt").write_text("a\n", "utf-8")
    with pytest.raises(errors.Failure) as refused:
        source.read({"prompts": str(tmp_path / "p.txt")}, models, Content(), None)
    assert (refused.value.exit_code, refused.value.fields["field"]) == (2, "--models")


def test_shards_are_a_partition_that_cuts_no_chain_and_does_not_hang_on_the_order():
    text = "\n".join(
        json.dumps({"id": f"n{n}", "prompt": "a", **({"inputs": {"image": f"line:n{n - 1}"}} if n % 5 else {})})
        for n in range(400)
    )
    whole, _ = lines.from_jsonl(io.StringIO(text))
    parts = [chains.shard(whole, index, 4) for index in range(1, 5)]
    assert sorted(line.number for part in parts for line in part) == [line.number for line in whole]
    assert all(60 <= len(part) <= 140 and not chains.problems(part) for part in parts)
    names = {line.id for line in parts[0]}
    grown, _ = lines.from_jsonl(io.StringIO(text + '\n{"id": "new", "prompt": "b"}'))
    assert {line.id for line in chains.shard(grown, 1, 4)} - {"new"} == names


def test_a_long_chain_and_a_wide_one_are_checked_without_recursion():
    ids = [f"n{n}" for n in range(5000)]
    whole = [lines.Line(n, name, inputs=(("image", f"line:n{n - 1}"),) if n else ()) for n, name in enumerate(ids)]
    assert not chains.problems(lines.Lines(whole)) and len(chains.shard(lines.Lines(whole), 1, 2)) in (0, 5000)
    whole[0] = lines.Line(0, "n0", inputs=(("image", "line:n4999"),))
    assert len(chains.problems(lines.Lines(whole))) == 5000


def test_the_plan_counts_and_prices_and_sends_nothing(batch, sandbox):
    flags = (*at_sandbox(sandbox), "--max-jobs", "9")
    planned = batch(drawn("a", "b", "c"), *flags, "--dry-run")
    assert (planned.code, planned.result["event"], planned.result["jobs"], posts(sandbox)) == (0, "plan", 3, 0)
    assert planned.result["cost_unknown"] == 3 and planned.result["effect"] == "no_spend"
    assert batch(drawn("a fault:job-fast"), *flags).code == 0
    planned = batch(drawn("a", "b", "c"), *flags, "--dry-run")  # one job has told the price of the others
    assert planned.result["cost"] == [{"amount": 36, "unit": "credits", "source": "estimate"}]


def test_a_line_that_waits_or_is_done_takes_next_to_no_memory(tmp_path, monkeypatch):
    """Lines of 1.1 KB, each with a task, and as many results."""
    count = 2000
    monkeypatch.setattr(spool, "_SMALL", 64 * 1024)
    text = io.StringIO(
        "".join(json.dumps({"task": "t2i", "prompt": f"{n} " + "x" * 1000}) + "\n" for n in range(count))
    )
    tracemalloc.start()
    try:
        found, problems = lines.from_jsonl(text)
        assert not problems
        service = object()
        tasks = [task.Task(found, index, service) for index in range(count)]
        whole = results.Results(str(tmp_path), found.ids)
        for one in tasks:
            assert one.line.number == one.place + 1
            whole.note(one.place, {"id": one.id, "files": [f"{tmp_path}/{one.id}.png"], "cost": "x" * 300})
        whole.write()
        held = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert held < 600, f"{held=}"
    assert (tmp_path / "results.jsonl").read_text("utf-8").count("\n") == count == len(whole.files())
