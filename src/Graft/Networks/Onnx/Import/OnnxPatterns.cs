using static Graft.Networks.Onnx.Import.OnnxSource;

namespace Graft.Networks.Onnx.Import;

/// <summary>Layers that exporters of older versions write as several nodes.</summary>
internal static class OnnxPatterns
{
    /// <summary>
    /// Layer normalization written out: the mean over the last axis subtracted, divided by the root of the mean of squares plus epsilon, scaled and shifted.
    /// </summary>
    /// <param name="Parts">Tensors between its nodes.</param>
    public sealed record LayerNormalization(IReadOnlyList<string> Parts, string Input, string Output, float Epsilon, string? Gamma, string? Beta);

    public static LayerNormalization? LayerNormAt(OnnxSource source, NodeProto mean)
    {
        if (mean.OpType != "ReduceMean" || Int(mean, "keepdims", 1) == 0) return null;
        var x = mean.Input[0];
        var nodes = new List<NodeProto> { mean };
        // Some exporters subtract twice.
        var differences = source.Users(mean.Output[0]).Distinct().ToList();
        if (differences.Count == 0 || differences.Any(node => node.OpType != "Sub" || node.Input[0] != x || node.Input[1] != mean.Output[0])) return null;
        nodes.AddRange(differences);
        NodeProto? root = null;
        var epsilon = 0f;
        foreach (var square in differences.SelectMany(node => source.Users(node.Output[0])).Distinct())
        {
            var isSquare = (square.OpType == "Pow" && source.Number(square.Input[1]) == 2) || (square.OpType == "Mul" && square.Input[0] == square.Input[1]);
            if (!isSquare || source.OnlyUser(square.Output[0]) is not { OpType: "ReduceMean" } variance
                || source.OnlyUser(variance.Output[0]) is not { OpType: "Add" } sum || source.Number(OtherInput(sum, variance.Output[0])) is not { } number
                || source.OnlyUser(sum.Output[0]) is not { OpType: "Sqrt" } squareRoot) continue;
            nodes.AddRange([square, variance, sum, squareRoot]);
            (root, epsilon) = (squareRoot, number);
        }
        if (root is null || source.OnlyUser(root.Output[0]) is not { } next) return null;
        nodes.Add(next);
        if (next.OpType == "Reciprocal")
        {
            if (source.OnlyUser(next.Output[0]) is not { OpType: "Mul" } product) return null;
            nodes.Add(product);
        }
        else if (next.OpType != "Div" || next.Input[1] != root.Output[0])
        {
            return null;
        }
        string? gamma = null, beta = null;
        if (source.OnlyUser(nodes[^1].Output[0]) is { OpType: "Mul" } scaled && OtherInput(scaled, nodes[^1].Output[0]) is { } factor && source.IsConstant(factor))
        {
            gamma = factor;
            nodes.Add(scaled);
        }
        if (source.OnlyUser(nodes[^1].Output[0]) is { OpType: "Add" } shifted && OtherInput(shifted, nodes[^1].Output[0]) is { } shift && source.IsConstant(shift))
        {
            beta = shift;
            nodes.Add(shifted);
        }
        return new([.. nodes.SkipLast(1).Select(node => node.Output[0])], x, nodes[^1].Output[0], epsilon, gamma, beta);
    }

    /// <summary>Elements along an axis divided by their length, as PyTorch writes it: the length, bounded from below, stretched to the elements.</summary>
    public static (IReadOnlyList<string> Parts, string Output, int Axis)? DirectionsAt(OnnxSource source, NodeProto length)
    {
        if (length.OpType != "ReduceL2" || Int(length, "keepdims", 1) == 0 || source.Longs(length, 1, "axes") is not [var axis]) return null;
        var (x, last, parts) = (length.Input[0], length.Output[0], new List<string>());
        while (source.OnlyUser(last) is { } next)
        {
            parts.Add(last);
            if (next.OpType == "Div" && next.Input[0] == x && next.Input[1] == last) return (parts, next.Output[0], (int)axis);
            var isBound = next.OpType == "Clip" && source.Number(next, 1, "min") is >= 0 and <= 1e-6f && source.Number(next, 2, "max") is null && !HasInput(next, 2);
            if (next.Input[0] != last || !(isBound || next.OpType == "Expand")) return null;
            last = next.Output[0];
        }
        return null;
    }

    /// <summary>The sum with a constant that is all that becomes of a product: its node and the constant.</summary>
    public static (NodeProto Node, string Bias)? BiasAfter(OnnxSource source, string product) =>
        source.OnlyUser(product) is { OpType: "Add" } sum && OtherInput(sum, product) is { } bias && source.IsConstant(bias) ? (sum, bias) : null;

    /// <summary>A token of zeros put first, to which a constant is added: how Graft writes the class token.</summary>
    public static (NodeProto Node, string Token)? ClassTokenAt(OnnxSource source, NodeProto pad) =>
        pad.OpType == "Pad" && source.Longs(pad, 1, "pads") is [0, 1, 0, 0, 0, 0] ? BiasAfter(source, pad.Output[0]) : null;

    /// <summary>Averages over a grid of windows as Graft writes them: by a matrix for the columns, then one for the rows.</summary>
    public static (NodeProto Last, Extent Windows)? AverageAt(OnnxSource source, NodeProto columns, TensorShape map)
    {
        if (!source.IsConstant(columns.Input[1]) || source.Sizes(columns.Input[1]) is not [var width, var across]
            || source.OnlyUser(columns.Output[0]) is not { OpType: "MatMul" } rows || !source.IsConstant(rows.Input[0]) || source.Sizes(rows.Input[0]) is not [var down, var height]
            || (height, width) != (map.Height, map.Width)) return null;
        var matrix = OnnxConversion.Windows(map.Width, across);
        var turned = Enumerable.Range(0, width * across).Select(index => matrix[index % across * map.Width + index / across]);
        return source.Floats(rows.Input[0]).SequenceEqual(OnnxConversion.Windows(map.Height, down)) && source.Floats(columns.Input[1]).SequenceEqual(turned)
            ? (rows, (down, across))
            : null;
    }
}
