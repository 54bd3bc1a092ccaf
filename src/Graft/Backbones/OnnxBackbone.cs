using Graft.Imaging;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Networks.Onnx.Import;

namespace Graft.Backbones;

/// <summary>A user-supplied ONNX file as a frozen backbone.</summary>
public static class OnnxBackbone
{
    /// <summary>Loads a model up to one of its tensors, whose values are pooled as those of any other backbone.</summary>
    /// <param name="file">An .onnx file with one image as its input.</param>
    /// <param name="preprocessing">How the model was fed, for an image of a size; the file does not say it.</param>
    /// <param name="layer">A tensor or node of the model; null for its only output.</param>
    /// <param name="sizePixels">Width and height of the image; null where the model states them.</param>
    /// <exception cref="GraftException">No ONNX model, no such tensor, or no image as its input.</exception>
    public static Backbone Load(string file, Func<int, Preprocessing> preprocessing, string? layer = null, int? sizePixels = null)
    {
        var (network, weights) = OnnxFile.Read(file, layer, sizePixels, sizePixels);
        var (width, height) = (network.InputShape.Width, network.InputShape.Height);
        return Backbone.Of(Path.GetFileName(file), network, weights, preprocessing(width).WithInputSize(width, height));
    }

    /// <summary>
    /// The same as layers of Graft's own, which can be trained, cut and exported; checked against ONNX Runtime on the model itself. The part before the first
    /// tensor from which on Graft knows all nodes stays one layer that is never trained, and <see cref="Backbone.Note"/> says so.
    /// </summary>
    /// <inheritdoc cref="Load"/>
    /// <exception cref="GraftException">As <see cref="Load"/>, or a node at the end that has no counterpart among Graft's layers; names it.</exception>
    public static Backbone LoadTrainable(string file, Func<int, Preprocessing> preprocessing, string? layer = null, int? sizePixels = null)
    {
        using var frozen = Load(file, preprocessing, layer, sizePixels);
        if (frozen.Network.Layers is not [_, { Operation: OnnxGraph graph } model])
            throw new InvalidOperationException("An ONNX backbone is one layer.");
        var shape = frozen.Network.InputShape;
        ImportedNetwork imported;
        try
        {
            imported = OnnxImport.ReadLongest(Path.GetFileName(file), graph.Read(model, frozen.Weights), height: shape.Height, width: shape.Width);
        }
        catch (GraftException problem)
        {
            throw new GraftException($"{file} cannot be trained: {problem.Message}", problem)
            {
                Code = "onnx-not-trainable",
                Remedy = "Keep it frozen, or cut it at an earlier tensor.",
            };
        }
        Check(file, frozen, imported.Network, imported.Weights);
        var note = imported.FrozenUpTo is { } tensor
            ? $"{file} stays frozen up to '{tensor}' and can be trained from there on. {imported.Reason}"
            : null;
        return Backbone.Of(frozen.Name, imported.Network, imported.Weights, frozen.Preprocessing, note);
    }

    private static void Check(string file, Backbone frozen, Network network, IWeights weights)
    {
        const double Relative = 1e-3;
        var random = new Random(1);
        float[] image = [.. Enumerable.Range(0, network.InputShape.ElementCount).Select(_ => 2 * random.NextSingle() - 1)];
        using var original = FrozenNetwork.Load(frozen.Network, frozen.Weights);
        using var copy = FrozenNetwork.Load(network, weights);
        var (expected, actual) = (original.Run(image), copy.Run(image));
        if (expected.Length != actual.Length || expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() > Relative * expected.Max(Math.Abs))
        {
            throw new GraftException($"{file} cannot be trained: as layers of Graft it computes something else.")
            {
                Code = "onnx-differs",
                Remedy = "Keep it frozen, and please report the file.",
            };
        }
    }
}
