using System.ComponentModel.DataAnnotations;
using Graft.Classifiers;
using Graft.Data;
using Graft.Networks;
using Graft.Training;

namespace Graft.Selection;

/// <summary>The protocol of few-shot learning: in each episode, classes and photos of them are drawn, and other photos of these classes are classified.</summary>
public sealed record EpisodeOptions
{
    /// <summary>Photos of a class that are classified in an episode, as in the field's tables.</summary>
    private const int Queries = 15;

    /// <summary>Classes of an episode, at least 2; default 5.</summary>
    [Range(2, int.MaxValue)]
    public int Way { get; init; } = 5;

    /// <summary>Photos of a class to learn from, at least 1; default 1.</summary>
    [Range(1, int.MaxValue)]
    public int Shot { get; init; } = 1;

    /// <summary>2 to 100,000; default 600.</summary>
    [Range(2, 100_000)]
    public int Episodes { get; init; } = 600;

    internal IReadOnlyList<string> Problems() => DeclaredRanges.ProblemsOf(this);

    /// <summary>
    /// Classifies by the nearest mean of centered features of length 1 (SimpleShot's CL2N); the center is the mean over all photos, as none of other classes
    /// is known.
    /// </summary>
    /// <exception cref="GraftException">Fewer classes than <see cref="Way"/>, or too few photos of them.</exception>
    public EpisodeScore Run(
        IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int seed, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        var byClass = Enumerable.Range(0, labels.Count).GroupBy(image => labels[image]).Where(images => images.Count() > Shot).OrderBy(images => images.Key)
            .Select(images => images.ToArray()).ToArray();
        if (byClass.Length < Way)
            throw new GraftException($"Episodes of {Way} classes need as many with more than {Shot} photo{(Shot == 1 ? "" : "s")}, found {byClass.Length}.");
        var center = Enumerable.Range(0, rows[0].Length).Select(feature => (float)rows.Average(row => (double)row[feature])).ToArray();
        var classifier = new CenteredClassMean { BaseMean = center, Calibrate = false };
        Network layer = new("features", [new("features", Input.Of(TensorShape.Vector(rows[0].Length)), [])]);
        var random = new SplitMix64((ulong)seed);
        var accuracies = new double[Episodes];
        for (var episode = 0; episode < Episodes; episode++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (episode % 50 == 0) progress?.Report(new("Episodes", episode, Episodes, "episodes"));
            var chosen = Enumerable.Range(0, byClass.Length).ToArray();
            random.Shuffle(chosen);
            List<int> supports = [], queries = [];
            foreach (var (ofClass, label) in chosen.Take(Way).Select((ofClass, label) => (byClass[ofClass], label)))
            {
                var drawn = ofClass.ToArray();
                random.Shuffle(drawn);
                supports.AddRange(drawn.Take(Shot));
                queries.AddRange(drawn.Skip(Shot).Take(Queries));
            }
            var place = chosen.Take(Way).Select((ofClass, label) => (labels[byClass[ofClass][0]], label)).ToDictionary();
            using var head = classifier.Fit([.. supports.Select(image => rows[image])], [.. supports.Select(image => place[labels[image]])], Way, cancellation: cancellation).ToModule(layer);
            var outputs = Trainer.Outputs(head, new ExamplesInMemory([.. queries.Select(image => rows[image])], new int[queries.Count]), 512, cancellation);
            accuracies[episode] = outputs.Zip(queries).Average(pair => Array.IndexOf(pair.First, pair.First.Max()) == place[labels[pair.Second]] ? 1.0 : 0);
        }
        progress?.Report(new("Episodes", Episodes, Episodes, "episodes"));
        var mean = accuracies.Average();
        var deviation = Math.Sqrt(accuracies.Sum(accuracy => Math.Pow(accuracy - mean, 2)) / Episodes);
        return new(Way, Shot, Episodes, mean, 1.96 * deviation / Math.Sqrt(Episodes));
    }
}

/// <summary>How well episodes went.</summary>
/// <param name="Accuracy">From 0 to 1, the mean over the episodes.</param>
/// <param name="HalfWidth">Of the mean's 95 % interval over the episodes, as the field's tables give it.</param>
public sealed record EpisodeScore(int Way, int Shot, int Episodes, double Accuracy, double HalfWidth);
