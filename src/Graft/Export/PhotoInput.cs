using Graft.Imaging;
using Graft.Networks.Onnx;
using static Graft.Networks.Onnx.OnnxGraphWriter;
using static Graft.Networks.Onnx.TensorProto.Types;

namespace Graft.Export;

/// <summary>
/// <see cref="Preprocessing"/> as ONNX nodes: uint8 pixels [1, height, width, 3] of any size → the network's input [1, 3, height, width].
/// ONNX Runtime shrinks uint8 with <c>antialias=1, exclude_outside=1</c> as Pillow does, to within 1 of 255 in less than one value of a
/// thousand; other settings are off by far more. All sizes are computed with integers.
/// </summary>
internal sealed class PhotoInput(OnnxGraphWriter graph, string image)
{
    /// <summary>Of 255: more than float32 may be off in the values of an enlarged photo.</summary>
    private const float RoundingError = 1e-3f;

    private readonly string _one = graph.Constant("image/1", [1L]);
    private string? _pixels, _height, _width;

    /// <summary>What <see cref="Add"/> returns.</summary>
    public static string Output(string prefix) => $"{prefix}/normalized";

    /// <param name="prefix">Of the names of the nodes; another for each network.</param>
    /// <exception cref="GraftException">A resize rule that has no counterpart here.</exception>
    public string Add(Preprocessing preprocessing, string prefix)
    {
        var (width, height) = (preprocessing.InputWidth, preprocessing.InputHeight);
        var resized = preprocessing.ResizeRule switch
        {
            ResizeRule.Stretch => Resize(
                prefix, preprocessing.Interpolation, graph.Constant($"{prefix}/height", [(long)height]), graph.Constant($"{prefix}/width", [(long)width])),
            ResizeRule.ShorterSideThenCrop(var pixels) => ShorterSideThenCrop(prefix, preprocessing.Interpolation, pixels, height, width),
            ResizeRule.LongerSideThenPad pad => LongerSideThenPad(prefix, preprocessing.Interpolation, pad, height, width),
            var other => throw new GraftException($"The resize rule {other.GetType().Name} cannot be exported to ONNX."),
        };
        return Normalize(graph, preprocessing, prefix, resized);
    }

    /// <summary>[1, 3, height, width], red first → float32 in the network's channel order.</summary>
    private static string Normalize(OnnxGraphWriter graph, Preprocessing preprocessing, string prefix, string pixels)
    {
        if (preprocessing.ChannelOrder == ChannelOrder.Bgr)
            pixels = graph.Node("Gather", $"{prefix}/bgr", [pixels, graph.Constant($"{prefix}/bgr_order", [2L, 1L, 0L])], Of("axis", 1));
        int[] shape = [1, 3, 1, 1];
        float[] Each(Func<int, double> value) => [.. Enumerable.Range(0, 3).Select(channel => (float)value(channel))];
        var factor = graph.Constant($"{prefix}/factor", Each(channel => preprocessing.Scale / preprocessing.StandardDeviation[channel]), shape);
        var offset = graph.Constant($"{prefix}/offset", Each(channel => -preprocessing.Mean[channel] / preprocessing.StandardDeviation[channel]), shape);
        var samples = graph.Node("Cast", $"{prefix}/samples", [pixels], To(DataType.Float));
        return graph.Node("Add", Output(prefix), [graph.Node("Mul", $"{prefix}/scaled", [samples, factor]), offset]);
    }

    /// <summary>torchvision's rule: the longer side in proportion, rounded down; the middle cut out, half a pixel rounded to even.</summary>
    private string ShorterSideThenCrop(string prefix, Interpolation interpolation, int pixels, int height, int width)
    {
        Measure();
        var side = graph.Constant($"{prefix}/shorter_pixels", [(long)pixels]);
        var shorter = graph.Node("Min", $"{prefix}/shorter", [_height!, _width!]);
        var longer = graph.Node("Max", $"{prefix}/longer", [_height!, _width!]);
        var scaled = graph.Node("Div", $"{prefix}/longer_pixels", [graph.Node("Mul", $"{prefix}/longer_times", [longer, side]), shorter]);
        var isPortrait = graph.Node("Less", $"{prefix}/is_portrait", [_width!, _height!]);
        var newWidth = graph.Node("Where", $"{prefix}/resized_width", [isPortrait, side, scaled]);
        var newHeight = graph.Node("Where", $"{prefix}/resized_height", [isPortrait, scaled, side]);
        var whole = Resize(prefix, interpolation, newHeight, newWidth);
        var (top, bottom) = Window("top", newHeight, height);
        var (left, right) = Window("left", newWidth, width);
        return graph.Node("Slice", $"{prefix}/cropped",
        [
            whole,
            graph.Node("Concat", $"{prefix}/crop_start", [top, left], Of("axis", 0)),
            graph.Node("Concat", $"{prefix}/crop_end", [bottom, right], Of("axis", 0)),
            graph.Constant("image/plane_axes", [2L, 3L]),
        ]);

        (string Start, string End) Window(string name, string size, int wanted)
        {
            var length = graph.Constant($"{prefix}/{name}_length", [(long)wanted]);
            var start = Half($"{prefix}/{name}", graph.Node("Sub", $"{prefix}/{name}_rest", [size, length]));
            return (start, graph.Node("Add", $"{prefix}/{name}_end", [start, length]));
        }
    }

