using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Graft.Evaluation;

namespace Graft.Export;

/// <summary>What an exported model takes.</summary>
public enum ExportInput
{
    /// <summary>uint8 [1, height, width, 3] of any size: resizing, cropping and normalization are in the graph.</summary>
    Photo,

    /// <summary>float32 [1, 3, height, width] of the network's size, resized and normalized outside: for accelerators that cannot resize.</summary>
    Tensor,

    /// <summary>
    /// The photo as transformers.js gives it: float32 [1, 3, height, width] of any size, samples from 0 to 255. A second output <c>logits</c> has the
    /// logarithms of the probabilities.
    /// </summary>
    PixelValues,
}

/// <summary>Where an exported model is to run, and so what lies around it.</summary>
public enum ExportTarget
{
    /// <summary>A program: one file.</summary>
    File,

    /// <summary>A browser: a folder with a page, for any web server.</summary>
    Web,

    /// <summary>NVIDIA Triton: a folder of its model repository, whose name is the model's.</summary>
    Triton,

    /// <summary>transformers.js: a folder that <c>pipeline("image-classification", …)</c> loads.</summary>
    TransformersJs,
}

/// <summary>What an exported model's weights and arithmetic are.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "As with TensorType, named after what is held.")]
[JsonConverter(typeof(LowerCaseEnumConverter<ExportPrecision>))]
public enum ExportPrecision
{
    Float32,

    /// <summary>Weights of 16 bits in the file, half its size; computed in float32.</summary>
    Float16,

    /// <summary>
    /// Weights and activations of 8 bits: a quarter of the size, and on processors with instructions for them (VNNI, dot products) some times as fast.
    /// The network's answers change; how much is measured and reported.
    /// </summary>
    Int8,
}

/// <summary>How a model is exported.</summary>
public sealed record ExportOptions
{
    /// <summary>Default one file. For others, the export's path is that of a new folder.</summary>
    public ExportTarget For { get; init; }

    /// <summary>Default a photo, which for transformers.js is <see cref="ExportInput.PixelValues"/>.</summary>
    public ExportInput Input { get; init; }

    /// <summary>Whether the feature vector is a second output. Default false.</summary>
    public bool Features { get; init; }

    /// <summary>
    /// Photos on which the exported model is compared with the trained one, best its validation photos. Null, the default, for generated
    /// pictures, which show every mistake in the pixels but not the accuracy.
    /// </summary>
    public IReadOnlyList<string>? CheckPhotos { get; init; }

    /// <summary>The class of each of <see cref="CheckPhotos"/>, by its index. Null, the default, where they are unknown: no accuracy is reported.</summary>
    public IReadOnlyList<int>? CheckLabels { get; init; }

    /// <summary>Default float32.</summary>
    public ExportPrecision Precision { get; init; }

    /// <summary>Photos on which the ranges of int8 are measured, best training photos; at most 256 of them are used. For int8 only, which needs them.</summary>
    public IReadOnlyList<string>? CalibrationPhotos { get; init; }

    /// <summary>
    /// The difference from the trained model that is accepted, above 0: with float32 and float16 the largest of a probability, by default 0.005
    /// and 0.02; with int8 half the sum over the classes (the total variation), on average over the photos, by default 0.1.
    /// </summary>
    public double? Bound { get; init; }

    /// <summary>Figures for the file's metadata and the model card, such as the validation accuracy. Default none.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();

    /// <summary>Every problem at once.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (!Enum.IsDefined(Input)) problems.Add($"Expected a known input, found {Input}.");
        if (!Enum.IsDefined(Precision)) problems.Add($"Expected a known precision, found {Precision}.");
        if (!Enum.IsDefined(For)) problems.Add($"Expected a known target, found {For}.");
        if (Input == ExportInput.Tensor && For is (ExportTarget.Web or ExportTarget.TransformersJs))
            problems.Add("In a browser the model takes whole photos, since no browser resizes as training does. Leave out the input tensor.");
        if (Input == ExportInput.PixelValues && For is (ExportTarget.Web or ExportTarget.Triton))
            problems.Add("Expected the input photo or tensor, found that of transformers.js.");
        if (Bound is not (null or > 0 and < 1)) problems.Add($"Expected a bound above 0 and below 1, found {Bound}.");
        if (CheckPhotos is { Count: 0 }) problems.Add("Expected photos to check the export on, found none.");
        if (CheckLabels is not null && CheckLabels.Count != CheckPhotos?.Count)
            problems.Add($"Expected a class for each of the {CheckPhotos?.Count ?? 0:N0} photos to check the export on, found {CheckLabels.Count:N0}.");
        if (Precision == ExportPrecision.Int8 && CalibrationPhotos is null or { Count: 0 }) problems.Add("Int8 needs photos to calibrate on, best training photos; there are none.");
        if (Precision != ExportPrecision.Int8 && CalibrationPhotos is not null) problems.Add($"Photos to calibrate on are for int8, not for {Precision}.");
        return problems;
    }
}

