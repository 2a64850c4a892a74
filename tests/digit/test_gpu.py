"""What of CUDA and TensorRT a computer without a GPU can test: types, export, keys, builds, caches, fallbacks."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from digit import backends, checkpoint
from digit.backends import check, exports, gpu, tensorrt, tensorrt_rtx
from digit.backends.export import loaded, reference
from digit.backends.half import halved
from digit.backends.session import Upgrading
from digit.errors import UserError
from digit.internet import InterNetOutput
from digit.model import DigitOutput

CROP = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)


class Answering:
    """A session that counts."""

    def __init__(self, name: str = ""):
        self.name, self.starts, self.closed = name, 0, False

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        self.starts += 1
        return lambda: [np.zeros(shape) for shape in ((1, 42, 3), (1, 1), (1, 1), (1, 1), 1, (1, 42, 1, 4))]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """A cache whose engines are named by the weights alone, and a computer with torch-tensorrt."""
    monkeypatch.setattr(tensorrt, "engine_name", lambda digest: f"engine-{digest[:8]}-{id(monkeypatch)}")
    monkeypatch.setattr(gpu.devices, "has_torch_tensorrt", lambda: True)
    monkeypatch.setattr(gpu, "checked", lambda session, weights, what: session)
    return exports.folder_of(gpu.KIND, "x").parent


def builder(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Builds of engines run this Python instead; sys.argv[1] is the folder."""
    monkeypatch.setattr(exports, "command", lambda module, weights, out: ([sys.executable, "-c", code, str(out)], None))


WRITES = "import sys, pathlib; print('Saving'); pathlib.Path(sys.argv[1], 'network.ep').write_text('engine')"


def test_half_answers_within_its_tolerance(lite: Path):
    expected = reference(loaded(lite))
    predictor = halved(loaded(lite))
    seen: list[torch.dtype] = []
    predictor.network.heatmaps.register_forward_hook(lambda layer, given, out: seen.append(out.dtype))
    with torch.inference_mode():
        outputs = predictor(torch.from_numpy(expected.crop), torch.from_numpy(expected.prior))
    assert seen == [torch.float16]
    assert outputs.joints_2p5d.dtype == torch.float32
    assert check.fault([output.numpy() for output in outputs], expected, "fp16") == ""


def test_the_exported_program_has_half_convolutions_and_the_same_answer(lite: Path, tmp_path: Path):
    """Also once it was saved: the answer is a named tuple, which torch knows by its name alone."""
    program, example = tensorrt.program_of(lite, "cpu")
    convolutions = [n for n in program.graph.nodes if n.op == "call_function" and "conv2d" in str(n.target)]
    assert len(convolutions) > 50
    assert {node.meta["val"].dtype for node in convolutions} == {torch.float16}
    exponentials = [n for n in program.graph.nodes if "exp" in str(n.target) and "expand" not in str(n.target)]
    assert {node.meta["val"].dtype for node in exponentials} == {torch.float32}  # the prior's Gaussians
    torch.export.save(program, tmp_path / "network.pt2")
    with torch.inference_mode():
        ours = torch.export.load(tmp_path / "network.pt2").module()(*example)
        eager = halved(loaded(lite)).network(*example)
    assert type(ours) is DigitOutput
    for one, other in zip(ours, eager, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2)


