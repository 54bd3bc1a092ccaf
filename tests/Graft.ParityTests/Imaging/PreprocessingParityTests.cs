using Graft.Imaging;
using Graft.Testing;

namespace Graft.ParityTests.Imaging;

/// <summary>
/// Stage by stage against Pillow 9.4 and torchvision 0.14: decoded, then resized from Pillow's own pixels.
/// </summary>
public class PreprocessingParityTests
{
    private const string Folder = "reference/preprocessing";

    public static TheoryData<string> Images =>
    [
        "bilevel.png", "cmyk.jpg", "exif_landscape_5.jpg", "exif_landscape_6.jpg", "exif_portrait_3.jpg", "grey.jpg",
        "grey_alpha.png", "palette_trns.png", "rgba.png", "trash_glass_420.jpg", "trash_metal_444.jpg",
        "trash_paper_progressive.jpg",
    ];

    public static TheoryData<string> AllImages => [.. Images.Select(row => row.Data), "grey16.png"];

    /// <summary>
    /// Equal: PNG is lossless, and for JPEG both sides use libjpeg-turbo's exact integer transform and upsampling.
    /// </summary>
    [SharedTheory(Folder)]
    [MemberData(nameof(Images))]
    public void Decodes_the_pixels_that_Pillow_decodes(string name) =>
        AssertEqual(Reference(name, "rgb"), ImageDecoder.Decode(SharedFolder.Path($"{Folder}/{name}")));

    /// <summary>
    /// Pillow clips 16 bits to 255; here they are scaled. The picture is a formula, so the right values are known.
    /// </summary>
    [SharedFact(Folder)]
    public void Sixteen_bit_grey_is_scaled_to_eight()
    {
        var image = ImageDecoder.Decode(SharedFolder.Path($"{Folder}/grey16.png"));
        Assert.Equal((120, 96), (image.Width, image.Height));
        for (var y = 0; y < image.Height; y++)
        {
            for (var x = 0; x < image.Width; x++)
            {
                var expected = (byte)((y * 521 + x * 389 + x * y % 251) % 65536 / 256);
                Assert.Equal([expected, expected, expected], image.Row(y).Slice(3 * x, 3).ToArray());
            }
        }
    }

    /// <summary>Equal: the same fixed-point arithmetic, and for nearest the same accumulated positions.</summary>
    [SharedTheory(Folder)]
    [MemberData(nameof(AllImages))]
    public void Resizes_as_Pillow_does(string name)
    {
        var image = Reference(name, "rgb");
        AssertEqual(Reference(name, "nearest_224"), Resampler.Resize(image, 224, 224, Interpolation.Nearest));
        AssertEqual(Reference(name, "bilinear_224"), Resampler.Resize(image, 224, 224, Interpolation.Bilinear));
        AssertEqual(Reference(name, "bicubic_224"), Resampler.Resize(image, 224, 224, Interpolation.Bicubic));
    }

    /// <summary>Equal, for the same reason; sizes and crop offsets are torchvision's.</summary>
    [SharedTheory(Folder)]
    [MemberData(nameof(AllImages))]
    public void Resizes_the_shorter_side_and_crops_as_torchvision_does(string name) => AssertEqual(
        Reference(name, "short256_center224"), Preprocessing.Torchvision(224, 256).Resize(Reference(name, "rgb")));

    private static RgbImage Reference(string name, string stage)
    {
        var array = NumpyFile.Load<byte>(SharedFolder.Path($"{Folder}/{name}.npz"), stage);
        return new(array.Shape[1], array.Shape[0], array.Values);
    }

    private static void AssertEqual(RgbImage expected, RgbImage actual)
    {
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        var differing = expected.Pixels.Zip(actual.Pixels).Count(pair => pair.First != pair.Second);
        Assert.True(differing == 0, $"{differing} of {expected.Pixels.Length} samples differ, at most by " +
            $"{expected.Pixels.Zip(actual.Pixels).Max(pair => Math.Abs(pair.First - pair.Second))}.");
    }
}
