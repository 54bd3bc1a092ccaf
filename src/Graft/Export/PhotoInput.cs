using Graft.Imaging;
using Graft.Networks.Onnx;
using static Graft.Networks.Onnx.OnnxGraphWriter;
using static Graft.Networks.Onnx.TensorProto.Types;

namespace Graft.Export;

/// <summary>
/// <see cref="Preprocessing"/> as ONNX nodes: uint8 pixels [1, height, width, 3] of any size → the network's input [1, 3, height, width],
/// equal to training's in every pixel. All sizes are computed with integers.
/// </summary>
internal sealed class PhotoInput(OnnxGraphWriter graph, string image)
{
    private readonly string _zero = graph.Constant("image/0", [0L]), _one = graph.Constant("image/1", [1L]);
    private string? _pixels, _height, _width;

    /// <summary>What <see cref="Add"/> returns.</summary>
    public static string Output(string prefix) => $"{prefix}/normalized";

    /// <param name="prefix">Of the names of the nodes; another for each network.</param>
    /// <exception cref="GraftException">A resize rule that has no counterpart here.</exception>
    public string Add(Preprocessing preprocessing, string prefix)
    {
        Measure();
        var (width, height) = (preprocessing.InputWidth, preprocessing.InputHeight);
        var resize = new PillowResize(graph);
        var resized = preprocessing.ResizeRule switch
        {
            ResizeRule.Stretch => resize.Add(
                prefix, _pixels!, preprocessing.Interpolation,
                new(_height!, graph.Constant($"{prefix}/height", [(long)height]), _zero, height), new(_width!, graph.Constant($"{prefix}/width", [(long)width]), _zero, width)),
            ResizeRule.ShorterSideThenCrop(var pixels) => ShorterSideThenCrop(resize, prefix, preprocessing.Interpolation, pixels, height, width),
            ResizeRule.LongerSideThenPad pad => LongerSideThenPad(resize, prefix, preprocessing.Interpolation, pad, height, width),
            var other => throw new GraftException($"The resize rule {other.GetType().Name} cannot be exported to ONNX."),
        };
        var planes = graph.Node("Transpose", $"{prefix}/planes", [graph.Node("Unsqueeze", $"{prefix}/batch", [resized, _zero])], Of("perm", [0, 3, 1, 2]));
        return Normalize(graph, preprocessing, prefix, planes);
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
    private string ShorterSideThenCrop(PillowResize resize, string prefix, Interpolation interpolation, int pixels, int height, int width)
    {
        var side = graph.Constant($"{prefix}/shorter_pixels", [(long)pixels]);
        var shorter = graph.Node("Min", $"{prefix}/shorter", [_height!, _width!]);
        var longer = graph.Node("Max", $"{prefix}/longer", [_height!, _width!]);
        var scaled = graph.Node("Div", $"{prefix}/longer_pixels", [graph.Node("Mul", $"{prefix}/longer_times", [longer, side]), shorter]);
        var isPortrait = graph.Node("Less", $"{prefix}/is_portrait", [_width!, _height!]);
        return resize.Add(
            prefix, _pixels!, interpolation,
            Middle("top", _height!, graph.Node("Where", $"{prefix}/resized_height", [isPortrait, scaled, side]), height),
            Middle("left", _width!, graph.Node("Where", $"{prefix}/resized_width", [isPortrait, side, scaled]), width));

        ResizedSide Middle(string name, string source, string target, int wanted) => new(source, target, Half(
            $"{prefix}/{name}", graph.Node("Sub", $"{prefix}/{name}_rest", [target, graph.Constant($"{prefix}/{name}_length", [(long)wanted])])), wanted);
    }

    /// <summary>Pillow's ImageOps.pad: the whole photo in proportion, rounded half to even, in the middle of a color.</summary>
    private string LongerSideThenPad(PillowResize resize, string prefix, Interpolation interpolation, ResizeRule.LongerSideThenPad pad, int height, int width)
    {
        var (h, w) = (Double($"{prefix}/height_exact", _height!), Double($"{prefix}/width_exact", _width!));
        var ratio = graph.Node("Div", $"{prefix}/ratio", [w, h]);
        var wanted = graph.Scalar((double)width / height);
        var newHeight = Side("height", graph.Node("Greater", $"{prefix}/is_wider_than_input", [ratio, wanted]), graph.Node("Div", $"{prefix}/height_share", [h, w]), width, height);
        var newWidth = Side("width", graph.Node("Less", $"{prefix}/is_narrower_than_input", [ratio, wanted]), ratio, height, width);
        var (rows, isRow) = Margin("top", _height!, newHeight, height, [height, 1, 1]);
        var (columns, isColumn) = Margin("left", _width!, newWidth, width, [1, width, 1]);
        return graph.Node("Where", $"{prefix}/padded",
        [
            graph.Node("And", $"{prefix}/is_photo", [isRow, isColumn]), resize.Add(prefix, _pixels!, interpolation, rows, columns),
            graph.Constant($"{prefix}/pad_color", [pad.Red, pad.Green, pad.Blue], DataType.Uint8, [3]),
        ]);

        string Side(string name, string isShrunk, string share, int other, int full)
        {
            var exact = graph.Node("Round", $"{prefix}/{name}_rounded", [graph.Node("Mul", $"{prefix}/{name}_in_proportion", [share, graph.Scalar((double)other)])]);
            var pixels = graph.Node("Max", $"{prefix}/{name}_least", [graph.Node("Cast", $"{prefix}/{name}_pixels", [exact], To(DataType.Int64)), _one]);
            return graph.Node("Where", $"{prefix}/resized_{name}", [isShrunk, pixels, graph.Constant($"{prefix}/{name}", [(long)full])]);
        }

        (ResizedSide Side, string IsPhoto) Margin(string name, string source, string target, int full, long[] shape)
        {
            var margin = Half($"{prefix}/{name}", graph.Node("Sub", $"{prefix}/{name}_rest", [graph.Constant($"{prefix}/{name}_length", [(long)full]), target]));
            var positions = graph.Node("Reshape", $"{prefix}/{name}_positions",
                [graph.Constant($"image/{full}_pixels", [.. Enumerable.Range(0, full).Select(index => (long)index)]), graph.Constant($"{prefix}/{name}_shape", shape)]);
            var isPhoto = graph.Node("And", $"{prefix}/{name}_is_photo",
            [
                graph.Node("GreaterOrEqual", $"{prefix}/{name}_is_after", [positions, margin]),
                graph.Node("Less", $"{prefix}/{name}_is_before", [positions, graph.Node("Add", $"{prefix}/{name}_end", [margin, target])]),
            ]);
            return (new(source, target, graph.Node("Neg", $"{prefix}/{name}_first", [margin]), full), isPhoto);
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

    private string Double(string name, string value) => graph.Node("Cast", name, [value], To(DataType.Double));

    /// <summary>The pixels [height, width, 3], and the photo's size as vectors of one number.</summary>
    private void Measure()
    {
        if (_pixels is not null) return;
        _pixels = graph.Node("Squeeze", "image/pixels", [image, _zero]);
        var shape = graph.Node("Shape", "image/shape", [image]);
        _height = graph.Node("Gather", "image/height", [shape, _one], Of("axis", 0));
        _width = graph.Node("Gather", "image/width", [shape, graph.Constant("image/2", [2L])], Of("axis", 0));
    }
}
