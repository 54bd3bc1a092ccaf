using System.Text.Json;
using Graft.Imaging;

namespace Graft.Tests.Imaging;

public class AugmentationTests
{
    private const int Seed = 1;
    private const ulong Picture = 42;

    /// <summary>A picture in which no two pixels are alike: red tells the column, green the row.</summary>
    private static RgbImage Gradient(int width = 32, int height = 24)
    {
        var image = new RgbImage(width, height, new byte[3 * width * height]);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                (image.Row(y)[3 * x], image.Row(y)[3 * x + 1], image.Row(y)[3 * x + 2]) = ((byte)(7 * x), (byte)(9 * y), (byte)(100 + x + y));
        return image;
    }

    private static RgbImage Flat(byte red, byte green, byte blue, int size = 16)
    {
        var image = new RgbImage(size, size, new byte[3 * size * size]);
        for (var i = 0; i < image.Pixels.Length; i += 3)
            (image.Pixels[i], image.Pixels[i + 1], image.Pixels[i + 2]) = (red, green, blue);
        return image;
    }

    public static TheoryData<string> Presets => [.. Augmentation.Names];

    [Theory]
    [MemberData(nameof(Presets))]
    public void View_0_is_the_picture_as_it_is(string preset) =>
        Assert.Equal(Gradient().Pixels, Augmentation.Named(preset)!.Apply(Gradient(), Seed, Picture, view: 0).Pixels);

    [Theory]
    [InlineData("light")]
    [InlineData("medium")]
    [InlineData("strong")]
    public void Views_differ_by_seed_picture_and_number_and_by_nothing_else(string preset)
    {
        var augmentation = Augmentation.Named(preset)!;
        byte[] View(int seed, ulong picture, int view) => augmentation.Apply(Gradient(), seed, picture, view).Pixels;
        var one = View(1, 1, 1);

        Assert.Equal(one, View(1, 1, 1));
        Assert.NotEqual(one, View(2, 1, 1));
        Assert.NotEqual(one, View(1, 2, 1));
        Assert.NotEqual(one, View(1, 1, 2));
    }

