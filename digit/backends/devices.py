"""What this computer has, found out without importing torch, which would cost seconds."""

import ctypes
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def why_no_package(package: str) -> str:
    """Empty when a package is installed."""
    return "" if find_spec(package) else f"the package {package} is not installed"


def why_no_cuda() -> str:
    """Empty when torch can use an NVIDIA GPU. Looks at the driver and at torch's version file."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return "the package torch is not installed"
    version = Path(spec.origin).with_name("version.py")
    if not (version.is_file() and re.search(r"^cuda\b.*=\s*['\"]", version.read_text(), re.MULTILINE)):
        return "this torch is built without CUDA"
    return why_no_gpu()


def why_no_gpu() -> str:
    """Empty when the NVIDIA driver finds a GPU."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0:
            return ""
        return "the NVIDIA driver finds no GPU"
    return "there is no NVIDIA driver"


def why_no_tensorrt() -> str:
    """Empty when a GPU and one of the two TensorRTs are here."""
    if has_torch_tensorrt():
        return why_no_cuda()
    if has_tensorrt_rtx():
        return why_no_gpu()
    return why_no_gpu() or "neither torch-tensorrt nor TensorRT-RTX is installed (pip install 'digit-live[tensorrt]')"


def has_torch_tensorrt() -> bool:
    """TensorRT through torch-tensorrt: NVIDIA's libraries come from NVIDIA's own index, so look for both."""
    return bool(find_spec("torch_tensorrt") and find_spec("tensorrt"))


def has_tensorrt_rtx() -> bool:
    """TensorRT-RTX through ONNX Runtime."""
    return bool(find_spec("onnxruntime") and find_spec("onnxruntime_ep_nv_tensorrt_rtx"))


def openvino_threads() -> dict[str, Any]:
    """What OpenVINO has to be told of threads for a small network, if anything: of two cores one is left to the loop.

    A crop on both is a fifth sooner done on an idle computer. But the threads wait for each other, and the rest of
    the loop takes as long as such a network. With more cores OpenVINO's own choice, all of them, leaves time enough.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False} if cores <= 2 else {}
