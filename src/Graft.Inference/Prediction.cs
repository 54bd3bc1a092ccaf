using Graft.Imaging;

namespace Graft.Inference;

/// <summary>A class and its probability, from 0 to 1.</summary>
public readonly record struct ClassProbability(string Class, double Probability);

/// <summary>A classifier's answer for one photo.</summary>
public sealed class Prediction
{
    private readonly IReadOnlyList<string> _classes;

    internal Prediction(IReadOnlyList<string> classes, float[] probabilities, float[]? features)
    {
        (_classes, Probabilities, Features) = (classes, probabilities, features);
        var best = Array.IndexOf(probabilities, probabilities.Max());
        (Class, Probability) = (classes[best], probabilities[best]);
    }

    /// <summary>The most probable class.</summary>
    public string Class { get; }

    /// <summary>The probability of <see cref="Class"/>, from 0 to 1.</summary>
    public double Probability { get; }

    /// <summary>In the order of <see cref="Classifier.Classes"/>; they sum to 1.</summary>
    public IReadOnlyList<float> Probabilities { get; }

    /// <summary>How unlike the training photos the photo is: 1 where it begins to be unlike them. Null where the model does not know.</summary>
    public double? Unlikeness { get; internal init; }

    /// <summary>Whether the photo is so unlike the training photos that it is likely none of the classes.</summary>
    public bool IsUnlikeTraining => Unlikeness > 1;

    /// <summary>The photo's feature vector, for similarity search; null unless the model was exported with features.</summary>
    public IReadOnlyList<float>? Features { get; }

    /// <summary>The most probable classes, the most probable first.</summary>
    /// <param name="count">At least 1; all classes if it is larger than their number.</param>
    public IReadOnlyList<ClassProbability> Top(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return [.. Enumerable.Range(0, _classes.Count).OrderByDescending(index => Probabilities[index]).Take(count)
            .Select(index => new ClassProbability(_classes[index], Probabilities[index]))];
    }
}

/// <summary>One of many photos: an answer, or the reason why there is none.</summary>
/// <param name="Problem">Null where there is an answer.</param>
public sealed record PhotoPrediction(string Path, Prediction? Prediction, string? Problem);

/// <summary>The outcome of <see cref="Classifier.Verify"/>.</summary>
/// <param name="Photos">How many were predicted.</param>
/// <param name="LargestDifference">Of a probability from what the trained model gave.</param>
/// <param name="Bound">The largest difference that counts as equal.</param>
public sealed record Verification(int Photos, double LargestDifference, double Bound)
{
    public bool IsPassed => LargestDifference <= Bound;
}

/// <summary>A file that is not a model which Graft exported; the message says what it is instead, and what to do.</summary>
public sealed class ModelException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>How a classifier computes.</summary>
public sealed record ClassifierOptions
{
    /// <summary>
    /// How many threads work on one photo: 0, the default, for one per core, which answers soonest; 1 where many photos are predicted at once,
    /// as in a server, which gets most done.
    /// </summary>
    public int Threads
    {
        get;
        init => field = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "Expected 0 or more threads.");
    }

    /// <summary>Where the model computes; a device that is missing is a <see cref="DeviceException"/>.</summary>
    public InferenceDevice Device { get; init; }

    /// <summary>What a photo may cost to decode.</summary>
    public DecodingOptions Decoding { get; init; } = DecodingOptions.Default;
}
