"""Writes networks.json: what networks of torchvision and Keras, DINOv2's ViT-S/14 and DeiT compute in float64, and of all variants of a table the keys and shapes.

    python3 make_fixtures.py networks.json [NAME…]          torch 1.13, torchvision 0.14

With names, computes only those again and keeps the others as the file has them.

Weights and input are the formula that FormulaWeights.cs states. torchvision's networks are its own, and Keras's DenseNet is one of them renamed; the transformer is
written out below from the papers (Dosovitskiy et al. 2020, arXiv:2010.11929; Touvron et al. 2021, arXiv:2103.17239; Oquab
et al. 2023, arXiv:2304.07193) with the tensor names and epsilons of timm's vit_small_patch14_dinov2.
"""
import hashlib
import json
import re
import sys
import zlib
from functools import partial

import numpy as np
import torch
import torchvision
from torch.nn import functional as F

import definitions

torch.set_grad_enabled(False)
UNUSED = ("num_batches_tracked", "relative_position_index", "relative_coords_table")
# All weights are filled by formula: no time for random ones.
for initializer in [name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")]:
    setattr(torch.nn.init, initializer, lambda tensor, *args, **kwargs: tensor)


def uniform(name, count):
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(zlib.crc32(name.encode()))
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**24


def value(name, shape, gain):
    u = uniform(name, int(np.prod(shape)))
    if name == "input":
        v = (u - 0.5) * 2
    elif name.endswith(("running_var", ".gamma", "layer_scale")) or (name.endswith("weight") and len(shape) == 1):
        v = 0.5 + u
    elif name.endswith("weight"):
        v = (u - 0.5) * 2 * np.sqrt(3 * gain / np.prod(shape[1:]))
    else:
        v = (u - 0.5) * 0.2
    return torch.from_numpy(v.astype(np.float32).astype(np.float64).reshape(shape))


def summary(array):
    return dict(shape=list(array.shape), mean=array.mean().item(), std=array.std(unbiased=False).item(), first=array.flatten()[:16].tolist())


def record(name, gain, size, state, features, logits):
    lines = sorted(f"{key} {','.join(map(str, t.shape))}\n" for key, t in state.items())
    statistics = ("running_mean", "running_var")
    return dict(
        name=name, gain=gain, height=size[0], width=size[1],
        parameters=sum(t.numel() for key, t in state.items() if not key.endswith(statistics)),
        keys_sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
        features=summary(features), logits=None if logits is None else summary(logits))


def keys_of_torchvision(name):
    """A variant of a table of which another is computed: parameters and keys alone, without the numbers."""
    model = build(name)
    state = {key: t for key, t in model.state_dict().items() if not key.endswith(UNUSED)}
    whole = record(f"{name}.torchvision", 1.0, (0, 0), state, torch.zeros(1), None)
    return {key: whole[key] for key in ("name", "parameters", "keys_sha256")}


def build(name):
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, name)(weights=None, **options)


def of_torchvision(name, gain, size, last_map):
    model = build(name).eval().double()
    state = {key: value(key, t.shape, gain) for key, t in model.state_dict().items() if not key.endswith(UNUSED)}
    whole = model.state_dict()  # with the version that some models ask for
    whole.update(state)
    model.load_state_dict(whole)
    maps = []
    model.get_submodule(last_map).register_forward_hook(lambda module, inputs, output: maps.append(output))
    logits = model(value("input", (2, 3, *size), gain))
    features = maps[0]
    if name.startswith("densenet"):  # its last ReLU is a function
        features = F.relu(features)
    features = features[:, 0] if features.dim() == 3 else features.mean((2, 3))
    return record(f"{name}.torchvision", gain, size, state, features, logits)


