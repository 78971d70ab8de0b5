"""Training: the same hash by any way, every key at work, and what ends a run badly."""

import contextlib
import csv
import errno
import logging
import math
import os
import random
import re
import shutil
import signal
import subprocess
import threading

import numpy as np
import pytest
import torch
from torch import nn
from toy_tuning import STEPS, Toy, batch_of, batches, config, run, validation

from finetune.training import checkpoints
from finetune.training import train as train_module
from finetune.training.as_found import epoch_seed
from finetune.training.feed import read_ahead
from finetune.training.losses import loss_of
from finetune.training.schedule import PLATEAU_FACTOR, Watch, rate_factor
from zoo.errors import InputError, SystemStateError, UsageError

pytest.importorskip("pytorch_lightning")

WAYS = {
    "plain": {},
    "average": {"average": 0.9},
    "plateau": {"schedule": "plateau", "lr": 0.3, "epochs": 6},
    "warm-up": {"warmup": 0.5, "schedule": "constant"},
    "accumulate": {"accumulate": 4},
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam", "clip": 0.01},
    "decay": {"weight_decay": 0.1},
    "bf16": {"precision": "bf16-mixed"},
    "double": {"precision": "64-true", "average": 0.5},
    "ahead": {"workers": 3},
    "monitor": {"monitor": "train_loss", "early_stopping": 2},
}


class Stop(Exception):
    pass


def stop_after(epoch, error=Stop):
    def report(row):
        if row["epoch"] == epoch:
            raise error

    return report


