import time

import pytest
import torch

from poolab.measure import PeakMemory, memory

MB = 1_000_000


def _touch(megabytes):
    block = torch.ones(megabytes * MB // 8, dtype=torch.float64)
    return block.numel() * 8


def test_growth_that_is_gone_at_the_end_is_seen():
    with PeakMemory() as peak:
        _touch(200)
    assert peak.source == "resident-set growth"
    assert 190 * MB < peak.bytes < 300 * MB


@pytest.mark.skipif(not memory._reset_peak(), reason="the kernel's peak cannot be reset here")
def test_an_earlier_peak_does_not_count():
    _touch(300)
    with PeakMemory() as small:
        _touch(60)
    assert 50 * MB < small.bytes < 120 * MB
    with PeakMemory() as nothing:
        time.sleep(0)
    assert nothing.bytes < 20 * MB


def test_what_was_freed_before_is_no_reserve():
    """Blocks below glibc's threshold for mmap stay with the process while the last of them lives."""
    blocks = [torch.ones(MB // 8, dtype=torch.float64) for _ in range(300)]
    last = blocks.pop()
    blocks.clear()
    with PeakMemory() as peak:
        _touch(60)
    assert 50 * MB < peak.bytes < 120 * MB
    assert last.numel()


def test_where_the_peak_cannot_be_reset(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "missing" / "clear_refs")
    memory._return_free_memory()  # as the block does: what is resident after that counts
    above = memory._largest_resident_set() - _resident()
    with PeakMemory() as peak:
        _touch(200 + above // MB)
    assert 150 * MB < peak.bytes < 350 * MB


def _resident():
    return memory._status("VmRSS") if memory.STATUS.exists() else memory._largest_resident_set()


@pytest.mark.parametrize(("platform", "unit"), [("darwin", 1), ("linux", 1024)])
def test_the_unit_of_getrusage(monkeypatch, platform, unit):
    import resource

    monkeypatch.setattr(memory.sys, "platform", platform)
    assert memory._largest_resident_set() == unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_on_cuda_the_allocators_peak_is_reset_and_read_when_the_device_has_done_its_work(monkeypatch):
    calls = []
    for name, answer in (("synchronize", None), ("reset_peak_memory_stats", None), ("max_memory_allocated", 77)):
        note = lambda device, name=name, answer=answer: calls.append((name, device)) or answer  # noqa: E731
        monkeypatch.setattr(torch.cuda, name, note)
    with PeakMemory("cuda:1") as peak:
        calls.append("work")
    device = torch.device("cuda:1")
    assert calls == [("synchronize", device), ("reset_peak_memory_stats", device), "work", ("synchronize", device),
                     ("max_memory_allocated", device)]  # fmt: skip
    assert (peak.source, peak.bytes) == ("device allocator", 77)


def status(monkeypatch, tmp_path, *contents):
    """The kernel's words before and after, in kB."""
    texts = iter("".join(f"{key}:\t {value} kB\n" for key, value in one.items()) for one in contents for _ in one)
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "clear_refs")
    monkeypatch.setattr(
        memory, "STATUS", type("Status", (), {"exists": lambda: True, "read_text": lambda: next(texts)})
    )


@pytest.mark.parametrize(("before", "after", "grown"), [
    ({"VmRSS": 1000, "RssFile": 200}, {"VmHWM": 1800, "RssFile": 200}, 800),
    ({"VmRSS": 1000, "RssFile": 200}, {"VmHWM": 1800, "RssFile": 300}, 700),  # code that was touched for the first time
    ({"VmRSS": 1000, "RssFile": 200}, {"VmHWM": 1800, "RssFile": 100}, 800),  # code that was let go
    ({"VmRSS": 1000, "RssFile": 200}, {"VmHWM": 1050, "RssFile": 300}, 0),
    ({"VmRSS": 1000, "Other": 1}, {"VmHWM": 1800, "Other": 1}, 800),  # a kernel without that line
])  # fmt: skip
def test_growth_is_the_peak_less_the_start_less_code(monkeypatch, tmp_path, before, after, grown):
    status(monkeypatch, tmp_path, before, after)
    with PeakMemory() as peak:
        assert peak.bytes == 0
    assert peak.bytes == 1024 * grown
    assert (tmp_path / "clear_refs").read_text() == "5"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_it_is_the_allocator():
    with PeakMemory("cuda") as peak:
        block = torch.ones(50 * MB, device="cuda")
        del block
    assert peak.source == "device allocator"
    assert peak.bytes >= 200 * MB
