using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>What stands where a turned, shifted or shrunk picture leaves nothing.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FillRule>))]
public enum FillRule
{
    /// <summary>The picture mirrored at its edge, the edge itself included: d c b a | a b c d | d c b a. Keras's 'reflect'.</summary>
    [JsonStringEnumMemberName("reflect")]
    Reflect,

    /// <summary>The pixels of the edge, repeated: a a a a | a b c d | d d d d. Keras's 'nearest'.</summary>
    [JsonStringEnumMemberName("edge")]
    Edge,

    /// <summary>Black.</summary>
    [JsonStringEnumMemberName("black")]
    Black,
}

/// <summary>
/// How training pictures are varied, so that a network cannot learn them by heart. Applied to a picture of the network's input size,
/// before normalization: flipped, cropped, zoomed, turned and shifted in one resampling (bilinear), then brightness, contrast and color, then
/// a square cut out. Every number is drawn from (seed, picture, view) alone: the same on every machine and for any number of threads. An
/// immutable record; as JSON (<see cref="ToJson"/>) it identifies what it does.
/// </summary>
public sealed record Augmentation
{
    private const string Version = "augmentation-1";

    /// <summary>The names of the presets.</summary>
    public static IReadOnlyList<string> Names { get; } = ["none", "light", "medium", "strong"];

    /// <summary>Pictures as they are.</summary>
    public static Augmentation None { get; } = new();

    /// <summary>Mirrored, shifted and zoomed a little: safe for nearly all photographs.</summary>
    public static Augmentation Light { get; } = new() { HorizontalFlip = true, Shift = 0.05, Zoom = 0.1 };

    /// <summary>The classic recipes' set, with light and color.</summary>
    public static Augmentation Medium { get; } = new()
    {
        HorizontalFlip = true,
        RotationDegrees = 15,
        Shift = 0.1,
        Zoom = 0.2,
        Brightness = 0.2,
        Contrast = 0.2,
        Color = 0.2,
    };

    /// <summary>For few photographs and many epochs: crops down to 35 % of the area, turns, strong light, a part cut out.</summary>
    public static Augmentation Strong { get; } = new()
    {
        HorizontalFlip = true,
        SmallestCrop = 0.35,
        RotationDegrees = 30,
        Shift = 0.1,
        Brightness = 0.4,
        Contrast = 0.4,
        Color = 0.4,
        Cutout = 0.3,
    };

    /// <summary>Mirrors every other view left to right. Default false.</summary>
    [JsonPropertyName("horizontal_flip")]
    public bool HorizontalFlip { get; init; }

    /// <summary>Mirrors every other view top to bottom: for pictures from above and under the microscope. Default false.</summary>
    [JsonPropertyName("vertical_flip")]
    public bool VerticalFlip { get; init; }

    /// <summary>The largest turn to either side, in degrees, 0 to 180; Keras's RandomRotation(0.1) is 36. Default 0.</summary>
    [JsonPropertyName("rotation_degrees")]
    public double RotationDegrees { get; init; }

    /// <summary>The largest shift in each direction, as a share of the side, 0 to 1. Default 0.</summary>
    [JsonPropertyName("shift")]
    public double Shift { get; init; }

    /// <summary>The picture is enlarged by a factor from 1 - this to 1 + this; 0 up to 1. Default 0.</summary>
    [JsonPropertyName("zoom")]
    public double Zoom { get; init; }

    /// <summary>
    /// The least share of the picture's area that a random crop keeps, more than 0, up to 1; its sides are from 3:4 to 4:3 and it is
    /// stretched to the full size (torchvision's RandomResizedCrop). Default 1: no crop.
    /// </summary>
    [JsonPropertyName("smallest_crop")]
    public double SmallestCrop { get; init; } = 1;

    /// <summary>Samples are multiplied by a factor from 1 - this to 1 + this; 0 to 1. Default 0.</summary>
    [JsonPropertyName("brightness")]
    public double Brightness { get; init; }

    /// <summary>Distances from the picture's mean gray are multiplied by a factor from 1 - this to 1 + this; 0 to 1. Default 0.</summary>
    [JsonPropertyName("contrast")]
    public double Contrast { get; init; }

    /// <summary>Distances of a pixel's samples from its gray are multiplied by a factor from 1 - this to 1 + this; 0 to 1. Default 0.</summary>
    [JsonPropertyName("colour")]
    public double Color { get; init; }

    /// <summary>
    /// The side of a square that the picture's mean color covers, as a share of the shorter side, 0 to 1; its center is anywhere in the
    /// picture (DeVries and Taylor 2017, arXiv:1708.04552). Default 0.
    /// </summary>
    [JsonPropertyName("cutout")]
    public double Cutout { get; init; }

