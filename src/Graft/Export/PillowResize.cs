using Graft.Imaging;
using Graft.Networks.Onnx;
using static Graft.Networks.Onnx.OnnxGraphWriter;
using static Graft.Networks.Onnx.TensorProto.Types;

namespace Graft.Export;

/// <summary>A side of a photo: so many pixels from the first on, of source pixels that are resized to target pixels.</summary>
/// <param name="Source">A tensor [1] of int64, as the next two.</param>
/// <param name="First">Below 0, and from the target size on, the nearest pixel stands.</param>
internal sealed record ResizedSide(string Source, string Target, string First, int Count);

/// <summary>
/// <see cref="Resampler"/> as ONNX nodes, and as that equal to Pillow in every value, on any runtime: the weights of the pixels are computed in float64
/// from the photo's size, and with 22 bits after the point they multiply the pixels as integers. ONNX's own <c>Resize</c> has weights of float32, which
/// round some values the other way.
/// </summary>
internal sealed class PillowResize(OnnxGraphWriter graph)
{
    /// <summary>
    /// Target pixels that are computed at once, from the source pixels that any of them needs: more waste products with zeros, fewer
    /// make small matrices.
    /// </summary>
    private const int BlockPixels = 16;

    private const int FractionBits = 22;

    /// <summary>A weight is three bytes, each less this, so that no byte is below 0.</summary>
    private const int ZeroOfBytes = 128;

    /// <summary>uint8 [height, width, 3] → uint8 [rows.Count, columns.Count, 3].</summary>
    /// <exception cref="GraftException">An interpolation that has no counterpart here.</exception>
    public string Add(string name, string pixels, Interpolation interpolation, ResizedSide rows, ResizedSide columns)
    {
        switch (interpolation)
        {
            case Interpolation.Nearest:
                var picked = graph.Node("Gather", $"{name}/picked_rows", [pixels, Nearest($"{name}/row", rows)], Of("axis", 0));
                return graph.Node("Gather", $"{name}/resized", [picked, Nearest($"{name}/column", columns)], Of("axis", 1));
            case Interpolation.Bilinear or Interpolation.Bicubic:
                // [height, 3 · width] → [width, 3 · height] → [columns, 3 · height] → [height, 3 · columns] → [rows, 3 · columns]; matrices are flipped
                // ten times faster than pixels of three bytes are moved.
                var heightAndColors = graph.Node("Mul", $"{name}/height_and_colors", [rows.Source, graph.Constant("image/3", [3L])]);
                var byColumn = graph.Node("Reshape", $"{name}/by_column",
                    [Flipped($"{name}/columns_flipped", pixels, 0, -1), graph.Node("Concat", $"{name}/by_column_shape", [graph.Constant("image/last", [-1L]), heightAndColors], Of("axis", 0))]);
                var narrowed = Pass($"{name}/columns", byColumn, columns, interpolation);
                var resized = Pass($"{name}/rows", Flipped($"{name}/by_row", narrowed, columns.Count * 3L, -1), rows, interpolation);
                return graph.Node("Reshape", $"{name}/resized", [resized, graph.Constant($"{name}/resized_shape", [(long)rows.Count, columns.Count, 3])]);
            default:
                throw new GraftException($"The interpolation {interpolation} cannot be exported to ONNX.");
        }
    }

    private string Flipped(string name, string tensor, params long[] shape) => graph.Node("Transpose", name,
        [graph.Node("Reshape", $"{name}_from", [tensor, graph.Constant($"{name}_shape", shape)])], Of("perm", [1, 0]));