def lines(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- what it learns


def test_it_learns_and_ends_with_its_best_weights(tmp_path):
    model, result = run(tmp_path, config(epochs=30, lr=0.05))
    losses = [row["val_loss"] for row in result.history]
    # The rate that the targets were drawn from: no other has a lower loss on average.
    with torch.no_grad():
        found = sum(loss_of("poisson")(model(b), b.target).item() for b in validation()()) / 2
    assert losses[0] > losses[-1] + 0.1
    assert found == pytest.approx(min(losses), abs=1e-6)
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert not model.training


def test_the_validation_loss_is_of_elements_not_of_batches(tmp_path):
    big, small = batch_of(5, 0, 0, n=8), batch_of(5, 0, 1, n=1)
    model, result = run(tmp_path, config(epochs=1), validation=lambda: [big, small])
    loss = loss_of("poisson")
    with torch.no_grad():
        sums = [loss.sums(model(batch), batch.target) for batch in (big, small)]
    expected = sum(s[0].item() for s in sums) / sum(s[1].item() for s in sums)
    assert result.history[0]["val_loss"] == pytest.approx(expected, rel=1e-6)
    assert sums[1][1] == 2 * 12 - 3


def test_frozen_parts_stay_as_they_were(tmp_path):
    before = {name: value.clone() for name, value in Toy().trunk.state_dict().items()}
    model, _ = run(tmp_path)
    for name, value in model.trunk.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not torch.equal(model.heads["main"].weight, Toy().heads["main"].weight)


def test_one_step_of_sgd_by_hand(tmp_path):
    batch = batch_of(0, 0, 0)
    model = Toy()
    model.eval()
    loss_of("poisson")(model(batch), batch.target).backward()
    expected = {n: p - 0.1 * p.grad for n, p in model.named_parameters() if p.requires_grad}
    settings = config(epochs=1, optimizer="sgd", lr=0.1, clip=0, warmup=0, schedule="constant")
    trained, _ = run(tmp_path, settings, steps=1, given=batches(steps=1), set_training=lambda model: model.eval())
    for name, value in expected.items():
        torch.testing.assert_close(trained.get_parameter(name), value)


def test_clipping_bounds_the_step(tmp_path):
    settings = {"epochs": 1, "optimizer": "sgd", "lr": 1.0, "warmup": 0, "schedule": "constant"}
    model, _ = run(tmp_path, config(**settings, clip=0.01), steps=1, given=batches(steps=1))
    moved = [p - q for p, q in zip(model.parameters(), Toy().parameters(), strict=True)]
    assert math.sqrt(sum(m.detach().square().sum().item() for m in moved)) == pytest.approx(0.01, rel=1e-3)


def test_accumulated_gradients_are_means(tmp_path):
    still = {"set_training": lambda model: model.eval()}
    settings = {"epochs": 1, "optimizer": "sgd", "lr": 0.1, "clip": 0, "warmup": 0, "schedule": "constant"}
    one, two = (batch_of(0, 0, i) for i in range(2))
    model, _ = run(tmp_path, config(**settings, accumulate=2), steps=2, given=lambda epoch: [one, two], **still)
    expected = Toy()
    expected.eval()
    sum(loss_of("poisson")(expected(b), b.target) / 2 for b in (one, two)).backward()
    weight = expected.heads["main"].weight
    torch.testing.assert_close(model.heads["main"].weight, weight - 0.1 * weight.grad)


def test_the_running_mean_by_hand(tmp_path):
    settings = {"epochs": 1, "lr": 0.05}
    path = []
    for steps in range(1, 4):
        given = batches(steps=3)
        model, _ = run(
            tmp_path / str(steps),
            config(**settings, warmup=0, schedule="constant"),
            given=lambda epoch, n=steps, given=given: list(given(epoch))[:n],
            steps=3,
        )
        path.append(model.heads["main"].weight.detach().clone())
    mean = Toy().heads["main"].weight.detach()
    for weight in path:
        mean = 0.75 * mean + 0.25 * weight
    model, _ = run(
        tmp_path / "mean", config(**settings, warmup=0, schedule="constant", average=0.75), given=batches(steps=3)
    )
    torch.testing.assert_close(model.heads["main"].weight, mean)


def test_rates_of_groups(tmp_path):
    def groups(model, settings):
        return [
            {"params": model.after.parameters(), "lr": 0.0},
            {"params": model.heads.parameters(), "lr": settings.lr},
        ]

    model, _ = run(tmp_path, config(layer_decay=0.5), parameter_groups=groups)
    assert torch.equal(model.after[0].weight, Toy().after[0].weight)
    assert not torch.equal(model.heads["main"].weight, Toy().heads["main"].weight)


def test_two_heads_have_two_losses(tmp_path):
    model = Toy(heads=("dnase", "k4"))
    _, result = run(tmp_path, model=model)
    row = result.history[-1]
    assert row["val_loss"] == pytest.approx(row["val_loss_dnase"] + row["val_loss_k4"])
    assert list(lines(tmp_path)[0]) == [
        "epoch", "train_loss", "val_loss", "val_loss_dnase", "val_loss_k4", "lr", "seconds",
    ]  # fmt: skip


def test_early_stopping(tmp_path):
    settings = config(epochs=50, early_stopping=2, monitor_mode="max", schedule="constant")  # a falling loss is worse
    _, result = run(tmp_path, settings)
    assert (len(result.history), result.best_epoch, result.stopped) == (3, 1, "early_stopping")
    _, again = run(tmp_path, settings, resume=True)
    assert again == result


# ---------------------------------------------------------------- the same hash


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_ends_at_the_same_hash_also_after_an_interruption(tmp_path, way):
    settings = config(**WAYS[way])
    model, whole = run(tmp_path / "whole", settings)
    torch.rand(3)  # the state of the process is not the seed
    _, second = run(tmp_path / "second", settings)
    assert second.weights_hash == whole.weights_hash
    with pytest.raises(Stop):
        run(tmp_path / "parts", settings, report=stop_after(2))
    assert len(lines(tmp_path / "parts")) == 2
    resumed, parts = run(tmp_path / "parts", settings, model=Toy(seed=0), resume=True)
    assert parts.weights_hash == whole.weights_hash
    assert parts.best_epoch == whole.best_epoch
    drop = [[{k: v for k, v in row.items() if k != "seconds"} for row in result.history] for result in (parts, whole)]
    assert drop[0] == drop[1]
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), model.parameters(), strict=True))


def test_resumed_from_every_epoch_and_in_the_middle_of_one(tmp_path):
    settings = config(average=0.8)
    _, whole = run(tmp_path / "whole", settings)

    def broken(epoch):
        for i, batch in enumerate(batches()(epoch)):
            if (epoch, i) in failing:
                failing.discard((epoch, i))
                raise Stop
            yield batch

    failing = {(0, 3), (1, 0), (1, 5), (2, 2), (3, 4)}
    for _ in range(5):
        with pytest.raises(Stop):
            run(tmp_path / "parts", settings, resume=True, given=broken)
    _, parts = run(tmp_path / "parts", settings, resume=True, given=broken)
    assert parts.weights_hash == whole.weights_hash


