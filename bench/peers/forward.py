"""Images a second through whole networks in PyTorch: torchvision's definitions, random weights, float32, inference.

    python3 bench/peers/forward.py [--network NAME...] [--batch IMAGES...] [--threads COUNT] [--seconds SECONDS]

Beside it: dotnet run -c Release --project bench/Graft.Benchmarks -- forward
"""
import argparse
import os
import platform
import time

import torch
import torchvision

LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def throughput(work, items_per_call, seconds):
    """Items a second in the call of median duration, after two calls to warm up; at least five calls."""
    for _ in range(2):
        work()
    durations, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(durations) < 5:
        before = time.perf_counter()
        work()
        durations.append(time.perf_counter() - before)
    return items_per_call / sorted(durations)[len(durations) // 2]


def machine():
    with open("/proc/cpuinfo") as lines:
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{processor}, {os.cpu_count()} cores; {platform.platform()}; Python {platform.python_version()}, PyTorch {torch.__version__}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", nargs="+", default=["resnet50", "mobilenet_v2", "vgg16", "inception_v3"])
    parser.add_argument("--batch", nargs="+", type=int, default=[8, 1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(1)
    print(f"# {machine()}; {asked.threads} threads")
    print(f"{'network':26}{'batch':>6}  {'lane':16}{'images/s':>9}")
    for name in asked.network:
        # init_weights: InceptionV3's own initialisation takes a minute, and speed does not depend on it.
        extra = {"init_weights": False} if name == "inception_v3" else {}
        network = getattr(torchvision.models, name)(weights=None, **extra).eval()
        size = 299 if name == "inception_v3" else 224
        for batch in asked.batch:
            for layout, memory_format in LAYOUTS.items():
                network = network.to(memory_format=memory_format)
                images = torch.randn(batch, 3, size, size).to(memory_format=memory_format)
                with torch.inference_mode():
                    figure = throughput(lambda: network(images), batch, asked.seconds)
                print(f"{name:26}{batch:6}  {layout:16}{figure:9.1f}", flush=True)


if __name__ == "__main__":
    main()