    /// <summary>[source, n] → [count, n].</summary>
    private string Pass(string name, string pixels, ResizedSide side, Interpolation interpolation)
    {
        var blocks = (side.Count + BlockPixels - 1) / BlockPixels;
        var (weights, sources) = Weights(name, side, interpolation, blocks);
        // [source, n] → [blocks, window, n]
        var window = graph.Node("Gather", $"{name}/window", [pixels, sources], Of("axis", 0));
        // [blocks, 3 · 16, window] · [blocks, window, n]
        var products = graph.Node("MatMulInteger", $"{name}/products", [weights, window, Byte("image/zero_of_bytes", ZeroOfBytes)]);
        string[] bytes = [$"{name}/low", $"{name}/middle", $"{name}/high"];
        graph.Graph.Node.Add(new NodeProto
        {
            Name = $"{name}/bytes",
            OpType = "Split",
            Input = { products },
            Output = { bytes },
            Attribute = { Of("axis", 1), Of("num_outputs", 3) },
        });
        var middle = graph.Node("Mul", $"{name}/middle_times", [bytes[1], Integer(1 << 8)]);
        var high = graph.Node("Mul", $"{name}/high_times", [bytes[2], Integer(1 << 16)]);
        var sum = graph.Node("Add", $"{name}/sum", [graph.Node("Add", $"{name}/low_sum", [bytes[0], middle]), graph.Node("Add", $"{name}/high_sum", [high, Integer(1 << (FractionBits - 1))])]);
        var clipped = graph.Node("Clip", $"{name}/clipped", [sum, Integer(0), Integer((256 << FractionBits) - 1)]);
        var whole = graph.Node("BitShift", $"{name}/whole",
            [graph.Node("Cast", $"{name}/unsigned", [clipped], To(DataType.Uint32)), Constant("image/fraction_bits", DataType.Uint32, FractionBits)], Of("direction", "RIGHT"));
        var samples = graph.Node("Reshape", $"{name}/samples",
            [graph.Node("Cast", $"{name}/sample_bytes", [whole], To(DataType.Uint8)), graph.Constant($"{name}/shape", [(long)blocks * BlockPixels, -1L])]);
        return blocks * BlockPixels == side.Count
            ? samples
            : graph.Node("Slice", $"{name}/counted", [samples, graph.Constant("image/0", [0L]), graph.Constant($"{name}/count", [(long)side.Count])]);
    }

    /// <summary>
    /// Pillow's precompute_coeffs (src/libImaging/Resample.c): of each block, the weights' bytes [blocks, 3 · 16, window], and the source pixels
    /// [blocks, window] that they are for.
    /// </summary>
    private (string Weights, string Sources) Weights(string name, ResizedSide side, Interpolation interpolation, int blocks)
    {
        string Double(string tensor, string value) => graph.Node("Cast", $"{name}/{tensor}", [value], To(DataType.Double));
        string Node(string type, string output, params string[] inputs) => graph.Node(type, $"{name}/{output}", inputs);
        string Floor(string output, string value) => graph.Node("Cast", $"{name}/{output}", [Node("Add", $"{output}_up", value, graph.Scalar(0.5))], To(DataType.Int64));

        var one = graph.Constant("image/1", [1L]);
        // [blocks, 16, 1]
        var positions = graph.Node("Reshape", $"{name}/positions",
            [graph.Constant($"image/{blocks}_blocks", [.. Enumerable.Range(0, blocks * BlockPixels).Select(index => (long)index)]), graph.Constant($"image/{blocks}_blocks_shape", [blocks, BlockPixels, 1L])]);
        var targets = Node("Min", "targets", Node("Max", "targets_from_0", Node("Add", "targets_from_first", positions, side.First), graph.Constant("image/0", [0L])), Node("Sub", "last_target", side.Target, one));
        var scale = Node("Div", "scale", Double("source", side.Source), Double("target", side.Target));
        var widening = Node("Max", "widening", scale, graph.Scalar(1.0));
        var radius = Node("Mul", "radius", widening, graph.Scalar(interpolation == Interpolation.Bicubic ? 2.0 : 1.0));
        var center = Node("Mul", "center", Node("Add", "target_middle", Double("targets_exact", targets), graph.Scalar(0.5)), scale);
        var start = Node("Max", "start", Floor("start_unbounded", Node("Sub", "left", center, radius)), graph.Constant("image/0", [0L]));
        var end = Node("Min", "end", Floor("end_unbounded", Node("Add", "right", center, radius)), side.Source);
        // [blocks, 1, 1], and the longest window.
        var first = graph.Node("ReduceMin", $"{name}/first", [start, one]);
        var length = graph.Node("ReduceMax", $"{name}/length", [Node("Sub", "lengths", end, first)], Of("keepdims", 0));
        // [blocks, 1, window]
        var sources = Node("Add", "sources", first, Node("Range", "window_indices", graph.Constant("image/scalar_0", 0L), length, graph.Constant("image/scalar_1", 1L)));
        var distance = Node("Mul", "distance",
            Node("Abs", "distance_pixels", Node("Add", "distance_signed", Node("Sub", "from_center", Double("sources_exact", sources), center), graph.Scalar(0.5))),
            Node("Div", "narrowing", graph.Scalar(1.0), widening));
        // [blocks, 16, window]
        var inside = Node("And", "inside", Node("GreaterOrEqual", "from_start", sources, start), Node("Less", "before_end", sources, end));
        var weights = Node("Where", "weights", inside, interpolation == Interpolation.Bicubic ? Cubic(name, distance) : Triangle(name, distance), graph.Scalar(0.0));
        // Added up one after the other, as Pillow does; a ReduceSum may round otherwise.
        var sums = graph.Node("Gather", $"{name}/sums", [Node("CumSum", "sums_so_far", weights, graph.Constant("image/scalar_2", 2L)), graph.Constant("image/last", [-1L])], Of("axis", 2));
        var exact = Node("Mul", "weights_times", Node("Div", "shares", weights, sums), graph.Scalar((double)(1 << FractionBits)));
        var half = Node("Where", "half", Node("Less", "is_below_0", exact, graph.Scalar(0.0)), graph.Scalar(-0.5), graph.Scalar(0.5));
        var rounded = graph.Node("Cast", $"{name}/weights_rounded", [Node("Add", "weights_up", exact, half)], To(DataType.Int32));
        var shifted = Node("Add", "weights_from_0", rounded, Integer(ZeroOfBytes * 0x010101));
        string Byte(string output, string value) => graph.Node("Cast", $"{name}/{output}_byte", [value], To(DataType.Uint8));
        var bytes = graph.Node("Concat", $"{name}/weight_bytes",
        [
            Byte("low", Node("Mod", "low_weights", shifted, Integer(1 << 8))),
            Byte("middle", Node("Mod", "middle_weights", Node("Div", "upper_weights", shifted, Integer(1 << 8)), Integer(1 << 8))),
            Byte("high", Node("Div", "high_weights", shifted, Integer(1 << 16))),
        ], Of("axis", 1));
        var existing = Node("Min", "existing_sources", sources, Node("Sub", "last_source", side.Source, one));
        return (bytes, graph.Node("Reshape", $"{name}/source_indices", [existing, graph.Constant($"image/{blocks}_windows_shape", [blocks, -1L])]));
    }