def keras_densenet(name, gain, size=None):
    """torchvision's network with the names and the epsilon of Keras's (keras/src/applications/densenet.py)."""
    def of_keras(key):
        for pattern, names in ((r"features\.conv0", "conv1_conv"), (r"features\.norm0", "conv1_bn"), (r"features\.norm5", "bn"), (r"classifier", "predictions"),
                               (r"features\.transition(\d)\.(norm|conv)", lambda m: f"pool{int(m[1]) + 1}_{'bn' if m[2] == 'norm' else 'conv'}"),
                               (r"features\.denseblock(\d)\.denselayer(\d+)\.(norm|conv)(\d)",
                                lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_{int(m[4]) - (m[3] == 'norm')}_{'bn' if m[3] == 'norm' else 'conv'}")):
            key = re.sub("^" + pattern, names, key)
        return key

    model = build(name).eval().double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1.001e-5
    own = {key: value(of_keras(key), t.shape, gain) for key, t in model.state_dict().items() if not key.endswith(UNUSED)}
    state = {of_keras(key): t for key, t in own.items()}
    if size is None:
        whole = record(f"{name}.keras", 1.0, (0, 0), state, torch.zeros(1), None)
        return {key: whole[key] for key in ("name", "parameters", "keys_sha256")}
    whole = model.state_dict()
    whole.update(own)
    model.load_state_dict(whole)
    image = value("input", (2, 3, *size), gain)
    return record(f"{name}.keras", gain, size, state, F.relu(model.features(image)).mean((2, 3)), torch.softmax(model(image), 1))


def timm_transformer(name, gain, size=None, width=384, depth=12, heads=6, patch=14, grid=37, scaled=True, classes=0):
    shapes = {"cls_token": (1, 1, width), "pos_embed": (1, 1 + grid * grid, width),
              "patch_embed.proj.weight": (width, 3, patch, patch), "patch_embed.proj.bias": (width,)}
    for i in range(depth):
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.weight": (width,), f"blocks.{i}.{norm}.bias": (width,)}
        for layer, inputs, outputs in (("attn.qkv", width, 3 * width), ("attn.proj", width, width),
                                       ("mlp.fc1", width, 4 * width), ("mlp.fc2", 4 * width, width)):
            shapes |= {f"blocks.{i}.{layer}.weight": (outputs, inputs), f"blocks.{i}.{layer}.bias": (outputs,)}
        if scaled:
            shapes |= {f"blocks.{i}.ls1.gamma": (width,), f"blocks.{i}.ls2.gamma": (width,)}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    if classes:
        shapes |= {"head.weight": (classes, width), "head.bias": (classes,)}
    if size is None:
        whole = record(name, 1.0, (0, 0), {key: torch.empty(shape) for key, shape in shapes.items()}, torch.zeros(1), None)
        return {key: whole[key] for key in ("name", "parameters", "keys_sha256")}
    w = {key: value(key, shape, gain) for key, shape in shapes.items()}
    scale = (lambda key: w[key]) if scaled else (lambda key: 1)

    def norm(x, name):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    image = value("input", (2, 3, *size), gain)
    rows, columns = size[0] // patch, size[1] // patch
    # Patches as rows of a matrix, which is what the convolution with stride 14 multiplies.
    patches = image.reshape(2, 3, rows, patch, columns, patch).permute(0, 2, 4, 1, 3, 5).reshape(2, rows * columns, -1)
    x = patches @ w["patch_embed.proj.weight"].reshape(width, -1).T + w["patch_embed.proj.bias"]
    places = w["pos_embed"][:, 1:].reshape(1, grid, grid, width).permute(0, 3, 1, 2)
    if (rows, columns) != (grid, grid):
        places = F.interpolate(places, (rows, columns), mode="bicubic", antialias=True, align_corners=False)
    x = torch.cat([(w["cls_token"] + w["pos_embed"][:, :1]).expand(2, -1, -1), x + places.flatten(2).transpose(1, 2)], 1)
    for i in range(depth):
        queries, keys, values = linear(norm(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn.qkv").chunk(3, -1)
        parts = []
        for q, k, v in zip(queries.chunk(heads, -1), keys.chunk(heads, -1), values.chunk(heads, -1)):
            parts.append(torch.softmax(q @ k.transpose(1, 2) / np.sqrt(width // heads), -1) @ v)
        x = x + scale(f"blocks.{i}.ls1.gamma") * linear(torch.cat(parts, -1), f"blocks.{i}.attn.proj")
        hidden = linear(norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1")
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / np.sqrt(2)))
        x = x + scale(f"blocks.{i}.ls2.gamma") * linear(hidden, f"blocks.{i}.mlp.fc2")
    features = norm(x, "norm")[:, 0]
    return record(name, gain, size, w, features, linear(features, "head") if classes else None)


def written_out(name):
    """Of definitions.py."""
    run, gain, size = definitions.NETWORKS[name]
    # Of a variant the shapes alone count.
    weights = definitions.Weights(value if size else lambda name, shape, gain: torch.empty(shape, dtype=torch.float64), gain)
    features, output = run(weights, value("input", (2, 3, *(size or (64, 64))), gain))
    whole = record(name, gain, size or (0, 0), weights, features, output)
    return whole if size else {key: whole[key] for key in ("name", "parameters", "keys_sha256")}


DINO = "vit_small_patch14_dinov2.timm"


def name_of(record):
    name = record.args[0]
    return name if "." in name else f"{name}.keras" if record.func is keras_densenet else f"{name}.torchvision"


if __name__ == "__main__":
    records = [
        partial(of_torchvision, "mobilenet_v3_small", 2.0, (224, 224), "features"),
        partial(of_torchvision, "mobilenet_v3_large", 2.0, (224, 224), "features"),
        partial(of_torchvision, "resnet34", 1.0, (224, 224), "layer4"),
        partial(of_torchvision, "resnet101", 1.0, (160, 192), "layer4"),
        partial(timm_transformer, DINO, 1.0, (518, 518)),
        partial(timm_transformer, DINO, 1.0, (98, 126)),
        partial(timm_transformer, DINO, 1.0, (560, 70)),
        partial(of_torchvision, "resnext50_32x4d", 1.0, (96, 96), "layer4"),
        partial(of_torchvision, "wide_resnet50_2", 1.0, (96, 64), "layer4"),
        partial(of_torchvision, "densenet121", 2.0, (96, 96), "features"),
        partial(of_torchvision, "mnasnet0_5", 2.0, (96, 96), "layers"),
        partial(of_torchvision, "shufflenet_v2_x0_5", 2.0, (96, 96), "conv5"),
        partial(of_torchvision, "regnet_y_400mf", 1.0, (96, 96), "trunk_output"),
        partial(of_torchvision, "regnet_x_800mf", 1.0, (96, 96), "trunk_output"),
        partial(of_torchvision, "googlenet", 2.0, (96, 96), "inception5b"),
        partial(of_torchvision, "efficientnet_b1", 2.0, (96, 96), "features"),
        partial(of_torchvision, "efficientnet_b5", 1.0, (96, 96), "features"),
        partial(of_torchvision, "efficientnet_v2_s", 1.0, (96, 96), "features"),
        partial(of_torchvision, "convnext_small", 1.0, (96, 96), "features"),
        partial(of_torchvision, "vgg11_bn", 2.0, (224, 224), "features"),
        partial(of_torchvision, "vit_b_32", 1.0, (224, 224), "encoder.ln"),
        partial(of_torchvision, "swin_t", 1.0, (96, 64), "permute"),
        partial(of_torchvision, "swin_v2_t", 1.0, (96, 64), "permute"),
        partial(timm_transformer, "deit_tiny_patch16_224.timm", 1.0, (224, 224), width=192, heads=3, patch=16, grid=14, scaled=False, classes=1000),
        partial(keras_densenet, "densenet121", 2.0, (96, 96)),
    ]
    records += [partial(keys_of_torchvision, name) for name in (
        "resnet18", "resnet50", "resnet152", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet101_2", "densenet161", "densenet169", "densenet201",
        "mnasnet0_75", "mnasnet1_0", "mnasnet1_3", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
        "regnet_y_800mf", "regnet_y_1_6gf", "regnet_y_3_2gf", "regnet_y_8gf", "regnet_y_16gf", "regnet_y_32gf",
        "regnet_x_400mf", "regnet_x_1_6gf", "regnet_x_3_2gf", "regnet_x_8gf", "regnet_x_16gf", "regnet_x_32gf",
        "efficientnet_b0", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b6", "efficientnet_b7",
        "efficientnet_v2_m", "efficientnet_v2_l", "convnext_tiny", "convnext_base", "convnext_large",
        "vgg11", "vgg13", "vgg13_bn", "vgg16_bn", "vgg19_bn", "vit_b_16", "vit_l_16", "vit_l_32", "swin_s", "swin_b", "swin_v2_s", "swin_v2_b")]
    records += [
        partial(timm_transformer, "vit_base_patch14_dinov2.timm", 1.0, width=768), partial(timm_transformer, "vit_large_patch14_dinov2.timm", 1.0, width=1024, depth=24),
        partial(timm_transformer, "deit_small_patch16_224.timm", 1.0, patch=16, grid=14, scaled=False, classes=1000),
        partial(timm_transformer, "deit_base_patch16_224.timm", 1.0, width=768, patch=16, grid=14, scaled=False, classes=1000),
        partial(keras_densenet, "densenet169", 1.0), partial(keras_densenet, "densenet201", 1.0)]
    records += [partial(written_out, name) for name in definitions.NETWORKS]
    wanted, known = sys.argv[2:], []
    if wanted:
        with open(sys.argv[1]) as file:
            known = [r for r in json.load(file) if r["name"] not in wanted]
    known += [r() for r in records if not wanted or name_of(r) in wanted]
    with open(sys.argv[1], "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(r) for r in known) + "\n]\n")
    for r in known:
        if not wanted or r["name"] in wanted:
            print(r["name"], r["parameters"], r["features"]["std"] if "features" in r else "", r.get("logits") and r["logits"]["std"])