    /// <summary>Pillow's ImageOps.pad: the whole photo in proportion, rounded half to even, in the middle of a color.</summary>
    private string LongerSideThenPad(string prefix, Interpolation interpolation, ResizeRule.LongerSideThenPad pad, int height, int width)
    {
        Measure();
        var (h, w) = (Double($"{prefix}/height_exact", _height!), Double($"{prefix}/width_exact", _width!));
        var ratio = graph.Node("Div", $"{prefix}/ratio", [w, h]);
        var wanted = graph.Scalar((double)width / height);
        var newHeight = Side("height", graph.Node("Greater", $"{prefix}/is_wider_than_input", [ratio, wanted]), graph.Node("Div", $"{prefix}/height_share", [h, w]), width, height);
        var newWidth = Side("width", graph.Node("Less", $"{prefix}/is_narrower_than_input", [ratio, wanted]), ratio, height, width);
        var whole = graph.Node("Cast", $"{prefix}/whole", [Resize(prefix, interpolation, newHeight, newWidth)], To(DataType.Float));
        // A Pad has one value for all planes, so the color is taken off before and added after; float32 does that exactly.
        var color = graph.Constant($"{prefix}/pad_color", [pad.Red, pad.Green, pad.Blue], [1, 3, 1, 1]);
        var ((top, bottom), (left, right)) = (Margins("top", newHeight, height), Margins("left", newWidth, width));
        var none = graph.Constant($"{prefix}/no_pad", [0L, 0L]);
        var pads = graph.Node("Concat", $"{prefix}/pads", [none, top, left, none, bottom, right], Of("axis", 0));
        var padded = graph.Node("Pad", $"{prefix}/padded_difference", [graph.Node("Sub", $"{prefix}/difference", [whole, color]), pads]);
        return graph.Node("Add", $"{prefix}/padded", [padded, color]);

        string Side(string name, string isShrunk, string share, int other, int full)
        {
            var exact = graph.Node("Round", $"{prefix}/{name}_rounded", [graph.Node("Mul", $"{prefix}/{name}_in_proportion", [share, graph.Scalar((double)other)])]);
            var pixels = graph.Node("Max", $"{prefix}/{name}_least", [graph.Node("Cast", $"{prefix}/{name}_pixels", [exact], To(DataType.Int64)), _one]);
            return graph.Node("Where", $"{prefix}/resized_{name}", [isShrunk, pixels, graph.Constant($"{prefix}/{name}", [(long)full])]);
        }

        (string Start, string End) Margins(string name, string size, int full)
        {
            var rest = graph.Node("Sub", $"{prefix}/{name}_rest", [graph.Constant($"{prefix}/{name}_length", [(long)full]), size]);
            var start = Half($"{prefix}/{name}", rest);
            return (start, graph.Node("Sub", $"{prefix}/{name}_end", [rest, start]));
        }
    }

    /// <summary>Of a number of at least 0. Half a pixel goes up where that makes an even number, as Python rounds.</summary>
    private string Half(string name, string rest)
    {
        var two = graph.Constant("image/2", [2L]);
        var half = graph.Node("Div", $"{name}_half", [rest, two]);
        var odd = graph.Node("Mul", $"{name}_odd",
            [graph.Node("Mod", $"{name}_rest_odd", [rest, two]), graph.Node("Mod", $"{name}_half_odd", [half, two])]);
        return graph.Node("Add", name, [half, odd]);
    }

    private string Resize(string prefix, Interpolation interpolation, string height, string width)
    {
        Measure();
        switch (interpolation)
        {
            case Interpolation.Nearest:
                var rows = graph.Node("Gather", $"{prefix}/rows", [_pixels!, Nearest(prefix, "row", _height!, height)], Of("axis", 2));
                return graph.Node("Gather", $"{prefix}/resized", [rows, Nearest(prefix, "column", _width!, width)], Of("axis", 3));
            case Interpolation.Bilinear or Interpolation.Bicubic:
                var isEnlarged = graph.Node("Or", $"{prefix}/is_enlarged",
                    [graph.Node("Less", $"{prefix}/is_higher", [_height!, height]), graph.Node("Less", $"{prefix}/is_wider", [_width!, width])]);
                return graph.Node(
                    "If", $"{prefix}/resized", [isEnlarged], Of("then_branch", Enlarged(prefix, interpolation, height, width)),
                    Of("else_branch", Shrunk(prefix, interpolation, height, width)));
            default:
                throw new GraftException($"The interpolation {interpolation} cannot be exported to ONNX.");
        }
    }

