using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Benchmarks;

/// <summary>
/// Accuracy of every classifier fitted on a few photos a class, drawn anew each time, on all other photos; and what cross-validation on the drawn photos
/// said of each. Each figure is a line of a file, and a second start goes on where the first was ended.
/// </summary>
internal static class FewPhotosBenchmark
{
    /// <summary>Of all photos, a fifth is measured on.</summary>
    private const int AllPhotos = 0;

    private sealed record Row(
        string Data, string Network, int Photos, int Draw, string Classifier, double Accuracy, double? CrossValidated, double? Loss, double[]? Folds, double Seconds);

    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "Photos as NAME=DIR; repeat", HelpName = "NAME=DIR", Required = true };
        var networks = new Option<string[]>("--network")
        {
            Description = "A network of the catalog, with its weights as NAME=FILE where they are not in the store; repeat",
            HelpName = "NAME[=FILE]",
            Required = true,
        };
        var photos = new Option<int[]>("--photos") { Description = "Photos of a class; 0 for four fifths of all", DefaultValueFactory = _ => [5, 10, 20, AllPhotos] };
        var draws = new Option<int>("--draws") { DefaultValueFactory = _ => 10 };
        var output = new Option<string>("--out") { Description = "The file of results, JSON lines; what is in it is not measured again", Required = true };
        var command = new Command("few-photos", "Accuracy of every classifier with few photos of a class, drawn repeatedly") { data, networks, photos, draws, output };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(
                parsed.GetRequiredValue(data), parsed.GetRequiredValue(networks), parsed.GetRequiredValue(photos), parsed.GetValue(draws),
                parsed.GetRequiredValue(output), cancellation),
            cancellation));
        return command;
    }

    private static void Run(string[] data, string[] networks, int[] counts, int draws, string output, CancellationToken cancellation)
    {
        var rows = File.Exists(output) ? File.ReadAllLines(output).Select(line => JsonSerializer.Deserialize<Row>(line)!).ToList() : [];
        var done = rows.Select(Key).ToHashSet();
        using var file = new StreamWriter(output, append: true) { AutoFlush = true };
        using var cache = FeatureCache.Open();
        foreach (var count in counts)
        {
            foreach (var (name, folder) in data.Select(text => (text.Split('=', 2)[0], text.Split('=', 2)[1])))
            {
                var photos = LabeledImages.Load(folder, LabeledImagesOptions.ForChecking);
                foreach (var network in networks.Select(text => text.Split('=', 2)))
                {
                    using var backbone = Backbone.Load(network[0], network.ElementAtOrDefault(1));
                    using var features = backbone.Features();
                    using var blocks = new FeatureBlocks(features);
                    var set = blocks.Extract([.. photos.All], cache, cancellation: cancellation);
                    string[] content = [.. set.Images.Select(image => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(image.Path))))];
                    for (var draw = 0; draw < draws; draw++)
                    {
                        foreach (var row in Measure(name, network[0], count, draw, photos.Classes, features, set, content, cache, done, cancellation))
                        {
                            rows.Add(row);
                            file.WriteLine(JsonSerializer.Serialize(row));
                        }
                    }
                    Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {count} {name} {network[0]}");
                }
            }
        }
        Print(rows);
    }

    private static string Key(Row row) => $"{row.Data} {row.Network} {row.Photos} {row.Draw} {row.Classifier}";

    private static IEnumerable<Row> Measure(
        string data, string network, int count, int draw, IReadOnlyList<string> classes, Backbone features, FeatureSet set, string[] content, FeatureCache cache, HashSet<string> done,
        CancellationToken cancellation)
    {
        int[] labels = [.. set.Images.Select(image => image.Class)];
        var (kept, rest) = Draw(content, labels, count, draw);
        var (train, trainLabels) = (kept.Select(image => set.Rows[image]).ToList(), kept.Select(image => labels[image]).ToList());
        var (test, testLabels) = (rest.Select(image => set.Rows[image]).ToList(), rest.Select(image => labels[image]).ToList());
        var layer = new Network("features", [new("features", new Input(train[0].Length, 0, 0), [])]);
        var validation = new CrossValidation { Repeats = AutomaticClassifier.Repeats(train.Count) };
        List<(string Name, FeatureClassifier Classifier, bool IsCandidate)> all =
        [
            .. AutomaticClassifier.Candidates(train.Count).Select(candidate => (candidate is RegularizedClassifier { C: null } ? $"{candidate.Name} --C auto" : candidate.Name, candidate, true)),
            ("logistic", new LogisticRegression(), false), ("svm", new LinearSvm(), false),
        ];
        foreach (var (name, classifier, isCandidate) in all)
        {
            if (done.Contains(Key(new(data, network, count, draw, name, 0, null, null, null, 0)))) continue;
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var held = isCandidate ? validation.Run(classifier, train, trainLabels, classes.Count, cancellation: cancellation) : null;
            using var head = (classifier with { Calibrate = false }).Fit(train, trainLabels, classes.Count, cancellation: cancellation).ToModule(layer);
            var outputs = Trainer.Outputs(head, new ExamplesInMemory(test, testLabels), 256, cancellation);
            yield return new(
                data, network, count, draw, name, outputs.Zip(testLabels).Average(pair => Array.IndexOf(pair.First, pair.First.Max()) == pair.Second ? 1.0 : 0),
                held?.Accuracy, held?.Loss, held is null ? null : [.. held.FoldAccuracies], Math.Round(clock.Elapsed.TotalSeconds, 3));
        }
        if (!done.Contains(Key(new(data, network, count, draw, "softmax", 0, null, null, null, 0))))
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            (ImageSource, string) Image(int index) => (set.Images[index], classes[labels[index]]);
            using var run = TrainingRun.Execute(
                LabeledImages.Of(kept.Select(Image), test: rest.Select(Image)), features, TrainingPlan.OnFeatures(), new() { Cache = cache }, cancellation);
            yield return new(data, network, count, draw, "softmax", run.Test!.Accuracy, null, null, null, Math.Round(clock.Elapsed.TotalSeconds, 3));
        }
    }

    /// <summary>Copies of a photo are drawn together or not at all.</summary>
    private static (int[] Kept, int[] Others) Draw(string[] content, int[] labels, int count, int draw)
    {
        var random = new Random(1000 * count + draw);
        int[] first = [.. Enumerable.Range(0, labels.Length).DistinctBy(image => content[image])];
        HashSet<int> kept = [];
        foreach (var ofClass in first.GroupBy(image => labels[image]))
        {
            var shuffled = ofClass.ToArray();
            random.Shuffle(shuffled);
            kept.UnionWith(shuffled.Take(count == AllPhotos ? (int)Math.Round(0.8 * shuffled.Length) : count));
        }
        return ([.. kept.Order()], [.. first.Where(image => !kept.Contains(image))]);
    }

    private static void Print(List<Row> rows)
    {
        Console.WriteLine($"# {Machine.Describe()}");
        string[] names = [.. rows.Select(row => row.Classifier).Distinct()];
        Console.WriteLine($"| photos a class | data | network | draws | {string.Join(" | ", names)} | auto |");
        Console.WriteLine($"|---|---|---|---|{string.Concat(names.Select(_ => "---|"))}---|");
        List<double> regrets = [];
        foreach (var group in rows.GroupBy(row => (row.Photos, row.Data, row.Network)))
        {
            var means = names.ToDictionary(name => name, name => group.Where(row => row.Classifier == name).Select(row => 100 * row.Accuracy).ToList());
            var draws = group.GroupBy(row => row.Draw).ToList();
            List<double> auto = [];
            foreach (var draw in draws)
            {
                var candidates = draw.Where(row => row.CrossValidated is not null).ToList();
                if (candidates.Count == 0) continue;
                var best = AutomaticClassifier.Best([.. candidates.Select(row => new CrossValidated
                {
                    Name = row.Classifier, FoldAccuracies = row.Folds!, HeldOutShare = 0.25, Loss = row.Loss!.Value, Predictions = [], Seconds = 0,
                })]);
                auto.Add(100 * candidates.First(row => row.Classifier == best.Name).Accuracy);
            }
            var regret = means.Where(entry => entry.Value.Count == draws.Count).Max(entry => entry.Value.Average()) - auto.Average();
            regrets.Add(regret);
            Console.WriteLine($"| {(group.Key.Photos == AllPhotos ? "all" : group.Key.Photos)} | {group.Key.Data} | {group.Key.Network} | {draws.Count} | {string.Join(" | ", names.Select(name => Text(means[name])))} | {Text(auto)} |");
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"\nRegret of auto against the best of its row: mean {regrets.Average():0.00}, worst {regrets.Max():0.00} points."));
    }

    /// <summary>The mean and the half width of its 95 % interval over the draws.</summary>
    private static string Text(List<double> values)
    {
        if (values.Count == 0) return "–";
        var mean = values.Average();
        var deviation = values.Count < 2 ? 0 : Math.Sqrt(values.Sum(value => Math.Pow(value - mean, 2)) / (values.Count - 1));
        return string.Create(CultureInfo.InvariantCulture, $"{mean:0.0} ± {1.96 * deviation / Math.Sqrt(values.Count):0.0}");
    }
}
