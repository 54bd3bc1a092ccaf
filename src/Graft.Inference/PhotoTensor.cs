using Graft.Imaging;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Inference;

/// <summary>A photo as an exported model takes it.</summary>
internal static class PhotoTensor
{
    /// <summary>
    /// A photo that is larger than what the model makes of it, resized already: the model then leaves its pixels as they are. That takes a third of the
    /// time, and no memory by the photo's size.
    /// </summary>
    public static RgbImage Shrunk(RgbImage photo, Preprocessing preprocessing)
    {
        var (width, height) = preprocessing.ResizedSize(photo.Width, photo.Height);
        return (long)width * height < (long)photo.Width * photo.Height ? Resized(photo, preprocessing) : photo;
    }

    /// <summary>A photo of the size that the model makes of it: the model then leaves its pixels as they are.</summary>
    public static RgbImage Resized(RgbImage photo, Preprocessing preprocessing)
    {
        var (width, height) = preprocessing.ResizedSize(photo.Width, photo.Height);
        return Resampler.Resize(photo, width, height, preprocessing.Interpolation);
    }

    /// <param name="photo">Read as long as the tensor is used.</param>
    /// <param name="input">The name of the model's input, which says the layout: see <see cref="ModelMetadata.InputKey"/>.</param>
    /// <param name="preprocessing">Of a model that takes resized and normalized tensors; null of others.</param>
    public static OrtValue Of(RgbImage photo, string input, Preprocessing? preprocessing)
    {
        if (input == ModelMetadata.PixelValuesInput)
        {
            var samples = new float[photo.Pixels.Length];
            for (int from = 0, plane = photo.Width * photo.Height; from < samples.Length; from++) samples[from % 3 * plane + from / 3] = photo.Pixels[from];
            return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, samples.AsMemory(), [1, 3, photo.Height, photo.Width]);
        }
        if (preprocessing is null)
            return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, photo.Pixels.AsMemory(), [1, photo.Height, photo.Width, 3]);
        var pixels = new float[preprocessing.InputLength];
        preprocessing.Apply(preprocessing.Resize(photo), pixels);
        return OrtValue.CreateTensorValueFromMemory(
            OrtMemoryInfo.DefaultInstance, pixels.AsMemory(), [1, 3, preprocessing.InputHeight, preprocessing.InputWidth]);
    }
}
