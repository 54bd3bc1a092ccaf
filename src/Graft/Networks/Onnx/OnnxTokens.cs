namespace Graft.Networks.Onnx;

/// <content>Tokens, and attention of all of them or within windows.</content>
internal sealed partial class OnnxConversion
{
    /// <summary>[N, channels, height, width] → [N, 1 + height · width, channels]: a row of zeros in front, to which the token is added.</summary>
    private string PrependToken(Layer layer, string x, TensorShape shape)
    {
        var (name, positions) = (layer.Name, shape.ElementCount / shape.Channels);
        var tokens = shape.IsTokens ? x : Tokens($"{name}/tokens", x, shape);
        var padded = Node("Pad", $"{name}/padded", [tokens, Constant($"{name}/pads", [0, 1, 0, 0, 0, 0])]);
        var token = new float[(1 + positions) * shape.Channels];
        Read(layer, ParameterRole.Embedding).CopyTo(token, 0);
        return Node("Add", name, [padded, Constant($"{name}/token", token, [1, 1 + positions, shape.Channels])]);
    }

    /// <summary>[N, channels, height, width] → [N, height · width, channels].</summary>
    private string Tokens(string name, string x, TensorShape shape)
    {
        var flat = Node("Reshape", $"{name}/flat", [x, Constant($"{name}/shape", [0, shape.Channels, shape.Height * shape.Width])]);
        return Node("Transpose", name, [flat], Of("perm", [0, 2, 1]));
    }

    private string Attend(string name, string x, TensorShape output, int heads)
    {
        var (query, key, value) = Parts(name, x, output.Sizes[0], output.Channels, heads);
        var sideBySide = Node("Transpose", $"{name}/side_by_side", [Attended(name, query, key, value, output.Channels / heads)], Of("perm", [0, 2, 1, 3]));
        return Node("Reshape", name, [sideBySide, Constant($"{name}/output_shape", [0, output.Sizes[0], output.Channels])]);
    }

    /// <summary>[N, 1 + tokens, 3 · channels] → [N, channels].</summary>
    private string AttendToTheRest(string name, string x, TensorShape packed, int heads)
    {
        var (tokens, channels) = (packed.Sizes[0], packed.Channels / 3);
        var (query, key, value) = Parts(name, x, tokens, channels, heads);
        var attended = Attended(name, Range("first", query, 0, 1), Range("other_keys", key, 1, tokens), Range("other_values", value, 1, tokens), channels / heads);
        return Node("Reshape", name, [attended, Constant($"{name}/output_shape", [0, channels])]);

        string Range(string part, string tensor, long first, long end) => Node(
            "Slice", $"{name}/{part}", [tensor, Constant($"{name}/{part}_start", [first]), Constant($"{name}/{part}_end", [end]), Constant("constant/axis_2", [2L])]);
    }

    /// <summary>[N, heads, tokens, width] each.</summary>
    private (string Query, string Key, string Value) Parts(string name, string x, int tokens, int channels, int heads)
    {
        var parts = Node("Reshape", $"{name}/parts", [x, Constant($"{name}/shape", [0, tokens, 3, heads, channels / heads])]);
        var split = Node("Transpose", $"{name}/split", [parts], Of("perm", [2, 0, 3, 1, 4])); // [3, N, heads, tokens, width]
        return (Part("query", 0), Part("key", 1), Part("value", 2));

        string Part(string part, long index) => Node("Gather", $"{name}/{part}", [split, Constant($"{name}/{part}_index", index)], Of("axis", 0));
    }

    /// <summary>[N, heads, queries, width].</summary>
    private string Attended(string name, string query, string key, string value, int width)
    {
        var scaled = Node("Mul", $"{name}/scaled", [query, Scalar(1 / MathF.Sqrt(width))]);
        var turned = Node("Transpose", $"{name}/keys", [key], Of("perm", [0, 1, 3, 2]));
        var shares = Node("Softmax", $"{name}/shares", [Node("MatMul", $"{name}/products", [scaled, turned])], Of("axis", -1));
        return Node("MatMul", $"{name}/attended", [shares, value]);
    }

