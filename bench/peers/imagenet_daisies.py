"""Share of daisy photos that a network with its ImageNet head calls "daisy" (class 985), computed with PyTorch and Pillow.

    python3 imagenet_daisies.py FOLDER_OF_DAISIES WEIGHTS      WEIGHTS: mobilenet_7_5_224_tf.h5 or squeezenet1_1.pth

Beside it: graft evaluate mobilenet_v1_075 FOLDER_ABOVE --weights WEIGHTS
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from logistic_regression import mobilenet_v1


def main(folder, weights):
    if weights.endswith(".h5"):
        import h5py
        features, pixels = mobilenet_v1(weights)
        head = h5py.File(weights, "r")["conv_preds"]
        part = {name.decode().split("/")[-1]: torch.tensor(np.array(head[name])) for name in head.attrs["weight_names"]}
        kernel, bias = part["kernel:0"][0, 0], part["bias:0"]
        network = lambda x: features(x).mean((2, 3)) @ kernel + bias
    else:
        import torchvision
        from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor
        network = torchvision.models.squeezenet1_1().eval()
        network.load_state_dict(torch.load(weights))
        transform = Compose([Resize(256), CenterCrop(224), ToTensor(), Normalize([.485, .456, .406], [.229, .224, .225])])
        pixels = lambda image: transform(image).numpy()
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    right = 0
    with torch.no_grad():
        for start in range(0, len(files), 32):
            batch = [pixels(Image.open(file).convert("RGB")) for file in files[start:start + 32]]
            right += int((network(torch.tensor(np.stack(batch))).argmax(1) == 985).sum())
    print(f"{right} of {len(files)}: {100 * right / len(files):.2f} %")


if __name__ == "__main__":
    main(*sys.argv[1:])