    /// <summary>What stands where the picture leaves nothing. Default <see cref="FillRule.Reflect"/>.</summary>
    [JsonPropertyName("fill")]
    public FillRule Fill { get; init; }

    /// <summary>Whether nothing is ever changed.</summary>
    [JsonIgnore]
    public bool IsNone => this with { Fill = FillRule.Reflect } == None;

    /// <summary>A preset by its name, whatever its case; null if there is none.</summary>
    public static Augmentation? Named(string name) => name.ToUpperInvariant() switch
    {
        "NONE" => None,
        "LIGHT" => Light,
        "MEDIUM" => Medium,
        "STRONG" => Strong,
        _ => null,
    };

    /// <summary>The number that stands for a picture when views are drawn, from the SHA-256 of its file: the same wherever it lies.</summary>
    public static ulong PictureKey(ReadOnlySpan<byte> sha256) => BinaryPrimitives.ReadUInt64LittleEndian(sha256);

    /// <summary>What this does, with the version of the code that does it: the same text, the same pixels.</summary>
    public string ToJson() => $$"""{"version":"{{Version}}","options":{{JsonSerializer.Serialize(this, AugmentationJson.Default.Augmentation)}}}""";

    /// <summary>A view of a picture; of the same size, and a new one unless nothing changes.</summary>
    /// <param name="image">Upright, at input size.</param>
    /// <param name="seed">The training's.</param>
    /// <param name="picture">A number of the picture's own, such as <see cref="PictureKey"/>.</param>
    /// <param name="view">The epoch, or the view's number in a bank, from 1; 0 is the picture as it is.</param>
    public RgbImage Apply(RgbImage image, int seed, ulong picture, int view)
    {
        if (view == 0 || IsNone) return image;
        var draws = new ViewDraws(seed, picture, view);
        var result = Resample(image, draws);
        if (Brightness > 0 || Contrast > 0 || Color > 0) Recolor(result, draws);
        if (Cutout > 0) CutOut(result, draws);
        return result;
    }

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        void Expect(double value, bool isRight, string expected)
        {
            if (!isRight) problems.Add($"Expected {expected}, found {value}.");
        }
        Expect(RotationDegrees, RotationDegrees is >= 0 and <= 180, "a rotation from 0 to 180 degrees");
        Expect(Shift, Shift is >= 0 and <= 1, "a shift from 0 to 1 of the side");
        Expect(Zoom, Zoom is >= 0 and < 1, "a zoom from 0 up to 1");
        Expect(SmallestCrop, SmallestCrop is > 0 and <= 1, "a smallest crop above 0, up to 1 of the area");
        Expect(Brightness, Brightness is >= 0 and <= 1, "a change of brightness from 0 to 1");
        Expect(Contrast, Contrast is >= 0 and <= 1, "a change of contrast from 0 to 1");
        Expect(Color, Color is >= 0 and <= 1, "a change of color from 0 to 1");
        Expect(Cutout, Cutout is >= 0 and <= 1, "a cutout from 0 to 1 of the shorter side");
        return problems;
    }

    private RgbImage Resample(RgbImage image, ViewDraws draws)
    {
        var (width, height) = (image.Width, image.Height);
        var (left, top, cropWidth, cropHeight) = Crop(width, height, draws);
        var scale = 1 / (1 + Zoom * draws.Symmetric(Draw.Zoom));
        var (sin, cos) = Math.SinCos(RotationDegrees * draws.Symmetric(Draw.Rotation) * Math.PI / 180);
        var flipX = HorizontalFlip && draws.Uniform(Draw.HorizontalFlip) < 0.5 ? -1 : 1;
        var flipY = VerticalFlip && draws.Uniform(Draw.VerticalFlip) < 0.5 ? -1 : 1;

        // From a pixel of the view, by its distance from the middle, to the place in the picture that it shows.
        var (perX, perY) = (flipX * scale * cropWidth / width, flipY * scale * cropHeight / height);
        var middleX = left + cropWidth / 2 + Shift * width * draws.Symmetric(Draw.ShiftX) - 0.5;
        var middleY = top + cropHeight / 2 + Shift * height * draws.Symmetric(Draw.ShiftY) - 0.5;
        var source = image.Pixels;
        var result = RgbImage.Uninitialized(width, height);
        for (var y = 0; y < height; y++)
        {
            var row = result.Row(y);
            var fromMiddleY = (y + 0.5 - height / 2.0) * perY;
            for (var x = 0; x < width; x++)
            {
                var fromMiddleX = (x + 0.5 - width / 2.0) * perX;
                var fromX = middleX + cos * fromMiddleX - sin * fromMiddleY;
                var fromY = middleY + sin * fromMiddleX + cos * fromMiddleY;
                var (x0, y0) = ((int)Math.Floor(fromX), (int)Math.Floor(fromY));
                var (shareX, shareY) = (fromX - x0, fromY - y0);
                var (a, b) = (Place(x0, width), Place(x0 + 1, width));
                var (c, d) = (Place(y0, height), Place(y0 + 1, height));
                for (var channel = 0; channel < 3; channel++)
                {
                    var upper = (1 - shareX) * At(a, c, channel) + shareX * At(b, c, channel);
                    var lower = (1 - shareX) * At(a, d, channel) + shareX * At(b, d, channel);
                    row[3 * x + channel] = (byte)((1 - shareY) * upper + shareY * lower + 0.5);
                }
            }
        }
        return result;

        byte At(int x, int y, int channel) => x < 0 || y < 0 ? (byte)0 : source[3 * (y * width + x) + channel];
    }

    /// <summary>The part of the picture that fills the view, in pixels.</summary>
    private (double Left, double Top, double Width, double Height) Crop(int width, int height, ViewDraws draws)
    {
        if (SmallestCrop >= 1) return (0, 0, width, height);
        var area = SmallestCrop + (1 - SmallestCrop) * draws.Uniform(Draw.CropArea);
        // The width's share over the height's, between 3:4 and 4:3, evenly in its logarithm; narrowed where it would not fit.
        var aspect = Math.Exp(Math.Log(4 / 3.0) * draws.Symmetric(Draw.CropAspect));
        aspect = Math.Clamp(aspect, area, 1 / area);
        var (cropWidth, cropHeight) = (width * Math.Sqrt(area * aspect), height * Math.Sqrt(area / aspect));
        return ((width - cropWidth) * draws.Uniform(Draw.CropX), (height - cropHeight) * draws.Uniform(Draw.CropY), cropWidth, cropHeight);
    }

    /// <summary>The pixel that stands at a place inside or outside a side of so many pixels; -1 for black.</summary>
    private int Place(int position, int count)
    {
        if ((uint)position < (uint)count) return position;
        switch (Fill)
        {
            case FillRule.Edge:
                return position < 0 ? 0 : count - 1;
            case FillRule.Black:
                return -1;
            default:
                var inPeriod = ((position % (2 * count)) + 2 * count) % (2 * count);
                return inPeriod < count ? inPeriod : 2 * count - 1 - inPeriod;
        }
    }

    private void Recolor(RgbImage image, ViewDraws draws)
    {
        var brightness = 1 + Brightness * draws.Symmetric(Draw.Brightness);
        var contrast = 1 + Contrast * draws.Symmetric(Draw.Contrast);
        var color = (float)(1 + Color * draws.Symmetric(Draw.Color));
        var pixels = image.Pixels;
        var sum = 0L;
        for (var i = 0; i < pixels.Length; i += 3) sum += 299 * pixels[i] + 587 * pixels[i + 1] + 114 * pixels[i + 2];
        var mean = brightness * sum / (1000.0 * (pixels.Length / 3));
        // The same line for every sample, so by table; distances from a pixel's own gray after it.
        Span<float> lit = stackalloc float[256];
        for (var sample = 0; sample < 256; sample++) lit[sample] = (float)(mean + contrast * (brightness * sample - mean));
        for (var i = 0; i < pixels.Length; i += 3)
        {
            var (red, green, blue) = (lit[pixels[i]], lit[pixels[i + 1]], lit[pixels[i + 2]]);
            var gray = 0.299f * red + 0.587f * green + 0.114f * blue;
            pixels[i] = Sample(gray + color * (red - gray));
            pixels[i + 1] = Sample(gray + color * (green - gray));
            pixels[i + 2] = Sample(gray + color * (blue - gray));
        }

        static byte Sample(float value) => (byte)(Math.Clamp(value, 0, 255) + 0.5f);
    }

    private void CutOut(RgbImage image, ViewDraws draws)
    {
        var side = (int)Math.Round(Cutout * Math.Min(image.Width, image.Height));
        var left = (int)(draws.Uniform(Draw.CutoutX) * image.Width) - side / 2;
        var top = (int)(draws.Uniform(Draw.CutoutY) * image.Height) - side / 2;
        Span<long> sums = stackalloc long[3];
        for (var i = 0; i < image.Pixels.Length; i++) sums[i % 3] += image.Pixels[i];
        var count = image.Pixels.Length / 3;
        for (var y = Math.Max(top, 0); y < Math.Min(top + side, image.Height); y++)
        {
            var row = image.Row(y);
            for (var x = Math.Max(left, 0); x < Math.Min(left + side, image.Width); x++)
                for (var channel = 0; channel < 3; channel++) row[3 * x + channel] = (byte)(sums[channel] / count);
        }
    }
}

[JsonSerializable(typeof(Augmentation))]
internal sealed partial class AugmentationJson : JsonSerializerContext;
