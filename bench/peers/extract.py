"""Features of photos on disk in PyTorch and torchvision, images a second: ImageFolder, DataLoader, random weights, float32, inference.

    python3 bench/peers/extract.py DIR [--network NAME...] [--workers COUNT...] [--threads COUNT] [--rounds COUNT]

Beside it: dotnet run -c Release --project bench/Graft.Benchmarks -- extract DIR
"""
import argparse
import os
import time

import torch
import torchvision
from torchvision import transforms

from forward import machine

PREPROCESSING = transforms.Compose([
    transforms.Resize(256),
    transforms.CenterCrop(224),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])


def extraction(network, photos, workers, batch, layout):
    memory_format = torch.channels_last if layout == "channels-last" else torch.contiguous_format
    loader = torch.utils.data.DataLoader(photos, batch_size=batch, num_workers=workers)
    start, count = time.perf_counter(), 0
    with torch.inference_mode():
        for images, _ in loader:
            network(images.to(memory_format=memory_format))
            count += len(images)
    return count / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--network", nargs="+", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--layout", nargs="+", default=["contiguous", "channels-last"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(1)
    folders = [os.path.join(asked.folder, name) for name in ("train", "validation", "val", "test")]
    folders = [folder for folder in folders if os.path.isdir(folder)] or [asked.folder]
    photos = torch.utils.data.ConcatDataset([torchvision.datasets.ImageFolder(folder, PREPROCESSING) for folder in folders])
    print(f"# {machine()}; {len(photos)} photos, {torch.get_num_threads()} threads")
    print(f"{'network':26}{'layout':>15}{'workers':>9}{'extraction/s':>14}")
    for name in asked.network:
        for layout in asked.layout:
            network = getattr(torchvision.models, name)(weights=None).eval()
            network.classifier = network.fc = torch.nn.Identity()
            if layout == "channels-last":
                network = network.to(memory_format=torch.channels_last)
            for workers in asked.workers:
                figures = sorted(extraction(network, photos, workers, asked.batch, layout) for _ in range(asked.rounds))
                print(f"{name:26}{layout:>15}{workers:9}{figures[len(figures) // 2]:14.1f}", flush=True)


if __name__ == "__main__":
    main()
