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

    /// <summary>The largest difference of a probability that is accepted, above 0. Default 0.005.</summary>
    public double Bound { get; init; } = 0.005;

    /// <summary>Figures for the file's metadata and the model card, such as the validation accuracy. Default none.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();

    /// <summary>Every problem at once.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (!Enum.IsDefined(Input)) problems.Add($"Expected a known input, found {Input}.");
        if (!Enum.IsDefined(For)) problems.Add($"Expected a known target, found {For}.");
        if (Input == ExportInput.Tensor && For is (ExportTarget.Web or ExportTarget.TransformersJs))
            problems.Add("In a browser the model takes whole photos, since no browser resizes as training does. Leave out the input tensor.");
        if (Input == ExportInput.PixelValues && For is (ExportTarget.Web or ExportTarget.Triton))
            problems.Add("Expected the input photo or tensor, found that of transformers.js.");
        if (!(Bound is > 0 and < 1)) problems.Add($"Expected a bound above 0 and below 1, found {Bound}.");
        if (CheckPhotos is { Count: 0 }) problems.Add("Expected photos to check the export on, found none.");
        return problems;
    }
}

/// <summary>A photo for which the exported model names another class than the trained one.</summary>
/// <param name="Margin">By how much the trained model's most probable class is ahead of its second.</param>
public sealed record DifferentClass(string Photo, string Trained, string Exported, double Margin);

/// <summary>How an exported model compares with the trained one, from the photo's file on; <c>parity.json</c> holds it.</summary>
/// <param name="Photos">How many were compared.</param>
/// <param name="Skipped">How many could not be read.</param>
/// <param name="LargestDifference">Of a probability.</param>
/// <param name="MeanDifference">Of all probabilities.</param>
/// <param name="Bound">What the largest difference may be. With nearest neighbors one vote more, since the last of them may be another.</param>
/// <param name="MarginOfDifferentClasses">Photos whose two most probable classes are closer than this may be named differently.</param>
/// <param name="WorstPhoto">The one of <paramref name="LargestDifference"/>.</param>
/// <param name="DifferentClasses">Photos that are named differently.</param>
public sealed record ExportParity(
    int Photos, int Skipped, double LargestDifference, double MeanDifference, double Bound, double MarginOfDifferentClasses, string WorstPhoto,
    IReadOnlyList<DifferentClass> DifferentClasses)
{
    /// <summary>Whether the exported model may be used in place of the trained one.</summary>
    public bool IsPassed => LargestDifference <= Bound && DifferentClasses.All(photo => photo.Margin < MarginOfDifferentClasses);
}

/// <summary>What an export wrote.</summary>
/// <param name="Files">The model first.</param>
/// <param name="Bytes">Of the model.</param>
public sealed record ExportResult(IReadOnlyList<string> Files, long Bytes, ExportParity Parity);

/// <summary>The exported model answers otherwise than the trained one; nothing was written.</summary>
public sealed class ExportParityException(ExportParity parity) : GraftException(
    FormattableString.Invariant($"The exported model differs from the trained one: a probability by up to {parity.LargestDifference:0.####} ({parity.WorstPhoto}), where {parity.Bound:0.####} is accepted, ")
    + $"and the class of {parity.DifferentClasses.Count:N0} of {parity.Photos:N0} photos. No model was written.")
{
    public ExportParity Parity { get; } = parity;
}
