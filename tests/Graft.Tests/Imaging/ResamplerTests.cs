using Graft.Imaging;

namespace Graft.Tests.Imaging;

public class ResamplerTests
{
    public static TheoryData<int, int, int, int> Sizes => new()
    {
        { 64, 48, 22, 22 }, { 37, 53, 64, 31 }, { 5, 4, 17, 19 }, { 100, 3, 7, 3 }, { 1, 1, 5, 6 }, { 90, 2, 1, 1 },
        { 33, 17, 33, 40 }, { 33, 17, 40, 17 }, { 2, 200, 3, 9 },
    };

    /// <summary>
    /// Both compute one formula, here without fixed point: values halfway between two integers may round apart, by 1.
    /// They are not rare, because bilinear weights are simple fractions: one in a hundred is usual.
    /// </summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Weighted_resizing_follows_the_formula(int width, int height, int toWidth, int toHeight)
    {
        var image = TestImages.Noise(width, height, seed: width * height);
        foreach (var interpolation in new[] { Interpolation.Bilinear, Interpolation.Bicubic })
        {
            var expected = NaiveResize(image, toWidth, toHeight, interpolation);
            var actual = Resampler.Resize(image, toWidth, toHeight, interpolation);
            Assert.Equal((toWidth, toHeight), (actual.Width, actual.Height));
            var apart = expected.Zip(actual.Pixels).Select(pair => Math.Abs(pair.First - pair.Second)).ToList();
            Assert.True(apart.Max() <= 1, $"{interpolation}: {apart.Max()}");
            Assert.True(
                apart.Sum() <= apart.Count / 50, $"{interpolation}: {apart.Sum()} of {apart.Count} samples differ.");
        }
    }

    [Theory]
    [InlineData(Interpolation.Nearest)]
    [InlineData(Interpolation.Bilinear)]
    [InlineData(Interpolation.Bicubic)]
    public void The_same_size_changes_nothing(Interpolation interpolation)
    {
        var image = TestImages.Noise(23, 11, seed: 3);
        var same = Resampler.Resize(image, 23, 11, interpolation);
        Assert.Equal(image.Pixels, same.Pixels);
        Assert.NotSame(image.Pixels, same.Pixels);
    }

    [Theory]
    [InlineData(Interpolation.Nearest)]
    [InlineData(Interpolation.Bilinear)]
    [InlineData(Interpolation.Bicubic)]
    public void A_window_is_that_part_of_the_whole(Interpolation interpolation)
    {
        var image = TestImages.Noise(61, 47, seed: 4);
        var whole = Resampler.Resize(image, 40, 30, interpolation);
        var window = Resampler.Resize(image, 40, 30, interpolation, left: 7, top: 5, windowWidth: 21, windowHeight: 19);
        for (var y = 0; y < 19; y++) Assert.Equal(whole.Row(y + 5).Slice(21, 63), window.Row(y));
    }

    [Fact]
    public void One_color_stays_that_color()
    {
        var pixels = Enumerable.Repeat((byte[])[3, 128, 255], 2000).SelectMany(pixel => pixel);
        var image = new RgbImage(50, 40, [.. pixels]);
        var resized = Resampler.Resize(image, 17, 90, Interpolation.Bicubic);
        Assert.All(resized.Pixels.Chunk(3), pixel => Assert.Equal([3, 128, 255], pixel));
    }

    /// <summary>
    /// (i + 0.5) · 128 / 224 is a whole number here, which the accumulated sum just misses, as in Pillow.
    /// </summary>
    [Fact]
    public void Nearest_accumulates_its_position()
    {
        var ramp = new RgbImage(128, 1, [.. Enumerable.Range(0, 384).Select(i => (byte)(i / 3))]);
        var resized = Resampler.Resize(ramp, 224, 1, Interpolation.Nearest);
        var (step, position) = (128 / 224.0, 64 / 224.0);
        var differs = false;
        for (var x = 0; x < 224; x++, position += step)
        {
            Assert.Equal((byte)position, resized.Pixels[3 * x]);
            differs |= (byte)position != (byte)((x + 0.5) * step);
        }
        Assert.True(differs);
    }

    [Fact]
    public void An_image_needs_all_its_pixels()
    {
        Assert.Throws<ArgumentException>(() => new RgbImage(2, 2, new byte[11]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RgbImage(0, 2, []));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => Resampler.Resize(TestImages.Noise(2, 2, 1), 0, 4, Interpolation.Bilinear));
    }

    /// <summary>
    /// Two passes in double precision, each rounded and clipped to a byte; the window is summed over all pixels.
    /// </summary>
    private static byte[] NaiveResize(RgbImage image, int width, int height, Interpolation interpolation)
    {
        var rows = Pass(image.Height, width, (y, x, c) =>
            Weigh(image.Width, width, x, k => image.Pixels[(y * image.Width + k) * 3 + c]));
        return Pass(height, width, (y, x, c) => Weigh(image.Height, height, y, k => rows[(k * width + x) * 3 + c]));

        static byte[] Pass(int height, int width, Func<int, int, int, byte> sample) =>
            [.. Enumerable.Range(0, height * width * 3).Select(i => sample(i / 3 / width, i / 3 % width, i % 3))];

        byte Weigh(int source, int target, int index, Func<int, byte> sample)
        {
            var scale = (double)source / target;
            var widening = Math.Max(scale, 1);
            var weights = Enumerable.Range(0, source)
                .Select(k => Filter(Math.Abs(k + 0.5 - (index + 0.5) * scale) / widening)).ToList();
            var sum = weights.Select((weight, k) => weight * sample(k)).Sum() / weights.Sum();
            return (byte)Math.Clamp(Math.Floor(sum + 0.5), 0, 255);
        }

        double Filter(double x) => (interpolation, x) switch
        {
            (Interpolation.Bilinear, < 1) => 1 - x,
            (Interpolation.Bicubic, < 1) => 1.5 * x * x * x - 2.5 * x * x + 1,
            (Interpolation.Bicubic, < 2) => -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2,
            _ => 0,
        };
    }
}
