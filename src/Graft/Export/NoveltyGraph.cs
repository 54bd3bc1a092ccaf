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
                [x, graph.Node("Max", $"{Name}/length", [graph.Node("Sqrt", $"{Name}/root", [Squares("x", x)]), graph.Scalar(1e-12)])])
            : graph.Node("Sub", $"{Name}/moved", [x, AsDouble("center", novelty.Center, [1, length])]);
        var z = graph.Node("MatMul", $"{Name}/z",
            [x, graph.Node("Transpose", $"{Name}/columns", [AsDouble("factors", novelty.Factors, [components, length])], Of("perm", [1, 0]))]);
        var own = Squares("z", z);
        var examples = AsDouble("examples", novelty.Examples, [novelty.Examples.Length / components, components]);
        var products = graph.Node("MatMul", $"{Name}/products", [z, graph.Node("Transpose", $"{Name}/example_columns", [examples], Of("perm", [1, 0]))]);
        var theirs = graph.Node("Transpose", $"{Name}/example_squares", [Squares("examples", examples)], Of("perm", [1, 0])); // [1, examples]
        var squares = graph.Node("Sub", $"{Name}/squared_distances",
            [graph.Node("Add", $"{Name}/sum", [own, theirs]), graph.Node("Mul", $"{Name}/twice", [products, graph.Scalar(2.0)])]);
        graph.Graph.Node.Add(new NodeProto
        {
            Name = $"{Name}/nearest",
            OpType = "TopK",
            Input = { squares, graph.Constant($"{Name}/rank", [novelty.Rank]) },
            Output = { $"{Name}/smallest", $"{Name}/nearest" },
            Attribute = { Of("axis", 1), Of("largest", 0), Of("sorted", 1) },
        });
        var square = graph.Node("ReduceMax", $"{Name}/square", [$"{Name}/smallest", graph.Constant("constant/axis_1", [1])], Of("keepdims", 1));
        if (novelty.Measure == NoveltyMeasure.Neighbors)
            square = graph.Node("Add", $"{Name}/with_rest", [square, graph.Node("Sub", $"{Name}/rest", [graph.Scalar(1.0), own])]);
        var distance = graph.Node("Sqrt", $"{Name}/distance", [graph.Node("Max", $"{Name}/not_negative", [square, graph.Scalar(0.0)])]);
        var ratio = graph.Node("Div", $"{Name}/ratio", [distance, graph.Scalar(Math.Max(cut, 1e-12))]);
        graph.Node("Reshape", ModelMetadata.UnlikenessOutput, [graph.Node("Cast", $"{Name}/single", [ratio], To(DataType.Float)), graph.Constant($"{Name}/shape", [1])]);

        string AsDouble(string name, float[] values, IReadOnlyList<int> shape) =>
            graph.Node("Cast", $"{Name}/{name}_double", [graph.Constant($"{Name}/{name}", values, shape)], To(DataType.Double));

        string Squares(string name, string tensor) => graph.Node("ReduceSum", $"{Name}/{name}_sum",
            [graph.Node("Mul", $"{Name}/{name}_squares", [tensor, tensor]), graph.Constant("constant/axis_1", [1])], Of("keepdims", 1));
    }
}
