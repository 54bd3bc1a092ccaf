namespace Graft.Classifiers;

/// <summary>A class and how probable it is, from 0 to 1.</summary>
public readonly record struct ClassProbability(string Class, double Probability);

/// <summary>A classifier's answer for one photo.</summary>
public sealed class Prediction
{
    private readonly Lazy<IReadOnlyList<ClassProbability>> _ranking;

    internal Prediction(string path, IReadOnlyList<string> classes, IReadOnlyList<float> probabilities)
    {
        Path = path;
        Probabilities = probabilities;
        var best = 0;
        for (var index = 1; index < probabilities.Count; index++)
            if (probabilities[index] > probabilities[best]) best = index;
        (Class, Probability) = (classes[best], probabilities[best]);
        _ranking = new(() => [.. classes.Zip(probabilities, (name, probability) => new ClassProbability(name, probability))
            .OrderByDescending(entry => entry.Probability)]);
    }

    /// <summary>The photo's file; empty where the photo came from a stream, bytes or pixels.</summary>
    public string Path { get; }

    /// <summary>The most probable class.</summary>
    public string Class { get; }

    /// <summary>The probability of <see cref="Class"/>, from 0 to 1.</summary>
    public double Probability { get; }

    /// <summary>
    /// How unlike the training photos the photo is: 1 where it begins to be unlike them, see <see cref="ImageClassifier.Refuse"/>. Null where the model does not know, or had too
    /// few validation photos to say.
    /// </summary>
    public double? Unlikeness { get; internal init; }

    /// <summary>Whether the photo is so unlike the training photos that it is likely none of the classes.</summary>
    public bool IsUnlike => Unlikeness > 1;

    /// <summary>Every class, the most probable first.</summary>
    public IReadOnlyList<ClassProbability> Ranking => _ranking.Value;

    /// <summary>In the order of the classifier's classes; they sum to 1.</summary>
    public IReadOnlyList<float> Probabilities { get; }
}

/// <summary>Predictions for many photos: what could be read, and what could not.</summary>
public sealed record Predictions(IReadOnlyList<Prediction> Read, IReadOnlyList<Data.SkippedFile> Broken, int CacheHits, int CacheMisses)
{
    /// <summary>For each photo read, the vector that the model's head takes; the outputs where it has no such head.</summary>
    public IReadOnlyList<float[]> Features { get; init; } = [];
}
