using Graft.Classifiers;
using Graft.Inference;
using Graft.Networks.Onnx;
using static Graft.Networks.Onnx.OnnxGraphWriter;
using DataType = Graft.Networks.Onnx.TensorProto.Types.DataType;

namespace Graft.Export;

/// <summary><see cref="Novelty"/> as nodes of an ONNX graph. In float64, as training has it, which quantization leaves alone too.</summary>
internal static class NoveltyGraph
{
    private const string Name = "novelty";

    /// <summary>Adds the output <see cref="ModelMetadata.UnlikenessOutput"/>, float32 [1].</summary>
    /// <param name="features">The tensor of features, float32 [1, features].</param>
    /// <param name="cut">The distance from which on a photo is unlike the training photos.</param>
    public static void Add(OnnxGraphWriter graph, Novelty novelty, double cut, string features)
    {
        var (length, components) = (novelty.Length, novelty.Components);
        var x = graph.Node("Cast", $"{Name}/x", [features], To(DataType.Double));
        x = novelty.Measure == NoveltyMeasure.Neighbors
            ? graph.Node("Div", $"{Name}/direction",
                [x, graph.Node("Max", $"{Name}/length", [graph.Node("Sqrt", $"{Name}/root", [Squares("features", x)]), graph.Scalar(1e-12)])])
            : graph.Node("Sub", $"{Name}/moved", [x, AsDouble("center", novelty.Center, [1, length])]);
        var z = graph.Node("MatMul", $"{Name}/z", [x, Columns("factors", novelty.Factors, length)]);
        var beyond = graph.Node("Max", $"{Name}/beyond", [graph.Node("Sub", $"{Name}/energy", [Squares("x", x), Squares("z", z)]), graph.Scalar(0.0)]);
        var white = graph.Node("MatMul", $"{Name}/white", [z, Columns("whitening", novelty.Whitening, components)]);
        var products = graph.Node("MatMul", $"{Name}/products", [white, Columns("examples", novelty.Examples, components)]);
        var theirs = graph.Constant($"{Name}/example_squares", [.. novelty.Examples.Chunk(components).Select(row => row.Sum(value => (double)value * value))], [1, novelty.Examples.Length / components]);
        var squares = graph.Node("Sub", $"{Name}/squared_distances",
            [graph.Node("Add", $"{Name}/sum", [Squares("white", white), theirs]), graph.Node("Mul", $"{Name}/twice", [products, graph.Scalar(2.0)])]);
        graph.Graph.Node.Add(new NodeProto
        {
            Name = $"{Name}/nearest",
            OpType = "TopK",
            Input = { squares, graph.Constant($"{Name}/rank", [novelty.Rank]) },
            Output = { $"{Name}/smallest", $"{Name}/nearest" },
            Attribute = { Of("axis", 1), Of("largest", 0), Of("sorted", 1) },
        });
        var square = graph.Node("ReduceMax", $"{Name}/square", [$"{Name}/smallest", graph.Constant("constant/axis_1", [1])], Of("keepdims", 1));
        square = graph.Node("Add", $"{Name}/with_rest", [square, graph.Node("Div", $"{Name}/rest", [beyond, graph.Scalar(novelty.RestVariance)])]);
        var distance = graph.Node("Sqrt", $"{Name}/distance", [graph.Node("Max", $"{Name}/not_negative", [square, graph.Scalar(0.0)])]);
        var ratio = graph.Node("Div", $"{Name}/ratio", [distance, graph.Scalar(Math.Max(cut, 1e-12))]);
        graph.Node("Reshape", ModelMetadata.UnlikenessOutput, [graph.Node("Cast", $"{Name}/single", [ratio], To(DataType.Float)), graph.Constant($"{Name}/shape", [1])]);

        string AsDouble(string name, float[] values, IReadOnlyList<int> shape) =>
            graph.Node("Cast", $"{Name}/{name}_double", [graph.Constant($"{Name}/{name}", values, shape)], To(DataType.Double));

        string Columns(string name, float[] rows, int width) => graph.Node(
            "Transpose", $"{Name}/{name}_columns", [AsDouble(name, rows, [rows.Length / width, width])], Of("perm", [1, 0]));

        string Squares(string name, string tensor) => graph.Node("ReduceSum", $"{Name}/{name}_sum",
            [graph.Node("Mul", $"{Name}/{name}_squares", [tensor, tensor]), graph.Constant("constant/axis_1", [1])], Of("keepdims", 1));
    }
}