def test_another_seed_is_another_hash(tmp_path):
    hashes = {run(tmp_path / str(seed), config(seed=seed))[1].weights_hash for seed in range(3)}
    assert len(hashes) == 3
    assert len({epoch_seed(s, e, r) for s in range(4) for e in range(4) for r in range(4)}) == 64


def test_a_finished_run_is_not_run_again(tmp_path):
    _, result = run(tmp_path)

    def never(epoch):
        raise AssertionError

    model, again = run(tmp_path, model=Toy(seed=0), resume=True, given=never)
    assert again == result
    assert checkpoints.hash_of(model.state_dict()) == result.weights_hash


def test_resume_with_other_settings(tmp_path):
    with pytest.raises(Stop):
        run(tmp_path, report=stop_after(1))
    with pytest.raises(UsageError, match=r"train\.lr was 0\.02 and is 0\.5") as error:
        run(tmp_path, config(lr=0.5), resume=True)
    assert "train.lr: 0.02" in error.value.fix
    with pytest.raises(UsageError, match="frozen weights"):
        run(tmp_path, model=Toy(seed=1), resume=True)
    run(tmp_path, config(log=["csv", "tensorboard"], workers=1), resume=True)


def test_resume_without_a_checkpoint_starts_anew(tmp_path):
    _, whole = run(tmp_path / "whole")
    _, resumed = run(tmp_path / "none", resume=True)
    assert resumed.weights_hash == whole.weights_hash


def test_without_resume_nothing_of_an_earlier_run_is_left(tmp_path):
    run(tmp_path, config(epochs=6))
    with pytest.raises(Stop):
        run(tmp_path, given=lambda epoch: (_ for _ in ()).throw(Stop))
    assert not (tmp_path / "last.ckpt").exists()
    assert not (tmp_path / "history.csv").exists()


@pytest.mark.parametrize("text", [b"", b"no checkpoint", None])
def test_a_broken_checkpoint(tmp_path, text):
    with pytest.raises(Stop):
        run(tmp_path, report=stop_after(2))
    if text is None:
        (tmp_path / "best.ckpt").unlink()
    else:
        (tmp_path / "last.ckpt").write_bytes(text)
    with pytest.raises(SystemStateError, match="ckpt"):
        run(tmp_path, resume=True)


def test_a_checkpoint_is_no_larger_than_what_is_trained(tmp_path):
    model = Toy()
    model.trunk.append(nn.Linear(12, 1_000_000))
    model.trunk.requires_grad_(False)
    model.trunk.append(nn.Identity())
    model.forward = lambda batch: model.heads["main"](torch.cat([batch.inputs] * 4, 1))
    run(tmp_path, config(epochs=1), model=model)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 200_000


# ---------------------------------------------------------------- the rate