def test_internets_answer_can_be_saved_too(tmp_path: Path):
    class Small(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> InterNetOutput:
            return InterNetOutput(x + 1, x + 2, x + 3)

    tensorrt._name_outputs()
    torch.export.save(torch.export.export(Small(), (torch.zeros(1),)), tmp_path / "network.pt2")
    answer = torch.export.load(tmp_path / "network.pt2").module()(torch.zeros(1))
    assert type(answer) is InterNetOutput and [float(part) for part in answer] == [1, 2, 3]


def test_a_network_without_a_segmentation_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    """torch-tensorrt 2.13 would end in an AttributeError. Whatever a compiler raises, the last line says what."""

    class Bare(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> DigitOutput:
            return DigitOutput(x + 1, x + 2, None, x + 3, x + 4)

    def unsupported(*_: object, **__: object) -> None:
        raise AssertionError("The full graph is not supported")

    stub = SimpleNamespace(dynamo=SimpleNamespace(compile=unsupported))
    monkeypatch.setitem(sys.modules, "torch_tensorrt", stub)
    example = (torch.zeros(1),)
    said: list[str] = []
    for network in (Bare(), torch.nn.Identity()):
        program = torch.export.export(network, example)
        monkeypatch.setattr(tensorrt, "program_of", lambda *_, program=program: (program, example))
        assert tensorrt.main(["weights", str(tmp_path)]) == tensorrt.TOLD
        said.append(capsys.readouterr().out.splitlines()[-1])
    assert "without a segmentation" in said[0] and said[1] == "The full graph is not supported"


def test_an_engines_name_holds_all_that_made_it(monkeypatch: pytest.MonkeyPatch):
    def name(gpu: str = "H100", minor: int = 0, driver: str = "580", digest: str = "a" * 64, trt: str = "11.0") -> str:
        properties = SimpleNamespace(name=gpu, major=9, minor=minor)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
        monkeypatch.setattr(tensorrt, "_driver", lambda: driver)
        monkeypatch.setattr(tensorrt, "_version", lambda package: trt)
        return tensorrt.engine_name(digest)

    names = {name(), name("T4"), name(minor=5), name(driver="570"), name(digest="b" * 64), name(trt="11.1")}
    monkeypatch.setattr(exports, "code", lambda *modules: "other code")
    names.add(name())
    assert len(names) == 7
    monkeypatch.undo()
    assert name() in names


def test_a_build_tells_its_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    builder(monkeypatch, "print('Loading', flush=True); print('No kernel for Clamp'); raise SystemExit(2)")
    build = tensorrt.EngineBuild(tmp_path / "weights", tmp_path)
    build.wait()
    assert build.done()
    assert build.failed
    assert build.step == "No kernel for Clamp"
    build.cancel()


def test_a_build_that_was_killed_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    code = "import os, sys; print('Building', flush=True); print('out of memory', file=sys.stderr, flush=True)"
    builder(monkeypatch, code + "; os.kill(os.getpid(), 9)")
    build = tensorrt.EngineBuild(tmp_path / "weights", tmp_path)
    build.wait()
    assert build.failed and build.done()
    assert build.step == "Building: exit code -9; out of memory"
    build.cancel()


def test_a_build_can_be_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    builder(monkeypatch, "import time; print('Building', flush=True); time.sleep(600)")
    build = tensorrt.EngineBuild(tmp_path / "weights", tmp_path)
    assert not build.done()
    build.cancel()
    assert build._process.poll() is not None


def test_a_real_build_without_a_gpu_is_one_line(lite: Path, tmp_path: Path):
    """The process itself runs: here it ends where CUDA or torch-tensorrt is missing."""
    build = tensorrt.EngineBuild(lite, tmp_path)
    build.wait()
    if backends.available()["tensorrt"]:
        assert build.failed
        assert "torch_tensorrt" in build.step or "CUDA" in build.step
    build.cancel()


@pytest.mark.parametrize("fault", ["none", "damaged", "foreign"])
def test_an_engine_is_built_once_and_again_when_it_does_not_run(
    engines: Path, lite: Path, fault: str, monkeypatch: pytest.MonkeyPatch
):
    digest = checkpoint.sha256(lite)
    builder(monkeypatch, WRITES)
    opened: list[Path] = []

    def open_engine(weights: Path, folder: Path) -> Answering:
        opened.append(folder)
        if fault == "foreign" and len(opened) == 2:
            raise RuntimeError("built for another GPU")
        return Answering()

    monkeypatch.setattr(tensorrt, "open_engine", open_engine)
    gpu.open_tensorrt(lite, digest, lambda _: None)
    engine = opened[0] / tensorrt.ENGINE
    assert gpu.engine_is_ready(digest)
    stamp = engine.stat().st_mtime_ns
    if fault == "damaged":
        engine.write_text("engi")
        assert not gpu.engine_is_ready(digest)
    gpu.open_tensorrt(lite, digest, lambda _: None)
    assert engine.read_text() == "engine"
    assert (engine.stat().st_mtime_ns == stamp) == (fault == "none")
    assert not list(engines.glob("part-*"))


def test_a_failed_build_is_one_sentence(engines: Path, lite: Path, monkeypatch: pytest.MonkeyPatch):
    builder(monkeypatch, "print('out of memory'); raise SystemExit(2)")
    with pytest.raises(UserError, match=r"cannot build an engine for .*: out of memory"):
        gpu.open_tensorrt(lite, checkpoint.sha256(lite), lambda _: None)
    assert not list(engines.glob("part-*"))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def a_gpu(engines: Path, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """A computer whose GPU both can use; the plain session is what this returns."""
    plain = Answering("cuda")
    for name in ("why_no_cuda", "why_no_tensorrt"):
        monkeypatch.setattr(backends, name, lambda: "")
    monkeypatch.setattr(gpu, "open_cuda", lambda weights: plain)
    return plain


def test_cuda_runs_until_tensorrt_is_built(lite: Path, a_gpu: Answering, monkeypatch: pytest.MonkeyPatch):
    builder(monkeypatch, WRITES)
    engine = Answering("tensorrt")
    monkeypatch.setattr(tensorrt, "open_engine", lambda weights, folder: engine)
    backend = backends.load(weights=lite)
    assert (backend.name, a_gpu.starts) == ("cuda", 0)
    assert "while TensorRT builds" in backend.why
    until(lambda: bool(backend(CROP)) and engine.starts > 0)
    assert (backend.name, backend.why) == ("tensorrt", "tensorrt is the fastest here, as a rule.")
    assert a_gpu.closed
    backend.close()
    assert engine.closed
    assert backends.load(weights=lite).name == "tensorrt"  # from the cache, at once


def test_a_build_that_fails_leaves_cuda(lite: Path, a_gpu: Answering, monkeypatch: pytest.MonkeyPatch):
    builder(monkeypatch, "print('no space left'); raise SystemExit(2)")
    backend = backends.load(weights=lite)
    until(lambda: bool(backend(CROP)) and "no space left" in backend.why)
    assert backend.name == "cuda"
    backend.close()
    assert a_gpu.closed


def test_closing_cancels_the_build(engines: Path, lite: Path, a_gpu: Answering, monkeypatch: pytest.MonkeyPatch):
    builder(monkeypatch, "import time; time.sleep(600)")
    backend = backends.load(weights=lite)
    assert isinstance(backend.session, Upgrading)
    build = backend.session._build
    assert isinstance(build, gpu.TensorRtBuild)
    backend.close()
    assert build.build._process.poll() is not None
    assert not list(engines.glob("part-*"))


def test_a_gpu_that_answers_wrongly_is_passed_over(lite: Path, a_gpu: Answering, monkeypatch: pytest.MonkeyPatch):
    def wrong(weights: Path) -> None:
        raise UserError("PyTorch on the GPU does not answer as the reference does (joint_px off by 9).")

    monkeypatch.setattr(gpu, "open_cuda", wrong)
    monkeypatch.setattr(backends, "why_no_tensorrt", lambda: "TensorRT is not installed")
    backend = backends.load(weights=lite)
    assert backend.name == "openvino"
    assert "cuda: PyTorch on the GPU does not answer as the reference does" in backend.why
    backend.close()


def test_onnx_on_onnx_runtime_answers_as_torch_does(cache: Path, lite: Path):
    """The form that TensorRT-RTX reads, in float16, on ONNX Runtime's own CPU provider."""
    folder = tensorrt_rtx.onnx_of(lite, checkpoint.sha256(lite), lambda _: None)
    session, expected = tensorrt_rtx.OnnxSession(folder / tensorrt_rtx.ONNX), reference(loaded(lite))
    assert check.fault(session.start(expected.crop, expected.prior)(), expected, "fp16") == ""
    session.close()
    with pytest.raises(RuntimeError, match="Required inputs"):
        session = tensorrt_rtx.OnnxSession(folder / tensorrt_rtx.ONNX)
        session._inputs = set()
        session.start(expected.crop, expected.prior)
    types = {tensor.data_type for tensor in onnx.load(folder / tensorrt_rtx.ONNX).graph.initializer}
    assert types == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("content", [None, b"junk"])
def test_onnx_runtimes_own_errors_are_runtime_errors(tmp_path: Path, content: bytes | None):
    """They have no kind in common but Exception, and `load` goes on after a RuntimeError."""
    file = tmp_path / "predictor.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"predictor\.onnx"):
        tensorrt_rtx.OnnxSession(file)


def test_a_gpu_that_tensorrt_rtx_refuses_runs_cuda(lite: Path, a_gpu: Answering, monkeypatch: pytest.MonkeyPatch):
    """And builds no engine beside it, for which torch-tensorrt would be needed."""
    monkeypatch.setattr(gpu.devices, "has_torch_tensorrt", lambda: False)
    monkeypatch.setattr(tensorrt_rtx, "onnx_of", lambda *_: lite.parent)
    plugin = SimpleNamespace(get_ep_name=lambda: "RTX", get_library_path=lambda: "no such library.so")
    monkeypatch.setitem(sys.modules, "onnxruntime_ep_nv_tensorrt_rtx", plugin)
    backend = backends.load(weights=lite)
    assert (backend.name, backend.session) == ("cuda", a_gpu)
    assert "tensorrt: " in backend.why and "no such library.so" in backend.why


def test_cuda_stays_where_no_engine_can_be_kept(lite: Path, a_gpu: Answering, tmp_path: Path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(exports, "user_cache_path", lambda name: tmp_path / "file" / name)
    backend = backends.load(weights=lite)
    assert (backend.name, backend.session, a_gpu.closed) == ("cuda", a_gpu, False)
    assert "(tensorrt: The cache folder " in backend.why and "cannot be written" in backend.why
    backend.close()
    assert a_gpu.closed


def test_tensorrt_rtx_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch):
    registered: list[str] = []
    runtime = SimpleNamespace(
        get_ep_devices=list, register_execution_provider_library=lambda name, path: registered.append(name)
    )
    plugin = SimpleNamespace(get_ep_name=lambda: "RTX", get_library_path=lambda: "rtx.so")
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setitem(sys.modules, "onnxruntime_ep_nv_tensorrt_rtx", plugin)
    with pytest.raises(RuntimeError, match="finds no GPU"):
        tensorrt_rtx._options()
    assert registered == ["RTX"]