    private string AttendInWindows(string name, string x, TensorShape packed, WindowAttention operation, TensorShape output)
    {
        var (heads, windows) = (operation.Heads, operation.WindowsOf(packed.Height, packed.Width));
        var (count, area, width) = (windows.Count, windows.Area, output.Channels / heads);
        var flat = Node("Reshape", $"{name}/flat", [x, Constant($"{name}/flat_shape", [0L, packed.Channels, packed.Height * packed.Width])]);
        var tiled = Node("Gather", $"{name}/tiled", [flat, Constant($"{name}/positions", [.. windows.Positions().Select(position => (long)position)])], Of("axis", 2));
        var parts = Node("Reshape", $"{name}/parts", [tiled, Constant($"{name}/parts_shape", [0L, 3, heads, width, count, area])]);
        var split = Node("Transpose", $"{name}/split", [parts], Of("perm", [1, 0, 4, 2, 5, 3])); // [3, N, windows, heads, positions, width]
        string Part(string part, long index) => Node("Gather", $"{name}/{part}", [split, Constant($"{name}/{part}_index", index)], Of("axis", 0));
        var query = Node("Mul", $"{name}/scaled", [Part("query", 0), Scalar(1 / MathF.Sqrt(width))]);
        var key = Node("Transpose", $"{name}/keys", [Part("key", 1)], Of("perm", [0, 1, 2, 4, 3]));
        var products = Node("Add", $"{name}/placed", [Node("MatMul", $"{name}/products", [query, key]), WindowBias(name, operation, windows)]);
        var attended = Node("MatMul", $"{name}/attended", [Node("Softmax", $"{name}/shares", [products], Of("axis", -1)), Part("value", 2)]);
        var channels = Node("Transpose", $"{name}/channels", [attended], Of("perm", [0, 2, 4, 1, 3]));
        var sideBySide = Node("Reshape", $"{name}/side_by_side", [channels, Constant($"{name}/tiled_shape", [0L, output.Channels, count * area])]);
        var places = Constant($"{name}/places", [.. windows.Places(output.Height, output.Width).Select(place => (long)place)]);
        return Node("Reshape", name, [Node("Gather", $"{name}/map", [sideBySide, places], Of("axis", 2)),
            Constant($"{name}/output_shape", [0L, output.Channels, output.Height, output.Width])]);
    }

    /// <summary>[windows or 1, heads, queries, keys].</summary>
    private string WindowBias(string name, WindowAttention operation, Windows windows)
    {
        var (heads, area, table, offsets) = (operation.Heads, windows.Area, OffsetNumbers(operation), windows.Offsets());
        var mask = windows.IsMasked ? windows.Mask() : new float[area * area];
        var count = mask.Length / area / area;
        var bias = new float[count * heads * area * area];
        for (var index = 0; index < bias.Length; index++)
        {
            var (window, head, pair) = (index / (area * area) / heads, index / (area * area) % heads, index % (area * area));
            bias[index] = table[offsets[pair] * heads + head] + mask[window * area * area + pair];
        }
        return Constant($"{name}/bias", bias, [count, heads, area, area]);
    }

    /// <summary>[offsets, heads].</summary>
    private float[] OffsetNumbers(WindowAttention operation)
    {
        if (operation.OffsetUnits is not { } units) return Read(_layer, ParameterRole.RelativePositions);
        using var scope = TorchSharp.torch.NewDisposeScope();
        var numbers = TorchOperation.OffsetNumbers(
            operation, TorchSharp.torch.tensor(Read(_layer, ParameterRole.OffsetKernel), [units, 2]), TorchSharp.torch.tensor(Read(_layer, ParameterRole.OffsetBias)),
            TorchSharp.torch.tensor(Read(_layer, ParameterRole.OffsetHeads), [operation.Heads, units]));
        return TorchNetwork.Values(numbers.contiguous()).ToArray();
    }

    string IOperationVisitor<string>.Visit(QueryValueBias operation)
    {
        var bias = Read(_layer, ParameterRole.QueryValueBias);
        bias.AsSpan(bias.Length / 3, bias.Length / 3).Clear();
        return Node("Add", Name, [X, Constant($"{Name}/bias", bias, [bias.Length, 1, 1])]);
    }

    /// <summary>As three parts [N, heads, width, positions].</summary>
    string IOperationVisitor<string>.Visit(CosineHeads operation)
    {
        var (channels, heads, width) = (Shape.Channels / 3, operation.Heads, Shape.Channels / 3 / operation.Heads);
        var parts = Node("Reshape", $"{Name}/parts", [X, Constant($"{Name}/parts_shape", [0L, 3, heads, width, Shape.Height * Shape.Width])]);
        float[] factors = [.. Read(_layer, ParameterRole.LogitScale).Select(scale => (float)(Math.Exp(Math.Min(scale, CosineHeads.Largest)) * Math.Sqrt(width)))];
        var queries = Node("Mul", $"{Name}/scaled", [Directions("queries", 0), Constant($"{Name}/factors", factors, [heads, 1, 1])]);
        return Node("Concat", Name, [Map("query", queries), Map("key", Directions("keys", 1)), Map("value", Part("values", 2))], Of("axis", 1));

        string Part(string part, long index) => Node("Gather", $"{Name}/{part}", [parts, Constant($"{Name}/{part}_index", index)], Of("axis", 1));
        string Directions(string part, long index) => Node("LpNormalization", $"{Name}/{part}_directions", [Part(part, index)], Of("axis", 2), Of("p", 2));
        string Map(string part, string x) =>
            Node("Reshape", $"{Name}/{part}_map", [x, Constant($"{Name}/{part}_map_shape", [0L, channels, Shape.Height, Shape.Width])]);
    }
}
