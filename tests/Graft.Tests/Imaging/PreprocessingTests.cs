using System.Text.Json;
using Graft.Imaging;

namespace Graft.Tests.Imaging;

public class PreprocessingTests
{
    /// <summary>One pixel of red 255, green 51, blue 0.</summary>
    private static readonly RgbImage Pixel = new(1, 1, [255, 51, 0]);

    public static TheoryData<string, float[]> Modes => new()
    {
        { "tf", [1, -0.6f, -1] },
        { "caffe", [-103.939f, -65.779f, 131.32f] },
        { "torch", [(1 - 0.485f) / 0.229f, (0.2f - 0.456f) / 0.224f, -0.406f / 0.225f] },
        { "torchvision", [(1 - 0.485f) / 0.229f, (0.2f - 0.456f) / 0.224f, -0.406f / 0.225f] },
        { "unit", [1, 0.2f, 0] },
    };

    [Theory]
    [MemberData(nameof(Modes))]
    public void A_mode_turns_samples_into_its_range(string mode, float[] expected)
    {
        var values = new float[3];
        Mode(mode, 1).Apply(Pixel, values);
        for (var i = 0; i < 3; i++) Assert.Equal(expected[i], values[i], 1e-6f * Math.Max(1, Math.Abs(expected[i])));
    }

