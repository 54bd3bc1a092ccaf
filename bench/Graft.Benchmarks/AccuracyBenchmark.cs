using System.CommandLine;
using System.Globalization;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Runs;

namespace Graft.Benchmarks;

/// <summary>Accuracy of every classifier on the test photos (without any, on the validation photos), on the features of each network and of all joined.</summary>
internal static class AccuracyBenchmark
{
    public static readonly (string Name, FeatureClassifier? Classifier)[] Classifiers =
    [
        ("softmax head", null),
        ("logistic regression", new LogisticRegression()),
        ("logistic regression, C auto", new LogisticRegression { C = null }),
        ("linear SVM", new LinearSvm()),
        ("linear SVM, C auto", new LinearSvm { C = null }),
        ("RBF SVM", new RbfSvm()),
        ("naive Bayes", new GaussianNaiveBayes()),
        ("5 nearest neighbors", new NearestNeighbors()),
        ("nearest class mean", new NearestClassMean()),
        ("nearest centered mean", new CenteredClassMean()),
        ("linear discriminant analysis", new LinearDiscriminant()),
    ];

    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "Photos with train/ and test/ or val/ folders" };
        var networks = new Option<string[]>("--network")
        {
            Description = "A network of the catalog, with its weights as NAME=FILE where they are not in the store; repeat",
            HelpName = "NAME[=FILE]",
            Required = true,
        };
        var command = new Command("accuracy", "Test accuracy of every classifier on each network's features and on all joined") { folder, networks };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(parsed.GetRequiredValue(folder), parsed.GetRequiredValue(networks), cancellation), cancellation));
        return command;
    }

    private static void Run(string folder, string[] networks, CancellationToken cancellation)
    {
        var photos = LabeledImages.Load(folder);
        using var cache = FeatureCache.Open();
        var blocks = networks.Select(network => network.Split('=', 2)).Select(parts => Backbone.Load(parts[0], parts.ElementAtOrDefault(1)).Features()).ToList();
        List<FeatureBlocks> combinations = [.. blocks.Select(block => new FeatureBlocks(block))];
        if (blocks.Count > 1) combinations.Add(new FeatureBlocks(blocks));
        Console.WriteLine($"# {folder}: {photos.Train.Count} images to train on, {photos.Validation.Count} to validate, {photos.Test.Count} to test");
        Console.WriteLine($"| classifier | {string.Join(" | ", combinations.Select(combination => combination.Name))} |");
        Console.WriteLine($"|---|{string.Concat(combinations.Select(_ => "---|"))}");
        foreach (var (name, classifier) in Classifiers)
        {
            var cells = combinations.Select(combination =>
            {
                using var run = TrainingRun.Execute(photos, combination, TrainingPlan.OnFeatures(classifier: classifier), new() { Cache = cache }, cancellation);
                return string.Create(CultureInfo.InvariantCulture, $"{100 * (run.Test ?? run.Validation).Accuracy:0.0}");
            });
            Console.WriteLine($"| {name} | {string.Join(" | ", cells)} |");
        }
        foreach (var block in blocks) block.Dispose();
    }
}
