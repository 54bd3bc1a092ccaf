"""scikit-learn's logistic regression on PyTorch features of the same network: what `graft train` is measured against.

    python3 logistic_regression.py DATA WEIGHTS          WEIGHTS: mobilenet_7_5_224_tf.h5 or mobilenet_v2_features.pth

DATA has train/ and test/ or val/ folders of classes. Photos are decoded and resized by Pillow as Graft's catalogue says for these
weights. Prints the accuracy on test (or val) photos with all training photos, C = 1, and the best of several C.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def mobilenet_v1(path):
    import h5py
    file = h5py.File(path, "r")
    w = {k: torch.tensor(np.array(v)) for layer in file.attrs["layer_names"]
         for k, v in ((n.decode().split(":")[0], file[layer][n]) for n in file[layer].attrs["weight_names"])}

    def bn(x, name):
        get = lambda part: w[f"{name}/{part}"]
        return F.batch_norm(x, get("moving_mean"), get("moving_variance"), get("gamma"), get("beta"), eps=1e-3).clamp(0, 6)

    def forward(x):
        x = bn(F.conv2d(F.pad(x, (0, 1, 0, 1)), w["conv1/kernel"].permute(3, 2, 0, 1), stride=2), "conv1_bn")
        for block, stride in enumerate((1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), 1):
            kernel = w[f"conv_dw_{block}/depthwise_kernel"].permute(2, 3, 0, 1)
            x = F.pad(x, (0, 1, 0, 1)) if stride == 2 else F.pad(x, (1, 1, 1, 1))
            x = bn(F.conv2d(x, kernel, stride=stride, groups=len(kernel)), f"conv_dw_{block}_bn")
            x = bn(F.conv2d(x, w[f"conv_pw_{block}/kernel"].permute(3, 2, 0, 1)), f"conv_pw_{block}_bn")
        return x

    def pixels(image):
        image = image.resize((224, 224), Image.BILINEAR)
        return np.asarray(image, np.float32).transpose(2, 0, 1) / 127.5 - 1
    return forward, pixels


def mobilenet_v2(path):
    import torchvision
    model = torchvision.models.mobilenet_v2().eval()
    model.load_state_dict(torch.load(path), strict=False)
    mean, std = np.array([[[.485]], [[.456]], [[.406]]], np.float32), np.array([[[.229]], [[.224]], [[.225]]], np.float32)
    crop = torchvision.transforms.Compose([torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224)])
    return model.features, lambda image: (np.asarray(crop(image), np.float32).transpose(2, 0, 1) / 255 - mean) / std


def features(folder, forward, pixels):
    rows, labels, batch = [], [], []

    def run():
        with torch.no_grad():
            rows.append(forward(torch.tensor(np.stack(batch))).mean((2, 3)).numpy())
        batch.clear()
    for name in sorted(os.listdir(folder)):
        for file in sorted(os.listdir(os.path.join(folder, name))):
            batch.append(pixels(Image.open(os.path.join(folder, name, file)).convert("RGB")))
            labels.append(name)
            if len(batch) == 32:
                run()
    if batch:
        run()
    return np.concatenate(rows), np.array(labels)


def main(data, weights):
    network = mobilenet_v1(weights) if weights.endswith(".h5") else mobilenet_v2(weights)
    train, labels = features(os.path.join(data, "train"), *network)
    held_out = "test" if os.path.isdir(os.path.join(data, "test")) else "val"
    test, truth = features(os.path.join(data, held_out), *network)
    scaler = StandardScaler().fit(train)
    for c in (1, 0.1, 0.01, 0.001):
        model = LogisticRegression(C=c, max_iter=2000).fit(scaler.transform(train), labels)
        print(f"{held_out} accuracy, C = {c}: {100 * model.score(scaler.transform(test), truth):.2f} % of {len(truth)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
