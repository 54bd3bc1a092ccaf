"""Images a second of training steps in PyTorch: torchvision's definitions, random weights and images, float32, SGD with momentum, all layers.

    python3 bench/peers/training.py [--network NAME...] [--batch IMAGES] [--threads COUNT] [--steps COUNT]
        [--batch-norm-inference] [--channels-last]

Beside it: dotnet run -c Release --project bench/Graft.Benchmarks -- training
"""
import argparse
import resource
import time

import torch
import torchvision

from forward import machine


def images_per_second(name, batch, steps, layout, inference):
    torch.manual_seed(1)
    network = getattr(torchvision.models, name)(weights=None).to(memory_format=layout).train()
    if inference:
        for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.eval()
            torch.nn.init.constant_(norm.weight, 0.5)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True)
    images = torch.randn(batch, 3, 224, 224).to(memory_format=layout)
    labels = torch.arange(batch) % 10
    durations = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images.clone()), labels)
        loss.backward()
        optimizer.step()
        loss.item()
        durations.append(time.perf_counter() - start)
    return batch / sorted(durations[2:])[steps // 2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", nargs="+", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--batch-norm-inference", action="store_true", help="by moving statistics, as when pretrained layers are unfrozen")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"# {machine()}; {asked.threads} threads")
    print(f"{'network':26}{'batch':>6}{'images/s':>10}{'peak MiB':>10}")
    for name in asked.network:
        layout = torch.channels_last if asked.channels_last else torch.contiguous_format
        figure = images_per_second(name, asked.batch, asked.steps, layout, asked.batch_norm_inference)
        print(f"{name:26}{asked.batch:6}{figure:10.2f}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.0f}", flush=True)


if __name__ == "__main__":
    main()