def test_warm_up_and_cosine():
    settings = config(warmup=0.2)
    factors = [rate_factor(settings, step, 10) for step in range(11)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[6] == pytest.approx(0.5)
    assert factors[10] == pytest.approx(0)
    assert rate_factor(settings, 500, 10) == pytest.approx(0)
    assert rate_factor(config(warmup=0, schedule="constant"), 7, 10) == 1


def test_a_plateau_lowers_the_rate():
    watch, settings = Watch(), config(schedule="plateau")
    seen = [watch.see(settings, i + 1, value) for i, value in enumerate([3, 2, 2, 2, 2, 2, 1])]
    assert seen == [True, True, False, False, False, False, True]
    assert watch.factor == PLATEAU_FACTOR**2
    assert watch.best_epoch == 7


def test_the_rate_is_in_the_history(tmp_path):
    _, result = run(tmp_path, config(warmup=0.5, schedule="constant", lr=0.01))
    assert [row["lr"] for row in result.history] == pytest.approx([0.005, 0.01, 0.01, 0.01])


# ---------------------------------------------------------------- keys


def test_every_key_of_grelu_has_its_equal():
    theirs = pytest.importorskip("grelu.lightning").default_train_params
    table = dict(re.findall(r"^    (\w+) +(\S.*)$", train_module.__doc__, re.M))
    assert set(theirs) <= set(table)
    known = set(type(config()).model_fields)
    for text in table.values():
        assert {name for name in re.findall(r"train\.(\w+)", text)} <= known


def test_batch_norm_and_accumulation_are_told(tmp_path):
    _, result = run(tmp_path, config(accumulate=2, epochs=1), model=Toy(norm=True))
    assert len(result.notes) == 1
    assert "1 batch norms" in result.notes[0]
    _, result = run(tmp_path, config(accumulate=2, epochs=1))  # the trunk's is frozen
    assert result.notes == ()


def test_what_excludes_each_other(tmp_path):
    for settings, key in [
        (config(monitor="loss"), "train.monitor"),
        (config(weight_decay=0.1, optimizer="sgd"), "train.weight_decay"),
        (config(layer_decay=0.5), "train.layer_decay"),
        (config().model_copy(update={"accelerator": "abacus"}), "abacus"),
    ]:
        with pytest.raises(UsageError, match=key):
            run(tmp_path, settings)
    frozen = Toy()
    frozen.requires_grad_(False)
    with pytest.raises(UsageError, match="nothing of the model is trained"):
        run(tmp_path, model=frozen)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    run(tmp_path, config(log=["tensorboard"]))
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"val_loss" in events.read_bytes()
    assert len(lines(tmp_path)) == 4


@pytest.mark.slow
def test_wandb_offline(tmp_path, capfd):
    pytest.importorskip("wandb")
    run(tmp_path, config(log=["wandb"]))
    (record,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert b"val_loss" in record.read_bytes()
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_two_processes(tmp_path):
    hashes = [run(tmp_path / name, config(devices=2))[1].weights_hash for name in "ab"]
    assert hashes[0] == hashes[1]
    assert len(lines(tmp_path / "a")) == 4


# ---------------------------------------------------------------- the process is as it was


def test_nothing_is_printed_or_left(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "run")
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["best.ckpt", "history.csv", "last.ckpt", "run"]


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_the_state_of_the_process_is_as_found(tmp_path, ends):
    model = Toy()
    torch.manual_seed(7)

    def state():
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),
            random.getstate(),
            dict(os.environ),
            logging.getLogger("pytorch_lightning").level,
            {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)},
            threading.active_count(),
        )

    random.random(), np.random.rand()
    before = state()
    with contextlib.nullcontext() if ends == "well" else pytest.raises(Stop):
        run(tmp_path, config(workers=2, threads=2), model=model, report=stop_after(5 if ends == "well" else 2))
    for found, was in zip(state(), before, strict=True):
        assert found == was


# ---------------------------------------------------------------- bad ends


def spoiled(at_epoch, at_step, value):
    def of_epoch(epoch):
        for i, batch in enumerate(batches()(epoch)):
            if (epoch, i) == (at_epoch, at_step):
                batch.target[1] = value
            yield batch

    return of_epoch


def test_a_loss_that_is_not_finite(tmp_path):
    model, kept = Toy(), []
    with pytest.raises(InputError) as error:
        run(tmp_path, model=model, given=spoiled(2, 3, math.inf))
    assert "epoch 3, step 4" in error.value.what
    assert "train.lr: 0.002" in error.value.fix
    assert str(tmp_path / "last.ckpt") in error.value.extent
    kept = checkpoints.read(tmp_path / "best.ckpt")
    assert kept["epoch"] == 2
    assert all(torch.equal(model.state_dict()[name], value) for name, value in kept["weights"].items())
    assert len(lines(tmp_path)) == 2


def test_a_rate_that_is_too_high(tmp_path):
    with pytest.raises(InputError, match="epoch 1"):
        run(tmp_path, config(lr=1e20, warmup=0, clip=0, optimizer="sgd"))
    assert not (tmp_path / "last.ckpt").exists()


def test_nothing_measured_in_validation(tmp_path):
    empty = batch_of(0, 0, 0)
    empty.target[:] = math.nan
    with pytest.raises(InputError, match=r"split\.validation"):
        run(tmp_path, validation=lambda: [empty])