    [Fact]
    public void Views_are_the_same_whatever_the_number_of_threads()
    {
        byte[][] Views(int threads)
        {
            var views = new byte[64][];
            Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = threads }, view =>
                views[view] = Augmentation.Strong.Apply(Gradient(), Seed, Picture, view).Pixels);
            return views;
        }

        Assert.Equal(Views(1), Views(8));
    }

    [Fact]
    public void Source_is_left_as_it_is()
    {
        var image = Gradient();

        for (var view = 1; view < 10; view++) Augmentation.Strong.Apply(image, Seed, Picture, view);

        Assert.Equal(Gradient().Pixels, image.Pixels);
    }

    [Fact]
    public void About_half_the_views_are_mirrored_exactly_and_the_rest_are_exact()
    {
        var (image, mirrored) = (Gradient(), Gradient());
        for (var y = 0; y < image.Height; y++)
            for (var x = 0; x < image.Width; x++) image.Row(y).Slice(3 * x, 3).CopyTo(mirrored.Row(y)[(3 * (image.Width - 1 - x))..]);
        var flip = new Augmentation { HorizontalFlip = true };

        var views = Enumerable.Range(1, 200).Select(view => flip.Apply(image, Seed, Picture, view).Pixels).ToList();

        var mirroredCount = views.Count(view => view.AsSpan().SequenceEqual(mirrored.Pixels));
        Assert.InRange(mirroredCount, 75, 125);
        Assert.Equal(200 - mirroredCount, views.Count(view => view.AsSpan().SequenceEqual(image.Pixels)));
    }

    [Fact]
    public void Turn_of_180_degrees_at_most_reaches_both_sides()
    {
        // The brightest column of a picture with one bright spot right of the middle tells the angle.
        var image = new RgbImage(33, 33, new byte[3 * 33 * 33]);
        image.Row(16)[3 * 28] = 255;
        var turned = new Augmentation { RotationDegrees = 90, Fill = FillRule.Black };
        var angles = Enumerable.Range(1, 100).Select(view =>
        {
            var pixels = turned.Apply(image, Seed, Picture, view).Pixels;
            var spot = Array.IndexOf(pixels, pixels.Max()) / 3;
            return Math.Atan2(16 - spot / 33, spot % 33 - 16) * 180 / Math.PI;
        }).ToList();

        Assert.All(angles, angle => Assert.InRange(angle, -95, 95));
        Assert.InRange(angles.Min(), -95, -70);
        Assert.InRange(angles.Max(), 70, 95);
    }

    [Theory]
    [InlineData(FillRule.Black, 0)]
    [InlineData(FillRule.Edge, 200)]
    [InlineData(FillRule.Reflect, 200)]
    public void Fill_rule_says_what_stands_beyond_the_edge(FillRule fill, byte least)
    {
        var shift = new Augmentation { Shift = 0.5, Fill = fill };

        var darkest = Enumerable.Range(1, 20).Min(view => shift.Apply(Flat(200, 200, 200), Seed, Picture, view).Pixels.Min());

        Assert.Equal(least, darkest);
    }

    [Fact]
    public void Reflection_repeats_the_edge_pixel_and_goes_on_inwards()
    {
        // A shift by n whole pixels to either side, found by trying views of a picture of columns 0, 10, 20, …
        var image = Gradient(20, 20);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(10 * (i / 3 % 20));
        var rows = Enumerable.Range(1, 400).Select(view => new Augmentation { Shift = 0.2 }.Apply(image, Seed, Picture, view).Row(10).ToArray());

        // Where the left edge shows the value 5 - s between two pixels, its mirror image does too: values fall, then rise.
        var toTheLeft = rows.Where(row => row[0] > 12 && row[0] < 28 && row[0] > row[3]).ToList();
        Assert.NotEmpty(toTheLeft);
        Assert.All(toTheLeft, row => Assert.Equal(0, row.Where((_, i) => i % 3 == 0).Take(6).Min(), 5.0));
    }

    [Theory]
    [InlineData(0.2, 0, 0)]
    [InlineData(0, 0.2, 0)]
    [InlineData(0, 0, 0.2)]
    public void Light_and_color_change_within_their_range(double brightness, double contrast, double color)
    {
        var augmentation = new Augmentation { Brightness = brightness, Contrast = contrast, Color = color };
        var reds = Enumerable.Range(1, 300).Select(view => augmentation.Apply(Flat(120, 80, 40), Seed, Picture, view).Pixels[0]).ToList();
        // Gray of (120, 80, 40) is 87.4: contrast leaves an even picture's gray, color moves red by a fifth of 32.6.
        var (least, most) = brightness > 0 ? (96.0, 144.0) : (87.4 + 0.8 * 32.6, 87.4 + 1.2 * 32.6);

        Assert.InRange(reds.Min(), least - 1, least + 4);
        Assert.InRange(reds.Max(), most - 4, most + 1);
    }

    [Fact]
    public void Crop_shows_a_part_in_full_size()
    {
        var crop = new Augmentation { SmallestCrop = 0.25 };

        var spans = Enumerable.Range(1, 100).Select(view =>
        {
            var row = crop.Apply(Gradient(), Seed, Picture, view).Row(12);
            return (row[^3] - row[0]) / 7.0;
        }).ToList();

        // Of 32 columns; half of them at a quarter of the area and square, 4:3 makes it 18, 3:4 makes it 14.
        Assert.InRange(spans.Min(), 12, 20);
        Assert.InRange(spans.Max(), 26, 31.5);
    }

    [Fact]
    public void Cutout_covers_a_square_with_the_mean_color()
    {
        var views = Enumerable.Range(1, 100).Select(view => new Augmentation { Cutout = 0.5 }.Apply(Gradient(), Seed, Picture, view).Pixels);

        var covered = views.Select(view => view.Chunk(3).CountBy(pixel => (pixel[0], pixel[1], pixel[2])).Max(color => color.Value)).ToList();
        Assert.InRange(covered.Max(), 12 * 12, 12 * 12 + 1);
        Assert.InRange(covered.Min(), 30, 12 * 12 - 1); // cut off at the edge
    }

    [Fact]
    public void Options_are_told_apart_by_their_json_and_come_back_from_it()
    {
        Assert.Equal(Augmentation.Names.Count, Augmentation.Names.Select(name => Augmentation.Named(name)!.ToJson()).Distinct().Count());
        Assert.NotEqual(Augmentation.Light.ToJson(), (Augmentation.Light with { Fill = FillRule.Edge }).ToJson());
        var options = JsonDocument.Parse(Augmentation.Strong.ToJson()).RootElement.GetProperty("options");
        Assert.Equal(Augmentation.Strong, JsonSerializer.Deserialize<Augmentation>(options));
    }

    [Fact]
    public void Problems_are_named_together()
    {
        var problems = new Augmentation
        {
            RotationDegrees = 181,
            Shift = -1,
            Zoom = 1,
            SmallestCrop = 0,
            Brightness = 2,
            Contrast = double.NaN,
            Color = -0.1,
            Cutout = 1.1,
        }.Problems();

        Assert.Equal(8, problems.Count);
        Assert.All(Augmentation.Names, name => Assert.Empty(Augmentation.Named(name)!.Problems()));
    }

    [Fact]
    public void Contact_sheet_is_a_png_of_all_views()
    {
        var sheet = ContactSheet.Of([[Gradient(), Gradient()], [Gradient()]]);

        var decoded = ImageDecoder.Decode(ContactSheet.ToPng(sheet));

        Assert.Equal((4 + 2 * 36, 4 + 2 * 28), (decoded.Width, decoded.Height));
        Assert.Equal(sheet.Pixels, decoded.Pixels);
        Assert.Equal(Gradient().Row(5), decoded.Row(4 + 5).Slice(3 * 40, 3 * 32));
        Assert.Equal(255, decoded.Pixels[^1]);
    }
}
