using Graft.Imaging;
using Graft.Testing;

namespace Graft.ParityTests.Imaging;

public class ExifOrientationTests
{
    private const string Folder = "data/exif_orientation";

    /// <summary>
    /// One scene, stored in every orientation and compressed anew each time: upright pictures differ by JPEG noise,
    /// which shrinking to 60 pixels averages away. A wrong turn or flip differs by tens.
    /// </summary>
    [SharedTheory(Folder)]
    [InlineData("Landscape")]
    [InlineData("Portrait")]
    public void Every_orientation_shows_the_same_scene(string scene)
    {
        var upright = ImageDecoder.Decode(SharedFolder.Path($"{Folder}/{scene}_1.jpg"));
        Assert.Equal(scene == "Landscape", upright.Width > upright.Height);
        var expected = Small(upright);
        for (var orientation = 0; orientation <= 8; orientation++)
        {
            var image = ImageDecoder.Decode(SharedFolder.Path($"{Folder}/{scene}_{orientation}.jpg"));
            Assert.Equal((upright.Width, upright.Height), (image.Width, image.Height));
            Assert.InRange(MeanDifference(expected, Small(image)), 0, 2);
        }
    }

    [SharedFact(Folder)]
    public void A_flipped_scene_is_told_apart()
    {
        var image = Small(ImageDecoder.Decode(SharedFolder.Path($"{Folder}/Landscape_1.jpg")));
        var flipped = new RgbImage(60, 60, [.. image.Pixels.Chunk(180).Reverse().SelectMany(row => row)]);
        Assert.True(MeanDifference(image, flipped) > 10);
    }

    private static RgbImage Small(RgbImage image) => Resampler.Resize(image, 60, 60, Interpolation.Bilinear);

    private static double MeanDifference(RgbImage a, RgbImage b) =>
        a.Pixels.Zip(b.Pixels).Average(pair => Math.Abs(pair.First - pair.Second));
}
