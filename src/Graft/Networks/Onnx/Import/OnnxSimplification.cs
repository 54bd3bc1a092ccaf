using Google.Protobuf;
using Graft.Inference;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Networks.Onnx.Import;

/// <summary>
/// A model as ONNX Runtime simplifies it for one image of a size: constants computed, among them the shapes that exporters write out as nodes, functions and
/// fixed branches put in place. What would merge layers is left out.
/// </summary>
internal static class OnnxSimplification
{
    /// <summary>Names as optimizer/ has them (github.com/microsoft/onnxruntime, graph_transformer_utils.cc).</summary>
    private const string MergingOptimizers =
        "ConvBNFusion;ConvMulFusion;ConvAddFusion;MatMulAddFusion;MatMul_BatchNormalization_Fusion;PadFusion;Pad_Fusion;TransposeOptimizer;TransposeOptimizer_;"
        + "GemmTransposeFusion;GemmSumFusion;NoopElimination;ClipQuantRewrite;FuseReluClip;FuseReluClip_;DivMulFusion;NotWhereFusion;LabelEncoderFusion";

    /// <summary>The sizes of the image of a model, where the model leaves it open those that are given.</summary>
    /// <exception cref="GraftException">The model leaves them open, and so does the caller.</exception>
    public static (int Channels, Extent Size, bool IsChannelsLast) ImageOf(OnnxSource source, int? height, int? width)
    {
        var sizes = source.Image.Type.TensorType.Shape.Dim.Select(dimension => dimension.DimValue).ToArray();
        var isLast = sizes[1] is not (>= 1 and <= 4) && sizes[3] is >= 1 and <= 4;
        var channels = isLast ? sizes[3] : sizes[1];
        if (channels is < 1 or > 4) throw new GraftException("The model does not take one image [N, channels, height, width] or [N, height, width, channels].");
        var (rows, columns) = isLast ? (sizes[1], sizes[2]) : (sizes[2], sizes[3]);
        return ((int)channels, (
            (int)(rows > 0 ? rows : height ?? throw new GraftException("The model takes images of any height.")),
            (int)(columns > 0 ? columns : width ?? throw new GraftException("The model takes images of any width."))), isLast);
    }

    public static OnnxSource Of(byte[] content, int? height, int? width)
    {
        var model = Parse(content);
        var source = new OnnxSource(model.Graph);
        var (channels, size, isLast) = ImageOf(source, height, width);
        int[] sizes = isLast ? [1, size.Height, size.Width, channels] : [1, channels, size.Height, size.Width];
        var dimensions = source.Image.Type.TensorType.Shape.Dim;
        dimensions.Clear();
        dimensions.Add(sizes.Select(one => new TensorShapeProto.Types.Dimension { DimValue = one }));
        model.Graph.ValueInfo.Clear();
        foreach (var output in model.Graph.Output) output.Type = null;
        var folder = Directory.CreateTempSubdirectory("graft-onnx-");
        try
        {
            var file = Path.Combine(folder.FullName, "simplified.onnx");
            using var options = OnnxSessions.Options();
            (options.GraphOptimizationLevel, options.OptimizedModelFilePath) = (GraphOptimizationLevel.ORT_ENABLE_BASIC, file);
            options.AddSessionConfigEntry("optimization.disable_specified_optimizers", MergingOptimizers);
            using (new InferenceSession(model.ToByteArray(), options)) return new(Parse(RegularFile.ReadAllBytes(file)).Graph);
        }
        catch (OnnxRuntimeException problem)
        {
            throw new GraftException($"ONNX Runtime cannot simplify the model: {problem.Message}", problem);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    public static ModelProto Parse(byte[] content)
    {
        try
        {
            if (ModelProto.Parser.ParseFrom(content) is { Graph: not null } model) return model;
        }
        catch (InvalidProtocolBufferException)
        {
            // Said below.
        }
        throw new GraftException("This is not an ONNX model, or a damaged one.");
    }
}
