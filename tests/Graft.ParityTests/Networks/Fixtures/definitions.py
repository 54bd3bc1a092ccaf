"""Networks whose own libraries (Keras, timm, CLIP, transformers) are not to be had beside PyTorch 1.13: their definitions written out, in PyTorch's functions,
from the papers' tables and the libraries' sources named below. make_fixtures.py computes them.

Each takes Weights, which has a tensor of formula values for any name and shape that it is asked for, and an image [N, 3, height, width]; it returns the
features and the output.
"""
import math

import torch
from torch.nn import functional as F


class Weights(dict):
    """Fills each tensor by formula when a definition first asks for it."""
    def __init__(self, value, gain):
        super().__init__()
        self.value, self.gain = value, gain

    def of(self, name, *shape):
        if name not in self:
            self[name] = self.value(name, shape, self.gain)
        assert tuple(self[name].shape) == shape, name
        return self[name]

    def conv(self, x, name, filters, kernel, stride=1, padding="same", groups=1, bias=False):
        """padding: 'same' as TensorFlow pads, or pixels on each side."""
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        kernel = self.of(f"{name}.weight", filters, x.shape[1] // groups, height, width)
        b = self.of(f"{name}.bias", filters) if bias else None
        if padding == "same":
            x, padding = same(x, (height, width), stride), 0
        return F.conv2d(x, kernel, b, stride, padding, groups=groups)

    def norm(self, x, name, eps, scale=True):
        c = x.shape[1]
        gamma = self.of(f"{name}.weight", c) if scale else None
        return F.batch_norm(x, self.of(f"{name}.running_mean", c), self.of(f"{name}.running_var", c), gamma, self.of(f"{name}.bias", c), eps=eps)

    def layer_norm(self, x, name, eps):
        return F.layer_norm(x, x.shape[-1:], self.of(f"{name}.weight", x.shape[-1]), self.of(f"{name}.bias", x.shape[-1]), eps)

    def linear(self, x, name, units, bias=True):
        return F.linear(x, self.of(f"{name}.weight", units, x.shape[-1]), self.of(f"{name}.bias", units) if bias else None)


def same(x, kernel, stride, value=0.0):
    pads = []
    for size, k in ((x.shape[3], kernel[1]), (x.shape[2], kernel[0])):
        total = max(0, (-(-size // stride) - 1) * stride + k - size)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def average3(x):
    """3×3, stride 1, 'same': padding is not counted."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


# ---- keras/src/applications/efficientnet.py, efficientnet_v2.py ----------------------------------

V1 = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]
V2 = {  # (expansion, stride, channels, repeats, fused)
    "b": [(1, 1, 16, 1, 1), (4, 2, 32, 2, 1), (4, 2, 48, 2, 1), (4, 2, 96, 3, 0), (6, 1, 112, 5, 0), (6, 2, 192, 8, 0)],
    "s": [(1, 1, 24, 2, 1), (4, 2, 48, 4, 1), (4, 2, 64, 4, 1), (4, 2, 128, 6, 0), (6, 1, 160, 9, 0), (6, 2, 256, 15, 0)],
    "m": [(1, 1, 24, 3, 1), (4, 2, 48, 5, 1), (4, 2, 80, 5, 1), (4, 2, 160, 7, 0), (6, 1, 176, 14, 0), (6, 2, 304, 18, 0), (6, 1, 512, 5, 0)],
    "l": [(1, 1, 32, 4, 1), (4, 2, 64, 7, 1), (4, 2, 96, 7, 1), (4, 2, 192, 10, 0), (6, 1, 224, 19, 0), (6, 2, 384, 25, 0), (6, 1, 640, 7, 0)],
}


def excited(w, x, block, squeezed):
    s = x.mean((2, 3), keepdim=True)
    s = F.silu(w.conv(s, f"{block}se_reduce", squeezed, 1, bias=True))
    return x * torch.sigmoid(w.conv(s, f"{block}se_expand", x.shape[1], 1, bias=True))


def keras_head(w, x):
    features = x.mean((2, 3))
    return features, torch.softmax(w.linear(features, "predictions", 1000), 1)


def efficientnet(width, depth):
    def rounded(filters):
        filters *= width
        new = max(8, int(filters + 4) // 8 * 8)
        return new + 8 if new < 0.9 * filters else new

    def run(w, x):
        norm = lambda x, name: w.norm(x, name, 1e-3)
        x = F.silu(norm(w.conv(x, "stem_conv", rounded(32), 3, 2), "stem_bn"))
        for i, (expansion, kernel, stride, channels, repeats) in enumerate(V1):
            for j in range(math.ceil(depth * repeats)):
                block, shortcut, s, inputs = f"block{i + 1}{chr(97 + j)}_", x, stride if j == 0 else 1, x.shape[1]
                if expansion != 1:
                    x = F.silu(norm(w.conv(x, block + "expand_conv", inputs * expansion, 1), block + "expand_bn"))
                x = F.silu(norm(w.conv(x, block + "dwconv", x.shape[1], kernel, s, groups=x.shape[1]), block + "bn"))
                x = excited(w, x, block, max(1, int(inputs * 0.25)))
                x = norm(w.conv(x, block + "project_conv", rounded(channels), 1), block + "project_bn")
                if s == 1 and inputs == x.shape[1]:
                    x = x + shortcut
        return keras_head(w, F.silu(norm(w.conv(x, "top_conv", rounded(1280), 1), "top_bn")))
    return run


def efficientnet_v2(table, width=1.0, depth=1.0):
    rounded = lambda filters: max(8, int(filters * width + 4) // 8 * 8)

    def run(w, x):
        norm = lambda x, name: w.norm(x, name, 1e-3)
        stem = 32 if table == "b" else V2[table][0][2]
        x = F.silu(norm(w.conv(x, "stem_conv", rounded(stem), 3, 2), "stem_bn"))
        for i, (expansion, stride, channels, repeats, fused) in enumerate(V2[table]):
            for j in range(math.ceil(depth * repeats)):
                block, shortcut, s, inputs, outputs = f"block{i + 1}{chr(97 + j)}_", x, stride if j == 0 else 1, x.shape[1], rounded(channels)
                if fused and expansion == 1:
                    x = F.silu(norm(w.conv(x, block + "project_conv", outputs, 3, s), block + "project_bn"))
                else:
                    k, t = (3, s) if fused else (1, 1)
                    x = F.silu(norm(w.conv(x, block + "expand_conv", inputs * expansion, k, t), block + "expand_bn"))
                    if not fused:
                        x = F.silu(norm(w.conv(x, block + "dwconv2", x.shape[1], 3, s, groups=x.shape[1]), block + "bn"))
                        x = excited(w, x, block, max(1, int(inputs * 0.25)))
                    x = norm(w.conv(x, block + "project_conv", outputs, 1), block + "project_bn")
                if s == 1 and inputs == outputs:
                    x = x + shortcut
        return keras_head(w, F.silu(norm(w.conv(x, "top_conv", rounded(1280), 1), "top_bn")))
    return run


# ---- keras/src/applications/convnext.py ------------------------------------------------------------

def convnext(size, width, depth):
    name = f"convnext_{size}_"

    def norm(w, x, layer):
        return w.layer_norm(x.permute(0, 2, 3, 1), name + layer, 1e-6).permute(0, 3, 1, 2)

    def run(w, x):
        x = norm(w, w.conv(x, name + "stem_conv", width, 4, 4, padding=0, bias=True), "stem_layernorm")
        for stage, blocks in enumerate((3, 3, depth, 3)):
            channels = width << stage
            if stage > 0:
                x = norm(w, x, f"downsampling_layernorm_{stage - 1}")
                x = w.conv(x, f"{name}downsampling_conv_{stage - 1}", channels, 2, 2, padding=0, bias=True)
            for index in range(blocks):
                block, shortcut = f"stage_{stage}_block_{index}_", x
                x = norm(w, w.conv(x, f"{name}{block}depthwise_conv", channels, 7, groups=channels, bias=True), block + "layernorm").permute(0, 2, 3, 1)
                x = w.linear(F.gelu(w.linear(x, f"{name}{block}pointwise_conv_1", 4 * channels)), f"{name}{block}pointwise_conv_2", channels)
                x = shortcut + x.permute(0, 3, 1, 2) * w.of(f"{name}{block}layer_scale", channels, 1, 1)
        features = x.mean((2, 3))
        return features, torch.softmax(w.linear(w.layer_norm(features, name + "head_layernorm", 1e-6), name + "head_dense", 1000), 1)
    return run


# ---- keras/src/applications/inception_resnet_v2.py -----------------------------------------------

def inception_resnet_v2(w, x):
    count = [0]

    def conv(x, filters, kernel, stride=1, padding="same", name=None):
        number = "" if count[0] == 0 else f"_{count[0]}"
        conv_name, norm_name = (name, name + "_bn") if name else ("conv2d" + number, "batch_normalization" + number)
        if not name:
            count[0] += 1
        return F.relu(w.norm(w.conv(x, conv_name, filters, kernel, stride, padding), norm_name, 1e-3, scale=False))

    def chain(x, *convs):
        for c in convs:
            x = conv(x, *c)
        return x

    x = chain(x, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3))
    x = chain(F.max_pool2d(x, 3, 2), (80, 1, 1, 0), (192, 3, 1, 0))
    x = F.max_pool2d(x, 3, 2)
    x = torch.cat([chain(x, (96, 1)), chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3)), chain(average3(x), (64, 1))], 1)
    for name, blocks, share, branches in (
            ("block35", 10, 0.17, [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]]),
            ("block17", 20, 0.1, [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]]),
            ("block8", 10, 0.2, [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]])):
        if name == "block17":
            x = torch.cat([chain(x, (384, 3, 2, 0)), chain(x, (256, 1), (256, 3), (384, 3, 2, 0)), F.max_pool2d(x, 3, 2)], 1)
        if name == "block8":
            x = torch.cat([chain(x, (256, 1), (384, 3, 2, 0)), chain(x, (256, 1), (288, 3, 2, 0)), chain(x, (256, 1), (288, 3), (320, 3, 2, 0)),
                           F.max_pool2d(x, 3, 2)], 1)
        for block in range(1, blocks + 1):
            mixed = torch.cat([chain(x, *branch) for branch in branches], 1)
            last = name == "block8" and block == 10
            x = x + w.conv(mixed, f"{name}_{block}_conv", x.shape[1], 1, bias=True) * (1.0 if last else share)
            x = x if last else F.relu(x)
    return keras_head(w, conv(x, 1536, 1, name="conv_7b"))


# ---- keras/src/applications/nasnet.py -------------------------------------------------------------

def nasnet(stem, penultimate, repeats, skip_reduction):
    def run(w, image):
        norm = lambda x, name: w.norm(x, name, 1e-3)
        conv1 = lambda x, name, filters: w.conv(x, name, filters, 1)

        def separable(x, name, filters, kernel, stride=1):
            for part, s in ((1, stride), (2, 1)):
                layer = f"separable_conv_{part}_{name}"
                x = w.conv(F.relu(x), layer, x.shape[1], kernel, s, groups=x.shape[1])  # correct_pad is 'same' at stride 2
                x = norm(F.conv2d(x, w.of(f"{layer}.pointwise.weight", filters, x.shape[1], 1, 1)), f"separable_conv_{part}_bn_{name}")
            return x

        def adjust(p, ip, filters, cell):
            if p is None:
                return ip
            if p.shape[3] != ip.shape[3]:
                p = F.relu(p)
                even = conv1(p[:, :, ::2, ::2], f"adjust_conv_1_{cell}", filters // 2)
                odd = conv1(F.pad(p, (0, 1, 0, 1))[:, :, 1::2, 1::2], f"adjust_conv_2_{cell}", filters // 2)
                return norm(torch.cat([even, odd], 1), f"adjust_bn_{cell}")
            if p.shape[1] != filters:
                return norm(conv1(F.relu(p), f"adjust_conv_projection_{cell}", filters), f"adjust_bn_{cell}")
            return p

        def normal(ip, p, filters, cell):
            p = adjust(p, ip, filters, cell)
            h = norm(conv1(F.relu(ip), f"normal_conv_1_{cell}", filters), f"normal_bn_1_{cell}")
            one = lambda x, name, kernel: separable(x, f"normal_{name}_{cell}", filters, kernel)
            return torch.cat([p, one(h, "left1", 5) + one(p, "right1", 3), one(p, "left2", 5) + one(p, "right2", 3), average3(h) + p, 2 * average3(p),
                              one(h, "left5", 3) + h], 1)

        def reduction(ip, p, filters, cell):
            p = adjust(p, ip, filters, cell)
            h = norm(conv1(F.relu(ip), f"reduction_conv_1_{cell}", filters), f"reduction_bn_1_{cell}")
            padded = same(h, (3, 3), 2)
            one = lambda x, name, kernel, stride=2: separable(x, f"reduction_{name}_{cell}", filters, kernel, stride)
            x1 = one(h, "left1", 5) + one(p, "right1", 7)
            x2 = F.max_pool2d(padded, 3, 2) + one(p, "right2", 7)
            x3 = F.avg_pool2d(padded, 3, 2) + one(p, "right3", 5)
            return torch.cat([x2, x3, x2 + average3(x1), one(x1, "left4", 3, 1) + F.max_pool2d(padded, 3, 2)], 1)

        filters = penultimate // 24
        first = norm(w.conv(image, "stem_conv1", stem, 3, 2, 0), "stem_bn1")
        p, x = first, reduction(first, None, filters // 4, "stem_1")
        p, x = x, reduction(x, p, filters // 2, "stem_2")
        for stage in range(3):
            if stage:
                filters *= 2
                reduced = reduction(x, p, filters, f"reduce_{stage * repeats}")
                p, x = (p if skip_reduction else x), reduced
            for cell in range(repeats):
                p, x = x, normal(x, p, filters, f"{stage * (repeats + 1) + cell}")
        return keras_head(w, F.relu(x))
    return run


# ---- timm/models/mobilenetv3.py, _gen_mobilenet_v4 --------------------------------------------------

V4 = {
    "small": (32, ["cn_k3_s2_c32 cn_k1_s1_c32", "cn_k3_s2_c96 cn_k1_s1_c64", "a5_k5_s2_e3_c96 r4_a0_k3_s1_e2_c96 a3_k0_s1_e4_c96",
                   "a3_k3_s2_e6_c128 a5_k5_s1_e4_c128 a0_k5_s1_e4_c128 a0_k5_s1_e3_c128 r2_a0_k3_s1_e4_c128", "cn_k1_s1_c960"]),
    "medium": (32, ["er_k3_s2_e4_c48", "a3_k5_s2_e4_c80 a3_k3_s1_e2_c80",
                    "a3_k5_s2_e6_c160 r2_a3_k3_s1_e4_c160 a3_k5_s1_e4_c160 a3_k3_s1_e4_c160 a3_k0_s1_e4_c160 a0_k0_s1_e2_c160 a3_k0_s1_e4_c160",
                    "a5_k5_s2_e6_c256 a5_k5_s1_e4_c256 r2_a3_k5_s1_e4_c256 a0_k0_s1_e4_c256 a3_k0_s1_e4_c256 a3_k5_s1_e2_c256 a5_k5_s1_e4_c256 "
                    "r2_a0_k0_s1_e4_c256 a5_k0_s1_e2_c256", "cn_k1_s1_c960"]),
    "large": (24, ["er_k3_s2_e4_c48", "a3_k5_s2_e4_c96 a3_k3_s1_e4_c96",
                   "a3_k5_s2_e4_c192 r3_a3_k3_s1_e4_c192 a3_k5_s1_e4_c192 r5_a5_k3_s1_e4_c192 a3_k0_s1_e4_c192",
                   "r4_a5_k5_s2_e4_c512 a5_k0_s1_e4_c512 a5_k3_s1_e4_c512 r2_a5_k0_s1_e4_c512 a5_k3_s1_e4_c512 a5_k5_s1_e4_c512 r3_a5_k0_s1_e4_c512",
                   "cn_k1_s1_c960"]),
}


def mobilenet_v4(size):
    def run(w, x):
        def conv_norm(x, conv, norm, filters, kernel, stride=1, groups=1):
            return w.norm(w.conv(x, conv, filters, kernel, stride, kernel // 2, groups), norm, 1e-5)

        stem, stages = V4[size]
        x = F.relu(conv_norm(x, "conv_stem", "bn1", stem, 3, 2))
        for stage, text in enumerate(stages):
            rows = []
            for row in text.split():
                o = {part[0]: int(part[1:]) for part in row.split("_") if part[1:].isdigit()}
                rows += [(row, o)] + [(row, o | {"s": 1})] * (o.get("r", 1) - 1)
            for number, (row, o) in enumerate(rows):
                b, shortcut, inputs = f"blocks.{stage}.{number}.", x, x.shape[1]
                if row.startswith("cn"):
                    x = F.relu(conv_norm(x, b + "conv", b + "bn1", o["c"], o["k"], o["s"]))
                    continue
                if row.startswith("er"):
                    x = F.relu(conv_norm(x, b + "conv_exp", b + "bn1", inputs * o["e"], o["k"], o["s"]))
                    x = conv_norm(x, b + "conv_pwl", b + "bn2", o["c"], 1)
                else:
                    if o["a"]:
                        x = conv_norm(x, b + "dw_start.conv", b + "dw_start.bn", inputs, o["a"], 1 if o["k"] else o["s"], inputs)
                    x = F.relu(conv_norm(x, b + "pw_exp.conv", b + "pw_exp.bn", inputs * o["e"], 1))
                    if o["k"]:
                        x = F.relu(conv_norm(x, b + "dw_mid.conv", b + "dw_mid.bn", x.shape[1], o["k"], o["s"], x.shape[1]))
                    x = conv_norm(x, b + "pw_proj.conv", b + "pw_proj.bn", o["c"], 1)
                if o["s"] == 1 and inputs == o["c"]:
                    x = x + shortcut
        features = x.mean((2, 3), keepdim=True)
        x = F.relu(conv_norm(features, "conv_head", "norm_head", 1280, 1))
        return features.flatten(1), w.linear(x.flatten(1), "classifier", 1000)
    return run


# ---- transformers -----------------------------------------------------------------------------------

def attention(queries, keys, values, heads):
    split = lambda x: x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)
    q, k, v = split(queries), split(keys), split(values)
    shares = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1)
    return (shares @ v).transpose(1, 2).flatten(2)


def places(w, name, before, grid, rows, columns, width):
    """Learned for a grid of patches; for another resampled, bicubic with antialiasing."""
    all_places = w.of(name, 1, before + grid * grid, width)
    if (rows, columns) == (grid, grid):
        return all_places
    learned = all_places[:, before:].reshape(1, grid, grid, width).permute(0, 3, 1, 2)
    learned = F.interpolate(learned, (rows, columns), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([all_places[:, :before], learned.flatten(2).transpose(1, 2)], 1)


def clip(patch, width, depth, heads, embedding):
    """github.com/openai/CLIP, clip/model.py, VisionTransformer; attention's and the projection's tensors named and turned as Graft has them."""
    def run(w, image):
        x = w.conv(image, "conv1", width, patch, patch, 0)
        rows, columns = x.shape[2:]
        x = torch.cat([w.of("class_embedding", 1, 1, width).expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1)
        x = w.layer_norm(x + places(w, "positional_embedding", 1, 224 // patch, rows, columns, width), "ln_pre", 1e-5)
        for i in range(depth):
            b = f"transformer.resblocks.{i}."
            parts = w.linear(w.layer_norm(x, b + "ln_1", 1e-5), b + "attn.in_proj", 3 * width).chunk(3, -1)
            x = x + w.linear(attention(*parts, heads), b + "attn.out_proj", width)
            hidden = w.linear(w.layer_norm(x, b + "ln_2", 1e-5), b + "mlp.c_fc", 4 * width)
            x = x + w.linear(hidden * torch.sigmoid(1.702 * hidden), b + "mlp.c_proj", width)
        features = w.layer_norm(x[:, 0], "ln_post", 1e-5)
        return features, w.linear(features, "proj", embedding, bias=False)
    return run


def siglip(w, image, width=768, depth=12, heads=12, patch=16):
    """transformers/models/siglip/modeling_siglip.py, SiglipVisionTransformer, with timm's names; the probe's queries, keys and values packed."""
    gelu = lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    x = w.conv(image, "patch_embed.proj", width, patch, patch, 0, bias=True)
    rows, columns = x.shape[2:]
    x = x.flatten(2).transpose(1, 2) + places(w, "pos_embed", 0, 224 // patch, rows, columns, width)
    for i in range(depth):
        b = f"blocks.{i}."
        parts = w.linear(w.layer_norm(x, b + "norm1", 1e-6), b + "attn.qkv", 3 * width).chunk(3, -1)
        x = x + w.linear(attention(*parts, heads), b + "attn.proj", width)
        x = x + w.linear(gelu(w.linear(w.layer_norm(x, b + "norm2", 1e-6), b + "mlp.fc1", 4 * width)), b + "mlp.fc2", width)
    x = w.layer_norm(x, "norm", 1e-6)
    probe = w.of("attn_pool.latent", 1, 1, width).expand(len(x), -1, -1)
    query = w.linear(probe, "attn_pool.in_proj", 3 * width).chunk(3, -1)[0]
    _, keys, values = w.linear(x, "attn_pool.in_proj", 3 * width).chunk(3, -1)
    x = w.linear(attention(query, keys, values, heads), "attn_pool.proj", width)[:, 0]
    hidden = gelu(w.linear(w.layer_norm(x, "attn_pool.norm", 1e-6), "attn_pool.mlp.fc1", 4 * width))
    return x + w.linear(hidden, "attn_pool.mlp.fc2", width), None


SCALES = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8), "b5": (1.6, 2.2), "b6": (1.8, 2.6), "b7": (2.0, 3.1)}

# name: (definition, gain, height and width; None for the keys alone)
NETWORKS = {
    "efficientnet_b0.keras": (efficientnet(*SCALES["b0"]), 1.5, (96, 70)),
    **{f"efficientnet_{size}.keras": (efficientnet(*SCALES[size]), 1.0, None) for size in list(SCALES)[1:]},
    "efficientnet_v2_b0.keras": (efficientnet_v2("b"), 1.5, (96, 70)),
    "efficientnet_v2_b1.keras": (efficientnet_v2("b", 1.0, 1.1), 1.0, None),
    "efficientnet_v2_b2.keras": (efficientnet_v2("b", 1.1, 1.2), 1.0, None),
    "efficientnet_v2_b3.keras": (efficientnet_v2("b", 1.2, 1.4), 1.0, None),
    **{f"efficientnet_v2_{size}.keras": (efficientnet_v2(size), 1.0, None) for size in "sml"},
    "convnext_tiny.keras": (convnext("tiny", 96, 9), 1.0, (97, 70)),
    **{f"convnext_{size}.keras": (convnext(size, width, 27), 1.0, None) for size, width in (("small", 96), ("base", 128), ("large", 192), ("xlarge", 256))},
    "inception_resnet_v2.keras": (inception_resnet_v2, 1.5, (107, 96)),
    "nasnet_mobile.keras": (nasnet(32, 1056, 4, False), 1.0, (97, 72)),
    "nasnet_large.keras": (nasnet(96, 4032, 6, True), 1.0, None),
    "mobilenetv4_conv_small.timm": (mobilenet_v4("small"), 1.0, (96, 64)),
    "mobilenetv4_conv_medium.timm": (mobilenet_v4("medium"), 1.0, (64, 64)),
    "mobilenetv4_conv_large.timm": (mobilenet_v4("large"), 1.0, None),
    "clip_vit_b_32.openai": (clip(32, 768, 12, 12, 512), 1.0, (224, 160)),
    "clip_vit_b_16.openai": (clip(16, 768, 12, 12, 512), 1.0, None),
    "clip_vit_l_14.openai": (clip(14, 1024, 24, 16, 768), 1.0, None),
    "vit_base_patch16_siglip_224.timm": (siglip, 1.0, (96, 64)),
}
