using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>
/// What is done to a picture before a network sees it: resized, then each sample to
/// (sample · <see cref="Scale"/> - <see cref="Mean"/>) / <see cref="StandardDeviation"/>. It belongs to the weights and
/// travels with them, as JSON, in a model file. There is no default: a network's own record is the only right one.
/// </summary>
public sealed record Preprocessing : IJsonOnDeserialized
{
    /// <summary>Pixels.</summary>
    [JsonPropertyName("input_width")]
    public required int InputWidth { get; init; }

    /// <summary>Pixels.</summary>
    [JsonPropertyName("input_height")]
    public required int InputHeight { get; init; }

    [JsonPropertyName("resize")]
    public required ResizeRule ResizeRule { get; init; }

    [JsonPropertyName("interpolation")]
    public required Interpolation Interpolation { get; init; }

    [JsonPropertyName("channel_order")]
    public required ChannelOrder ChannelOrder { get; init; }

    /// <summary>Factor of a sample of 0 to 255; more than 0.</summary>
    [JsonPropertyName("scale")]
    public required double Scale { get; init; }

    /// <summary>Subtracted from the scaled sample; in <see cref="ChannelOrder"/>.</summary>
    [JsonPropertyName("mean")]
    public required ChannelValues Mean { get; init; }

    /// <summary>Divides the result; each more than 0; in <see cref="ChannelOrder"/>.</summary>
    [JsonPropertyName("standard_deviation")]
    public required ChannelValues StandardDeviation { get; init; }

    /// <summary>Floats that <see cref="Apply"/> writes: 3 · height · width.</summary>
    [JsonIgnore]
    public int InputLength => checked(3 * InputHeight * InputWidth);

    /// <summary>
    /// Keras's mode 'tf', samples from -1 to 1: MobileNet, Inception, Xception. Nearest neighbor unless told
    /// otherwise, as in Keras's <c>load_img</c>; networks whose accuracy was measured with another interpolation should
    /// name it.
    /// </summary>
    public static Preprocessing KerasTf(int size = 224, Interpolation interpolation = Interpolation.Nearest) =>
        Stretched(size, interpolation) with { Scale = 1 / 127.5, Mean = ChannelValues.Same(1) };

    /// <summary>
    /// Keras's mode 'caffe', blue, green, red samples from 0 to 255 less ImageNet's mean: VGG, ResNet v1. Nearest
    /// neighbor unless told otherwise, as in Keras's <c>load_img</c>.
    /// </summary>
    public static Preprocessing KerasCaffe(int size = 224, Interpolation interpolation = Interpolation.Nearest) =>
        Stretched(size, interpolation) with
        {
            ChannelOrder = ChannelOrder.Bgr,
            Scale = 1,
            Mean = new(103.939, 116.779, 123.68),
        };

    /// <summary>
    /// Keras's mode 'torch', samples from 0 to 1 less ImageNet's mean over its deviation: DenseNet. Nearest neighbor
    /// unless told otherwise, as in Keras's <c>load_img</c>.
    /// </summary>
    public static Preprocessing KerasTorch(int size = 224, Interpolation interpolation = Interpolation.Nearest) =>
        Stretched(size, interpolation) with { Mean = ImageNetMean, StandardDeviation = ImageNetDeviation };

    /// <summary>
    /// torchvision's evaluation transform: shorter side to <paramref name="resize"/>, center crop, then as
    /// <see cref="KerasTorch"/>.
    /// </summary>
    public static Preprocessing Torchvision(
        int crop = 224, int resize = 256, Interpolation interpolation = Interpolation.Bilinear) =>
        KerasTorch(crop, interpolation) with { ResizeRule = new ResizeRule.ShorterSideThenCrop(resize) };

    /// <summary>Samples from 0 to 1 and nothing else: what networks trained from scratch often use.</summary>
    public static Preprocessing UnitRange(int size, Interpolation interpolation = Interpolation.Bilinear) =>
        Stretched(size, interpolation);

    /// <summary>Reads what a model file says, as JSON, without reflection.</summary>
    /// <exception cref="JsonException">It is not such a record, or not a valid one.</exception>
    public static Preprocessing FromJson(string json) =>
        JsonSerializer.Deserialize(json, PreprocessingJson.Default.Preprocessing) ?? throw new JsonException("Expected a preprocessing, found null.");

