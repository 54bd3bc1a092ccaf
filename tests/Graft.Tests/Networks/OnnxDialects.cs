using Graft.Networks;

namespace Graft.Tests.Networks;

/// <summary>
/// Small ONNX models, each with something as an exporter writes it and Graft does not: PyTorch's exporter of several versions, tf2onnx with channels last,
/// CNTK's, and Hugging Face's for transformers.
/// </summary>
internal static class OnnxDialects
{
    private const int Channels = 4, Tokens = 64, Heads = 2;

    /// <param name="Write">Adds the nodes to an image; returns the output's name.</param>
    private sealed record Dialect(string Name, Func<OnnxModelWriter, string> Write, int Opset = 17, bool IsChannelsLast = false, bool IsBatchOpen = false);

    public static IEnumerable<string> Names => All.Select(dialect => dialect.Name);

    public static byte[] Model(string name)
    {
        var dialect = All.Single(dialect => dialect.Name == name);
        var writer = new OnnxModelWriter(dialect.Opset);
        var output = dialect.Write(writer);
        if (name == "constant nodes") writer.MakeConstantsNodes();
        return writer.Model(output, dialect.IsChannelsLast, dialect.IsBatchOpen);
    }

    private static readonly Dialect[] All =
    [
        // Convolutional networks, channels first.
        new("batch norm", graph => graph.Add("BatchNormalization", "normal",
            [Stem(graph), graph.Floats("gamma", [4]), graph.Floats("beta", [4]), graph.Floats("mean", [4]), graph.Floats("variance", [4], above: 0.5f)], ("epsilon", 1e-3f))),
        new("batch norm, opset 8", graph => graph.Add("BatchNormalization", "normal",
            [Stem(graph), graph.Floats("gamma", [4]), graph.Floats("beta", [4]), graph.Floats("mean", [4]), graph.Floats("variance", [4], above: 0.5f)]), Opset: 8),
        new("scale and shift", graph => graph.Add("Add", "shifted",
            [graph.Floats("shift", [4, 1, 1]), graph.Add("Mul", [Stem(graph), graph.Floats("scale", [1, 4, 1, 1])])])),
        new("shift first", graph => graph.Add("Mul", "scaled", [graph.Add("Add", [Stem(graph), graph.Floats("shift", [4, 1, 1])]), graph.Floats("scale", [1])])),
        new("image less mean and divided", graph => graph.Convolution(
            graph.Add("Div", [graph.Add("Sub", ["image", graph.Floats("mean", [3, 1, 1])]), graph.Floats("deviation", [1, 3, 1, 1], above: 0.5f)]), 4, 3)),
        new("same lower", graph => graph.Add("MaxPool", "pooled", [Stem(graph)], ("kernel_shape", new[] { 3, 3 }), ("strides", new[] { 2, 2 }), ("auto_pad", "SAME_LOWER"))),
        new("average over all", graph => graph.Add("AveragePool", "pooled", [Stem(graph)], ("kernel_shape", new[] { 8, 8 }))),
        new("pad as attributes", graph => graph.Add("Pad", "padded", [Stem(graph)], ("pads", new[] { 0, 0, 1, 0, 0, 0, 0, 2 })), Opset: 10),
        new("reduce mean", graph => graph.Add("ReduceMean", "pooled", [Stem(graph)], ("axes", new[] { 2, 3 }), ("keepdims", 0))),
        new("reduce mean, axes as input", graph => Head(graph, graph.Add("ReduceMean", [Stem(graph), graph.Longs(-1, -2)], ("keepdims", 0))), Opset: 18),
        new("squeeze", graph => graph.Add("Squeeze", "flat", [graph.Add("GlobalAveragePool", [Stem(graph)]), graph.Longs(2, 3)])),
        new("squeeze as attributes", graph => Head(graph, graph.Add("Squeeze", [graph.Add("GlobalAveragePool", [Stem(graph)])], ("axes", new[] { 2, 3 }))), Opset: 11),
        new("reshape to flatten", graph => graph.Add("Reshape", "flat", [Stem(graph), graph.Longs(1, -1)])),
        new("reshape by computed shape", ComputedShape, IsBatchOpen: true),
        new("global maximum", graph => Head(graph, graph.Add("Flatten", [graph.Add("GlobalMaxPool", [Stem(graph)])]))),
        new("convolution as head", graph => graph.Add("Flatten", "flat", [graph.Convolution(graph.Add("GlobalAveragePool", [Stem(graph)]), 5, 4, kernel: 1)])),
        new("matmul and add", graph => Head(graph, Pooled(graph, Stem(graph)))),
        new("gemm not transposed", graph => graph.Add("Gemm", "dense", [Pooled(graph, Stem(graph)), graph.Floats("matrix", [4, 5]), graph.Floats("bias", [5])])),
        new("gemm with factors", graph => graph.Add(
            "Gemm", "dense", [Pooled(graph, Stem(graph)), graph.Floats("matrix", [5, 4]), graph.Floats("bias", [5])], ("transB", 1), ("alpha", 0.5f), ("beta", 2f))),
        new("batch norm of features", graph => graph.Add("BatchNormalization", "normal",
            [Pooled(graph, Stem(graph)), graph.Floats("gamma", [4]), graph.Floats("beta", [4]), graph.Floats("mean", [4]), graph.Floats("variance", [4], above: 0.5f)])),
        new("squeeze and excitation, factors first", graph =>
        {
            var x = Stem(graph);
            return graph.Add("Mul", "scaled", [graph.Add("Sigmoid", [graph.Convolution(graph.Add("ReduceMean", [x], ("axes", new[] { 2, 3 })), 4, 4, kernel: 1)]), x]);
        }),
        new("squeeze and excitation of dense layers", graph =>
        {
            var x = Stem(graph);
            var gate = graph.Add("Sigmoid", [graph.Dense(graph.Add("Relu", [graph.Dense(Pooled(graph, x), 4, 2)]), 2, 4)]);
            return graph.Add("Mul", "scaled", [x, graph.Add("Reshape", [gate, graph.Longs(-1, 4, 1, 1)])]);
        }),
        new("split and joined", graph =>
        {
            var parts = graph.Node("Split", ["left", "right"], [Stem(graph)], ("axis", 1));
            return graph.Add("Concat", "joined", [graph.Add("Relu", [parts[1]]), parts[0]], ("axis", 1));
        }, Opset: 11),
        new("channel shuffle", graph =>
        {
            var groups = graph.Add("Reshape", [Stem(graph), graph.Longs(-1, 2, 2, 8, 8)]);
            return graph.Convolution(graph.Add("Reshape", [graph.Add("Transpose", [groups], ("perm", new[] { 0, 2, 1, 3, 4 })), graph.Longs(-1, 4, 8, 8)]), 3, 4);
        }),
        new("identity and dropout", graph => graph.Convolution(graph.Add("Dropout", [graph.Add("Identity", [Stem(graph)])]), 3, 4)),
        new("constant nodes", graph => graph.Add("Relu", "active", [Stem(graph)])),
        new("opset 21", graph => Head(graph, Pooled(graph, graph.Add("Relu", [Stem(graph)]))), Opset: 21),

        // Activation functions.
        new("clip as attributes", graph => graph.Add("Clip", "clipped", [Stem(graph)], ("min", 0f), ("max", 6f)), Opset: 10),
        new("relu6 as minimum", graph => graph.Add("Min", "least", [graph.Add("Relu", [Stem(graph)]), graph.Number(6f)])),
        new("swish", graph => Twice(graph, x => graph.Add("Mul", [graph.Add("Sigmoid", [x]), x]))),
        new("hard swish of hard sigmoid", graph => Twice(graph, x => graph.Add("Mul", [x, graph.Add("HardSigmoid", [x], ("alpha", 1f / 6))]))),
        new("hard swish written out", graph => Twice(graph, x => graph.Add(
            "Div", [graph.Add("Mul", [x, graph.Add("Clip", [graph.Add("Add", [x, graph.Number(3f)]), graph.Number(0f), graph.Number(6f)])]), graph.Number(6f)]))),
        new("hard swish, gate divided", graph => Twice(graph, x => graph.Add(
            "Mul", [x, graph.Add("Mul", [graph.Add("Clip", [graph.Add("Add", [graph.Number(3f), x]), graph.Number(0f), graph.Number(6f)]), graph.Number(1f / 6)])]))),
        new("gelu, x first", graph => Twice(graph, x => graph.Add("Mul", [graph.Add("Mul", [x, OnePlusErf(graph, x)]), graph.Number(0.5f)]))),
        new("gelu, half first", graph => Twice(graph, x => graph.Add("Mul", [graph.Add("Mul", [x, graph.Number(0.5f)]), OnePlusErf(graph, x)]))),
        new("gelu by power and tanh", graph => Twice(graph, x => TanhGelu(graph, x, graph.Add("Pow", [x, graph.Number(3f)])))),
        new("gelu by products and tanh", graph => Twice(graph, x => TanhGelu(graph, x, graph.Add("Mul", [x, graph.Add("Mul", [x, x])])))),
        new("gelu as operator", graph => Twice(graph, x => graph.Add("Gelu", [x])), Opset: 20),
        new("gelu as operator, by tanh", graph => Twice(graph, x => graph.Add("Gelu", [x], ("approximate", "tanh"))), Opset: 20),
        new("quick gelu", graph => Twice(graph, x => graph.Add("Mul", [x, graph.Add("Sigmoid", [graph.Add("Mul", [x, graph.Number(1.702f)])])]))),
        new("residual sum of an activation", graph =>
        {
            var x = graph.Add("Relu", [Stem(graph)]);
            return graph.Add("Add", "sum", [x, graph.Add("Sigmoid", [x])]);
        }),

        // Channels last, as tf2onnx leaves them.
        new("channels last, transposed around each layer", graph =>
        {
            var x = Last(graph, graph.Convolution(First(graph, "image"), 4, 3));
            x = Last(graph, graph.Add("MaxPool", [First(graph, graph.Add("Relu", [x]))], ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 })));
            return Head(graph, graph.Add("ReduceMean", [x], ("axes", new[] { 1, 2 }), ("keepdims", 0)));
        }, Opset: 13, IsChannelsLast: true),
        new("channels last, batch norm as product and sum", graph =>
        {
            var x = Last(graph, graph.Convolution(First(graph, "image"), 4, 3));
            return graph.Add("Add", "shifted", [graph.Add("Mul", [x, graph.Floats("scale", [4])]), graph.Floats("shift", [1, 1, 1, 4])]);
        }, Opset: 13, IsChannelsLast: true),
        new("channels last, padded", graph =>
        {
            var x = graph.Add("Pad", ["image", graph.Longs(0, 1, 0, 0, 0, 0, 2, 0)]);
            return Last(graph, graph.Convolution(First(graph, x), 4, 3));
        }, Opset: 13, IsChannelsLast: true),
        new("channels last, squeeze and excitation", graph =>
        {
            var x = Last(graph, graph.Convolution(First(graph, "image"), 4, 3));
            var gate = graph.Add("ReduceMean", [x], ("axes", new[] { 1, 2 }), ("keepdims", 1));
            gate = Last(graph, graph.Convolution(First(graph, gate), 4, 4, kernel: 1));
            return graph.Add("Mul", "scaled", [x, graph.Add("Sigmoid", [gate])]);
        }, Opset: 13, IsChannelsLast: true),
        new("channels last, flattened", graph => graph.Dense(
            graph.Add("Reshape", [Last(graph, graph.Convolution(First(graph, "image"), 4, 3)), graph.Longs(-1, 256)]), 256, 5), Opset: 13, IsChannelsLast: true),
        new("channels last, joined", graph => graph.Add(
            "Concat", "joined", [Last(graph, graph.Convolution(First(graph, "image"), 4, 3)), Last(graph, graph.Convolution(First(graph, "image"), 2, 3))], ("axis", 3)),
            Opset: 13, IsChannelsLast: true),
        new("channels last, dense at each position", graph => Head(graph, graph.Add("ReduceMean", [graph.Add("Relu", [graph.Dense("image", 3, 4)])],
            ("axes", new[] { 1, 2 }), ("keepdims", 0))), Opset: 13, IsChannelsLast: true),

        // Layer normalization.
        new("layer norm between transposes", graph => First(graph, graph.Add(
            "LayerNormalization", [Last(graph, Stem(graph)), graph.Floats("gamma", [4]), graph.Floats("beta", [4])], ("axis", -1), ("epsilon", 1e-6f)))),
        new("layer norm by power", graph => WrittenNorm(graph, Last(graph, Stem(graph)), difference => graph.Add("Pow", [difference(), graph.Number(2f)]))),
        new("layer norm by product", graph => WrittenNorm(graph, Last(graph, Stem(graph)), difference =>
        {
            var x = difference();
            return graph.Add("Mul", [x, x]);
        })),
        new("layer norm, axes as input", graph => WrittenNorm(graph, Last(graph, Stem(graph)), difference => graph.Add("Pow", [difference(), graph.Number(2f)]), axesAsInput: true), Opset: 18),

        // Transformers.
        new("packed attention, gathered", graph => Pooled(graph, graph.Add("Transpose", [Attention(graph, Places(graph), "gather")], ("perm", new[] { 0, 2, 1 })), isTokens: true)),
        new("packed attention, split", graph => Attention(graph, Places(graph), "split")),
        new("attention of three layers", graph => Attention(graph, Places(graph), "three")),
        new("attention of three layers, products scaled", graph => Attention(graph, Places(graph), "three, scaled after")),
        new("attention of three layers, both scaled", graph => Attention(graph, Places(graph), "three, both scaled")),
        new("attention with interleaved heads", graph => Attention(graph, Places(graph), "interleaved")),
        new("attention without batch", graph => Attention(graph, Places(graph), "no batch")),
        new("window attention", graph => Windowed(graph, isShifted: false, byCosines: false)),
        new("window attention, shifted", graph => Windowed(graph, isShifted: true, byCosines: false)),
        new("window attention by cosines", graph => Windowed(graph, isShifted: false, byCosines: true)),
        new("window attention by cosines, shifted", graph => Windowed(graph, isShifted: true, byCosines: true)),
        new("window attention by cosines, of three layers", graph => Windowed(graph, isShifted: false, byCosines: true, isPacked: false)),
        new("class token joined", graph => graph.Add("Gather", "first", [ClassToken(graph), graph.Long(0)], ("axis", 1))),
        new("class token sliced", graph => graph.Add("Squeeze", "first",
            [graph.Add("Slice", [ClassToken(graph), graph.Longs(0), graph.Longs(1), graph.Longs(1)]), graph.Longs(1)])),
        new("mean of tokens", graph => Head(graph, graph.Add("ReduceMean", [Places(graph)], ("axes", new[] { 1 }), ("keepdims", 0)))),
        new("tokens as a map again", graph =>
        {
            var map = graph.Add("Transpose", [graph.Dense(Places(graph), 4, 4)], ("perm", new[] { 0, 2, 1 }));
            return graph.Convolution(graph.Add("Reshape", [map, graph.Longs(1, 4, 8, 8)]), 3, 4);
        }),
        new("patch merging", graph =>
        {
            var x = Last(graph, Stem(graph));
            string Part(long row, long column) => graph.Add("Slice", [x, graph.Longs(row, column), graph.Longs(long.MaxValue, long.MaxValue), graph.Longs(1, 2), graph.Longs(2, 2)]);
            return First(graph, graph.Dense(graph.Add("Concat", [Part(0, 0), Part(1, 0), Part(0, 1), Part(1, 1)], ("axis", -1)), 16, 6));
        }),
    ];

    private static string Stem(OnnxModelWriter graph) => graph.Convolution("image", Channels, 3, name: "convolved");

    private static string First(OnnxModelWriter graph, string x) => graph.Add("Transpose", [x], ("perm", new[] { 0, 3, 1, 2 }));

    private static string Last(OnnxModelWriter graph, string x) => graph.Add("Transpose", [x], ("perm", new[] { 0, 2, 3, 1 }));

    private static string Pooled(OnnxModelWriter graph, string x, bool isTokens = false) => isTokens
        ? graph.Add("ReduceMean", [x], ("axes", new[] { 2 }), ("keepdims", 0))
        : graph.Add("Flatten", [graph.Add("GlobalAveragePool", [x])]);

    private static string Head(OnnxModelWriter graph, string features) => graph.Dense(features, Channels, 5);

    /// <summary>An activation between two convolutions, so that its gradient goes on.</summary>
    private static string Twice(OnnxModelWriter graph, Func<string, string> activation) => graph.Convolution(activation(Stem(graph)), 3, Channels);

    private static string OnePlusErf(OnnxModelWriter graph, string x) =>
        graph.Add("Add", [graph.Add("Erf", [graph.Add("Div", [x, graph.Number(MathF.Sqrt(2))])]), graph.Number(1f)]);

    private static string TanhGelu(OnnxModelWriter graph, string x, string cube)
    {
        var inner = graph.Add("Mul", [graph.Number(MathF.Sqrt(2 / MathF.PI)), graph.Add("Add", [x, graph.Add("Mul", [graph.Number(0.044715f), cube])])]);
        return graph.Add("Mul", [graph.Add("Mul", [graph.Number(0.5f), x]), graph.Add("Add", [graph.Number(1f), graph.Add("Tanh", [inner])])]);
    }

    /// <summary>As PyTorch writes <c>x.view(x.size(0), -1)</c>.</summary>
    private static string ComputedShape(OnnxModelWriter graph)
    {
        var x = graph.Add("GlobalAveragePool", [Stem(graph)]);
        var batch = graph.Add("Unsqueeze", [graph.Add("Gather", [graph.Add("Shape", [x]), graph.Long(0)], ("axis", 0)), graph.Longs(0)]);
        return Head(graph, graph.Add("Reshape", [x, graph.Add("Concat", [batch, graph.Longs(-1)], ("axis", 0))]));
    }

    private static string WrittenNorm(OnnxModelWriter graph, string x, Func<Func<string>, string> square, bool axesAsInput = false)
    {
        string Mean(string of) => axesAsInput ? graph.Add("ReduceMean", [of, graph.Longs(-1)]) : graph.Add("ReduceMean", [of], ("axes", new[] { -1 }));
        var mean = Mean(x);
        var difference = graph.Add("Sub", [x, mean]);
        var root = graph.Add("Sqrt", [graph.Add("Add", [Mean(square(() => difference)), graph.Number(1e-5f)])]);
        var normal = graph.Add("Div", [difference, root]);
        return First(graph, graph.Add("Add", [graph.Add("Mul", [normal, graph.Floats("gamma", [4])]), graph.Floats("beta", [4])]));
    }

    /// <summary>Tokens of a map with their places: [1, 64, 4].</summary>
    private static string Places(OnnxModelWriter graph)
    {
        var tokens = graph.Add("Transpose", [graph.Add("Reshape", [Stem(graph), graph.Longs(1, Channels, Tokens)])], ("perm", new[] { 0, 2, 1 }));
        return graph.Add("Add", [tokens, graph.Floats("places", [1, Tokens, Channels])]);
    }

    /// <summary>Attention of 2 heads in windows of 4×4, as PyTorch writes torchvision's Swin, and its second version by cosines.</summary>
    private static string Windowed(OnnxModelWriter graph, bool isShifted, bool byCosines, bool isPacked = true)
    {
        const int Side = 4, Area = Side * Side, Count = Tokens / Area, Width = Channels / Heads;
        var windows = new Windows(8, 8, Side, isShifted);
        // Its two slices, joined the other way round.
        string Rolled(string map, int axis, long first) => graph.Add("Concat",
        [
            graph.Add("Slice", [map, graph.Longs(first), graph.Longs(long.MaxValue), graph.Longs(axis)]),
            graph.Add("Slice", [map, graph.Longs(0), graph.Longs(first), graph.Longs(axis)]),
        ], ("axis", axis));
        var map = Last(graph, Stem(graph));
        if (isShifted) map = Rolled(Rolled(map, 1, Side / 2), 2, Side / 2);
        var tiles = graph.Add("Transpose", [graph.Add("Reshape", [map, graph.Longs(1, 2, Side, 2, Side, Channels)])], ("perm", new[] { 0, 1, 3, 2, 4, 5 }));
        tiles = graph.Add("Reshape", [tiles, graph.Longs(Count, Area, Channels)]);
        string query, key, value;
        if (isPacked)
        {
            var bias = Drawn(3 * Channels);
            if (byCosines) bias.AsSpan(Channels, Channels).Clear();
            var packed = graph.Add("Add", [graph.Floats("packed bias", [3 * Channels], bias), graph.Add("MatMul", [tiles, graph.Floats("packed", [Channels, 3 * Channels])])]);
            var parts = graph.Add("Transpose", [graph.Add("Reshape", [packed, graph.Longs(Count, Area, 3, Heads, Width)])], ("perm", new[] { 2, 0, 3, 1, 4 }));
            string Part(int index) => graph.Add("Gather", [parts, graph.Long(index)], ("axis", 0));
            (query, key, value) = (Part(0), Part(1), Part(2));
        }
        else
        {
            string ByHead() => graph.Add("Transpose", [graph.Add("Reshape", [graph.Dense(tiles, Channels, Channels), graph.Longs(Count, Area, Heads, Width)])], ("perm", new[] { 0, 2, 1, 3 }));
            (query, key, value) = (ByHead(), ByHead(), ByHead());
        }
        if (byCosines) (query, key) = (Direction(query), Direction(key));
        else query = graph.Add("Mul", [query, graph.Number(1 / MathF.Sqrt(Width))]);
        var products = graph.Add("MatMul", [query, graph.Add("Transpose", [key], ("perm", new[] { 0, 1, 3, 2 }))]);
        if (byCosines) products = graph.Add("Mul", [products, graph.Floats("factors", [Heads, 1, 1], [2.5f, 7])]);
        var (offsets, table) = (windows.Offsets(), Drawn(Heads * (2 * Side - 1) * (2 * Side - 1)));
        products = graph.Add("Add", [products, graph.Floats("offsets", [1, Heads, Area, Area], [.. Enumerable.Range(0, Heads * Area * Area)
            .Select(index => table[offsets[index % (Area * Area)] * Heads + index / (Area * Area)])])]);
        if (isShifted)
        {
            products = graph.Add("Add", [graph.Add("Reshape", [products, graph.Longs(1, Count, Heads, Area, Area)]), graph.Floats("mask", [1, Count, 1, Area, Area], windows.Mask())]);
            products = graph.Add("Reshape", [products, graph.Longs(Count, Heads, Area, Area)]);
        }
        var attended = graph.Add("Transpose", [graph.Add("MatMul", [graph.Add("Softmax", [products], ("axis", -1)), value])], ("perm", new[] { 0, 2, 1, 3 }));
        var projected = graph.Dense(graph.Add("Reshape", [attended, graph.Longs(Count, Area, Channels)]), Channels, Channels);
        var rows = graph.Add("Transpose", [graph.Add("Reshape", [projected, graph.Longs(1, 2, 2, Side, Side, Channels)])], ("perm", new[] { 0, 1, 3, 2, 4, 5 }));
        map = graph.Add("Reshape", [rows, graph.Longs(1, 8, 8, Channels)]);
        if (isShifted) map = Rolled(Rolled(map, 1, 8 - Side / 2), 2, 8 - Side / 2);
        return First(graph, map);

        string Direction(string x)
        {
            var length = graph.Add("Clip", [graph.Add("ReduceL2", [x], ("axes", new[] { -1 }), ("keepdims", 1)), graph.Number(1e-12f)]);
            return graph.Add("Div", [x, graph.Add("Expand", [length, graph.Add("Shape", [x])])]);
        }

        static float[] Drawn(int count)
        {
            var values = new float[count];
            QuickWeights.Fill(values, seed: 5, scale: 1, center: 0);
            return values;
        }
    }

    private static string ClassToken(OnnxModelWriter graph)
    {
        var tokens = graph.Add("Transpose", [graph.Add("Reshape", [Stem(graph), graph.Longs(1, Channels, Tokens)])], ("perm", new[] { 0, 2, 1 }));
        var joined = graph.Add("Concat", [graph.Floats("token", [1, 1, Channels]), tokens], ("axis", 1));
        var x = graph.Add("Add", [joined, graph.Floats("places", [1, 1 + Tokens, Channels])]);
        return graph.Add("LayerNormalization", [x, graph.Floats("gamma", [4]), graph.Floats("beta", [4])], ("axis", -1));
    }

    /// <summary>Attention of 2 heads and the projection after it, with the residual sum.</summary>
    private static string Attention(OnnxModelWriter graph, string x, string kind)
    {
        const int Width = Channels / Heads;
        string query, key, value;
        string ByHead(string tokens, int[] perm) =>
            graph.Add("Transpose", [graph.Add("Reshape", [tokens, graph.Longs(1, Tokens, Heads, Width)])], ("perm", perm));
        var factor = 1 / MathF.Sqrt(Width);
        switch (kind)
        {
            case "gather":
                var parts = graph.Add("Transpose", [graph.Add("Reshape", [graph.Dense(x, Channels, 3 * Channels), graph.Longs(1, Tokens, 3, Heads, Width)])], ("perm", new[] { 2, 0, 3, 1, 4 }));
                string Part(int index) => graph.Add("Gather", [parts, graph.Long(index)], ("axis", 0));
                (query, key, value) = (Part(0), graph.Add("Transpose", [Part(1)], ("perm", new[] { 0, 1, 3, 2 })), Part(2));
                break;
            case "split":
                var split = graph.Node("Split", ["queries", "keys", "values"], [graph.Dense(x, Channels, 3 * Channels), graph.Longs(Channels, Channels, Channels)], ("axis", -1));
                (query, key, value) = (ByHead(split[0], [0, 2, 1, 3]), ByHead(split[1], [0, 2, 3, 1]), ByHead(split[2], [0, 2, 1, 3]));
                break;
            case "interleaved":
                var heads = graph.Add("Transpose", [graph.Add("Reshape", [graph.Dense(x, Channels, 3 * Channels), graph.Longs(1, Tokens, Heads, 3 * Width)])], ("perm", new[] { 0, 2, 1, 3 }));
                var ofHeads = graph.Node("Split", ["queries", "keys", "values"], [heads, graph.Longs(Width, Width, Width)], ("axis", 3));
                (query, key, value) = (ofHeads[0], graph.Add("Transpose", [ofHeads[1]], ("perm", new[] { 0, 1, 3, 2 })), ofHeads[2]);
                break;
            case "no batch":
                string Heads3(string tokens) => graph.Add("Transpose", [graph.Add("Reshape", [tokens, graph.Longs(Tokens, Heads, Width)])], ("perm", new[] { 1, 0, 2 }));
                (query, key, value) = (Heads3(graph.Dense(x, Channels, Channels)), graph.Add("Transpose", [Heads3(graph.Dense(x, Channels, Channels))], ("perm", new[] { 0, 2, 1 })), Heads3(graph.Dense(x, Channels, Channels)));
                break;
            default:
                (query, key, value) = (ByHead(graph.Dense(x, Channels, Channels), [0, 2, 1, 3]), ByHead(graph.Dense(x, Channels, Channels), [0, 2, 3, 1]), ByHead(graph.Dense(x, Channels, Channels), [0, 2, 1, 3]));
                break;
        }
        if (kind == "three, both scaled")
            (query, key) = (graph.Add("Mul", [query, graph.Number(MathF.Sqrt(factor))]), graph.Add("Mul", [key, graph.Number(MathF.Sqrt(factor))]));
        else if (kind != "three, scaled after")
            query = graph.Add("Mul", [query, graph.Number(kind == "interleaved" ? 0.3f : factor)]);
        var products = graph.Add("MatMul", [query, key]);
        if (kind == "three, scaled after") products = graph.Add("Div", [products, graph.Number(1 / factor)]);
        var attended = graph.Add("MatMul", [graph.Add("Softmax", [products], ("axis", -1)), value]);
        var sideBySide = graph.Add("Reshape", [graph.Add("Transpose", [attended], ("perm", kind == "no batch" ? new[] { 1, 0, 2 } : [0, 2, 1, 3])), graph.Longs(1, Tokens, Channels)]);
        return graph.Add("Add", "attended", [x, graph.Dense(sideBySide, Channels, Channels)]);
    }
}
