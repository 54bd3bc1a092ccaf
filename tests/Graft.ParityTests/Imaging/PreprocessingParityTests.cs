using System.Security.Cryptography;
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
    public void Sixteen_bit_gray_is_scaled_to_eight()
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

    /// <summary>
    /// Equal: SHA-256 of what Pillow 9.4 makes of the stored pixels with ImageOps.pad (bilinear into 224 × 192, bicubic into 224 × 224, color
    /// 124, 116, 104), and with a bilinear resize of the shorter side to 224 and a crop out of the middle.
    /// </summary>
    [SharedTheory(Folder)]
    [InlineData("trash_glass_420.jpg", "917ce8ff31605eba2499d7f1d47280a8779994fa8f74fe344006ed49438fef73", "a26e9114992a4facb54bb18a90ccc8eb9d6a5f0307be4a5993926713abd9d246",
        "30f173e51625b66ca70508e5a656b2e3b1ffd723ac53487925127c3fdf3d0483")]
    [InlineData("exif_portrait_3.jpg", "0d62f0f603b464b2f7798c30728c9704008146c1c9153a4f0eed9d5a88962124", "ad779a4e6bef6237058cc3b0fd27414f4a306adeeb913e0f46c7612fce4875ed",
        "d3deca446c9319b0de43a2aa8befd8cdc9d631907fcddbfbfb145aff2b66d78f")]
    [InlineData("palette_trns.png", "885f349900873391cb63fee87f4f9ac3180d9a06480a8d80386bd15e3c9c6b7f", "cf94be65074206d89e4d8f19e682b802efe6f97b93be1a1ae12bcd2404cfd213",
        "8c9bc454bc0fac1b0f98d4780170b1aeac1a9065945a3fb73c883943555e5260")]
    public void Fits_as_Pillow_does(string name, string padded, string squarePadded, string cropped)
    {
        var image = Reference(name, "rgb");
        var bilinear = Preprocessing.KerasTorch(224, Interpolation.Bilinear);
        Assert.Equal(padded, Hash(bilinear.WithInputSize(224, 192).WithFit(Fit.Pad).Resize(image)));
        Assert.Equal(squarePadded, Hash((bilinear with { Interpolation = Interpolation.Bicubic }).WithFit(Fit.Pad).Resize(image)));
        Assert.Equal(cropped, Hash(bilinear.WithFit(Fit.Crop).Resize(image)));

        static string Hash(RgbImage resized) => Convert.ToHexStringLower(SHA256.HashData(resized.Pixels));
    }

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