    /// <summary>The same for another input size; a crop keeps its share of the resized picture.</summary>
    public Preprocessing WithInputSize(int width, int height) => this with
    {
        InputWidth = width,
        InputHeight = height,
        ResizeRule = ResizeRule is ResizeRule.ShorterSideThenCrop(var pixels)
            ? new ResizeRule.ShorterSideThenCrop((int)Math.Round(
                (double)pixels * Math.Max(width, height) / Math.Max(InputWidth, InputHeight)))
            : ResizeRule,
    };

    /// <summary>
    /// The same with another rule for photos of another shape than the input. A network's own crop stays as it is, with its margin; another
    /// network's photos are cropped without one. The color of a padding is the network's mean, which becomes 0 in its input.
    /// </summary>
    public Preprocessing WithFit(Fit fit) => this with
    {
        ResizeRule = fit switch
        {
            Fit.Crop => ResizeRule as ResizeRule.ShorterSideThenCrop ?? new ResizeRule.ShorterSideThenCrop(Math.Max(InputWidth, InputHeight)),
            Fit.Pad => new ResizeRule.LongerSideThenPad(MeanSample(0), MeanSample(1), MeanSample(2)),
            Fit.Stretch => new ResizeRule.Stretch(),
            _ => throw new ArgumentOutOfRangeException(nameof(fit), fit, "Expected Crop, Pad or Stretch."),
        },
    };

    /// <summary>Of red, green or blue, 0 to 255.</summary>
    private byte MeanSample(int color) =>
        (byte)Math.Clamp(Math.Round(Mean[ChannelOrder == ChannelOrder.Bgr ? 2 - color : color] / Scale), 0, 255);

    /// <summary>The picture at input size, by <see cref="ResizeRule"/>.</summary>
    /// <exception cref="InvalidOperationException">This record is not valid.</exception>
    /// <exception cref="UnreadableImageException">The picture is a line millions of times longer than wide.</exception>
    public RgbImage Resize(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        Validate();
        if (ResizeRule is ResizeRule.LongerSideThenPad pad) return Padded(image, pad);
        var (width, height) = ResizedSize(image.Width, image.Height);
        if (ResizeRule is not ResizeRule.ShorterSideThenCrop) return Resampler.Resize(image, width, height, Interpolation);
        // Math.Round halves to even, as Python's round does.
        var left = (int)Math.Round((width - InputWidth) / 2.0);
        var top = (int)Math.Round((height - InputHeight) / 2.0);
        return Resampler.Resize(image, width, height, Interpolation, left, top, InputWidth, InputHeight);
    }

    private RgbImage Padded(RgbImage image, ResizeRule.LongerSideThenPad pad)
    {
        var (width, height) = ResizedSize(image.Width, image.Height);
        var resized = Resampler.Resize(image, width, height, Interpolation);
        if (width == InputWidth && height == InputHeight) return resized;
        var padded = RgbImage.Uninitialized(InputWidth, InputHeight);
        for (var i = 0; i < padded.Pixels.Length; i += 3)
            (padded.Pixels[i], padded.Pixels[i + 1], padded.Pixels[i + 2]) = (pad.Red, pad.Green, pad.Blue);
        // Math.Round halves to even, as Python's round does.
        var (left, top) = ((int)Math.Round((InputWidth - width) / 2.0), (int)Math.Round((InputHeight - height) / 2.0));
        for (var y = 0; y < height; y++) resized.Row(y).CopyTo(padded.Row(top + y)[(3 * left)..]);
        return padded;
    }

    /// <summary>
    /// What a picture of this size is resized to by <see cref="ResizeRule"/>, before it is cropped or padded to the input: by torchvision's rule the
    /// longer side rounded down, to pad as Pillow's ImageOps.contain does.
    /// </summary>
    /// <exception cref="UnreadableImageException">The picture is a line millions of times longer than wide.</exception>
    public (int Width, int Height) ResizedSize(int width, int height)
    {
        switch (ResizeRule)
        {
            case ResizeRule.ShorterSideThenCrop(var pixels):
                var longer = (long)pixels * Math.Max(width, height) / Math.Min(width, height);
                if (longer > Array.MaxLength)
                    throw new UnreadableImageException($"too narrow: {width} × {height} pixels cannot be resized in proportion");
                return width < height ? (pixels, (int)longer) : ((int)longer, pixels);
            case ResizeRule.LongerSideThenPad:
                var (ratio, wanted) = ((double)width / height, (double)InputWidth / InputHeight);
                if (ratio > wanted) return (InputWidth, Math.Max(1, (int)Math.Round((double)height / width * InputWidth)));
                return ratio < wanted ? (Math.Max(1, (int)Math.Round((double)width / height * InputHeight)), InputHeight) : (InputWidth, InputHeight);
            default:
                return (InputWidth, InputHeight);
        }
    }