/// <summary>A photo for which the exported model names another class than the trained one.</summary>
/// <param name="Margin">By how much the trained model's most probable class is ahead of its second.</param>
public sealed record DifferentClass(string Photo, string Trained, string Exported, double Margin);

/// <summary>What may be different between an exported model and the trained one.</summary>
/// <param name="Largest">Difference of a probability.</param>
/// <param name="Mean">Of the differences of all probabilities.</param>
/// <param name="Margin">Photos whose two most probable classes are closer than this may be named differently.</param>
/// <param name="DifferentClasses">The share of the other photos that may be.</param>
public sealed record ParityBounds(double Largest, double Mean, double Margin, double DifferentClasses);

/// <summary>How an exported model compares with the trained one, from the photo's file on; <c>parity.json</c> holds it.</summary>
/// <param name="Photos">How many were compared.</param>
/// <param name="Skipped">How many could not be read.</param>
/// <param name="LargestDifference">Of a probability.</param>
/// <param name="MeanDifference">Of all probabilities.</param>
/// <param name="PixelDifference">The mean difference of the network's input from what training feeds it, in steps of 1 of 255; of the first photos.</param>
/// <param name="WorstPhoto">The one of <paramref name="LargestDifference"/>.</param>
/// <param name="DifferentClasses">Photos that are named differently.</param>
public sealed record ExportParity(
    int Photos, int Skipped, double LargestDifference, double MeanDifference, double PixelDifference, ParityBounds Bounds, string WorstPhoto,
    IReadOnlyList<DifferentClass> DifferentClasses)
{
    /// <summary>
    /// Of 255. The pixels are the same, and float32 rounds otherwise when it normalizes them, by less than 0.0001; a resize without antialiasing is off
    /// by some units on a photo with fine detail, and another mean or channel order by tens.
    /// </summary>
    public const double PixelBound = 0.01;

    /// <summary>Photos with another class although the trained model's two most probable classes are further apart than the margin.</summary>
    public int ClearlyDifferent => DifferentClasses.Count(photo => photo.Margin >= Bounds.Margin);

    /// <summary>Whether the exported model may be used in place of the trained one.</summary>
    public bool IsPassed => LargestDifference <= Bounds.Largest && MeanDifference <= Bounds.Mean && PixelDifference <= PixelBound
        && ClearlyDifferent <= Bounds.DifferentClasses * Photos;
}

/// <summary>What a precision below float32 costs and gains.</summary>
/// <param name="Bytes">Of the exported file.</param>
/// <param name="BytesOfFloat32">Of the same file with float32.</param>
/// <param name="ImagesPerSecond">From the pixels of a photo on, with all cores.</param>
/// <param name="ImagesPerSecondOfFloat32">The same with float32, in turns.</param>
/// <param name="Accuracy">On the check photos; null where their classes are unknown.</param>
/// <param name="AccuracyOfFloat32">Of the trained model on the same photos.</param>
/// <param name="McNemar">The trained model against the exported one; null where classes are unknown.</param>
/// <param name="Quantization">How it was quantized; null of float16.</param>
public sealed record PrecisionReport(
    ExportPrecision Precision, long Bytes, long BytesOfFloat32, double ImagesPerSecond, double ImagesPerSecondOfFloat32, double? Accuracy,
    double? AccuracyOfFloat32, McNemarTest? McNemar, QuantizationChoice? Quantization);

/// <summary>What an export wrote.</summary>
/// <param name="Files">The model first.</param>
/// <param name="Bytes">Of the model.</param>
/// <param name="Precision">Null of float32.</param>
public sealed record ExportResult(IReadOnlyList<string> Files, long Bytes, ExportParity Parity, PrecisionReport? Precision = null);

/// <summary>The exported model answers otherwise than the trained one; nothing was written.</summary>
public sealed class ExportParityException(ExportParity parity) : GraftException(
    $"The exported model differs from the trained one: {Reasons(parity)}. No model was written.")
{
    public ExportParity Parity { get; } = parity;

    private static string Reasons(ExportParity parity)
    {
        var (reasons, bounds) = (new List<string>(), parity.Bounds);
        void If(bool isBeyond, FormattableString reason)
        {
            if (isBeyond) reasons.Add(FormattableString.Invariant(reason));
        }
        If(parity.LargestDifference > bounds.Largest, $"a probability by up to {parity.LargestDifference:0.####} ({parity.WorstPhoto}), where {bounds.Largest:0.####} is accepted");
        If(parity.MeanDifference > bounds.Mean, $"probabilities by {parity.MeanDifference:0.####} on average, where {bounds.Mean:0.####} is accepted");
        If(parity.PixelDifference > ExportParity.PixelBound, $"the network's input by {parity.PixelDifference:0.##} of 255 on average, where {ExportParity.PixelBound:0.##} is accepted");
        If(parity.ClearlyDifferent > bounds.DifferentClasses * parity.Photos, $"the class of {parity.DifferentClasses.Count:N0} of {parity.Photos:N0} photos");
        return string.Join(", and ", reasons);
    }
}
