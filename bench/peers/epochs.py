"""Seconds of an epoch in PyTorch with the last block of MobileNetV2 and a head trained, each image run through the whole network, validation
included: torchvision's definition, random weights and images that need no opening, float32, channels-last, AdamW, batch norm by its moving
statistics.

    python3 bench/peers/epochs.py [--first INDEX] [--train IMAGES] [--validate IMAGES] [--batch IMAGES] [--threads COUNT] [--epochs COUNT]

Beside it: dotnet run -c Release --project bench/Graft.Benchmarks -- epochs DIR [--unfreeze-from features.INDEX]
"""
import argparse
import time

import torch
import torchvision

from forward import machine


class Classifier(torch.nn.Module):
    def __init__(self, first):
        super().__init__()
        blocks = torchvision.models.mobilenet_v2(weights=None).features
        self.lower, self.upper = blocks[:first], blocks[first:]
        self.norm, self.dense = torch.nn.BatchNorm1d(1280), torch.nn.Linear(1280, 5)

    def forward(self, images):
        # Nothing runs backward through frozen layers, and nothing is kept for it.
        with torch.no_grad():
            activations = self.lower(images)
        return self.dense(self.norm(self.upper(activations).mean([2, 3])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=17, help="the first layer of the last block, of features.0 to features.18")
    parser.add_argument("--train", type=int, default=2569)
    parser.add_argument("--validate", type=int, default=550)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(1)
    network = Classifier(asked.first).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW([*network.upper.parameters(), *network.norm.parameters(), *network.dense.parameters()], lr=3e-4)
    images = torch.randn(asked.batch, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.arange(asked.batch) % 5
    durations = []
    for _ in range(asked.epochs):
        start = time.perf_counter()
        network.eval()
        network.norm.train()
        for done in range(0, asked.train, asked.batch):
            count = min(asked.batch, asked.train - done)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(images[:count].clone()), labels[:count])
            loss.backward()
            optimizer.step()
            loss.item()
        network.eval()
        with torch.inference_mode():
            for done in range(0, asked.validate, asked.batch):
                network(images[: min(asked.batch, asked.validate - done)].clone()).argmax(1).sum().item()
        durations.append(time.perf_counter() - start)
    later = sorted(durations[1:])
    print(f"# {machine()}; {asked.threads} threads; features.{asked.first} and above trained, {asked.train} images, {asked.validate} to validate")
    print(f"each image through the whole network: {later[len(later) // 2]:.2f} s/epoch")


if __name__ == "__main__":
    main()