@pytest.mark.parametrize("side", ["train", "validation"])
def test_no_batch(tmp_path, side):
    given = {"given": lambda epoch: []} if side == "train" else {"validation": lambda: []}
    with pytest.raises(InputError, match=f"split: {side} has no batch"):
        run(tmp_path, **given)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried to allocate 9"),
        MemoryError(),
    ],
)
def test_out_of_memory(tmp_path, error):
    def given(epoch):
        yield batch_of(0, 0, 0)
        raise error

    with pytest.raises(SystemStateError, match="out of memory") as caught:
        run(tmp_path, given=given)
    for key in ("train.batch: 4", "train.accumulate: 2", "bf16-mixed", "mode: head"):
        assert key in caught.value.fix


def test_a_real_allocation_that_fails(tmp_path):
    class Greedy(Toy):
        def forward(self, batch):
            return super().forward(batch) + torch.empty(1 << 50)[:1]

    with pytest.raises(SystemStateError, match="out of memory"):
        run(tmp_path, model=Greedy())


def test_the_disk_is_full_at_a_checkpoint(tmp_path, monkeypatch):
    _, whole = run(tmp_path / "whole")
    real = checkpoints._Sink.write
    writes = []

    def write(self, data):
        writes.append(self)
        if "last" in self.file.name and len({id(sink) for sink in writes}) and done():
            self.error = self.error or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, data)

    def done():
        return len(lines(tmp_path / "run")) >= 2 if (tmp_path / "run/history.csv").is_file() else False

    monkeypatch.setattr(checkpoints._Sink, "write", write)
    with pytest.raises(SystemStateError, match="disk is full") as error:
        run(tmp_path / "run")
    assert "--resume" in error.value.fix
    assert not (tmp_path / "run/last.ckpt.partial").exists()
    assert checkpoints.read(tmp_path / "run/last.ckpt")["epoch"] == 2
    monkeypatch.undo()
    assert run(tmp_path / "run", resume=True)[1].weights_hash == whole.weights_hash


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_file_system_that_is_full(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", small], capture_output=True).returncode:
        pytest.skip("mounting is not allowed")
    try:
        with pytest.raises(SystemStateError, match="disk is full"):
            run(small / "run", report=lambda row: (small / "more").write_bytes(b"0" * _free(small)))
        assert checkpoints.read(small / "run/last.ckpt")["epoch"] == 1
        (small / "more").unlink()
        _, resumed = run(small / "run", resume=True)
        assert resumed.weights_hash == run(tmp_path / "whole")[1].weights_hash
    finally:
        subprocess.run(["umount", small], check=True)


def _free(folder):
    return max(0, shutil.disk_usage(folder).free - 4096)


def test_ctrl_c(tmp_path):
    _, whole = run(tmp_path / "whole")
    sent = []

    def given(epoch):
        for i, batch in enumerate(batches()(epoch)):
            if (epoch, i) == (2, 3) and not sent:
                sent.append(True)
                os.kill(os.getpid(), signal.SIGINT)
            yield batch

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", given=given)
    assert checkpoints.read(tmp_path / "run/last.ckpt")["epoch"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert run(tmp_path / "run", resume=True)[1].weights_hash == whole.weights_hash


def test_ctrl_c_in_a_checkpoint_waits(tmp_path, monkeypatch):
    real, sent = checkpoints._Sink.write, []

    def write(self, data):
        if "last" in self.file.name and not sent:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, data)

    monkeypatch.setattr(checkpoints._Sink, "write", write)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert checkpoints.read(tmp_path / "last.ckpt")["epoch"] == 1


# ---------------------------------------------------------------- parts


def test_reading_ahead_keeps_order_and_errors():
    def source():
        yield from range(50)
        raise Stop

    seen = []
    with pytest.raises(Stop):
        for item in read_ahead(source(), 4):
            seen.append(item)
    assert seen == list(range(50))


def test_reading_ahead_ends_with_its_reader():
    before = threading.active_count()
    reader = read_ahead(iter(int, 1), 2)
    assert next(reader) == 0
    reader.close()
    assert threading.active_count() == before


def test_steps_are_those_of_the_toy(tmp_path):
    _, result = run(tmp_path, config(epochs=1))
    assert checkpoints.read(tmp_path / "last.ckpt")["step"] == STEPS
    assert result.stopped == "epochs"
