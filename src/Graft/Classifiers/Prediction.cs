namespace Graft.Classifiers;

/// <summary>A class and how probable it is, from 0 to 1.</summary>
public readonly record struct ClassProbability(string Class, double Probability);

/// <summary>What a classifier says of one photo.</summary>
public sealed class Prediction
{
    internal Prediction(string path, IReadOnlyList<string> classes, IReadOnlyList<float> probabilities)
    {
        Path = path;
        Probabilities = probabilities;
        Ranking = [.. classes.Zip(probabilities, (name, probability) => new ClassProbability(name, probability))
            .OrderByDescending(entry => entry.Probability)];
    }

    public string Path { get; }

    /// <summary>The most probable class.</summary>
    public string Class => Ranking[0].Class;

    /// <summary>The probability of <see cref="Class"/>, from 0 to 1.</summary>
    public double Probability => Ranking[0].Probability;

    /// <summary>Every class, the most probable first.</summary>
    public IReadOnlyList<ClassProbability> Ranking { get; }

    /// <summary>In the order of the classifier's classes; they sum to 1.</summary>
    public IReadOnlyList<float> Probabilities { get; }
}

/// <summary>Predictions for many photos: what could be read, and what could not.</summary>
public sealed record Predictions(IReadOnlyList<Prediction> Read, IReadOnlyList<Data.SkippedFile> Broken, int CacheHits, int CacheMisses)
{
    /// <summary>For each photo read, what <see cref="ImageClassifier.FeatureLayer"/> made of it; the outputs where there is no such layer.</summary>
    public IReadOnlyList<float[]> Features { get; init; } = [];
}
