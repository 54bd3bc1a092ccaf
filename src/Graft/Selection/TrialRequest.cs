using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Graft.Backbones;
using Graft.Checkpoints.Store;
using Graft.Classifiers;
using Graft.Runs;

namespace Graft.Selection;

/// <summary>What is to be tried on a person's photos: pretrained networks, and classifiers on their features.</summary>
public sealed record TrialRequest
{
    /// <summary>As <see cref="TrainingRequest.Photos"/>. Test images are left out: they are for the model that is chosen.</summary>
    public required string Photos { get; init; }

    /// <summary>Networks, each alone or combined as <c>a+b</c>; a file of weights follows as <c>NAME=FILE</c>. Default: <see cref="LocalBackbones"/>.</summary>
    public IReadOnlyList<string>? Backbones { get; init; }

    /// <summary>Names of <see cref="ClassifierCatalog"/>; C is chosen by cross-validation where there is one. Default logistic regression.</summary>
    public IReadOnlyList<string> Classifiers { get; init; } = ["logistic"];

    /// <summary>Whether the two best networks are tried once more with their features joined.</summary>
    public bool Combine { get; init; }

    /// <summary>Repetitions of 5-fold cross-validation, 1 to 100; default 2.</summary>
    [Range(1, 100)]
    public int Repeats { get; init; } = 2;

    /// <summary>Decides folds, draws and episodes. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Whether the best network's accuracy is measured with fewer photos.</summary>
    public bool Curve { get; init; }

    /// <summary>Few-shot episodes on every network; null for none.</summary>
    public EpisodeOptions? Episodes { get; init; }

    /// <summary>Networks whose weights are part of Graft or in the weight store, the cheapest first.</summary>
    [JsonIgnore]
    public static IReadOnlyList<string> LocalBackbones =>
    [
        .. BackboneCatalog.All.SelectMany(entry => entry.Weights
                .Where(weights => weights.IsPartOfGraft || (weights.File is { } file && WeightStore.Default.Find(file) is not null)).Take(1)
                .Select(weights => weights == entry.Weights[0] ? entry.FullName : weights.FullName))
            .OrderBy(name => BackboneCatalog.Find(name).PublishedParameters),
    ];

    /// <summary>What is wrong with the request, a sentence each; empty if nothing is. Files are not looked at.</summary>
    public IReadOnlyList<string> Problems()
    {
        List<string> problems = [.. DeclaredRanges.ProblemsOf(this), .. Episodes?.Problems() ?? []];
        if (Backbones is { Count: 0 }) problems.Add("Expected at least one network, found none.");
        foreach (var name in (Backbones ?? []).SelectMany(entry => Parsed(entry)).Select(backbone => backbone.Name))
            if (!BackboneCatalog.Contains(name)) problems.Add(new UnknownBackboneException(name).Problem);
        if (Backbones?.GroupBy(entry => entry, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            problems.Add($"{twice.Key} is named twice.");
        if (Classifiers.Count == 0) problems.Add("Expected at least one classifier, found none.");
        foreach (var name in Classifiers.Where(name => !ClassifierCatalog.Names.Contains(name)))
            problems.Add($"There is no classifier '{name}'. Choose of {string.Join(", ", ClassifierCatalog.Names)}.");
        return problems;
    }

    /// <summary>One network, or those of a combination.</summary>
    internal static IReadOnlyList<BackboneRequest> Parsed(string entry) =>
    [
        .. entry.Split('+', StringSplitOptions.TrimEntries).Select(part => part.Split('=', 2) is [var name, var file]
            ? new BackboneRequest { Name = name, Weights = file }
            : new BackboneRequest { Name = part }),
    ];

    /// <summary>The classifiers, C and shrinkage chosen by cross-validation.</summary>
    internal IEnumerable<FeatureClassifier> ToClassifiers() =>
        Classifiers.Select(name => ClassifierCatalog.Find(name).From(new() { C = null, Calibrate = false }));
}
