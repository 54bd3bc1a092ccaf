using Graft.Imaging;
using Graft.Networks.Onnx;

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
}