    [Fact]
    public void Planes_follow_each_other_row_by_row()
    {
        var image = new RgbImage(2, 2, [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
        var values = new float[12];
        var raw = Preprocessing.UnitRange(2) with { Scale = 1 };
        raw.Apply(image, values);
        Assert.Equal(Enumerable.Range(1, 12).Select(i => (float)i), values);
        (raw with { ChannelOrder = ChannelOrder.Bgr }).Apply(image, values);
        Assert.Equal([9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4], values);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void A_record_survives_JSON(string mode, float[] _)
    {
        var record = Mode(mode, 160).WithInputSize(192, 160);
        var copy = JsonSerializer.Deserialize<Preprocessing>(JsonSerializer.Serialize(record));
        Assert.Equal(record, copy);
        Assert.Equal(record.GetHashCode(), copy!.GetHashCode());
        Assert.NotEqual(record, copy with { Mean = new(1, 2, 3) });
    }

    /// <summary>Model files hold these names: changing one makes every older model unreadable.</summary>
    [Fact]
    public void The_JSON_is_what_model_files_hold()
    {
        const string Expected = """
            {"input_width":224,"input_height":224,"resize":{"rule":"shorter_side_then_crop","pixels":256},
            "interpolation":"bicubic","channel_order":"rgb","scale":0.5,"mean":[0.485,0.456,0.406],
            "standard_deviation":[0.229,0.224,0.225]}
            """;
        var record = Preprocessing.Torchvision(interpolation: Interpolation.Bicubic) with { Scale = 0.5 };
        Assert.Equal(Expected.ReplaceLineEndings(""), JsonSerializer.Serialize(record));
        var caffe = JsonSerializer.Serialize(Preprocessing.KerasCaffe());
        Assert.Contains("\"nearest\",\"channel_order\":\"bgr\"", caffe, StringComparison.Ordinal);
        Assert.Contains("{\"rule\":\"stretch\"}", caffe, StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_record_is_refused_with_all_its_problems()
    {
        var broken = Preprocessing.Torchvision(224, 200) with { Scale = 0, StandardDeviation = new(1, 0, 1) };
        var refused = Assert.Throws<InvalidOperationException>(broken.Validate);
        Assert.Contains("shorter side", refused.Message, StringComparison.Ordinal);
        Assert.Contains("scale", refused.Message, StringComparison.Ordinal);
        Assert.Contains("channel 1", refused.Message, StringComparison.Ordinal);
        var json = JsonSerializer.Serialize(broken);
        Assert.Contains("scale", Read(json).Message, StringComparison.Ordinal);
        var two = json.Replace("[0.485,", "[", StringComparison.Ordinal);
        Assert.Contains("three numbers", Read(two).Message, StringComparison.Ordinal);
        Assert.Contains("resize rule", Read("{}").Message, StringComparison.Ordinal);

        static JsonException Read(string json) =>
            Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Preprocessing>(json));
    }

    [Fact]
    public void A_crop_keeps_its_share_at_another_size()
    {
        var larger = Preprocessing.Torchvision(224, 256).WithInputSize(299, 299);
        Assert.Equal(new ResizeRule.ShorterSideThenCrop(342), larger.ResizeRule);
        Assert.Equal(new ResizeRule.Stretch(), Preprocessing.KerasTf().WithInputSize(160, 128).ResizeRule);
    }

    [Theory]
    [InlineData(40, 30)]
    [InlineData(30, 41)]
    [InlineData(7, 300)]
    public void A_crop_is_the_middle_of_the_resized_picture(int width, int height)
    {
        var image = TestImages.Noise(width, height, seed: 8);
        var cropped = Preprocessing.Torchvision(crop: 20, resize: 24).Resize(image);
        var (toWidth, toHeight) = width < height ? (24, 24 * height / width) : (24 * width / height, 24);
        var whole = Resampler.Resize(image, toWidth, toHeight, Interpolation.Bilinear);
        // Halves go to the even neighbor, as in Python.
        var (left, top) = ((int)Math.Round((toWidth - 20) / 2.0), (int)Math.Round((toHeight - 20) / 2.0));
        Assert.Equal((20, 20), (cropped.Width, cropped.Height));
        for (var y = 0; y < 20; y++) Assert.Equal(whole.Row(top + y).Slice(3 * left, 60), cropped.Row(y));
    }

    [Fact]
    public void A_fit_replaces_the_rule_and_is_recorded()
    {
        var caffe = Preprocessing.KerasCaffe(224);
        Assert.Equal(new ResizeRule.ShorterSideThenCrop(224), caffe.WithFit(Fit.Crop).ResizeRule);
        Assert.Equal(new ResizeRule.ShorterSideThenCrop(256), Preprocessing.Torchvision().WithFit(Fit.Crop).ResizeRule);
        Assert.Equal(new ResizeRule.Stretch(), Preprocessing.Torchvision().WithFit(Fit.Stretch).ResizeRule);
        // Red, green and blue of the mean that Keras writes blue first, and of 0.485 · 255 and so on: nearly 0 in the input.
        Assert.Equal(new ResizeRule.LongerSideThenPad(124, 117, 104), caffe.WithFit(Fit.Pad).ResizeRule);
        var padded = Preprocessing.Torchvision().WithFit(Fit.Pad);
        Assert.Equal(new ResizeRule.LongerSideThenPad(124, 116, 104), padded.ResizeRule);
        Assert.Contains("{\"rule\":\"longer_side_then_pad\",\"red\":124,\"green\":116,\"blue\":104}", JsonSerializer.Serialize(padded), StringComparison.Ordinal);
        Assert.Equal(padded, JsonSerializer.Deserialize<Preprocessing>(JsonSerializer.Serialize(padded)));
        Assert.Throws<ArgumentOutOfRangeException>(() => caffe.WithFit((Fit)7));
    }

    /// <summary>The sizes and places that Pillow's ImageOps.pad has: 7 × 20 into 20 × 12 is 4 × 12, 8 from the left.</summary>
    [Theory]
    [InlineData(7, 20, 4, 12, 8, 0)]
    [InlineData(5, 20, 3, 12, 8, 0)]
    [InlineData(30, 20, 18, 12, 1, 0)]
    [InlineData(40, 10, 20, 5, 0, 4)]
    [InlineData(20, 12, 20, 12, 0, 0)]
    [InlineData(500, 1, 20, 1, 0, 6)]
    public void A_padded_picture_is_whole_in_the_middle(int width, int height, int toWidth, int toHeight, int left, int top)
    {
        var image = TestImages.Noise(width, height, seed: 8);
        var rule = Preprocessing.UnitRange(20).WithInputSize(20, 12) with { ResizeRule = new ResizeRule.LongerSideThenPad(1, 2, 3) };
        var padded = rule.Resize(image);
        var whole = Resampler.Resize(image, toWidth, toHeight, Interpolation.Bilinear);
        for (var y = 0; y < 12; y++)
        {
            for (var x = 0; x < 20; x++)
            {
                var isInside = x >= left && x < left + toWidth && y >= top && y < top + toHeight;
                byte[] expected = isInside ? whole.Row(y - top).Slice(3 * (x - left), 3).ToArray() : [1, 2, 3];
                Assert.Equal(expected, padded.Row(y).Slice(3 * x, 3).ToArray());
            }
        }
    }

    [Fact]
    public void A_picture_of_another_size_is_not_applied_silently()
    {
        var record = Preprocessing.KerasTf(32);
        var refused = Assert.Throws<ArgumentException>(() => record.Apply(Pixel, new float[record.InputLength]));
        Assert.Contains("32 × 32", refused.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => record.Apply(record.Resize(Pixel), new float[5]));
    }

    private static Preprocessing Mode(string name, int size) => name switch
    {
        "tf" => Preprocessing.KerasTf(size),
        "caffe" => Preprocessing.KerasCaffe(size),
        "torch" => Preprocessing.KerasTorch(size),
        "torchvision" => Preprocessing.Torchvision(size, size),
        _ => Preprocessing.UnitRange(size),
    };
}