    /// <summary>Writes the network's input, [3, height, width] with the planes in <see cref="ChannelOrder"/>.</summary>
    /// <param name="image">A picture of the input size, which <see cref="Resize"/> makes of any other.</param>
    /// <param name="destination"><see cref="InputLength"/> floats.</param>
    /// <exception cref="ArgumentException">The image or the destination is of another size.</exception>
    /// <exception cref="InvalidOperationException">This record is not valid.</exception>
    public void Apply(RgbImage image, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(image);
        Validate();
        if (image.Width != InputWidth || image.Height != InputHeight)
        {
            throw new ArgumentException(
                $"Expected an image of {InputWidth} × {InputHeight} pixels, found {image.Width} × {image.Height}. " +
                $"Call {nameof(Resize)} first.", nameof(image));
        }
        if (destination.Length != InputLength)
        {
            throw new ArgumentException(
                $"Expected room for 3 · {InputHeight} · {InputWidth} = {InputLength} floats, " +
                $"found {destination.Length}.",
                nameof(destination));
        }

        Span<float> normalized = stackalloc float[256];
        var plane = InputWidth * InputHeight;
        for (var channel = 0; channel < 3; channel++)
        {
            for (var sample = 0; sample < 256; sample++)
                normalized[sample] = (float)((sample * Scale - Mean[channel]) / StandardDeviation[channel]);
            var target = destination.Slice(channel * plane, plane);
            var from = ChannelOrder == ChannelOrder.Bgr ? 2 - channel : channel;
            var pixels = image.Pixels;
            for (var i = 0; i < target.Length; i++, from += 3) target[i] = normalized[pixels[from]];
        }
    }

    /// <summary>Every problem of this record at once.</summary>
    /// <exception cref="InvalidOperationException">There is one.</exception>
    public void Validate()
    {
        if (Problems() is { Length: > 0 } problems) throw new InvalidOperationException(problems);
    }

    void IJsonOnDeserialized.OnDeserialized()
    {
        if (Problems() is { Length: > 0 } problems) throw new JsonException(problems);
    }

    private static readonly ChannelValues ImageNetMean = new(0.485, 0.456, 0.406);

    private static readonly ChannelValues ImageNetDeviation = new(0.229, 0.224, 0.225);

    private static Preprocessing Stretched(int size, Interpolation interpolation) => new()
    {
        InputWidth = size,
        InputHeight = size,
        ResizeRule = new ResizeRule.Stretch(),
        Interpolation = interpolation,
        ChannelOrder = ChannelOrder.Rgb,
        Scale = 1 / 255.0,
        Mean = ChannelValues.Same(0),
        StandardDeviation = ChannelValues.Same(1),
    };

    private string Problems()
    {
        const int LargestSide = 8192;
        var problems = new List<string>();
        if (InputWidth is < 1 or > LargestSide || InputHeight is < 1 or > LargestSide)
            problems.Add($"Expected an input of 1 to {LargestSide} pixels a side, found {InputWidth} × {InputHeight}.");
        if (ResizeRule is null) problems.Add("Expected a resize rule, found none.");
        if (ResizeRule is ResizeRule.ShorterSideThenCrop(var pixels) &&
            (pixels < Math.Max(InputWidth, InputHeight) || pixels > LargestSide))
        {
            problems.Add($"Expected a shorter side from {Math.Max(InputWidth, InputHeight)}, the input size, " +
                $"to {LargestSide} pixels, found {pixels}.");
        }
        if (!Enum.IsDefined(Interpolation)) problems.Add($"Expected a known interpolation, found {Interpolation}.");
        if (!Enum.IsDefined(ChannelOrder)) problems.Add($"Expected a known channel order, found {ChannelOrder}.");
        if (!(Scale > 0 && double.IsFinite(Scale))) problems.Add($"Expected a scale above 0, found {Scale}.");
        for (var channel = 0; channel < 3; channel++)
        {
            if (!double.IsFinite(Mean[channel]))
                problems.Add($"Expected a finite mean for channel {channel}, found {Mean[channel]}.");
            if (!(StandardDeviation[channel] > 0 && double.IsFinite(StandardDeviation[channel])))
            {
                problems.Add(
                    $"Expected a standard deviation above 0 for channel {channel}, " +
                    $"found {StandardDeviation[channel]}.");
            }
        }
        return string.Join(' ', problems);
    }
}

[JsonSerializable(typeof(Preprocessing))]
internal sealed partial class PreprocessingJson : JsonSerializerContext;