    private string Triangle(string name, string distance) => graph.Node("Max", $"{name}/triangle",
        [graph.Node("Sub", $"{name}/triangle_side", [graph.Scalar(1.0), distance]), graph.Scalar(0.0)]);

    /// <summary>Keys's cubic with a = -0.5.</summary>
    private string Cubic(string name, string distance)
    {
        const double A = -0.5;
        string Times(string output, string value) => graph.Node("Mul", $"{name}/{output}_times", [value, distance]);
        string Plus(string output, string value, double number) => graph.Node("Add", $"{name}/{output}_plus", [value, graph.Scalar(number)]);
        var near = Plus("near", Times("near3", Times("near2", Plus("near1", graph.Node("Mul", $"{name}/near1_times", [distance, graph.Scalar(A + 2)]), -(A + 3)))), 1);
        var far = graph.Node("Mul", $"{name}/far", [Plus("far3", Times("far2", Plus("far2", Times("far1", Plus("far1", distance, -5)), 8)), -4), graph.Scalar(A)]);
        var outer = graph.Node("Where", $"{name}/cubic_outside", [graph.Node("Less", $"{name}/is_far", [distance, graph.Scalar(2.0)]), far, graph.Scalar(0.0)]);
        return graph.Node("Where", $"{name}/cubic", [graph.Node("Less", $"{name}/is_near", [distance, graph.Scalar(1.0)]), near, outer]);
    }

    /// <summary>Pillow's nearest neighbors: it adds the step up in float64, so its rounding errors add up too.</summary>
    private string Nearest(string name, ResizedSide side)
    {
        string Node(string type, string output, params string[] inputs) => graph.Node(type, $"{name}_{output}", inputs);
        string Double(string tensor, string value) => graph.Node("Cast", $"{name}_{tensor}", [value], To(DataType.Double));
        var one = graph.Constant("image/1", [1L]);
        var step = Node("Div", "step", Double("source", side.Source), Double("target", side.Target));
        var lastTarget = Node("Sub", "last_target", side.Target, one);
        var steps = graph.Node("Concat", $"{name}_steps", [Node("Mul", "half_step", step, graph.Scalar(0.5)), Node("Expand", "other_steps", step, lastTarget)], Of("axis", 0));
        var positions = Node("CumSum", "positions", steps, graph.Constant("image/scalar_0", 0L));
        var indices = Node("Min", "indices", graph.Node("Cast", $"{name}_floor", [positions], To(DataType.Int64)), Node("Sub", "last_source", side.Source, one));
        var counted = graph.Constant($"image/{side.Count}_pixels", [.. Enumerable.Range(0, side.Count).Select(index => (long)index)]);
        var targets = Node("Min", "targets", Node("Max", "targets_from_0", Node("Add", "targets_from_first", counted, side.First), graph.Constant("image/0", [0L])), lastTarget);
        return Node("Gather", "window", indices, targets);
    }

    private string Integer(int value) => Constant($"image/int32/{value}", DataType.Int32, value);

    private string Byte(string name, byte value) => graph.Constant(name, [value], DataType.Uint8, []);

    private string Constant(string name, DataType type, int value) => graph.Constant(name, BitConverter.GetBytes(value), type, []);
}