    private GraphProto Shrunk(string prefix, Interpolation interpolation, string height, string width)
    {
        var branch = new OnnxGraphWriter($"{prefix}/shrink");
        Result(branch, Resize(branch, $"{prefix}/shrunk", _pixels!, interpolation, height, width));
        return branch.Graph;
    }

    /// <summary>
    /// Enlarging by a ratio such as 256 to 224 has weights of sixteenths, so that many values lie exactly between two integers. Pillow
    /// rounds those up; the uint8 kernel, whose weights are a little too small, rounds them down and the photo becomes darker. In float32, a pass
    /// at a time as Pillow goes, they are rounded up. Photos that are enlarged are small, so it takes no time.
    /// </summary>
    private GraphProto Enlarged(string prefix, Interpolation interpolation, string height, string width)
    {
        var branch = new OnnxGraphWriter($"{prefix}/enlarge");
        var samples = branch.Node("Cast", $"{prefix}/enlarged_samples", [_pixels!], To(DataType.Float));
        var rounded = Pass($"{prefix}/enlarged_rows", Pass($"{prefix}/enlarged_columns", samples, _height!, width), height, width);
        Result(branch, branch.Node("Cast", $"{prefix}/enlarged", [rounded], To(DataType.Uint8)));
        return branch.Graph;

        string Pass(string name, string input, string rows, string columns)
        {
            var resized = Resize(branch, $"{name}_exact", input, interpolation, rows, columns);
            var half = branch.Constant($"{name}_half", [0.5f + RoundingError], []);
            var floor = branch.Node("Floor", $"{name}_floor", [branch.Node("Add", $"{name}_up", [resized, half])]);
            return branch.Node("Clip", name, [floor, branch.Constant($"{name}_least", [0f], []), branch.Constant($"{name}_most", [255f], [])]);
        }
    }

    private static void Result(OnnxGraphWriter branch, string output) =>
        branch.Graph.Output.Add(new ValueInfoProto { Name = output, Type = new() { TensorType = new() { ElemType = (int)DataType.Uint8 } } });

    private static string Resize(OnnxGraphWriter graph, string name, string input, Interpolation interpolation, string height, string width)
    {
        var sizes = graph.Node("Concat", $"{name}_sizes", [graph.Constant($"{name}_planes", [1L, 3L]), height, width], Of("axis", 0));
        return graph.Node(
            "Resize", name, [input, "", "", sizes], Of("mode", interpolation == Interpolation.Bicubic ? "cubic" : "linear"),
            Of("coordinate_transformation_mode", "half_pixel"), Of("antialias", 1), Of("exclude_outside", 1), Of("cubic_coeff_a", -0.5f));
    }

    /// <summary>Pillow's nearest neighbors: it adds the step up in float64, so its rounding errors add up too.</summary>
    private string Nearest(string prefix, string name, string source, string target)
    {
        var (from, to) = (Double($"{prefix}/{name}_source", source), Double($"{prefix}/{name}_target", target));
        var step = graph.Node("Div", $"{prefix}/{name}_step", [from, to]);
        var half = graph.Node("Mul", $"{prefix}/{name}_half_step", [step, graph.Scalar(0.5)]);
        var others = graph.Node("Expand", $"{prefix}/{name}_steps", [step, graph.Node("Sub", $"{prefix}/{name}_others", [target, _one])]);
        var steps = graph.Node("Concat", $"{prefix}/{name}_all_steps", [half, others], Of("axis", 0));
        var positions = graph.Node("CumSum", $"{prefix}/{name}_positions", [steps, graph.Constant("image/axis_0", 0L)]);
        var indices = graph.Node("Cast", $"{prefix}/{name}_floor", [positions], To(DataType.Int64));
        return graph.Node("Min", $"{prefix}/{name}_indices", [indices, graph.Node("Sub", $"{prefix}/{name}_last", [source, _one])]);
    }

    private string Double(string name, string value) => graph.Node("Cast", name, [value], To(DataType.Double));

    /// <summary>The pixels as planes, and the photo's size as vectors of one number.</summary>
    private void Measure()
    {
        if (_pixels is not null) return;
        _pixels = graph.Node("Transpose", "image/pixels", [image], Of("perm", [0, 3, 1, 2]));
        var shape = graph.Node("Shape", "image/shape", [image]);
        _height = graph.Node("Gather", "image/height", [shape, _one], Of("axis", 0));
        _width = graph.Node("Gather", "image/width", [shape, graph.Constant("image/2", [2L])], Of("axis", 0));
    }
}
